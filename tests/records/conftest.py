"""Records databases for tests: SQLite and a real PostgreSQL, fresh for each test."""

import shutil
import sqlite3
import subprocess
import sys
import time
import uuid
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from hashlib import md5, sha256
from pathlib import Path

import pytest

from calrecords.frames import ContentDigest, FrameFacts
from calrecords.records import Intent, Journal, NewVersion, RecordDatabase
from calrecords.vocabulary import Binning

FULL_FACTS = FrameFacts(
    obstype="SKYFLAT",
    site="lsc",
    camera="fa15",
    dateobs=datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
    instrument="sinistro",
    telescope="1m0a",
    is_master=True,
    reduction_level=91,
    filter="rp",
    binning=Binning(2, 1),
    configuration_mode="central_2k_2x2",
    exposure_time=12.345678901234567,
    ccd_temperature=-100.0,
    ccd_measured_temperature=-99.87,
    dayobs=date(2026, 1, 1),
    dayobs_rule="header",
    created=datetime(2026, 1, 2, 6, tzinfo=UTC),
    public_date=datetime(2027, 1, 2, tzinfo=UTC),
    object="auto_focus",
    proposal="calibrate",
    pipeline_name="BANZAI",
    pipeline_version="1.36.1",
    inputs=(("IMCOM001", "bias-1"), ("IMCOM002", "bias-2"), ("L1IDBIAS", "bias-1")),
    attributes={"SATURATE": 64000, "GAIN": 1e300, "MOLNUM": None, "WARM": True, "é": ["a", {}]},
)


class SqliteFiles:
    """Fresh SQLite files, and a look into them behind the back of calrecords."""

    name = "sqlite"

    def __init__(self, folder):
        self._folder = folder
        self._template = None

    def empty(self):
        return f"sqlite:///{self._folder / uuid.uuid4().hex}.sqlite"

    def migrated(self):
        if self._template is None:
            self._template = self.empty()
            RecordDatabase(self._template).upgrade()
        place = self.empty()
        shutil.copyfile(self.path(self._template), self.path(place))
        return place

    def path(self, place):
        return Path(place.removeprefix("sqlite:///"))

    def sql(self, place, *statements):
        with closing(sqlite3.connect(self.path(place))) as connection:
            for statement in statements:
                rows = connection.execute(statement).fetchall()
            connection.commit()
            return rows

    def tables(self, place):
        names = self.sql(place, "SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in names}

    def connections(self, place):
        opened = Path("/proc/self/fd")
        links = [str(link.readlink()) for link in opened.iterdir() if link.is_symlink()]
        return [link for link in links if link == str(self.path(place))]

    def give_back(self, place):
        for file in self._folder.glob(f"{self.path(place).name}*"):
            file.unlink()


@pytest.fixture(scope="session")
def sqlite_files(tmp_path_factory):
    return SqliteFiles(tmp_path_factory.mktemp("records"))


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request):
    """Return each kind of database in turn."""
    kinds = {"sqlite": "sqlite_files", "postgresql": "postgresql_server"}
    return request.getfixturevalue(kinds[request.param])


@contextmanager
def used(backend, place):
    """Give an opened database, and make sure that it leaves no connection behind."""
    database = RecordDatabase(place)
    database.open()
    yield database
    database.close()
    give_up = time.monotonic() + 10
    while (left := backend.connections(place)) and time.monotonic() < give_up:
        time.sleep(0.01)  # a server notices a closed connection a moment later
    backend.give_back(place)
    assert left == []


@pytest.fixture
def empty_place(backend):
    """Return where there is no schema yet: a server's empty database, or no file at all."""
    place = backend.empty()
    yield place
    backend.give_back(place)


@pytest.fixture
def place(backend):
    """Return the URL of a database at head."""
    return backend.migrated()


@pytest.fixture
def database(backend, place):
    """Return an opened, migrated records database of each kind."""
    with used(backend, place) as opened:
        yield opened


@pytest.fixture
def sqlite_database(sqlite_files):
    """Return an opened, migrated SQLite file."""
    with used(sqlite_files, sqlite_files.migrated()) as opened:
        yield opened


