"""Writers announce themselves: no update is lost, and no writer fails because of another."""

import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest
import sqlalchemy as sa

from calrecords.errors import ConfigurationError, RecordsUnavailableError
from calrecords.records import RecordDatabase
from calrecords.records import engine as engine_module
from calrecords.records.engine import make_engine, set_journal_mode
from calrecords.records.urls import database_url

WRITERS, UPDATES = 8, 150

COUNT_UP = """
import sys
import sqlalchemy as sa
from calrecords.records import RecordDatabase

database = RecordDatabase(sys.argv[1])
database.count()
#READY
for _ in range(int(sys.argv[2])):
    with database.write() as session:
        text = session.scalar(sa.text("SELECT code FROM sites WHERE id = 1" + sys.argv[3]))
        session.execute(sa.text(f"UPDATE sites SET code = '{int(text) + 1}' WHERE id = 1"))
database.close()
"""

OPEN_IN_WAL = """
import sqlite3, sys
from calrecords.records.engine import set_journal_mode
#READY
for _ in range(20):
    connection = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
    assert set_journal_mode(connection, "wal", 30)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("CREATE TABLE IF NOT EXISTS t (x)")
    connection.execute("INSERT INTO t VALUES (1)")
    connection.execute("COMMIT")
    connection.close()
"""


def test_no_update_of_many_writers_is_lost(database, place, backend, sql, together):
    sql("INSERT INTO sites (id, code) VALUES (1, '0')", "SELECT 1")
    lock = " FOR UPDATE" if backend.name == "postgresql" else ""
    began = time.monotonic()
    together(COUNT_UP, *[(place, str(UPDATES), lock)] * WRITERS)
    assert sql("SELECT code FROM sites") == [(str(WRITERS * UPDATES),)]
    assert time.monotonic() - began < 100


def test_no_writer_fails_while_others_switch_the_journal(sqlite_files, together):
    place = sqlite_files.empty()
    together(OPEN_IN_WAL, *[(str(sqlite_files.path(place)),)] * WRITERS)
    assert sqlite_files.sql(place, "SELECT count(*) FROM t") == [(WRITERS * 20,)]


def test_a_switch_of_the_journal_waits_for_others_but_not_for_ever(tmp_path):
    file = tmp_path / "records.sqlite"
    with (
        closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other,
        closing(sqlite3.connect(file, isolation_level=None, timeout=0)) as ours,
    ):
        other.execute("BEGIN EXCLUSIVE")
        assert set_journal_mode(ours, "wal", 0.05) is False
        release = threading.Timer(0.1, lambda: other.execute("COMMIT"))
        release.start()
        assert set_journal_mode(ours, "wal", 20) is True
        release.join()
        assert ours.execute("PRAGMA journal_mode").fetchall() == [("wal",)]


def test_what_is_no_database_is_not_waited_for(tmp_path):
    (tmp_path / "junk").write_text("not a database" * 500)
    with (
        closing(sqlite3.connect(tmp_path / "junk")) as junk,
        pytest.raises(sqlite3.DatabaseError, match="not a database"),
    ):
        set_journal_mode(junk, "wal", 20)


def test_a_writer_announces_itself_and_a_reader_does_not(sqlite_database):
    said = []
    with sqlite_database.read() as connection:
        engine = connection.engine
    sa.event.listen(engine, "checkout", lambda driver, *_: driver.set_trace_callback(said.append))
    with sqlite_database.read() as connection:
        connection.execute(sa.text("SELECT 1"))
    with sqlite_database.write() as session:
        session.execute(sa.text("SELECT 2"))
    assert said == [
        *("BEGIN", "SELECT 1", "COMMIT"),
        *("BEGIN IMMEDIATE", "SELECT 2", "COMMIT"),
    ]


def test_a_rollback_journal_is_kept_while_the_records_are_open_and_is_short(tmp_path, monkeypatch):
    monkeypatch.setattr(engine_module, "WAL_IS_SAFE_FROM", (99,))
    file = tmp_path / "records.sqlite"
    journal = tmp_path / "records.sqlite-journal"
    database = RecordDatabase(file)
    database.open()
    long = "x" * (3 << 20)
    for text in (long, "short"):
        with database.write_rows() as connection:
            connection.execute(sa.text("DELETE FROM sites"))
            connection.execute(sa.text("INSERT INTO sites (code) VALUES (:code)"), {"code": text})
        assert 0 < journal.stat().st_size <= 1 << 20
    with closing(RecordDatabase(file)) as other, other.read() as connection:
        assert connection.scalar(sa.text("SELECT code FROM sites")) == "short"
    database.close()
    assert not journal.exists()


def test_who_closes_beside_a_writer_leaves_the_journal_alone(tmp_path):
    file = tmp_path / "records.sqlite"
    database, other = RecordDatabase(file), RecordDatabase(file)
    database.open()
    with other.write_rows() as connection:
        connection.execute(sa.text("INSERT INTO sites (code) VALUES ('cpt')"))
        database.close()
    with other.read() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM sites")) == 1
    other.close()


