"""Upgrades of the schema that are killed with SIGKILL, from every released schema.

Each is killed before and after its statements, at its commit, and by the clock at random. What is
left must be the old schema or the new one with every row, and the next `calrecords db
upgrade` must finish it. Run it for the figures of the README:

    python tests/reliability/killed_upgrades.py
    python tests/reliability/killed_upgrades.py --db postgresql://postgres@127.0.0.1/postgres
"""

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import uuid
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.engine import Engine

import calrecords
from calrecords.cli.app import main as command_line
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.records import RecordDatabase
from calrecords.records.migrate import known_revisions

START = datetime(2026, 1, 1, tzinfo=UTC)
EMPTY = "no schema"
GIVE_UP_S = 60


@dataclass(frozen=True)
class Contents:
    """All that a database holds: its schema as text, and the rows of each table."""

    schema: list
    rows: dict

    def lacks(self, others):
        """Return how many rows of others are not here."""
        return sum(
            (Counter(rows) - Counter(self.rows.get(table, ()))).total()
            for table, rows in others.rows.items()
        )


class SqliteFiles:
    """SQLite files in a folder."""

    kind = "SQLite"

    def __init__(self, folder):
        self._folder = folder

    def place(self, name):
        return f"sqlite:///{self._file(name)}"

    def make(self, name):
        """Make room for an empty database, which is no file at all."""
        self._file(name).parent.mkdir()

    def copy(self, name, to):
        """Copy a database as it lies on the disk, with what a killed writer left beside it."""
        shutil.rmtree(self._file(to).parent, ignore_errors=True)
        shutil.copytree(self._file(name).parent, self._file(to).parent)

    def contents(self, name):
        """Read a copy: to read the file itself would mend it, which is the next upgrade's work."""
        self.copy(name, "looked at")
        with closing(sqlite3.connect(self._file("looked at"))) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            schema = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
            tables = [name for kind, name, _ in schema if kind == "table"]
            rows = {
                name: sorted(map(repr, connection.execute(f"SELECT * FROM {name}")))
                for name in tables
            }
        return Contents(sorted(map(repr, schema)), rows)

    def settle(self, name):
        """Nobody but the killed process itself was at work."""

    def drop_all(self):
        """The folder goes as a whole."""

    def _file(self, name):
        return self._folder / name / "records.sqlite"


SCHEMA = (
    "SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name"
    " FROM information_schema.columns WHERE table_schema = 'public'",
    "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace",
)


class PostgresqlDatabases:
    """Databases on a PostgreSQL server."""

    kind = "PostgreSQL"

    def __init__(self, server):
        self._server = server
        self._prefix = f"calrecords_killed_{uuid.uuid4().hex[:12]}_"
        self._made = set()

    def place(self, name):
        return f"{self._server.rpartition('/')[0]}/{self._named(name)}"

    def make(self, name):
        self._make(name, "template0")

    def copy(self, name, to):
        self._make(to, self._named(name))

    def contents(self, name):
        with self._connected(self.place(name)) as connection:
            schema = [row for asked in SCHEMA for row in connection.execute(asked).fetchall()]
            tables = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall()
            rows = {
                name: sorted(map(repr, connection.execute(f"SELECT * FROM {name}").fetchall()))
                for (name,) in tables
            }
        return Contents(sorted(map(repr, schema)), rows)

    def settle(self, name):
        """Wait until the server has noticed that a process is dead."""
        asked = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s "
            "AND backend_type = 'client backend'"
        )
        give_up = time.monotonic() + GIVE_UP_S
        with self._connected(self._server) as connection:
            while connection.execute(asked, [self._named(name)]).fetchone() != (0,):
                assert time.monotonic() < give_up, "the server keeps a dead process's connection"
                time.sleep(0.005)

    def drop_all(self):
        with self._connected(self._server) as connection:
            for name in self._made:
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _make(self, name, template):
        named = self._named(name)
        self._made.add(named)
        with self._connected(self._server) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {named} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {named} TEMPLATE {template}")

    def _named(self, name):
        return self._prefix + name.replace(" ", "_")

    @contextmanager
    def _connected(self, place):
        import psycopg

        with closing(psycopg.connect(place, autocommit=True, connect_timeout=10)) as connection:
            yield connection


