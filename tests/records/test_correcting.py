"""A correction mends a fact, keeps what was recorded, and moves the version in the index."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from calrecords.errors import InvalidRecordError
from calrecords.matching import MatchSet
from calrecords.records.correcting import MENDABLE, correct_version
from calrecords.records.judging import Statement
from calrecords.records.models import Correction, IndexRow
from calrecords.vocabulary import Binning

START = datetime(2026, 5, 1, tzinfo=UTC)
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
BY_FILTER = MatchSet(("filter", "site"), "SKYFLAT")
BY_CAMERA = MatchSet(("camera",))
BY_WARM = MatchSet(("WARM",))


def after(hours):
    return START + timedelta(hours=hours)


@pytest.fixture
def correct(database):
    """Return a function that corrects the first version at an hour."""

    def mend(hour, version=1, **facts):
        said = Statement(reason="x", author="ana", recorded_at=after(hour))
        given = {name.replace("attributes_", "attributes."): facts[name] for name in facts}
        with database.write_rows() as connection:
            return correct_version(connection, version, given, said)

    return mend


@pytest.fixture
def rows(database):
    """Return a function that gives the rows of the index, oldest first."""

    def read():
        with database.read() as connection:
            statement = sa.select(IndexRow).order_by(IndexRow.known_from, IndexRow.match_key)
            return [tuple(row) for row in connection.execute(statement)]

    return read


def flat(name):
    return BY_FILTER.key({"filter": name, "site": "lsc"})


def test_old_and_new_value_are_kept_with_who_said_so(database, record, make_version, correct):
    record(make_version(), START)
    assert correct(
        1, filter="gp", attributes_GAIN=None, attributes_NEW="n", dayobs=date(2026, 1, 2)
    )
    assert not correct(2, filter="gp", attributes_NEW="n")
    with database.read() as connection:
        found = connection.execute(sa.select(Correction).order_by(Correction.field)).all()
    assert [(row.field, row.old, row.new) for row in found] == [
        ("attributes.GAIN", {"value": 1e300}, {"value": None}),
        ("attributes.NEW", None, {"value": "n"}),
        ("dayobs", {"value": "2026-01-01"}, {"value": "2026-01-02"}),
        ("dayobs_rule", {"value": "header"}, {"value": "correction"}),
        ("filter", {"value": "rp"}, {"value": "gp"}),
    ]
    assert {(row.version_id, row.reason, row.author, row.recorded_at) for row in found} == {
        (1, "x", "ana", after(1))
    }


def test_the_index_moves_only_where_the_key_or_the_time_changes(
    database, record, make_version, correct, rows
):
    database.ensure_match_sets([BY_FILTER, BY_CAMERA])
    record(make_version(), START)
    camera = BY_CAMERA.key({"camera": "fa15"})
    correct(1, filter="gp", object="other")
    correct(2, object="another")
    correct(3, dateobs=after(-9))
    expected = [
        (camera, AT, 1, START, after(3)),
        (flat("rp"), AT, 1, START, after(1)),
        (flat("gp"), AT, 1, after(1), after(3)),
        (camera, after(-9), 1, after(3), None),
        (flat("gp"), after(-9), 1, after(3), None),
    ]
    assert rows() == sorted(expected, key=lambda row: (row[3], row[0]))


def test_a_frame_that_loses_its_time_is_found_no_more_until_it_has_one(
    database, record, make_version, correct, rows
):
    database.ensure_match_sets([BY_FILTER])
    record(make_version(), START)
    correct(1, dateobs=None)
    correct(2, dateobs=AT)
    assert rows() == [
        (flat("rp"), AT, 1, START, after(1)),
        (flat("rp"), AT, 1, after(2), None),
    ]


def test_there_and_back_at_one_moment_is_as_if_nothing_had_been(
    database, record, make_version, correct, rows
):
    database.ensure_match_sets([BY_FILTER])
    record(make_version(), START)
    correct(1, filter="gp")
    correct(0, filter="rp")
    correct(0, filter="gp")
    assert [row for row in rows() if row[4] is None] == [(flat("gp"), AT, 1, after(1), None)]


def test_an_older_version_is_mended_without_the_index(
    database, record, make_version, correct, rows
):
    database.ensure_match_sets([BY_FILTER])
    record(make_version(content="1"), START)
    record(make_version(content="2"), after(1))
    before = rows()
    assert correct(2, filter="gp")
    assert rows() == before
    assert [one.filter for one in database.versions("flat")] == ["rp", "gp"]


def test_a_set_that_is_registered_later_sees_the_facts_of_each_time(
    database, record, make_version, correct, rows
):
    record(make_version(content="1"), START)
    correct(1, filter="gp", attributes_WARM=None)
    correct(2, filter="zs", dateobs=after(-9))
    record(make_version(content="2"), after(3))
    correct(4, version=2, filter=None)
    correct(5, filter="late")
    database.ensure_match_sets([BY_FILTER, BY_WARM])
    expected = [
        (flat("rp"), AT, 1, START, after(1)),
        (flat("gp"), AT, 1, after(1), after(2)),
        (flat("zs"), after(-9), 1, after(2), after(3)),
        (flat("rp"), AT, 2, after(3), after(4)),
        (flat(None), AT, 2, after(4), None),
    ]
    assert [row for row in rows() if row[0] in {one[0] for one in expected}] == expected
    warm = [row[2:4] for row in rows() if row[0] == BY_WARM.key({"WARM": True})]
    assert warm == [(1, START), (2, after(3)), (2, after(4))]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"site": "ogg"}, "site tells this frame from others"),
        ({"obstype": "BIAS"}, "obstype tells this frame from others"),
        ({"frame_id": 7}, "frame_id tells this frame from others"),
        ({"verdict": "bad"}, "use mark_bad, mark_good or clear_verdict"),
        ({"good_until": AT}, "use set_validity"),
        ({"filtr": "rp"}, "no fact 'filtr' to correct; known are binning, ccd_measured"),
        ({"filtr": "rp"}, "to be added is attributes.filtr"),
        ({"filter": "a\0b"}, "filter holds a NUL character"),
        ({"filter": 7j}, "filter is of type complex"),
        ({"exposure_time": float("nan")}, "exposure_time is nan"),
        ({"dateobs": AT.replace(tzinfo=None)}, "dateobs has no time zone"),
        ({"reduction_level": 2**31}, "reduction_level is beyond 32 bits"),
        ({"binning": Binning(1, 1000)}, "binning is 1x1000"),
        ({"attributes_X": float("inf")}, "'X' is inf"),
        ({"attributes_X": {1: 2}}, "has the name 1"),
    ],
)
def test_what_cannot_be_corrected_is_refused_with_nothing_changed(
    database, record, make_version, correct, sql, facts, said
):
    frame = record(make_version(), START)
    with pytest.raises(InvalidRecordError, match=said):
        correct(1, object="good", **facts)
    assert database.get(basename="flat") == frame
    assert sql("SELECT count(*) FROM corrections") == [(0,)]


def test_every_fact_that_a_header_gives_can_be_mended_but_identity():
    from calrecords.frames import FrameFacts

    identity = {"obstype", "site", "camera", "instrument", "is_master"}
    apart = {"inputs", "attributes", "dayobs_rule"}
    assert set(MENDABLE) == set(FrameFacts.__dataclass_fields__) - identity - apart
