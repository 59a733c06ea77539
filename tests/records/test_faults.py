"""No error of SQLAlchemy, psycopg or sqlite3 leaves the part, and none tells a secret."""

import pickle
import socket
from contextlib import closing

import pytest
import sqlalchemy as sa

from calrecords.errors import (
    CalRecordsError,
    ConfigurationError,
    DuplicateRecordError,
    InvalidRecordError,
    RecordNotFoundError,
    RecordsRefusedError,
    RecordsUnavailableError,
    SchemaError,
    TransientError,
)
from calrecords.records import RecordDatabase

SITE = "INSERT INTO sites (code) VALUES ('lsc')"


def write(database, *statements, then=lambda: None):
    with database.write() as session:
        for statement in statements:
            session.execute(sa.text(statement))
        then()


def interrupt():
    raise KeyboardInterrupt


def failure(database, *statements):
    """Return what comes out when a transaction of ours runs statements."""
    with pytest.raises(CalRecordsError) as raised:
        write(database, *statements)
    error = raised.value
    assert error.__cause__ is None
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy)) == (type(error), str(error))
    return error


@pytest.mark.parametrize(
    ("statements", "kind", "says"),
    [
        ((SITE, SITE), DuplicateRecordError, "a second row with this identity: "),
        (
            ("INSERT INTO sites (id, code) VALUES (1, 'a'), (1, 'b')",),
            DuplicateRecordError,
            "a second row",
        ),
        (("INSERT INTO sites (code) VALUES (NULL)",), InvalidRecordError, "cannot hold a value"),
        (
            ("INSERT INTO instruments (site_id, camera, name) VALUES (9, 'a', 'b')",),
            InvalidRecordError,
            "cannot hold a value",
        ),
        (
            ("INSERT INTO archives (id, root, recorded_at) VALUES (2, 'a', '2026-01-01')",),
            InvalidRecordError,
            "cannot hold a value",
        ),
        (("SELECT * FROM nowhere",), SchemaError, "run: calrecords db check"),
        (("SELECT absent FROM sites",), SchemaError, "run: calrecords db check"),
        (("SELECT 1 WHERE WHERE",), RecordsRefusedError, "refused: "),
    ],
)
def test_each_refusal_is_the_right_error_of_ours(database, statements, kind, says):
    error = failure(database, *statements)
    assert isinstance(error, kind)
    assert says in str(error)
    assert "\n" not in str(error)


def test_the_refusal_of_a_row_does_not_quote_its_other_values(database):
    error = failure(
        database, "INSERT INTO instruments (camera, name) VALUES ('topsecret', 'topsecret')"
    )
    assert "topsecret" not in str(error)


@pytest.mark.parametrize("value", ["\ud800", object(), 1j])
def test_a_value_that_no_driver_takes_is_ours_too(database, value):
    with pytest.raises(InvalidRecordError, match="cannot hold"), database.read() as connection:
        connection.execute(sa.text("SELECT 1 WHERE 'a' = :value"), {"value": value})


def test_a_number_that_sqlite_cannot_take_is_ours_too(sqlite_database):
    with pytest.raises(InvalidRecordError), sqlite_database.read() as connection:
        connection.execute(sa.text("SELECT 1 WHERE 1 = :value"), {"value": 2**70})


def test_our_own_errors_and_others_pass_unchanged(database):
    ours = RecordNotFoundError("no such frame")
    with pytest.raises(RecordNotFoundError) as raised, database.read():
        raise ours
    assert raised.value is ours
    theirs = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError), database.write():
        raise theirs


@pytest.mark.parametrize("name", ["sqlite3", "psycopg"])
def test_a_drivers_own_errors_are_ours_too(database, name):
    driver = pytest.importorskip(name)
    for kind, ours in (("OperationalError", RecordsUnavailableError), ("Error", CalRecordsError)):
        with pytest.raises(ours, match="it is going down") as raised, database.read():
            raise getattr(driver, kind)("it is going down")
        assert raised.value.__cause__ is None


