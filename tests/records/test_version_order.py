"""Versions have one order, whoever recorded them and in whatever order they came."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
import sqlalchemy as sa

from calrecords.matching import MatchSet
from calrecords.records import AuditReads, AuditScope, PartialDigest
from calrecords.records.correcting import correct_version
from calrecords.records.importing import Importer, ImportOrder
from calrecords.records.judging import Statement
from calrecords.records.match_sets import register_match_sets
from calrecords.records.models import IndexRow, RegisteredMatchSet, Version
from calrecords.records.version_order import dated

JANUARY, FEBRUARY, MARCH, APRIL = (datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 5))
HOUR = timedelta(hours=1)
SETS = [MatchSet(("camera",)), MatchSet(("filter",), "SKYFLAT")]
ROW = {"filename": "flat.fits", "obstype": "SKYFLAT", "site": "lsc", "camera": "fa15"} | {
    "is_master": True,
    "dateobs": JANUARY,
}


def made_in(month, **others):
    """Return a row of a version that is named, and has a filter, by the month it was made in."""
    named = f"{month.month}"
    return ROW | {"md5": named * 32, "created": month, "filter": f"f{named}"} | others


@pytest.fixture
def take(database):
    """Return a function that imports rows, one at a time."""

    def run(*rows):
        order = ImportOrder(source="rows", reason="imported", author="me")
        for row in rows:
            report = Importer(database, order).run([(1, row)])
            assert report.recorded + report.completed == 1, report

    return run


@pytest.fixture
def register(database):
    """Return a function that indexes what is recorded, as if it had never been."""

    def back_fill():
        with database.write_rows() as connection:
            connection.execute(sa.delete(IndexRow))
            connection.execute(sa.delete(RegisteredMatchSet))
            register_match_sets(connection, SETS, datetime.now(UTC))

    return back_fill


@pytest.fixture
def turns(database):
    """Return a function that says which version was in the index when, but for empty times."""

    def read():
        columns = (IndexRow.match_key, Version.md5, IndexRow.known_from, IndexRow.known_until)
        statement = sa.select(*columns).join(Version, Version.id == IndexRow.version_id)
        with database.read() as connection:
            rows = [tuple(row) for row in connection.execute(statement)]
        return sorted((row for row in rows if row[2] != row[3]), key=lambda row: row[2:0:-1] + row)

    return read


@pytest.fixture
def newest_first(database):
    """Return a function that names the versions, once the current one is seen to be the first."""

    def read(basename="flat"):
        names = [frame.version.md5[0] for frame in database.versions(basename)]
        assert database.get(basename=basename).version.md5[0] == names[0]
        assert AuditReads(database, AuditScope()).displaced(0, 999) == []
        return "".join(names)

    return read


@pytest.mark.parametrize(
    ("archived_at", "created", "known_from", "expected"),
    [
        (MARCH, JANUARY, APRIL, MARCH),
        (None, JANUARY, None, APRIL),
        (None, JANUARY, MARCH, JANUARY),
        (None, None, MARCH, MARCH),
        (None, APRIL + HOUR, MARCH, MARCH),
        (None, APRIL, MARCH, APRIL),
    ],
)
def test_a_version_is_dated_by_the_archive_then_by_how_it_came(
    archived_at, created, known_from, expected
):
    assert dated(archived_at, created, known_from, APRIL) == expected


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("is_known", [True, False])
def test_what_is_imported_in_any_order_is_indexed_as_if_all_had_been_there(
    order, is_known, take, register, turns, newest_first
):
    since = (FEBRUARY, MARCH, APRIL) if is_known else (None, None, None)
    rows = [
        made_in(month, known_from=known)
        for month, known in zip((JANUARY, FEBRUARY, MARCH), since, strict=True)
    ]
    register()
    take(*(rows[n] for n in order))
    assert newest_first() == "321"
    written = turns()
    register()
    assert turns() == written
    if is_known:
        key = SETS[0].key({"camera": "fa15"})
        assert [row[1:] for row in written if row[0] == key] == [
            ("1" * 32, FEBRUARY, MARCH),
            ("2" * 32, MARCH, APRIL),
            ("3" * 32, APRIL, None),
        ]


def test_a_version_that_was_corrected_ends_under_every_key_that_it_had(
    database, take, register, turns
):
    register()
    take(made_in(JANUARY, known_from=JANUARY), made_in(MARCH, known_from=MARCH))
    said = Statement(reason="x", author="ana", recorded_at=datetime.now(UTC))
    with database.write_rows() as connection:
        assert correct_version(connection, 1, {"filter": "gp"}, said)
        assert correct_version(connection, 2, {"filter": "gp"}, said)
    take(made_in(FEBRUARY, known_from=FEBRUARY), made_in(APRIL, known_from=APRIL))
    written = turns()
    by_filter = {SETS[1].key({"filter": f"f{n}"}): n for n in range(1, 5)}
    found = [(by_filter[key], *times) for key, _, *times in written if key in by_filter]
    assert found == [
        (1, JANUARY, FEBRUARY),
        (2, FEBRUARY, MARCH),
        (3, MARCH, APRIL),
        (4, APRIL, None),
    ]
    register()
    assert turns() == written


@pytest.mark.parametrize("archived_at", [None, FEBRUARY, MARCH])
def test_a_file_that_comes_by_itself_is_newer_than_what_is_there_whatever_it_says(
    archived_at, record, make_version, register, turns, newest_first
):
    register()
    first = make_version(digest=PartialDigest("1"), archived_at=archived_at)
    record(first, APRIL)
    by_hand = make_version(digest=PartialDigest("2"), facts_with={"created": JANUARY - HOUR})
    record(by_hand, APRIL + HOUR)
    assert newest_first() == "21"
    written = turns()
    register()
    assert turns() == written


def test_what_is_imported_is_older_than_a_file_that_came_after_it_was_made(
    record, make_version, take, newest_first
):
    record(make_version("flat", digest=PartialDigest("9"), facts_with={"camera": "fa15"}), MARCH)
    take(made_in(FEBRUARY), made_in(APRIL), made_in(JANUARY, archived_at=MARCH + HOUR))
    assert newest_first() == "4192"


def test_a_version_of_which_an_import_learns_that_it_is_newest_is_current_from_then_on(
    take, register, turns, newest_first
):
    register()
    take(made_in(JANUARY, known_from=FEBRUARY), made_in(MARCH, known_from=MARCH))
    assert newest_first() == "31"
    before = datetime.now(UTC)
    take(made_in(JANUARY, archived_at=APRIL))
    assert newest_first() == "13"
    key = SETS[0].key({"camera": "fa15"})
    first, second, third = [row[1:] for row in turns() if row[0] == key]
    assert (first, second[:2]) == (("1" * 32, FEBRUARY, MARCH), ("3" * 32, MARCH))
    assert (third[0], third[1], third[2]) == ("1" * 32, second[2], None)
    assert before <= third[1] <= datetime.now(UTC)


def test_a_corrected_time_of_creation_can_make_another_version_current(
    database, take, register, turns, newest_first
):
    register()
    take(made_in(JANUARY), made_in(MARCH))
    said = Statement(reason="x", author="ana", recorded_at=datetime.now(UTC))
    with database.write_rows() as connection:
        assert correct_version(connection, 1, {"created": APRIL}, said)
    assert newest_first() == "13"
    key = SETS[0].key({"camera": "fa15"})
    assert [(md5[0], until is None) for a_key, md5, _, until in turns() if a_key == key] == [
        *(("1", False), ("3", False), ("1", True))
    ]


def test_no_version_is_lost_where_one_is_redated_and_another_comes(
    database, take, register, newest_first
):
    register()
    take(made_in(JANUARY), made_in(MARCH))
    rows = [made_in(JANUARY, archived_at=APRIL), made_in(FEBRUARY)]
    order = ImportOrder(source="rows", reason="imported", author="me")
    report = Importer(database, order).run(enumerate(rows, 1))
    assert (report.completed, report.recorded) == (1, 1)
    assert newest_first() == "132"
