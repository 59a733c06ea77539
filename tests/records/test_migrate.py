"""A migration lands whole or not at all, and an unusable database says what to type."""

import ast
import shutil
import threading

import pytest
import sqlalchemy as sa

from calrecords.errors import SchemaError
from calrecords.records import RecordDatabase
from calrecords.records import migrate as migrations
from calrecords.records.urls import database_url

ALL_TABLES = {
    "archives",
    "audit_findings",
    "audits",
    "calibration_frames",
    "corrections",
    "frame_inputs",
    "frame_uses",
    "frame_versions",
    "ingestions",
    "instruments",
    "match_sets",
    "overrides",
    "selection_index",
    "sites",
    "validity_changes",
    "verdicts",
}
NEXT = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0004", "0003", None, None


def upgrade():
    op.create_table("halfway", sa.Column("id", sa.Integer(), primary_key=True))
    op.execute("UPDATE sites SET code = 'changed'")
    {failure}


def downgrade():
    op.drop_table("halfway")
"""
FAILURES = {
    "python": "raise RuntimeError('half of it')",
    "sql": "op.execute('SELECT * FROM nowhere')",
    "interrupt": "raise KeyboardInterrupt",
}


@pytest.fixture
def next_version(tmp_path):
    """Return a function that makes the migrations of a version that is still to come."""

    def make(failure="pass"):
        folder = tmp_path / "migrations"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(migrations.script_location(), folder)
        (folder / "versions" / "0004_next.py").write_text(NEXT.format(failure=failure))
        return folder

    return make


def test_there_is_one_head_and_it_is_the_one_that_the_code_needs():
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(migrations.script_location()))
    assert scripts.get_heads() == [migrations.HEAD]
    assert scripts.get_bases() == ["0001"]
    assert migrations.known_revisions()[-1] == migrations.HEAD


@pytest.mark.parametrize(
    "script", sorted((migrations.script_location() / "versions").glob("*.py")), ids=lambda p: p.name
)
def test_no_migration_imports_what_may_change_later(script):
    for node in ast.walk(ast.parse(script.read_text())):
        names = [alias.name for alias in getattr(node, "names", []) if hasattr(alias, "asname")]
        names.append(getattr(node, "module", None) or "")
        assert not [name for name in names if name.startswith("calrecords")]


def test_the_way_up_down_and_up_again_leaves_nothing_behind(backend, empty_place):
    database = RecordDatabase(empty_place)
    database.upgrade()
    assert (database.revision(), backend.tables(empty_place)) == (
        "0003",
        ALL_TABLES | {"alembic_version"},
    )
    database.downgrade("base")
    assert (database.revision(), backend.tables(empty_place)) == (None, {"alembic_version"})
    if backend.name == "postgresql":
        left = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        assert {name for (name,) in backend.sql(empty_place, left)} == {
            "alembic_version",
            "alembic_version_pkc",
        }
    with pytest.raises(SchemaError, match=r"run: calrecords db upgrade$"):
        database.open()
    database.upgrade()
    database.open()
    database.close()


def test_an_upgrade_of_what_is_at_head_keeps_every_record(database, sql, record, make_version):
    record(make_version(frame_id=7))
    before = {table: sql(f"SELECT * FROM {table}") for table in sorted(ALL_TABLES)}
    database.upgrade()
    assert {table: sql(f"SELECT * FROM {table}") for table in sorted(ALL_TABLES)} == before
    assert [len(before[name]) for name in ("frame_versions", "frame_inputs", "sites")] == [1, 3, 1]


FIRST_ROWS = (
    "INSERT INTO sites (id, code) VALUES (1, 'lsc')",
    "INSERT INTO instruments (id, site_id, camera, name) VALUES (1, 1, 'fa15', 'sinistro')",
    "INSERT INTO calibration_frames (id, basename, obstype, is_master, instrument_id, recorded_at)"
    " VALUES (1, 'flat', 'SKYFLAT', TRUE, 1, '2026-01-01 00:00:00.000000')",
    "INSERT INTO frame_versions (id, calibration_frame_id, is_current, extension,"
    " configuration_mode, verdict, attributes, recorded_at)"
    " VALUES (1, 1, TRUE, '.fits', 'default', 'bad', '{\"GAIN\": 1e300}', '2026-01-01 00:00:00')",
    "INSERT INTO verdicts (id, version_id, verdict, reason, author, recorded_at)"
    " VALUES (1, 1, 'bad', 'stripes', 'ana', '2026-01-01 00:00:00.000000')",
    "INSERT INTO frame_uses (id, target_basename, version_id, caltype, rule, recorded_at)"
    " VALUES (3, 'science', 1, 'SKYFLAT', 'r', '2026-01-01 00:00:00.000000')",
    "INSERT INTO overrides (id, caltype, version_id, target_basename, reason, author, recorded_at)"
    " VALUES (1, 'SKYFLAT', 1, 'science', 'x', 'ana', '2026-01-01 00:00:00.000000')",
    "SELECT 1",
)
KEPT = (
    "SELECT id, verdict, CAST(attributes AS TEXT) FROM frame_versions",
    "SELECT version_id, verdict, reason FROM verdicts",
    "SELECT id, target_basename, version_id, caltype, rule FROM frame_uses",
    "SELECT id, caltype, version_id, target_basename, reason FROM overrides",
)


@pytest.fixture
def shape(described):
    """Return a function that gives every column, key, index and check of a database."""

    def read(place):
        engine = sa.create_engine(database_url(place))
        with engine.connect() as connection:
            found = described(connection)
        engine.dispose()
        return found

    return read


def test_what_0001_holds_is_kept_on_the_way_up_and_down(backend, empty_place, shape):
    database = RecordDatabase(empty_place)
    database.upgrade("0001")
    before = shape(empty_place)
    backend.sql(empty_place, *FIRST_ROWS)
    kept = [backend.sql(empty_place, statement) for statement in KEPT]
    database.upgrade()
    assert [backend.sql(empty_place, statement) for statement in KEPT] == kept
    assert database.get(basename="flat").attributes == {"GAIN": 1e300}
    as_another = (
        "INSERT INTO frame_uses (id, target_basename, version_id, caltype, recorded_at)"
        " VALUES (9, 'science', 1, 'illumination', '2026-01-02 00:00:00.000000')"
    )
    backend.sql(empty_place, as_another, "SELECT 1")
    database.downgrade("0001")
    assert [backend.sql(empty_place, statement) for statement in KEPT] == kept
    assert shape(empty_place) == before
    database.close()


SECOND_ROWS = (
    *FIRST_ROWS[:-1],
    "INSERT INTO match_sets (id, fields, obstype, recorded_at)"
    " VALUES (1, '[\"site\"]', '', '2026-01-01 00:00:00.000000')",
    "INSERT INTO corrections (id, version_id, field, reason, author, recorded_at)"
    " VALUES (1, 1, 'filter', 'x', 'ana', '2026-01-01 00:00:00.000000')",
    "SELECT 1",
)
AUDIT_ROWS = (
    "INSERT INTO audits (id, question, progress, started_at, updated_at)"
    " VALUES (1, '{}', '{}', '2026-01-01 00:00:00', '2026-01-01 00:00:00')",
    "INSERT INTO audit_findings (id, audit_id, fingerprint, kind, name, found, what, seen_at)"
    " VALUES (1, 1, 'f', 'object missing', 'flat', 'x', '{}', '2026-01-01 00:00:00')",
    "SELECT 1",
)


def test_what_0002_holds_is_kept_on_the_way_up_and_down(backend, empty_place, shape):
    database = RecordDatabase(empty_place)
    database.upgrade("0002")
    before = shape(empty_place)
    backend.sql(empty_place, *SECOND_ROWS)
    asked = (*KEPT, "SELECT fields, obstype FROM match_sets", "SELECT field FROM corrections")
    kept = [backend.sql(empty_place, statement) for statement in asked]
    database.upgrade()
    assert [backend.sql(empty_place, statement) for statement in asked] == kept
    assert database.get(basename="flat").attributes == {"GAIN": 1e300}
    backend.sql(empty_place, *AUDIT_ROWS)
    database.downgrade("0002")
    assert [backend.sql(empty_place, statement) for statement in asked] == kept
    assert shape(empty_place) == before
    database.close()


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_migration_leaves_nothing_and_the_next_one_works(
    database, backend, place, sql, next_version, failure
):
    sql("INSERT INTO sites (code) VALUES ('lsc')", "SELECT 1")
    url = database_url(place)
    with pytest.raises((RuntimeError, SchemaError, KeyboardInterrupt)):
        migrations.upgrade(url, scripts=next_version(FAILURES[failure]))
    assert backend.tables(place) == ALL_TABLES | {"alembic_version"}
    assert sql("SELECT code FROM sites") == [("lsc",)]
    database.check()
    migrations.upgrade(url, scripts=next_version())
    assert backend.tables(place) == ALL_TABLES | {"alembic_version", "halfway"}
    assert sql("SELECT code FROM sites") == [("changed",)]
    assert database.revision() == "0004"


def test_a_failed_first_migration_leaves_an_empty_database(empty_place, backend):
    with pytest.raises(RuntimeError, match="half of it"):
        fail_halfway(database_url(empty_place))
    assert backend.tables(empty_place) == set()
    database = RecordDatabase(empty_place)
    database.open() if backend.name == "sqlite" else database.upgrade()
    database.check()
    database.close()


def fail_halfway(url):
    with migrations.migrating(url) as connection:
        connection.execute(sa.text("CREATE TABLE halfway (id INTEGER)"))
        msg = "half of it"
        raise RuntimeError(msg)


def test_a_rebuilt_table_does_not_take_the_rows_that_refer_to_it_along(
    sqlite_database, record_in, sqlite_files
):
    place, url = record_in
    with migrations.migrating(url) as connection:
        for statement in (
            "CREATE TABLE new (id INTEGER PRIMARY KEY, code TEXT NOT NULL, more TEXT)",
            "INSERT INTO new (id, code) SELECT id, code FROM sites",
            "DROP TABLE sites",
            "ALTER TABLE new RENAME TO sites",
        ):
            connection.execute(sa.text(statement))
    assert sqlite_files.sql(place, "SELECT count(*) FROM instruments") == [(1,)]
    assert sqlite_files.sql(place, "PRAGMA foreign_key_check") == []


def test_a_migration_that_leaves_orphans_is_undone(sqlite_database, record_in, sqlite_files):
    place, url = record_in
    with (
        pytest.raises(SchemaError, match="would leave 1 rows that refer to nothing"),
        migrations.migrating(url) as connection,
    ):
        connection.execute(sa.text("DELETE FROM sites"))
    assert sqlite_files.sql(place, "SELECT code FROM sites") == [("lsc",)]


@pytest.fixture
def record_in(sqlite_database, sqlite_files, make_version):
    """Return the place and the URL of a SQLite file with one record in it."""
    from datetime import UTC, datetime

    from calrecords.records.recording import record_version

    with sqlite_database.write() as session:
        record_version(session, make_version(), datetime.now(UTC))
    url = sqlite_database._url
    return f"sqlite:///{url.database}", url


def test_foreign_keys_hold_once_migrations_are_done(sqlite_database, record_in):
    from calrecords.errors import InvalidRecordError

    with pytest.raises(InvalidRecordError), sqlite_database.write() as session:
        session.execute(sa.text("DELETE FROM sites"))


def test_an_old_schema_is_told_to_upgrade(database):
    with database.read() as connection, pytest.raises(SchemaError) as raised:
        migrations.check(connection, head="0004")
    assert str(raised.value) == (
        f"{database.place} has schema 0003, older than 0004; run: calrecords db upgrade"
    )


@pytest.mark.parametrize(
    ("verb", "revision"),
    [
        ("upgrade", "nosuch"),
        ("upgrade", "+9"),
        ("downgrade", "nosuch"),
        ("downgrade", "-9"),
        ("downgrade", "+1"),
    ],
)
def test_a_revision_that_is_not_there_is_a_schema_error(database, verb, revision):
    with pytest.raises(SchemaError, match=f"cannot {verb} to '.*'.*known are: 0001, 0002, 0003$"):
        getattr(database, verb)(revision)
    assert database.revision() == "0003"


OPEN = """
import sys
from calrecords.records import RecordDatabase

database = RecordDatabase(sys.argv[1])
#READY
getattr(database, sys.argv[2])()
print(database.revision())
database.close()
"""


@pytest.mark.parametrize("round_number", range(3))
def test_processes_that_find_no_schema_at_once_all_succeed(
    backend, empty_place, together, round_number
):
    verb = "open" if backend.name == "sqlite" else "upgrade"
    assert together(OPEN, *[(empty_place, verb)] * 4) == ["0003\n"] * 4


def test_threads_that_open_one_new_file_at_once_all_succeed(tmp_path):
    found = []
    database = RecordDatabase(tmp_path / "records.sqlite")
    threads = [
        threading.Thread(target=lambda: (database.open(), found.append(database.revision())))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.close()
    assert found == ["0003"] * 4
