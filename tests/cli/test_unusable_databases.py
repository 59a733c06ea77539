"""Whatever is wrong with a records database, each verb says what, and what to type."""

import json
import logging
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import calrecords
from calrecords.cli import exit_codes, main
from calrecords.cli.app import calrecords as program
from calrecords.errors import (
    ConfigurationError,
    NoCalibrationError,
    RecordsUnavailableError,
    SchemaError,
)
from calrecords.records import RecordDatabase
from calrecords.records.migrate import HEAD

READING = {
    "query": ["query"],
    "show": ["show", "5"],
    "best": ["best", "FRAME", "BIAS"],
    "calibrations": ["calibrations", "FRAME"],
    "fetch": ["fetch", "5"],
    "history": ["history", "5"],
    "uses": ["uses", "5"],
    "affected": ["affected", "5"],
    "impact": ["impact", "--verdict", "bad", "--frame", "5"],
    "override": ["override", "list"],
    "db": ["db", "check"],
}
WRITING = {
    "ingest": ["ingest", "FRAME"],
    "register": ["register", "FRAME"],
    "adopt": ["adopt", "5"],
    "import": ["import", "ROWS"],
    "resume": ["resume"],
    "mark": ["mark", "bad", "5", "--reason", "stripes"],
    "validity": ["validity", "5", "--after", "2026-01-01", "--reason", "new detector"],
    "correct": ["correct", "5", "--set", "filter=rp", "--reason", "wrong header"],
    "record-use": ["record-use", "FRAME", "5", "--caltype", "BIAS"],
    "audit": ["audit"],
    "repair": ["repair"],
}
ELSEWHERE = {"rules", "cache", "config", "demo"}
"""Verbs that open no records."""

VERBS = {**READING, **WRITING, "doctor": ["doctor"]}


def too_old(sql, place):
    with closing(RecordDatabase(place)) as database:
        database.downgrade("0001")


def too_new(sql, place):
    sql("UPDATE alembic_version SET version_num = '9999'")


def without_a_schema(sql, place):
    with closing(RecordDatabase(place)) as database:
        database.downgrade("base")


def foreign(sql, place):
    without_a_schema(sql, place)
    sql("DROP TABLE alembic_version", "CREATE TABLE calimages (id INTEGER)")


def foreign_with_migrations(sql, place):
    without_a_schema(sql, place)
    sql("INSERT INTO alembic_version VALUES ('theirs')", "CREATE TABLE calimages (id INTEGER)")


STATES = [
    (too_old, f"has schema 0001, older than {HEAD}; run: calrecords db upgrade"),
    (too_new, "which this calrecords does not know; run: pip install --upgrade calrecords"),
    (without_a_schema, "has no records schema yet; run: calrecords db upgrade"),
    (foreign, "holds tables that are not calrecords'; name another database"),
    (foreign_with_migrations, "holds tables that are not calrecords'; name another database"),
]


