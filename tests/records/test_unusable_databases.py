"""A database that cannot be used says so, ends with what to type, and is left as it was."""

import os
import socket
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from calrecords.errors import ConfigurationError, RecordError, RecordsRefusedError, SchemaError
from calrecords.records import RecordDatabase
from calrecords.records.migrate import HEAD

ENDS = {
    "newer": "has schema 9999, which this calrecords does not know; run: pip install --upgrade "
    "calrecords",
    "foreign": "holds tables that are not calrecords'; name another database: "
    "CALRECORDS_DB_URL=sqlite:///FILE",
    "empty": "has no records schema yet; run: calrecords db upgrade",
}


@pytest.mark.parametrize(
    ("statements", "end"),
    [
        (["UPDATE alembic_version SET version_num = '9999'"], "newer"),
        (["DROP TABLE alembic_version"], "foreign"),
        (["DELETE FROM alembic_version"], "foreign"),
    ],
)
@pytest.mark.parametrize("verb", ["open", "check", "upgrade"])
def test_a_schema_that_cannot_be_used_says_what_to_type(database, sql, statements, end, verb):
    sql(*statements)
    with pytest.raises(SchemaError) as raised:
        getattr(database, verb)()
    assert str(raised.value) == f"{database.place} {ENDS[end]}"


@pytest.mark.parametrize("revisions", ["0002, 0003", "0003, 9999"])
@pytest.mark.parametrize("verb", ["open", "check", "upgrade", "revision"])
def test_several_schemas_at_once_are_said(database, sql, revisions, verb):
    values = ", ".join(f"('{revision}')" for revision in reversed(revisions.split(", ")))
    sql("DELETE FROM alembic_version", f"INSERT INTO alembic_version VALUES {values}")
    with pytest.raises(SchemaError) as raised:
        getattr(database, verb)()
    assert str(raised.value) == (
        f"{database.place} says that it has the schemas {revisions} at once; put a backup in its "
        "place, or name another: CALRECORDS_DB_URL=sqlite:///FILE"
    )


def test_what_is_missing_at_head_is_said_and_no_upgrade_advised(database, sql):
    database.check_tables()
    sql("DROP TABLE frame_inputs", "ALTER TABLE frame_uses RENAME COLUMN caltype TO kind")
    with pytest.raises(SchemaError, match=r"run: calrecords db check$"), database.read() as one:
        one.execute(sa.text("SELECT * FROM frame_inputs"))
    with pytest.raises(SchemaError) as raised:
        database.check_tables()
    assert str(raised.value) == (
        f"{database.place} lacks frame_inputs, frame_uses.caltype; put a backup in its place, or "
        "name another: CALRECORDS_DB_URL=sqlite:///FILE"
    )


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE theirs (id INTEGER)"],
        [
            "CREATE TABLE alembic_version (version_num VARCHAR(32))",
            "INSERT INTO alembic_version VALUES ('their-own')",
            "CREATE TABLE theirs (id INTEGER)",
        ],
    ],
)
@pytest.mark.parametrize("verb", ["open", "check", "upgrade"])
def test_another_softwares_database_is_left_alone(backend, empty_place, statements, verb):
    backend.sql(empty_place, *statements)
    before = backend.tables(empty_place)
    database = RecordDatabase(empty_place)
    with pytest.raises(SchemaError) as raised:
        getattr(database, verb)()
    assert str(raised.value) == f"{database.place} {ENDS['foreign']}"
    assert backend.tables(empty_place) == before
    database.close()


def test_an_empty_database_on_a_server_is_not_filled_unasked(postgresql_server):
    place = postgresql_server.empty()
    database = RecordDatabase(place)
    with pytest.raises(SchemaError) as raised:
        database.open()
    assert str(raised.value) == f"{database.place} {ENDS['empty']}"
    assert database.revision() is None
    database.close()
    postgresql_server.give_back(place)


def test_a_new_sqlite_file_gets_its_schema_also_when_it_is_there_but_empty(tmp_path):
    file = tmp_path / "new" / "folders" / "records.sqlite"
    for _ in range(2):
        with closing(RecordDatabase(file)) as database:
            database.open()
            assert database.revision() == HEAD
    empty = tmp_path / "empty.sqlite"
    empty.touch()
    with closing(RecordDatabase(empty)) as database:
        database.open()
        assert database.revision() == HEAD


