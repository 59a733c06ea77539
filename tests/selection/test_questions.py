from datetime import UTC, datetime, timedelta

import pytest

from calrecords.errors import InvalidTargetError
from calrecords.matching import MatchSet, Probe
from calrecords.selection import ask, load_rules, make_target
from calrecords.vocabulary import Verdict

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
GOOD = frozenset({Verdict.GOOD, Verdict.UNKNOWN})


def test_a_rule_of_equalities_is_two_probes(target):
    rules = load_rules("lco")
    asked = target(filter="rp")
    question = ask(rules.rule_for("SKYFLAT", asked), asked)
    names = ("binning", "camera", "configuration_mode", "filter", "is_master", "site")
    key = MatchSet(names, "SKYFLAT").key(
        {
            "binning": "1x1",
            "camera": "fa01",
            "configuration_mode": "default",
            "filter": "rp",
            "is_master": True,
            "site": "lsc",
        }
    )
    assert question.probe == Probe(key=key, dateobs=NOON, verdicts=GOOD, valid_at=NOON)
    assert (question.is_two_probes, question.residual, question.never) == (True, (), None)
    assert [(test.name, test.allowed) for test in question.tests] == [
        ("is_master", "true"),
        ("obstype", "SKYFLAT"),
        ("site", "lsc"),
        ("camera", "fa01"),
        ("configuration_mode", "default"),
        ("binning", "1x1"),
        ("filter", "rp"),
        ("direction", "any time"),
        ("verdict", "good or unknown"),
        ("validity", "valid at 2026-03-10T12:00:00Z"),
    ]


def test_a_target_without_what_a_rule_needs_can_have_nothing(target):
    rules = load_rules("lco")
    question = ask(rules.rule_for("SKYFLAT", target()), target())
    assert question.never == "the target has no filter, which skyflat needs"


@pytest.mark.parametrize(
    ("ends", "start", "end"),
    [
        ("closed", NOON - timedelta(days=2), NOON + timedelta(days=1)),
        (
            "open",
            NOON - timedelta(days=2, microseconds=-1),
            NOON + timedelta(days=1, microseconds=-1),
        ),
    ],
)
def test_the_probe_holds_the_window_with_the_ends_that_belong_to_it(ends, start, end, rule, target):
    made = rule(window={"before": "2 d", "after": "1 d", "ends": ends})
    question = ask(made, target())
    assert (question.probe.start, question.probe.end) == (start, end)
    assert question.is_two_probes
    window = next(test for test in question.tests if test.name == "window")
    assert window.allowed == (f"from 2026-03-08T12:00:00Z to 2026-03-11T12:00:00Z, ends {ends}")


def test_a_window_beyond_all_time_is_open(rule):
    made = rule(window="4000 d", ends="closed")
    question = ask(made, make_target({"dateobs": "0001-01-02"}))
    assert question.probe.start is None


@pytest.mark.parametrize(
    ("direction", "sides", "passes"),
    [
        ("either", (True, True, True), [-1, 0, 1]),
        ("bracket", (True, True, True), [-1, 0, 1]),
        ("before", (True, False, False), [-1]),
        ("before_or_equal", (True, False, True), [-1, 0]),
        ("after", (False, True, False), [1]),
        ("after_or_equal", (False, True, True), [0, 1]),
    ],
)
def test_a_direction_is_what_the_probe_looks_at_and_what_is_tested(
    direction, sides, passes, rule, target, make_frame
):
    question = ask(rule(direction=direction), target())
    probe = question.probe
    assert (probe.looks_before, probe.looks_after, probe.takes_same_time) == sides
    assert [h for h in (-1, 0, 1) if question.passes(make_frame(hours=h))] == passes
    assert not question.passes(make_frame(dateobs=None))


def test_bad_ones_are_taken_only_when_asked_for(rule, target, make_frame):
    bad = make_frame(verdict=Verdict.BAD)
    assert not ask(rule(), target()).passes(bad)
    assert ask(rule(), target(), include_bad=True).passes(bad)
    strict = ask(rule(verdicts=["good"]), target())
    assert [strict.passes(make_frame(verdict=verdict)) for verdict in Verdict] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("after", "until", "passes"),
    [
        (None, None, True),
        (NOON, None, True),
        (NOON + timedelta(microseconds=1), None, False),
        (None, NOON, False),
        (None, NOON + timedelta(microseconds=1), True),
    ],
)
def test_validity_is_half_open(after, until, passes, rule, target, make_frame):
    frame = make_frame(good_after=after, good_until=until)
    assert ask(rule(), target()).passes(frame) is passes
    assert ask(rule(valid=False), target()).passes(frame)


def test_created_before_is_strict_and_no_condition_where_the_target_has_none(
    rule, target, make_frame
):
    made = rule({"block_start": "time"}, created_before="block_start")
    frames = [make_frame(created=NOON), make_frame(created=NOON - timedelta(seconds=1))]
    frames.append(make_frame(created=None))
    for question, passes in (
        (ask(made, target(block_start="2026-03-10T12:00:00")), [False, True, False]),
        (ask(made, target()), [True, True, True]),
        (ask(made, target(), created_before=NOON), [False, True, False]),
    ):
        assert [question.passes(frame) for frame in frames] == passes
    with pytest.raises(InvalidTargetError, match=r"the target's block_start: cannot read 'soon'"):
        ask(made, target(block_start="soon"))


CONDITIONAL = {
    "name": "side",
    "branch": [
        {"when": [{"field": "word", "equal": "none"}], "no_result": True},
        {
            "when": [{"any": [{"field": "word", "equal": "a"}, {"field": "number", "above": 3}]}],
            "equal": ["filter"],
            "direction": "before",
            "count": 2,
            "window": {"within": "1 d", "ends": "open"},
        },
        {"when": [{"all": [{"field": "word", "present": True}]}], "direction": "after"},
    ],
}


def test_the_first_branch_that_holds_counts(rule, target):
    made = rule(conditional=[CONDITIONAL], count=5)
    first = ask(made, target(word="none"))
    assert first.never == "only has no result for this target (side, branch 1)"
    second = ask(made, target(number=4, filter="rp"), max_results=9)
    assert [test.name for test in second.residual] == ["filter (side, branch 2)"]
    assert (second.direction, second.max_results, second.count.maximum) == ("before", 2, 2)
    assert second.probe.end == NOON + timedelta(days=1, microseconds=-1)
    third = ask(made, target(word="b"), max_results=9)
    assert (third.direction, third.max_results, third.residual) == ("after", 9, ())
    none = ask(made, target())
    assert (none.direction, none.max_results, none.is_two_probes) == ("either", 5, True)


def test_a_term_that_may_have_no_say_is_not_in_the_key(rule, target, make_frame):
    made = rule(equal=["site", {"field": "word", "nulls": "skip"}])
    assert made.plan.match_set == MatchSet(("site",), "")
    frame = make_frame(attributes={"word": "x"})
    for given, passes in ({"word": "x"}, True), ({"word": "y"}, False), ({}, True):
        question = ask(made, target(**given))
        assert (question.never, question.passes(frame)) == (None, passes)
