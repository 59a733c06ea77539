"""Where in time a rule looks, and how that is told."""

from datetime import UTC, datetime, timedelta

import pytest

from calrecords.selection.terms import Ends
from calrecords.selection.windows import ENDLESS, Window, days_text, limits, window_text

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (ENDLESS, (None, None)),
        (Window(2 * DAY, DAY), (NOON - 2 * DAY, NOON + DAY)),
        (Window(2 * DAY, None, Ends.OPEN), (NOON - 2 * DAY + MICROSECOND, None)),
        (Window(None, DAY, Ends.OPEN), (None, NOON + DAY - MICROSECOND)),
        (Window(10**6 * DAY, 10**8 * DAY), (None, None)),
    ],
)
def test_the_limits_of_a_window_are_the_first_and_last_times_that_belong_to_it(window, expected):
    assert limits(NOON, window) == expected


@pytest.mark.parametrize(
    ("window", "said"),
    [
        (ENDLESS, "all time"),
        (Window(90 * DAY, 90 * DAY, Ends.OPEN), "90 d, ends open"),
        (Window(2 * DAY, timedelta(seconds=30)), "before 2 d and after 30 s, ends closed"),
        (Window(None, DAY), "after 1 d, ends closed"),
    ],
)
def test_a_window_is_told_for_people(window, said):
    assert window_text(window) == said


def test_a_length_of_time_is_in_days_where_it_has_one():
    assert [days_text(one) for one in (DAY, DAY / 2, 36 * DAY / 24)] == ["1 d", "43200 s", "1.5 d"]
