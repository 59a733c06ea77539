"""What is prepared once writes what the database library would, value for value."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from calrecords.errors import InvalidRecordError
from calrecords.records.models import JournalEntry, Version
from calrecords.records.prepared import execute

ENTRIES = JournalEntry.__table__
INSERT = sa.insert(ENTRIES).returning(ENTRIES.c.id)
RENAME = (
    sa.update(ENTRIES)
    .where(ENTRIES.c.path == sa.bindparam("was"), ENTRIES.c.attempts == 3)
    .values(path=sa.bindparam("now"))
)
NOW = datetime(2026, 1, 2, 3, 4, 5, 6, timezone(timedelta(hours=-7)))
VALUES = {
    "state": "intended",
    "path": "/a/b-é.fits",
    "basename": "b-é",
    "extension": ".fits",
    "md5": "0" * 32,
    "sha256": "1" * 64,
    "size": 2**40,
    "content_type": "",
    "key": "k",
    "facts": {"a": [1.5, None, True], "é": {}},
    "archive_record": None,
    "attempts": 3,
    "created_at": NOW,
    "updated_at": NOW,
}


def rows(connection):
    return [dict(row) for row in connection.execute(sa.select(ENTRIES)).mappings()]


def test_every_kind_of_value_is_written_as_the_library_writes_it(database):
    with database.write_rows() as connection:
        number = execute(connection, INSERT, VALUES).fetchone()[0]
        ours = rows(connection)
        connection.execute(sa.delete(ENTRIES))
        connection.execute(sa.insert(ENTRIES), VALUES | {"id": number})
        assert ours == rows(connection)
    assert ours[0] | VALUES | {"created_at": NOW.astimezone(UTC)} == ours[0]


def test_what_was_prepared_once_is_used_again_with_other_values(database):
    with database.write_rows() as connection:
        for name in ("a", "b"):
            execute(connection, INSERT, VALUES | {"basename": name, "path": name})
        assert execute(connection, RENAME, {"was": "b", "now": "c"}).rowcount == 1
        assert execute(connection, RENAME, {"was": "z", "now": "d"}).rowcount == 0
        assert [row["path"] for row in rows(connection)] == ["a", "c"]


def test_a_parameter_may_stand_twice(database):
    twice = sa.select(sa.bindparam("x", type_=sa.Integer) + sa.bindparam("x", type_=sa.Integer))
    with database.read() as connection:
        assert execute(connection, twice, {"x": 4}).fetchone()[0] == 8


def test_what_the_database_refuses_is_one_of_our_errors(database):
    with (
        pytest.raises(InvalidRecordError, match="md5"),
        database.write_rows() as connection,
    ):
        execute(connection, INSERT, VALUES | {"md5": None})


def test_a_default_that_nobody_would_fill_in_is_not_forgotten(sqlite_database):
    with (
        pytest.raises(TypeError, match="verdict"),
        sqlite_database.write_rows() as connection,
    ):
        execute(connection, sa.insert(Version.__table__), {"dayobs": date(2026, 1, 1)})
