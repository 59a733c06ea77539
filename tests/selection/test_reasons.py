"""Values and numbers in reasons are written for people."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from calrecords.selection.reasons import VALUES_TOLD, Elimination, told, value_text
from calrecords.vocabulary import Binning, Verdict

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (-110.0, "-110"),
        (0.25, "0.25"),
        ("rp", "rp"),
        (Binning(2, 1), "2x1"),
        (Verdict.BAD, "bad"),
        (date(2026, 3, 9), "2026-03-09"),
        (NOON, "2026-03-10T12:00:00Z"),
        (NOON + timedelta(microseconds=1), "2026-03-10T12:00:00.000001Z"),
        (NOON.astimezone(timezone(timedelta(hours=-7))), "2026-03-10T12:00:00Z"),
        ((None, None), "always"),
        ((NOON, None), "from 2026-03-10T12:00:00Z"),
        ((None, NOON), "until 2026-03-10T12:00:00Z"),
        ((NOON, NOON), "from 2026-03-10T12:00:00Z until 2026-03-10T12:00:00Z"),
        (["a", 1], '["a", "1"]'),
    ],
)
def test_a_value_is_text(value, text):
    assert value_text(value) == text


def test_values_are_told_once_in_order_numbers_by_their_size():
    assert told(["up", "-20", "", "-120", "gp", "-100", "gp"]) == (
        "-120",
        "-100",
        "-20",
        "gp",
        "up",
    )
    assert told([]) == ()


def test_too_many_values_are_cut_and_that_is_said():
    many = [f"{number:03}" for number in range(VALUES_TOLD)]
    assert told(reversed(many)) == tuple(many)
    assert told([*many, "999"]) == (*many, "and others")


def test_what_is_left_is_what_was_not_removed():
    assert Elimination("filter", "filter", "rp", 5, 3).left == 2