@pytest.fixture
def sql(backend, place, database):
    """Return a function that runs statements behind the back of calrecords."""
    return lambda *statements: backend.sql(place, *statements)


@pytest.fixture
def journal(database):
    return Journal(database)


@pytest.fixture
def full_facts():
    """Return facts with a value for every field."""
    return FULL_FACTS


def digest_of(content):
    data = content.encode()
    return ContentDigest(md5(data).hexdigest(), sha256(data).hexdigest(), len(data))


@pytest.fixture
def make_version():
    """Return a function that makes a version to be recorded, of facts that may be changed."""

    def make(basename="flat", content="bytes", *, facts=FULL_FACTS, facts_with=None, **values):
        values = {"extension": ".fits.fz", "digest": digest_of(content)} | values
        return NewVersion(basename=basename, facts=replace(facts, **(facts_with or {})), **values)

    return make


@pytest.fixture
def make_intent():
    """Return a function that makes an intent, of facts that may be changed."""

    def make(basename="flat", content="bytes", *, facts=FULL_FACTS, facts_with=None, **values):
        values = {
            "path": f"/data/{basename}.fits.fz",
            "extension": ".fits.fz",
            "digest": digest_of(content),
            "archive_record": {"basename": basename, "headers": {"GAIN": 1e300, "B": 1, "A": [2]}},
            "key": f"lsc/fa15/{basename}.fits.fz",
            "content_type": "image/fits",
        } | values
        return Intent(basename=basename, facts=replace(facts, **(facts_with or {})), **values)

    return make


@pytest.fixture
def record(database):
    """Return a function that records a version and returns its frame as read back."""
    from calrecords.records.recording import record_version

    def write(new, now=None):
        with database.write() as session:
            record_version(session, new, now or datetime.now(UTC))
        return database.get(basename=new.basename, md5=new.digest.md5)

    return write


@pytest.fixture
def described():
    """Return a function that gives every table's columns, keys, indexes and checks, by name."""
    import sqlalchemy as sa

    def describe(connection):
        """Return every table's columns, keys, indexes and checks, by name."""
        inspector = sa.inspect(connection)
        found = {}
        for table in sorted(set(inspector.get_table_names()) - {"alembic_version"}):
            indexes = inspector.get_indexes(table)
            for index in indexes:
                index.pop("dialect_options", None)
                index.pop("include_columns", None)
            found[table] = {
                "columns": {
                    column["name"]: (
                        column["type"].compile(connection.dialect),
                        getattr(column["type"], "collation", None),
                        column["nullable"],
                    )
                    for column in inspector.get_columns(table)
                },
                "primary": inspector.get_pk_constraint(table),
                "foreign": sorted(inspector.get_foreign_keys(table), key=lambda key: key["name"]),
                "unique": sorted(
                    inspector.get_unique_constraints(table), key=lambda key: key["name"]
                ),
                "checks": sorted(
                    inspector.get_check_constraints(table), key=lambda key: key["name"]
                ),
                "indexes": sorted(indexes, key=lambda index: index["name"]),
            }
        return found

    return describe


READY = "import sys; print('ready', flush=True); sys.stdin.readline()"


@pytest.fixture
def together():
    """Return a function that runs a script in several processes at once.

    They go on together where the script says ``#READY``, and none reads its next line before
    each has written one. What each writes is returned, once none has complained.
    """
    started = []

    def run(script, *arguments, timeout_s=120, answer=False):
        processes = []
        command = [sys.executable, "-W", "error", "-c", script.replace("#READY", READY)]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        for given in arguments:
            processes.append(subprocess.Popen([*command, *given], text=True, **pipes))
        started.extend(processes)
        for process in processes:
            assert process.stdout.readline() == "ready\n", process.stderr.read()
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        answers = [process.stdout.readline() for process in processes] if answer else []
        outputs = [process.communicate(timeout=timeout_s) for process in processes]
        assert [err for _, err in outputs] == [""] * len(processes)
        assert [process.returncode for process in processes] == [0] * len(processes)
        return answers or [out for out, _ in outputs]

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()
