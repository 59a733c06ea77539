"""What each kind of term lets pass, with each null policy."""

from datetime import UTC, datetime

import pytest

from calrecords.errors import RuleError
from calrecords.selection import ask

DAY = datetime(2026, 3, 10, tzinfo=UTC)
ATTRIBUTES = {"wave": "um", "types": "list", "made": "time", "flag": "flag"}


@pytest.fixture
def passing(rule, target, make_frame):
    """Return which of some values of a candidate satisfy a term, for a target."""

    def passes(term, values, *, field=None, **target_values):
        question = ask(rule(ATTRIBUTES, terms=[term]), target(**target_values))
        name = field or term["field"]
        frames = [make_frame(attributes={name: value}) for value in values]
        return [v for v, f in zip(values, frames, strict=True) if question.passes(f)]

    return passes


def test_values_that_mean_the_same_are_equal(passing):
    same = [2, 2.0, "2"]
    assert passing({"field": "number", "equal": 2}, [*same, 2.5, "2.0", True, None]) == same
    assert passing({"field": "number", "equal": {"target": "word"}}, same, word="2") == same
    assert passing({"field": "flag", "equal": True}, [True, "true", 1, False]) == [True, "true"]


@pytest.mark.parametrize(
    ("nulls", "given", "passes"),
    [
        (None, "a", ["a"]),
        (None, None, [None]),
        ("match", "a", ["a"]),
        ("match", None, [None]),
        ("skip", "a", ["a"]),
        ("skip", None, ["a", "b", None]),
        ("never", "a", ["a"]),
        ("never", None, []),
    ],
)
def test_equal_to_the_target_with_each_null_policy(nulls, given, passes, passing):
    term = {"field": "word", "equal": {"target": "word"}}
    term |= {} if nulls is None else {"nulls": nulls}
    assert passing(term, ["a", "b", None], word=given) == passes


@pytest.mark.parametrize(
    ("nulls", "given", "passes"),
    [
        (None, "a", ["b"]),
        (None, None, []),
        ("match", "a", ["b", None]),
        ("match", None, ["a", "b"]),
        ("skip", "a", ["b"]),
        ("skip", None, ["a", "b", None]),
        ("never", "a", ["b"]),
        ("never", None, []),
    ],
)
def test_not_equal_to_the_target_with_each_null_policy(nulls, given, passes, passing):
    term = {"field": "word", "not_equal": {"target": "word"}}
    term |= {} if nulls is None else {"nulls": nulls}
    assert passing(term, ["a", "b", None], word=given) == passes


@pytest.mark.parametrize(
    ("operator", "nulls", "passes"),
    [
        ({"equal": "a"}, None, ["a"]),
        ({"equal": "a"}, "skip", ["a", None]),
        ({"equal": "a"}, "match", ["a"]),
        ({"not_equal": "a"}, None, ["b"]),
        ({"not_equal": "a"}, "match", ["b", None]),
        ({"not_equal": "a"}, "skip", ["b", None]),
        ({"one_of": ["a", "c"]}, None, ["a"]),
        ({"not_one_of": ["a", "c"]}, None, ["b"]),
        ({"not_one_of": ["a", "c"]}, "match", ["b", None]),
        ({"present": True}, None, ["a", "b"]),
        ({"present": False}, None, [None]),
        ({"contains": "a"}, "skip", ["a", None]),
    ],
)
def test_constants_with_each_null_policy(operator, nulls, passes, passing):
    term = {"field": "word", **operator} | ({} if nulls is None else {"nulls": nulls})
    assert passing(term, ["a", "b", None]) == passes