def damaged(file):
    with closing(RecordDatabase(file)) as database:
        database.open()
    data = bytearray(file.read_bytes())
    data[100:4096] = b"\xff" * 3996
    file.write_bytes(data)


@pytest.mark.parametrize("verb", ["open", "check", "upgrade", "revision", "count"])
@pytest.mark.parametrize(
    ("fill", "kind", "says"),
    [
        (lambda file: file.write_text("not a database" * 500), SchemaError, "no SQLite database"),
        (damaged, SchemaError, "or a damaged one"),
    ],
)
def test_a_file_that_cannot_be_read_says_so(tmp_path, fill, kind, says, verb):
    file = tmp_path / "records.sqlite"
    fill(file)
    with closing(RecordDatabase(file)) as database, pytest.raises(kind, match=says) as raised:
        getattr(database, verb)()
    assert "CALRECORDS_DB_URL" in str(raised.value)


def leave_socket(file):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(file))


@pytest.mark.parametrize("verb", ["open", "check", "upgrade", "revision", "count"])
@pytest.mark.parametrize(
    "make",
    [os.mkfifo, Path.mkdir, lambda file: file.symlink_to(os.devnull), leave_socket],
    ids=["pipe", "folder", "device", "socket"],
)
def test_what_is_no_file_is_refused_at_once(tmp_path, monkeypatch, make, verb):
    monkeypatch.chdir(tmp_path)  # the whole name of a socket may be too long
    make(Path("records.sqlite"))
    with closing(RecordDatabase("records.sqlite")) as database:
        with pytest.raises(ConfigurationError) as raised:
            getattr(database, verb)()
        assert str(raised.value) == (
            f"cannot open {database.file}: it is no regular file; change CALRECORDS_DB_URL"
        )
    assert [file.name for file in tmp_path.iterdir()] == ["records.sqlite"]


@pytest.mark.parametrize("name", ["nuit-\udce9t\udce9.sqlite", "a=b.sqlite", "50%.sqlite", "é?#"])
def test_a_file_of_any_name_keeps_records(tmp_path, name):
    with closing(RecordDatabase(str(tmp_path / name))) as database:
        database.open()
        assert (database.count(), database.file) == (0, tmp_path / name)
        assert database.place.encode()


def test_a_folder_that_cannot_be_made_is_a_settings_fault(tmp_path):
    (tmp_path / "file").touch()
    database = RecordDatabase(tmp_path / "file" / "records.sqlite")
    for verb in (database.open, database.upgrade):
        with pytest.raises(ConfigurationError, match="CALRECORDS_DB_URL"):
            verb()


@pytest.mark.parametrize("verb", ["open", "check", "upgrade", "revision"])
def test_a_link_that_leads_nowhere_but_to_itself_cannot_be_opened(tmp_path, verb):
    file = tmp_path / "records.sqlite"
    file.symlink_to(file)
    with (
        closing(RecordDatabase(file)) as database,
        pytest.raises(ConfigurationError, match=r"cannot open .* change CALRECORDS_DB_URL"),
    ):
        getattr(database, verb)()


def test_a_server_that_is_led_to_no_schema_says_what_to_change(postgresql_server):
    place = postgresql_server.empty()
    with (
        closing(RecordDatabase(f"{place}?options=-csearch_path%3Dnowhere")) as database,
        pytest.raises(ConfigurationError, match=r"no schema .*; change CALRECORDS_DB_URL$"),
    ):
        database.upgrade()
    postgresql_server.drop(place)


@pytest.mark.parametrize("verb", ["check", "revision", "downgrade"])
def test_a_look_at_a_file_that_is_not_there_does_not_make_it(tmp_path, verb):
    database = RecordDatabase(tmp_path / "records.sqlite")
    if verb == "revision":
        assert database.revision() is None
    else:
        with pytest.raises(SchemaError, match=r"does not exist yet; run: calrecords db upgrade$"):
            database.check() if verb == "check" else database.downgrade("base")
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_may_not_be_written_can_be_read(sqlite_files):
    read_only = RecordDatabase(sqlite_files.migrated())
    with read_only.read() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    with pytest.raises(RecordsRefusedError) as raised:
        read_only.belongs_to("https://archive.example/")
    assert isinstance(raised.value, RecordError)
    assert str(raised.value).endswith("CALRECORDS_DB_URL=sqlite:///FILE")
    read_only.check()
    assert read_only.count() == 0
    read_only.close()