def test_a_failed_transaction_leaves_nothing(database, sql):
    failure(database, SITE, "INSERT INTO sites (code) VALUES ('lsc')")
    with pytest.raises(KeyboardInterrupt):
        write(database, SITE, then=interrupt)
    assert sql("SELECT * FROM sites") == []


def test_a_refusal_at_the_commit_is_ours(database, sql, backend):
    deferred = "FOREIGN KEY (site) REFERENCES sites (id) DEFERRABLE INITIALLY DEFERRED"
    sql(f"CREATE TABLE late (site BIGINT, {deferred})")
    error = failure(database, "INSERT INTO late (site) VALUES (9)")
    assert isinstance(error, InvalidRecordError)
    assert sql("SELECT * FROM late") == []


def test_a_server_that_is_not_there_is_worth_another_try():
    with closing(socket.socket()) as port:
        port.bind(("127.0.0.1", 0))
        database = RecordDatabase(
            f"postgresql://operator:topsecret@127.0.0.1:{port.getsockname()[1]}/records"
        )
        with pytest.raises(
            RecordsUnavailableError, match=r"operator:\*\*\*@127\.0\.0\.1"
        ) as raised:
            database.open()
    assert isinstance(raised.value, TransientError)
    assert "topsecret" not in str(raised.value)
    database.close()


@pytest.mark.parametrize(
    ("login", "says"),
    [
        ("postgresql://postgres:topsecret@{server}/nosuch", 'database "nosuch" does not exist'),
        ("postgresql://nosuch:topsecret@{server}/postgres", 'role "nosuch" does not exist'),
        ("postgresql://postgres:topsecret@{server}/postgres?sslmode=no", "sslmode"),
        ("postgresql://postgres:topsecret@{server}/postgres?nosuch=1", "nosuch"),
        ("postgresql://postgres:topsecret@{server}/postgres?service=nosuch", "nosuch"),
        ("postgresql://postgres:topsecret@{server}/postgres?connect_timeout=x", "connect_timeout"),
    ],
)
def test_a_login_that_is_turned_away_is_a_settings_fault(postgresql_server, login, says):
    server = postgresql_server.empty().rpartition("@")[2].partition("/")[0]
    database = RecordDatabase(login.format(server=server))
    with pytest.raises(ConfigurationError, match=r"change CALRECORDS_DB_URL$") as raised:
        database.open()
    assert says in str(raised.value)
    assert "topsecret" not in str(raised.value) + repr(database)
    database.close()


def test_a_server_that_was_restarted_is_asked_again(postgresql_server, make_version):
    place = postgresql_server.migrated()
    database = RecordDatabase(place)
    assert database.count() == 0
    postgresql_server.sql(
        place.rpartition("/")[0] + "/postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{place.rpartition('/')[2]}'",
    )
    assert database.count() == 0
    with pytest.raises(RecordsUnavailableError), database.read() as connection:
        connection.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert database.count() == 0
    database.close()
    postgresql_server.give_back(place)


def test_a_server_that_was_restarted_leaves_no_traceback_in_the_log(postgresql_server, caplog):
    place = postgresql_server.migrated()
    database = RecordDatabase(place)

    def restart():
        postgresql_server.sql(
            place.rpartition("/")[0] + "/postgres",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{place.rpartition('/')[2]}'",
        )

    caplog.set_level("INFO")
    assert not database.is_recorded("flat", "0" * 32)
    restart()
    assert not database.is_recorded("flat", "0" * 32)
    with pytest.raises(RecordsUnavailableError):
        database.ask("SELECT pg_terminate_backend(pg_backend_pid())", {})
    assert not database.is_recorded("flat", "0" * 32)
    restart()
    database.close()
    assert [record.getMessage() for record in caplog.records] == []
    postgresql_server.give_back(place)


def test_a_login_without_the_right_to_write_is_refused(postgresql_server):
    place = postgresql_server.migrated()
    database = RecordDatabase(f"{place}?options=-c%20default_transaction_read_only%3Don")
    database.open()
    error = failure(database, SITE)
    assert isinstance(error, RecordsRefusedError)
    assert isinstance(error, PermissionError)
    assert "cannot be written" in str(error)
    database.close()
    postgresql_server.give_back(place)