def fill(place, folder, rows):
    """Make a database at head with rows in most tables."""
    RecordDatabase(place).upgrade()
    with calrecords.connect(db=place, store=folder / "store", cache=folder / "cache") as cal:
        cal.import_records(row_of(number) for number in range(rows))
        cal.register(write_synthetic_frame(folder, basename="mask", obstype="BPM", seed=1))
        for number in range(1, rows, 10):
            name = row_of(number)["basename"]
            cal.mark_bad(name, reason="stripes")
            cal.correct(name, reason="a wrong header", filter="rp")
            cal.set_validity(name, START, START + timedelta(days=9), reason="a new detector")
            cal.record_use(f"science-{number}", name, caltype="BIAS")
        cal.set_override("BIAS", row_of(0)["basename"], target="science", reason="no other")
        target = {"site": "lsc", "camera": "fa01", "dateobs": START, "binning": "1x1"}
        cal.best({**target, "configuration_mode": "default"}, "BIAS")


def row_of(number):
    return {
        "basename": f"bias-{number:06d}",
        "extension": ".fits",
        "obstype": "BIAS",
        "is_master": True,
        "site": "lsc",
        "camera": f"fa{number % 5:02d}",
        "instrument": "sinistro",
        "frame_id": number + 1,
        "dateobs": START + timedelta(minutes=number),
        "binning": "1x1",
        "md5": f"{number:032x}",
        "attributes": {"GAIN": number / 7, "READOUT": ["a", None]},
    }


def begin(work):
    """Start a process of its own that does something; return its number."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except SystemExit as ended:
        code = ended.code or 0
    finally:
        os._exit(code)


def ended(pid):
    """Return the exit code of a process, once it has ended; the signal's, below zero, of a kill."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def is_killed(pid):
    """Return whether a process was killed, once it has ended; otherwise it must have succeeded."""
    code = ended(pid)
    if code not in (0, -signal.SIGKILL):
        msg = f"an upgrade of what was never killed ended with exit code {code}"
        raise RuntimeError(msg)
    return code != 0


def upgrade(place):
    """Run `calrecords db upgrade`, and see nothing of what it prints."""
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    command_line(["db", "upgrade", "--db", place])


def upgrade_and_die(place, moment=None, told=None):
    """Run an upgrade that is killed at a moment: before or after a statement, or at its commit.

    One that is not says into a pipe how many moments it had.
    """
    reached = 0

    def count(*_, **__):
        nonlocal reached
        if reached == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        reached += 1

    for when in ("before_cursor_execute", "after_cursor_execute", "commit"):
        event.listen(Engine, when, count)
    try:
        upgrade(place)
    finally:
        if told is not None:
            os.write(told, str(reached).encode())


@dataclass
class Figure:
    """What came out."""

    database: str
    rows: int
    seed: int
    kills: dict = field(default_factory=Counter)
    left_old: int = 0
    left_new: int = 0
    lost_rows: int = 0
    wrong: list = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_perfect(self):
        return not (self.lost_rows or self.wrong)


