"""Where in time a rule looks, how far, and how many calibrations it wants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from calrecords.selection.terms import Ends

_MICROSECOND = timedelta(microseconds=1)


class Direction(StrEnum):
    """Where in time calibrations are looked for, from the target."""

    EITHER = "either"
    BEFORE = "before"
    BEFORE_OR_EQUAL = "before_or_equal"
    AFTER = "after"
    AFTER_OR_EQUAL = "after_or_equal"
    BRACKET = "bracket"


SIDES: Mapping[Direction, tuple[bool, bool, bool]] = {
    Direction.EITHER: (True, True, True),
    Direction.BRACKET: (True, True, True),
    Direction.BEFORE: (True, False, False),
    Direction.BEFORE_OR_EQUAL: (True, False, True),
    Direction.AFTER: (False, True, False),
    Direction.AFTER_OR_EQUAL: (False, True, True),
}
"""Of each direction: whether it looks before, whether after, and takes the target's own time."""


@dataclass(frozen=True, slots=True)
class Window:
    """How far away in time a calibration may be.

    Attributes
    ----------
    before, after : timedelta or None
        From the target's time; None is without end.
    ends : Ends
        Whether the ends belong to it.
    """

    before: timedelta | None = None
    after: timedelta | None = None
    ends: Ends = Ends.CLOSED


ENDLESS = Window()
"""All time."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many calibrations are wanted.

    Attributes
    ----------
    minimum : int
        With fewer, nothing is chosen; of a bracket, with fewer than half of it on a side.
    maximum : int
        How many a choice gives, unless the caller says otherwise; of a bracket, both sides.
    """

    minimum: int = 1
    maximum: int = 1


def limits(moment: datetime, window: Window) -> tuple[datetime | None, datetime | None]:
    """Return the first and the last time that belong to a window."""
    inward = _MICROSECOND if window.ends is Ends.OPEN else timedelta(0)
    start = end = None
    if window.before is not None:
        start = _moved(moment, inward - window.before)
    if window.after is not None:
        end = _moved(moment, window.after - inward)
    return start, end


def _moved(moment: datetime, by: timedelta) -> datetime | None:
    try:
        return moment + by
    except OverflowError:
        return None


def window_text(window: Window) -> str:
    """Return how far away in time it reaches, for people."""
    sides = [
        f"{name} {days_text(length)}"
        for name, length in (("before", window.before), ("after", window.after))
        if length is not None
    ]
    if not sides:
        return "all time"
    if len(sides) == 2 and window.before == window.after:
        sides = [sides[0].removeprefix("before ")]
    return f"{' and '.join(sides)}, ends {window.ends.value}"


def days_text(length: timedelta) -> str:
    """Return a length of time, for people."""
    seconds = length.total_seconds()
    return f"{seconds / 86400:g} d" if seconds >= 86400 else f"{seconds:g} s"
