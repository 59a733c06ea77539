"""Which comes first, and how little is read to know it."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from calrecords.selection import ask, choose_among, rank

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def chosen(rule, target):
    def choose(frames, *, max_results=9, attributes=None, given=None, **keys):
        question = ask(rule(attributes, **keys), target(**(given or {})), max_results=max_results)
        answers = {
            tuple(frame.basename for frame in choose_among(question, order))
            for order in itertools.islice(itertools.permutations(frames), 24)
        }
        assert len(answers) == 1, "the answer depends on the order of the candidates"
        return list(answers.pop())

    return choose


def test_ties_are_broken_the_same_in_any_order(chosen, make_frame):
    frames = [
        make_frame("c-after", 1, created=NOON),
        make_frame("a-before-unmade", -1),
        make_frame("b-before-old", -1, created=NOON - timedelta(days=1)),
        make_frame("e-before-new", -1, created=NOON),
        make_frame("d-before-new", -1, created=NOON),
    ]
    assert chosen(frames) == [
        "d-before-new",
        "e-before-new",
        "b-before-old",
        "a-before-unmade",
        "c-after",
    ]


def test_a_microsecond_decides(chosen, make_frame):
    near = make_frame("near", dateobs=NOON - timedelta(hours=1, microseconds=-1))
    assert chosen([make_frame("far", -1), near]) == ["near", "far"]


def test_times_can_be_cut_before_they_are_compared(chosen, make_frame):
    frames = [
        make_frame("newest", 1, created=NOON),
        make_frame("near", dateobs=NOON + timedelta(hours=1, milliseconds=-1)),
        make_frame("older", 1.0001, created=NOON - timedelta(days=1)),
    ]
    order = [{"closest_in_time": "1 s"}, {"highest": "created"}]
    assert chosen(frames, order=order) == ["near", "newest", "older"]
    order = [{"closest_in_time": "1 h"}, {"highest": "created"}]
    assert chosen(frames, order=order) == ["near", "newest", "older"]
    assert chosen(frames, order=order, given={"dateobs": NOON + timedelta(minutes=1)}) == [
        "near",
        "newest",
        "older",
    ]


def test_preferences_come_before_time(chosen, make_frame):
    frames = [
        make_frame("near", 1, attributes={"word": "other"}),
        make_frame("far", 9, attributes={"word": "same"}),
        make_frame("middle", 5, attributes={"word": "same"}),
    ]
    assert chosen(frames, prefer=["word"], given={"word": "same"}) == ["middle", "far", "near"]
    assert chosen(frames, prefer=["word"], given={"word": "same"}, max_results=1) == ["middle"]
    assert chosen(
        frames, prefer=[{"field": "word", "nulls": "skip", "equal": {"target": "word"}}]
    ) == [
        "near",
        "middle",
        "far",
    ]


def test_a_weighted_order_adds_distances(chosen, make_frame):
    frames = [
        make_frame("near in time", 1, attributes={"number": 5.0}),
        make_frame("near in both", 2, attributes={"number": 2.0}),
        make_frame("near in number", 7, attributes={"number": 1.0}),
        make_frame("unknown", 0),
    ]
    order = [{"weighted": [{"field": "dateobs", "scale": "2 h"}, {"field": "number", "scale": 1}]}]
    expected = ["near in both", "near in number", "near in time", "unknown"]
    assert chosen(frames, order=order, given={"number": 1.0}) == expected
    assert chosen(frames, order=order, given={"number": 1.0}, max_results=1) == expected[:1]
    assert chosen(frames, order=order)[:2] == ["unknown", "near in time"]


def test_other_orders(chosen, make_frame):
    frames = [make_frame(str(n), n, attributes={"number": n}) for n in (1, 3, 8)]
    frames.append(make_frame("none", 0))
    assert chosen(frames, order=[{"closest": "number"}], given={"number": 4}) == [
        "3", "1", "8", "none",
    ]  # fmt: skip
    assert chosen(frames, order=[{"highest": "number"}]) == ["8", "3", "1", "none"]
    assert chosen(frames, order=[{"lowest": "number"}], max_results=2) == ["1", "3"]


def test_a_bracket_is_the_nearest_of_each_side(chosen, make_frame):
    frames = [make_frame(f"{hours:+}", hours) for hours in (-5, -2, 0, 3, 4)]
    assert chosen(frames, direction="bracket", max_results=2) == ["+0", "+3"]
    assert chosen(frames, direction="bracket", max_results=4) == ["+0", "-2", "+3", "+4"]
    assert chosen(frames[:2], direction="bracket", max_results=2) == ["-2"]
    assert chosen(frames[:2], direction="bracket", count={"min": 2, "max": 4}) == []
    order = [{"highest": "created"}]
    assert chosen(frames, direction="bracket", order=order, max_results=2) == ["+0", "+3"]


def test_fewer_than_the_least_count_are_nothing(chosen, make_frame):
    frames = [make_frame("a", 1), make_frame("b", 2)]
    assert chosen(frames, count={"min": 3, "max": 5}) == []
    assert chosen(frames, count={"min": 2, "max": 5}, max_results=1) == ["a"]


def reading(frames):
    read = []

    def each():
        for frame in frames:
            read.append(frame.basename)
            yield frame

    return each(), read


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, 1),
        ({"direction": "bracket"}, 4),
        ({"terms": [{"field": "word", "present": True}]}, 3),
        ({"prefer": [{"field": "word", "present": True}]}, 3),
        ({"order": [{"closest_in_time": "1 h"}]}, 3),
        ({"order": [{"weighted": [{"field": "dateobs", "scale": "1 h"}]}]}, 2),
        ({"order": [{"lowest": "number"}]}, 20),
    ],
)
def test_no_more_is_read_than_it_takes(keys, expected, rule, target, make_frame):
    """With the best in hand one more is looked at, to see that it is no better."""
    frames = [
        make_frame(str(n), n * (-1) ** (n % 2), attributes={"word": "x"} if n > 0 else {})
        for n in range(1, 21)
    ]
    frames[0] = make_frame("1", -1)
    question = ask(rule(**keys), target(), max_results=2 if keys.get("direction") else 1)
    candidates, read = reading(frames)
    assert rank(question, candidates)
    assert len(read) == expected