def test_a_reader_is_not_kept_out_by_a_writer(database, record, make_version):
    with database.write() as session:
        session.execute(sa.text("INSERT INTO sites (code) VALUES ('lsc')"))
        assert database.count() == 0


def test_each_connection_of_a_sqlite_file_is_set_up(sqlite_database):
    with sqlite_database.read() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("foreign_keys", "synchronous", "busy_timeout", "journal_mode")
        }
    wal = connection.dialect.dbapi.sqlite_version_info >= (3, 51, 3)
    assert found == {
        "foreign_keys": 1,
        "synchronous": 2,
        "busy_timeout": 30000,
        "journal_mode": "wal" if wal else "persist",
    }


def test_a_file_with_an_unsafe_write_ahead_log_goes_back_to_a_rollback_journal(
    sqlite_files, caplog
):
    if sqlite3.sqlite_version_info >= (3, 51, 3):
        pytest.skip("this SQLite's write-ahead log is safe")
    place = sqlite_files.migrated()
    assert sqlite_files.sql(place, "PRAGMA journal_mode = wal") == [("wal",)]
    database = RecordDatabase(place)
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "persist"
    database.close()
    assert caplog.records == []


def test_a_file_that_others_hold_open_with_an_unsafe_log_is_used_with_a_warning(
    sqlite_files, caplog
):
    if sqlite3.sqlite_version_info >= (3, 51, 3):
        pytest.skip("this SQLite's write-ahead log is safe")
    place = sqlite_files.migrated()
    with closing(sqlite3.connect(sqlite_files.path(place))) as other:
        other.execute("PRAGMA journal_mode = wal")
        other.execute("SELECT * FROM sites")
        database = RecordDatabase(place)
        assert database.count() == 0
        database.close()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "write-ahead log" in caplog.text


def test_a_lock_that_is_never_let_go_is_unavailable_not_endless(database, backend, place):
    quick = RecordDatabase(place)
    wait = {
        "sqlite": "PRAGMA busy_timeout = 50",
        "postgresql": "SET lock_timeout = '50ms'",
    }[backend.name]
    with database.write() as session:
        session.execute(sa.text("INSERT INTO sites (code) VALUES ('lsc')"))
        with quick.read() as connection:
            connection.exec_driver_sql(wait)
            raw = connection.connection.dbapi_connection
            raw.commit()
        with pytest.raises(RecordsUnavailableError), quick.write() as other:
            other.execute(sa.text("INSERT INTO sites (code) VALUES ('lsc')"))
    quick.close()


def test_a_server_waits_as_long_for_a_lock_as_a_file_does(postgresql_server):
    place = postgresql_server.migrated()
    database = RecordDatabase(f"{place}?options=-c%20search_path%3Dpublic&application_name=x")
    with database.read() as connection:
        found = [
            connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in ("lock_timeout", "timezone", "search_path", "application_name")
        ]
    database.close()
    postgresql_server.give_back(place)
    assert found == ["30s", "UTC", "public", "x"]


@pytest.mark.parametrize("asked_for", [None, "SQL_ASCII"])
def test_a_server_that_knows_no_encoding_is_told_ours(
    asked_for, postgresql_server, make_version, monkeypatch
):
    if asked_for is not None:
        monkeypatch.setenv("PGCLIENTENCODING", asked_for)
    place = postgresql_server.empty("template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
    with closing(RecordDatabase(place)) as database:
        database.upgrade()
        new = make_version(facts_with={"filter": "r\N{GREEK SMALL LETTER LAMDA}"})
        assert database.record(new).filter == "r\N{GREEK SMALL LETTER LAMDA}"
    postgresql_server.drop(place)


def test_a_missing_driver_says_what_to_install():
    script = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from calrecords.records import RecordDatabase\n"
        "from calrecords.errors import ConfigurationError\n"
        "try: RecordDatabase('postgresql://u:topsecret@h/n').open()\n"
        "except ConfigurationError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        "PostgreSQL needs a driver; install it with: pip install 'calrecords[postgres]'\n"
    )


@pytest.mark.parametrize("options", ["port=topsecret", "host=a,b&port=1,2,3"])
@pytest.mark.parametrize("verb", ["open", "upgrade", "revision"])
def test_hosts_and_ports_that_cannot_be_are_a_settings_fault(options, verb):
    database = RecordDatabase(f"postgresql://operator:topsecret@/records?{options}")
    with pytest.raises(ConfigurationError, match="CALRECORDS_DB_URL cannot be read") as raised:
        getattr(database, verb)()
    assert "topsecret" not in str(raised.value)


def test_making_an_engine_opens_nothing(tmp_path):
    make_engine(database_url(tmp_path / "records.sqlite"))
    make_engine(database_url("postgresql://nobody@nowhere.invalid/records"))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_opened_and_little_imported_before_the_first_use():
    script = (
        "import sys, calrecords.records\n"
        "print(sorted({'alembic', 'psycopg', 'astropy', 'boto3', 'numpy'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_a_database_that_is_not_supported_is_refused_at_once():
    with pytest.raises(ConfigurationError):
        RecordDatabase("mysql://operator:topsecret@db/records")