def sqlite_sql(place, *statements):
    with closing(sqlite3.connect(place)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    """Return a database at head, and what runs statements behind our back."""
    if request.param == "sqlite":
        place = str(tmp_path / "records.sqlite")
        with closing(RecordDatabase(place)) as made:
            made.open()
        yield place, lambda *statements: sqlite_sql(place, *statements)
        return
    server = request.getfixturevalue("postgresql_server")
    place = server.migrated()
    yield place, lambda *statements: server.sql(place, *statements, "SELECT 1")
    server.drop(place)


@pytest.fixture
def words(make_frame, tmp_path):
    """Return a function that puts what is there into the words of a verb."""
    frame = make_frame()
    rows = tmp_path / "rows.jsonl"
    row = {"filename": "a.fits", "obstype": "BIAS", "site": "lsc", "camera": "fa01"}
    rows.write_text(json.dumps(row) + "\n")
    known = {"FRAME": str(frame), "ROWS": str(rows)}
    return lambda given: [known.get(word, word) for word in given]


@pytest.fixture
def command(environment, monkeypatch, capsys, tmp_path):
    """Return a function that runs a verb here, and returns its exit code and what it said."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    logger = logging.getLogger("calrecords")
    level = logger.level

    def run(words, place):
        monkeypatch.setenv("CALRECORDS_DB_URL", place)
        with pytest.raises(SystemExit) as ended:
            main(words)
        said = capsys.readouterr()
        return ended.value.code, said.out + said.err

    yield run
    logger.setLevel(level)


def test_every_verb_that_opens_records_is_in_the_table():
    assert set(VERBS) | ELSEWHERE == set(program.list_commands(None))


@pytest.mark.parametrize(("state", "said"), STATES, ids=[state.__name__ for state, _ in STATES])
def test_a_schema_that_cannot_be_used_is_said_by_every_verb(state, said, database, words, command):
    place, sql = database
    state(sql, place)
    with pytest.raises(SchemaError, match=said):
        calrecords.connect(db=place)
    for verb, given in VERBS.items():
        code, text = command(words(given), place)
        assert code == (exit_codes.FAILED if verb == "doctor" else exit_codes.CONFIGURATION), verb
        assert (said in text, "Traceback" in text) == (True, False), (verb, text)


@pytest.mark.parametrize(("state", "said"), STATES, ids=[state.__name__ for state, _ in STATES])
def test_an_upgrade_helps_where_it_was_named_and_nowhere_else(state, said, database, command):
    place, sql = database
    state(sql, place)
    code, text = command(["db", "upgrade"], place)
    if "calrecords db upgrade" in said:
        assert code == exit_codes.OK
        assert command(["query"], place)[0] == exit_codes.OK
    else:
        assert (code, said in text) == (exit_codes.CONFIGURATION, True)


ONLY_READ = {**READING, **{verb: WRITING[verb] for verb in ("adopt", "resume", "repair")}}
"""What writes nothing: there is nothing to adopt, to resume or to repair."""

WRITES = {verb: given for verb, given in WRITING.items() if verb not in ONLY_READ}


def fill(place, words):
    """Record a frame, and whatever else reading verbs would write once."""
    with calrecords.connect(db=place) as cal:
        [known] = [json.loads(Path(word).read_text()) for word in words(["ROWS"])]
        cal.import_records([{**known, "frame_id": 5, "filename": "known.fits"}])
        with pytest.raises(NoCalibrationError):
            cal.best(words(["FRAME"])[0], "BIAS")


def check_that_it_is_only_read(run, usual):
    for verb in ONLY_READ:
        code, text = run(verb)
        assert (verb, code, "Traceback" in text) == (verb, usual[verb], False), text
    for verb in WRITES:
        code, text = run(verb)
        assert (verb, code, "Traceback" in text) == (verb, exit_codes.CONFIGURATION, False), text
        assert "cannot be written" in text, (verb, text)


def test_a_server_that_may_only_be_read_is_asked_and_refuses_to_write(
    postgresql_server, words, archive, command
):
    place = postgresql_server.migrated()
    fill(place, words)
    usual = {verb: command(words(given), place)[0] for verb, given in ONLY_READ.items()}
    replica = f"{place}?options=-c%20default_transaction_read_only%3Don"
    check_that_it_is_only_read(lambda verb: command(words(VERBS[verb]), replica), usual)
    with closing(RecordDatabase(place)) as database:
        database.downgrade("0001")
    code, text = command(["db", "upgrade"], replica)
    assert (code, "cannot be written" in text) == (exit_codes.CONFIGURATION, True)
    postgresql_server.drop(place)


AS_NOBODY = """
import contextlib, io, json, os, sys
from calrecords.cli import main

def run(place, words):
    os.environ["CALRECORDS_DB_URL"] = place
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            main(words)
        except SystemExit as ended:
            return ended.code, said.getvalue()

writable, read_only, verbs = json.loads(sys.argv[1])
usual = {verb: run(writable, words)[0] for verb, words in verbs.items()}
os.environ["FILESYSTEM_STORAGE_ROOT_DIR"] += "-of-nobody"
if os.geteuid() == 0:
    os.seteuid(65534)
print(json.dumps([usual, {verb: run(read_only, words) for verb, words in verbs.items()}]))
"""


@pytest.mark.skipif(
    sqlite3.sqlite_version_info >= (3, 51, 3),
    reason="a write-ahead log wants a folder that can be written, also of who only reads",
)
def test_a_file_that_may_only_be_read_is_asked_and_refuses_to_write(words, archive, environment):
    with tempfile.TemporaryDirectory() as name:
        folder, records = Path(name), Path(name, "records")
        for made in (records, folder / "home", folder / "store-of-nobody"):
            made.mkdir()
        for word in ("FRAME", "ROWS"):
            shutil.copy(*words([word]), folder)
        environment |= {
            "HOME": str(folder / "home"),
            "FILESYSTEM_STORAGE_ROOT_DIR": str(folder / "store"),
            "CALRECORDS_CACHE_DIR": str(folder / "cache"),
        }
        fill(str(folder / "writable.sqlite"), words)
        shutil.copyfile(folder / "writable.sqlite", records / "records.sqlite")
        folder.chmod(0o755)
        (folder / "store-of-nobody").chmod(0o777)
        (records / "records.sqlite").chmod(0o444)
        records.chmod(0o555)
        verbs = {
            verb: [str(folder / Path(word).name) if "/" in word else word for word in words(given)]
            for verb, given in (ONLY_READ | WRITES).items()
        }
        places = (str(folder / "writable.sqlite"), str(records / "records.sqlite"))
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, json.dumps([*places, verbs])],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        usual, found = json.loads(done.stdout)
        check_that_it_is_only_read(found.__getitem__, usual)
        assert [path.name for path in records.iterdir()] == ["records.sqlite"]
        records.chmod(0o755)


def test_a_server_whose_tables_are_locked_is_worth_trying_again(postgresql_server, words, command):
    place = postgresql_server.migrated()
    quick = f"{place}?options=-c%20lock_timeout%3D100ms"
    tables = ", ".join(sorted(postgresql_server.tables(place)))
    with closing(RecordDatabase(place)) as holder, holder.write_rows() as connection:
        connection.exec_driver_sql(f"LOCK TABLE {tables}")
        with pytest.raises(RecordsUnavailableError, match="lock timeout"):
            calrecords.connect(db=quick)
        for verb, given in VERBS.items():
            code, text = command(words(given), quick)
            assert code == (exit_codes.FAILED if verb == "doctor" else exit_codes.TRY_LATER), verb
            assert ("lock timeout" in text, "Traceback" in text) == (True, False), (verb, text)
    postgresql_server.give_back(place)


def test_a_file_that_is_locked_is_worth_trying_again(words, run, environment):
    place = environment["CALRECORDS_DB_URL"]
    calrecords.connect(db=place).close()
    verbs = [["import", *words(["ROWS"])], ["db", "upgrade"], ["register", *words(["FRAME"])]]
    with closing(sqlite3.connect(place)) as other, ThreadPoolExecutor(len(verbs)) as pool:
        other.execute("BEGIN IMMEDIATE")  # for longer than the 30 s that others wait
        done = list(pool.map(lambda given: run(*given), verbs))
    assert [one.code for one in done] == [exit_codes.TRY_LATER] * len(verbs)
    assert ["database is locked" in one.err for one in done] == [True] * len(verbs)


UNREACHABLE = [
    ("nobody:topsecret@127.0.0.1:{gone}/records", RecordsUnavailableError, exit_codes.TRY_LATER),
    ("postgres:topsecret@127.0.0.1:{port}/no_such", ConfigurationError, exit_codes.CONFIGURATION),
    ("no_such:topsecret@127.0.0.1:{port}/postgres", ConfigurationError, exit_codes.CONFIGURATION),
]


@pytest.mark.parametrize(("place", "error", "ends"), UNREACHABLE, ids=["down", "database", "login"])
def test_a_server_that_lets_nobody_in_is_said(
    place, error, ends, postgresql_server, words, command
):
    with socket.create_server(("127.0.0.1", 0)) as free:
        gone = free.getsockname()[1]
    port = urlsplit(postgresql_server.empty()).port or 5432
    place = f"postgresql://{place.format(gone=gone, port=port)}"
    with pytest.raises(error) as raised:
        calrecords.connect(db=place)
    assert "topsecret" not in str(raised.value)
    for verb in ("query", "mark", "db", "doctor"):
        code, text = command(words(VERBS[verb]), place)
        assert code == (exit_codes.FAILED if verb == "doctor" else ends)
        assert ("Traceback" in text, "topsecret" in text) == (False, False), (verb, text)