class Upgrades:
    """Upgrades from one schema, each of a fresh copy."""

    def __init__(self, databases, name, figure):
        self._databases = databases
        self._name = name
        self._figure = figure
        self._place = databases.place("worked on")
        self._old = databases.contents(name)
        self._copy()
        heard, told = os.pipe()
        began = time.monotonic()
        assert not is_killed(begin(lambda: upgrade_and_die(self._place, told=told)))
        self._usual_s = time.monotonic() - began
        self._moments = int(os.read(heard, 20))
        self._new = databases.contents("worked on")
        os.close(heard)
        os.close(told)

    def kill_at_moments(self, kills):
        """Kill upgrades at moments that are spread evenly over all that there are."""
        for moment in sorted({(2 * n + 1) * self._moments // (2 * kills) for n in range(kills)}):
            self._copy()
            assert is_killed(begin(lambda moment=moment: upgrade_and_die(self._place, moment)))
            self._judge(f"moment {moment} of {self._moments}")

    def kill_at_random(self, kills, rng):
        """Kill upgrades by the clock; one that was faster is none that was killed."""
        for _ in range(kills):
            self._copy()
            after_s = rng.uniform(0, self._usual_s)
            pid = begin(lambda: upgrade(self._place))
            time.sleep(after_s)
            os.kill(pid, signal.SIGKILL)
            if is_killed(pid):
                self._judge(f"{after_s:.4f} s of {self._usual_s:.4f}")

    def _copy(self):
        self._databases.copy(self._name, "worked on")

    def _judge(self, when):
        """Look at what a kill left, and at what the next upgrade makes of it."""
        figure = self._figure
        figure.kills[self._name] += 1
        self._databases.settle("worked on")
        found = self._databases.contents("worked on")
        wanted = self._old if found.schema == self._old.schema else self._new
        figure.left_old += wanted is self._old
        figure.left_new += wanted is self._new
        self._compare(found, wanted, f"{self._name}, killed at {when}")
        code = ended(begin(lambda: upgrade(self._place)))
        self._databases.settle("worked on")
        finished = self._databases.contents("worked on")
        again = f"{self._name}, killed at {when}, upgraded again with exit code {code}"
        self._compare(finished, self._new, again)

    def _compare(self, found, wanted, what):
        if found == wanted:
            return
        lost, more = found.lacks(wanted), wanted.lacks(found)
        self._figure.lost_rows += lost
        same = "the same" if found.schema == wanted.schema else "another"
        self._figure.wrong.append(f"{what}: {same} schema, {lost} rows lost, {more} rows too many")


def measure(databases, folder, asked):
    """Kill upgrades from every schema, and return what came out."""
    began = time.monotonic()
    figure = Figure(databases.kind, asked.rows, asked.seed)
    rng = random.Random(asked.seed)
    databases.make(EMPTY)
    databases.make("head")
    fill(databases.place("head"), folder, asked.rows)
    for name in (EMPTY, *known_revisions()[:-1]):
        if name != EMPTY:
            databases.copy("head", name)
            with closing(RecordDatabase(databases.place(name))) as database:
                database.downgrade(name)
        upgrades = Upgrades(databases, name, figure)
        upgrades.kill_at_moments(asked.moments)
        upgrades.kill_at_random(asked.random, rng)
    figure.seconds = round(time.monotonic() - began, 1)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=2000, help="frames in the records")
    parser.add_argument("--moments", type=int, default=40, help="kills at moments, of each schema")
    parser.add_argument("--random", type=int, default=20, help="kills by the clock, of each schema")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--db", help="a PostgreSQL database, beside which others are made; by default SQLite files"
    )
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        databases = PostgresqlDatabases(asked.db) if asked.db else SqliteFiles(folder)
        try:
            figure = measure(databases, folder, asked)
        finally:
            databases.drop_all()
    if asked.json:
        print(json.dumps({**vars(figure), "is_perfect": figure.is_perfect}, indent=2))
    else:
        print(
            f"{figure.database}, {figure.rows} frames, seed {figure.seed}: "
            f"{sum(figure.kills.values())} upgrades killed, {dict(figure.kills)}\n"
            f"left the old schema {figure.left_old}, the new one {figure.left_new}; rows lost "
            f"{figure.lost_rows}, wrong {len(figure.wrong)}\nseconds: {figure.seconds}"
        )
        for one in figure.wrong:
            print(f"wrong: {one}")
    sys.exit(0 if figure.is_perfect else 1)


if __name__ == "__main__":
    main()
