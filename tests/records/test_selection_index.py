"""The index holds, for each key, which version was current with those facts, and when."""

from datetime import UTC, datetime, timedelta

import pytest

from calrecords.matching import MatchSet
from calrecords.records.match_fields import COLUMNS
from calrecords.vocabulary import Binning

START = datetime(2026, 5, 1, tzinfo=UTC)
FLATS = MatchSet(("binning", "camera", "filter"), "SKYFLAT")
GAINS = MatchSet(("SATURATE", "WARM", "is_master"))
BIASES = MatchSet(("camera",), "BIAS")


def after(hours):
    return START + timedelta(hours=hours)


def key(match_set=FLATS, **changed):
    values = {"binning": "2x1", "camera": "fa15", "filter": "rp"}
    values |= {"SATURATE": 64000, "WARM": True, "is_master": True}
    return match_set.key(values | changed)


@pytest.fixture
def rows(database):
    """Return a function that gives every row of the index."""
    import sqlalchemy as sa

    from calrecords.records.models import IndexRow, Version

    def read():
        columns = (IndexRow.match_key, IndexRow.dateobs, Version.md5)
        columns += (IndexRow.known_from, IndexRow.known_until)
        statement = sa.select(*columns).join(Version, Version.id == IndexRow.version_id)
        with database.read() as connection:
            return sorted(
                (tuple(row) for row in connection.execute(statement)),
                key=lambda row: (row[3], row[2], row[0]),
            )

    return read


@pytest.fixture
def make(make_version):
    """Return a function that makes a version whose md5 is its content."""
    from calrecords.records import PartialDigest

    def version(md5="1", basename="flat", **values):
        return make_version(basename, digest=PartialDigest(md5), **values)

    return version


AT = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)


def test_nothing_is_indexed_before_a_set_is_registered(record, make, rows):
    record(make(), START)
    assert rows() == []


def test_a_new_version_is_indexed_once_for_each_set_that_applies(database, record, make, rows):
    database.ensure_match_sets([FLATS, BIASES, GAINS])
    record(make(), START)
    record(make(), after(1))
    assert rows() == sorted(
        ((a_key, AT, "1", START, None) for a_key in (key(), key(GAINS))), key=lambda row: row[0]
    )


def test_what_is_recorded_already_is_indexed_when_a_set_is_registered(database, record, make, rows):
    record(make(), START)
    record(make("2", "other", facts_with={"dateobs": None}), START)
    record(make("3", "bias", facts_with={"obstype": "bias"}), after(1))
    database.ensure_match_sets([FLATS])
    database.ensure_match_sets([FLATS, BIASES])
    assert rows() == [(key(), AT, "1", START, None), (key(BIASES), AT, "3", after(1), None)]


@pytest.mark.parametrize("registered", ["before", "after"])
def test_a_new_version_ends_the_time_of_the_older_one(database, record, make, rows, registered):
    if registered == "before":
        database.ensure_match_sets([FLATS])
    record(make("1"), START)
    record(make("2", facts_with={"filter": "gp", "instrument": "another"}), after(1))
    record(make("3", archived_at=after(-9)), after(2))
    database.ensure_match_sets([FLATS])
    assert rows() == [
        (key(), AT, "1", START, after(1)),
        (key(filter="gp"), AT, "2", after(1), None),
    ]


def test_a_version_that_turns_out_to_be_the_newest_is_current_from_then_on(
    database, record, make, rows
):
    database.ensure_match_sets([FLATS])
    record(make("1"), START)
    record(make("2", archived_at=after(-1)), after(1))
    record(make("1", archived_at=after(-2)), after(3))
    assert rows() == [
        (key(), AT, "1", START, after(3)),
        (key(), AT, "2", after(3), None),
    ]


def test_the_instrument_is_the_one_that_the_frame_is_recorded_with(database, record, make, rows):
    named = MatchSet(("instrument", "site"))
    database.ensure_match_sets([named])
    record(make("1"), START)
    record(make("2", facts_with={"instrument": "renamed"}), after(1))
    found = named.key({"instrument": "sinistro", "site": "lsc"})
    assert [row[0] for row in rows()] == [found, found]


def test_values_have_the_same_key_from_memory_and_from_the_database(database, record, make, rows):
    attributes = {"filter": "own", "GAIN": 1e300, "é": ["a", {"b": (1, 2.0)}], "WARM": 1}
    of_attributes = ("GAIN", "é", "nothing", "attributes.GAIN", "attributes.filter")
    everything = MatchSet(tuple(sorted((*COLUMNS, *of_attributes))))
    facts = {"exposure_time": 12, "binning": Binning(1, 3), "attributes": attributes}
    database.ensure_match_sets([everything])
    record(make(facts_with=facts), START)
    from_memory = rows()
    record(make("2", facts_with=facts), after(1))
    assert [row[0] for row in rows()] == [from_memory[0][0]] * 2


def test_a_set_of_one_type_is_told_apart_from_the_same_of_all(database, record, make, rows):
    every = MatchSet(FLATS.fields)
    database.ensure_match_sets([FLATS])
    record(make(), START)
    database.ensure_match_sets([every])
    record(make("2", "other"), START)
    assert {row[:3] for row in rows()} == {
        (key(match_set), AT, md5) for match_set in (FLATS, every) for md5 in "12"
    }


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_database_that_cannot_be_written_says_so_where_a_set_is_missing(
    database, place, record, make
):
    from calrecords.errors import RecordsRefusedError
    from calrecords.records import RecordDatabase

    record(make(), START)
    database.ensure_match_sets([FLATS])
    reader = RecordDatabase(f"{place}?options=-c%20default_transaction_read_only%3Don")
    reader.ensure_match_sets([FLATS])
    with pytest.raises(RecordsRefusedError):
        reader.ensure_match_sets([FLATS, GAINS])
    reader.close()