@pytest.mark.parametrize(
    ("operator", "passes"),
    [
        ({"contains": "arc"}, ["5.0arcsec", "arc_%"]),
        ({"contains": "arc", "case": "ignore"}, ["5.0arcsec", "ARCsec", "arc_%"]),
        ({"starts_with": "arc"}, ["arc_%"]),
        ({"starts_with": "arc", "case": "ignore"}, ["ARCsec", "arc_%"]),
        ({"ends_with": "sec"}, ["5.0arcsec", "ARCsec"]),
        ({"contains": "_%"}, ["arc_%"]),
        ({"equal": "arcsec", "case": "ignore"}, ["ARCsec"]),
        ({"equal": "arcsec"}, []),
    ],
)
def test_texts_are_exact_unless_a_term_says_otherwise(operator, passes, passing):
    values = ["5.0arcsec", "ARCsec", "arc_%", None]
    assert passing({"field": "word", **operator}, values) == passes


def test_a_list_has_its_words(passing):
    values = [["MOS", "LS"], ["MOSAIC"], "MOS", "MOSAIC", None]
    assert passing({"field": "types", "has": "MOS"}, values) == [["MOS", "LS"], "MOS"]


@pytest.mark.parametrize(
    ("operator", "passes"),
    [
        ({"above": 1}, [1.5, "2"]),
        ({"at_least": 1}, [1, 1.5, "2"]),
        ({"below": 1.5}, [1]),
        ({"at_most": 1.5}, [1, 1.5]),
    ],
)
def test_comparisons_are_of_numbers(operator, passes, passing):
    values = [1, 1.5, "2", "far", True, None]
    assert passing({"field": "number", **operator}, values) == passes


@pytest.mark.parametrize(
    ("term", "passes"),
    [
        ({"within": 0.5, "ends": "open"}, [0.75, 1.0, 1.25]),
        ({"within": 0.5, "ends": "closed"}, [0.5, 0.75, 1.0, 1.25, 1.5]),
        ({"within": "5000 Angstrom", "ends": "open"}, [0.75, 1.0, 1.25]),
        ({"within_percent": 25, "ends": "closed"}, [0.75, 1.0, 1.25]),
        ({"within_percent": 25, "ends": "open"}, [1.0]),
        ({"within": 0.25, "ends": "closed", "around": 1.5}, [1.25, 1.5]),
        ({"within": 0.25, "ends": "closed", "around": {"target": "number"}}, [1.25, 1.5]),
        ({"within": {"expr": "target.wave / 4"}, "ends": "closed"}, [0.75, 1.0, 1.25]),
        ({"within": {"target": "number"}, "ends": "open"}, [0.5, 0.75, 1.0, 1.25, 1.5]),
    ],
)
def test_tolerances_say_their_middle_their_unit_and_their_ends(term, passes, passing):
    values = [0.5, 0.75, 1.0, 1.25, 1.5, None]
    assert passing({"field": "wave", **term}, values, wave=1.0, number=1.5) == passes


@pytest.mark.parametrize(
    ("nulls", "passes"),
    [("skip", [1.0, 9.0, None]), ("never", []), (None, []), ("match", [None])],
)
def test_a_tolerance_around_nothing_is_as_its_null_policy_says(nulls, passes, passing):
    term = {"field": "wave", "within": 1, "ends": "open"}
    term |= {} if nulls is None else {"nulls": nulls}
    assert passing(term, [1.0, 9.0, None]) == passes


def test_times_are_compared_as_times(passing, rule, target, make_frame):
    question = ask(
        rule(terms=[{"field": "created", "within": "1 h", "around": DAY, "ends": "closed"}]),
        target(),
    )
    frames = [make_frame(created=DAY.replace(hour=hour)) for hour in (0, 1, 2)]
    assert [question.passes(frame) for frame in frames] == [True, True, False]
    later = ask(rule(terms=[{"field": "created", "above": "2026-03-10T01:00:00"}]), target())
    assert [later.passes(frame) for frame in frames] == [False, False, True]


def test_a_number_that_the_target_does_not_have_as_one_is_an_error(rule, target):
    made = rule(ATTRIBUTES, terms=[{"field": "wave", "within": 1, "ends": "open"}])
    with pytest.raises(
        RuleError, match=r"test.toml: rule only: wave: it needs a number, and 'blue' is none"
    ):
        ask(made, target(wave="blue"))
