"""A use is recorded once, with what was asked, and the newest of a target and type is known."""

from datetime import UTC, datetime

import pytest

from calrecords.errors import InvalidRecordError, RecordNotFoundError
from calrecords.records import Asked, RecordedInput, Uses
from calrecords.records.uses import newest_uses, used_targets

START = datetime(2026, 5, 1, tzinfo=UTC)
ASKED = Asked(
    rule="flat",
    rule_version="3",
    rule_set="lco",
    as_of=START,
    created_before=datetime(2026, 4, 1, tzinfo=UTC),
    include_bad=False,
    override="because",
    target={"dateobs": "2026-01-01T00:00:00", "gain": 1e300, "lit": [True, None]},
)


@pytest.fixture
def uses(database):
    return Uses(database)


@pytest.fixture
def flats(record, make_version):
    return [record(make_version(name, name), START) for name in ("a", "b")]


@pytest.fixture
def newest(database):
    """Return a function that gives which version each target is reduced with now."""

    def read():
        with database.read() as connection:
            return {(one.target, one.caltype): one.filename for one in newest_uses(connection)}

    return read


def test_a_use_is_recorded_whole_and_once(uses, flats):
    assert uses.record("science", flats[0], "SKYFLAT", ASKED)
    assert not uses.record("science", flats[0], "SKYFLAT", ASKED)
    [use] = uses.of_version(flats[0])
    assert (use.target, use.caltype, use.filename, use.md5, use.version_id, use.asked) == (
        "science",
        "SKYFLAT",
        "a.fits.fz",
        flats[0].version.md5,
        1,
        ASKED,
    )
    assert (uses.of_target("science"), uses.of_version(flats[1])) == ([use], [])
    assert (uses.of_target("unknown"), uses.of_target("a\0b")) == ([], [])


def test_one_version_may_serve_as_two_types(uses, flats):
    assert uses.record("science", flats[0], "SKYFLAT", Asked())
    assert uses.record("science", flats[0], "illumination", Asked())
    assert [use.caltype for use in uses.of_target("science")] == ["SKYFLAT", "illumination"]


def test_a_version_that_is_used_again_is_the_newest_again(uses, flats, newest):
    for frame in (flats[0], flats[1], flats[0]):
        assert uses.record("science", frame, "SKYFLAT", Asked())
    assert newest() == {("science", "SKYFLAT"): "a.fits.fz"}
    assert [use.filename for use in uses.of_target("science")] == ["b.fits.fz", "a.fits.fz"]
    assert uses.record("science", flats[0], "SKYFLAT", ASKED)
    assert uses.of_target("science")[1].asked == ASKED


def test_the_newest_uses_can_be_read_of_some_targets_at_a_time(database, uses, flats):
    for number in range(7):
        for frame in flats:
            assert uses.record(f"Science-{number}", frame, "SKYFLAT", Asked())
        assert uses.record(f"Science-{number}", flats[0], "BIAS", Asked())
    with database.read() as connection:
        every = newest_uses(connection)
        first = used_targets(connection, "", 3)
        others = used_targets(connection, first[-1], 9)
        assert [*first, *others] == [f"Science-{number}" for number in range(7)]
        assert newest_uses(connection, others) == [use for use in every if use.target in others]
        assert newest_uses(connection, []) == []
    assert len(every) == 14


def test_inputs_are_found_from_both_ends(uses, flats):
    made = [
        RecordedInput(
            filename=f"{frame.basename}.fits.fz",
            md5=frame.version.md5,
            keyword=keyword,
            basename="bias-1",
            recorded_at=START,
        )
        for frame in flats
        for keyword in ("IMCOM001", "L1IDBIAS")
    ]
    assert (uses.made_from("bias-1"), uses.made_from("none"), uses.made_from("\0")) == (
        made,
        [],
        [],
    )
    assert [one.keyword for one in uses.inputs_of(flats[0])] == [
        "IMCOM001",
        "IMCOM002",
        "L1IDBIAS",
    ]


@pytest.mark.parametrize(
    ("target", "caltype", "asked", "said"),
    [
        ("", "BIAS", Asked(), "target '' is no name"),
        ("s" * 1001, "BIAS", Asked(), "is no name"),
        ("s\0", "BIAS", Asked(), "is no name"),
        ("s", "", Asked(), "caltype '' is no name"),
        ("s", "BIAS", Asked(rule="a\0"), "rule 'a"),
        ("s", "BIAS", Asked(override="a\ud800"), "override 'a"),
        ("s", "BIAS", Asked(target={"x": float("nan")}), "the target's 'x' is nan"),
        ("s", "BIAS", Asked(target={"x": {1}}), "the target's 'x' is of type set"),
    ],
)
def test_a_use_that_cannot_be_recorded_is_refused(uses, flats, target, caltype, asked, said):
    with pytest.raises(InvalidRecordError, match=said):
        uses.record(target, flats[0], caltype, asked)
    assert uses.of_version(flats[0]) == []


def test_what_is_not_recorded_cannot_be_used(uses, flats):
    from dataclasses import replace

    with pytest.raises(RecordNotFoundError):
        uses.record("science", replace(flats[0], basename="other"), "BIAS", Asked())


USE = """
import sys
from calrecords.records import Asked, RecordDatabase, Uses

database = RecordDatabase(sys.argv[1])
flats = [database.get(basename=name) for name in "ab"]
#READY
for n in range(20):
    Uses(database).record(f"s{n % 4}", flats[n % 2], "SKYFLAT", Asked(rule="r"))
database.close()
"""


def test_processes_that_record_the_same_uses_at_once_all_succeed(place, flats, together, sql):
    together(USE, (place,), (place,), (place,))
    assert sql("SELECT count(*), count(DISTINCT target_basename) FROM frame_uses") == [(4, 4)]
