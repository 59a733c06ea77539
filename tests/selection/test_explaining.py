"""Each test is counted on what the tests before left, and what comes nearest is kept."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from calrecords.selection import ask
from calrecords.selection.explaining import VALUES_NOTED, Kind, Tally
from calrecords.selection.reasons import Elimination, NearMiss, Shortfall
from calrecords.vocabulary import Verdict


@dataclass(frozen=True)
class Group:
    obstype: str
    site: str
    camera: str
    count: int
    instrument: str = ""


JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
GROUPS = [
    Group("BIAS", "lsc", "fa01", 10),
    Group("BIAS", "lsc", "fa02", 20),
    Group("BIAS", "coj", "fa01", 40),
    Group("DARK", "lsc", "fa01", 80),
]
KEYS = {
    "where": {"is_master": True, "obstype": "BIAS"},
    "equal": ["filter", "camera", "site"],
    "nulls": "never",
}


@pytest.fixture
def tally(rule, target):
    def make(nearest=5, given=None, **keys):
        question = ask(rule(**{**KEYS, **keys}), target(filter="rp", **(given or {})))
        return Tally(question, nearest=nearest)

    return make


def done(tally):
    return [(row.name, row.tested, row.removed, row.known) for row in tally.rows]


def test_what_all_of_a_group_share_is_counted_by_group(tally):
    counting = tally()
    left, last = counting.take_groups(GROUPS)
    assert (left, last) == ([GROUPS[0]], [GROUPS[0]])
    assert counting.take_kinds([Kind(True, 7), Kind(False, 3)]) == {True}
    assert counting.total == 150
    assert counting.rows[:4] == (
        Elimination("obstype", "obstype", "BIAS", 150, 80),
        Elimination("site", "site", "lsc", 70, 40),
        Elimination("camera", "camera", "fa01", 30, 20),
        Elimination("is_master", "is_master", "true", 10, 3),
    )


def test_where_a_group_test_leaves_nothing_the_known_values_are_told(tally):
    counting = tally(given={"camera": "fa99"})
    left, last = counting.take_groups(GROUPS)
    assert (left, last) == ([], GROUPS[:2])
    assert counting.take_kinds([]) == frozenset()
    assert done(counting) == [
        ("obstype", 150, 80, ()),
        ("site", 70, 40, ()),
        ("camera", 30, 30, ("fa01", "fa02")),
        ("is_master", 0, 0, ()),
        ("filter", 0, 0, ()),
        ("direction", 0, 0, ()),
        ("verdict", 0, 0, ()),
        ("validity", 0, 0, ()),
    ]


def test_without_records_nothing_is_counted_and_nothing_fails(tally):
    counting = tally()
    assert counting.take_groups([]) == ([], [])
    assert counting.take_kinds([Kind(True, 0), Kind(False, 0)]) == frozenset()
    assert {row.tested for row in counting.rows} == {0}
    assert (counting.total, counting.passed, counting.nearest) == (0, 0, ())


def test_a_rule_that_asks_for_no_kind_leaves_both(rule, target):
    counting = Tally(ask(rule(where={"obstype": "BIAS"}), target()))
    counting.take_groups(GROUPS)
    assert counting.take_kinds([Kind(True, 1), Kind(False, 1)]) == {True, False}
    assert counting.take_kinds([Kind(False, 1)]) == {False}


def test_each_candidate_is_removed_by_the_first_test_that_it_fails(tally, make_frame):
    counting = tally(window="2 h", ends="open")
    for frame in (
        make_frame("good", filter="rp"),
        make_frame("gp", filter="gp", verdict=Verdict.BAD),
        make_frame("none"),
        make_frame("bad", filter="rp", verdict=Verdict.BAD),
        make_frame("timeless", filter="rp", dateobs=None),
        make_frame("far", 2, filter="rp"),
    ):
        counting.take(frame)
    assert counting.passed == 1
    assert [row for row in done(counting) if row[1]] == [
        ("filter", 6, 2, ()),
        ("direction", 4, 1, ()),
        ("window", 3, 1, ()),
        ("verdict", 2, 1, ()),
        ("validity", 1, 0, ()),
    ]


def test_known_values_are_those_of_the_candidates_that_reach_a_test(tally, make_frame):
    counting = tally(
        equal=["filter", "camera", "site", "exposure_time"], given={"exposure_time": 5}
    )
    for at, filter_ in enumerate(["rp", "gp", "rp", "rp"]):
        counting.take(make_frame(str(at), filter=filter_, exposure_time=float(10 * at) or None))
    assert [row for row in done(counting) if row[1]] == [
        ("filter", 4, 1, ()),
        ("exposure_time", 3, 3, ("20", "30")),
    ]


def test_no_more_values_are_noted_than_there_is_room_for(tally, make_frame):
    counting = tally()
    for number in range(VALUES_NOTED + 50):
        counting.take(make_frame(str(number), filter=f"f{number:05}"))
    [known] = [row.known for row in counting.rows if row.name == "filter"]
    assert (known[0], known[-2:]) == ("f00000", ("f00019", "and others"))


def test_what_fails_the_fewest_tests_is_nearest_and_then_the_time_decides(tally, make_frame):
    frames = [
        make_frame("two", 0, filter="gp", verdict=Verdict.BAD),
        make_frame("b", 5, filter="gp"),
        make_frame("passes", 0, filter="rp"),
        make_frame("a", 5, filter="gp"),
        make_frame("near", -1, filter="rp", verdict=Verdict.BAD),
        make_frame("timeless", filter="rp", dateobs=None),
        make_frame("three", 0, verdict=Verdict.BAD, good_until=JANUARY),
    ]
    for order in (frames, frames[::-1]):
        counting = tally(nearest=3)
        for frame in order:
            counting.take(frame)
        assert counting.nearest == (
            NearMiss(
                frames[4],
                timedelta(hours=-1),
                (Shortfall("verdict", "verdict", "bad", "good or unknown"),),
            ),
            NearMiss(frames[3], timedelta(hours=5), (Shortfall("filter", "filter", "gp", "rp"),)),
            NearMiss(frames[1], timedelta(hours=5), (Shortfall("filter", "filter", "gp", "rp"),)),
        )


def test_every_test_that_a_near_miss_fails_is_named(tally, make_frame):
    counting = tally()
    counting.take(make_frame(dateobs=None, verdict=Verdict.BAD, good_until=JANUARY))
    [miss] = counting.nearest
    assert miss.age is None
    assert miss.failed == (
        Shortfall("filter", "filter", "", "rp"),
        Shortfall("direction", "dateobs", "", "any time"),
        Shortfall("verdict", "verdict", "bad", "good or unknown"),
        Shortfall(
            "validity", "good_after", "until 2026-01-01T00:00:00Z", "valid at 2026-03-10T12:00:00Z"
        ),
    )


def test_what_is_only_compared_is_not_counted(tally, make_frame):
    counting = tally(given={"camera": "fa99"})
    counting.take_groups(GROUPS)
    counting.compare(make_frame("other", filter="rp"))
    assert counting.nearest == (
        NearMiss(
            make_frame("other", filter="rp"),
            timedelta(0),
            (Shortfall("camera", "camera", "fa01", "fa99"),),
        ),
    )
    assert (counting.passed, sum(row.tested for row in counting.rows)) == (0, 250)


def test_branches_and_their_terms_have_their_names(tally, make_frame):
    branch = {"when": [{"field": "filter", "equal": "rp"}], "equal": ["binning"]}
    counting = tally(conditional=[{"name": "red", "branch": [branch]}])
    counting.take(make_frame(filter="rp"))
    assert [row.name for row in counting.rows if row.tested] == [
        *("filter", "binning (red, branch 1)", "direction", "verdict", "validity"),
    ]
