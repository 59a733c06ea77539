"""What a candidate must pass for one target: terms, and what is no term, as tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from calrecords.frames import CalibrationFrame
from calrecords.matching import Probe
from calrecords.selection.fields import value_of
from calrecords.selection.terms import Bound, Ends, Term
from calrecords.selection.windows import SIDES, Direction, Window, limits


@dataclass(frozen=True, slots=True)
class BoundTest:
    """One thing that a candidate must be, for one target.

    Attributes
    ----------
    name : str
        What people call it.
    field : str
        What of the candidate it looks at.
    allowed : str
        What satisfies it, for people.
    passes : callable
        Whether a candidate satisfies it.
    actual : callable
        What a candidate has.
    holds : callable or None
        Whether a value of that field satisfies it; None where more than a value is looked at.
    """

    name: str
    field: str
    allowed: str
    passes: Callable[[CalibrationFrame], bool]
    actual: Callable[[CalibrationFrame], Any]
    holds: Callable[[Any], bool] | None = None


def term_test(name: str, term: Term, bound: Bound) -> BoundTest:
    """Return the test that a term is for one target."""
    return BoundTest(
        name,
        term.field,
        bound.allowed,
        lambda frame: bound.holds(value_of(frame, term.field)),
        lambda frame: value_of(frame, term.field),
        bound.holds,
    )


def probe_tests(probe: Probe, direction: Direction, window: Window) -> Iterable[BoundTest]:
    """Return the tests that are no terms: direction, window, verdict, validity, creation."""
    yield _direction_test(direction, probe.dateobs)
    start, end = probe.start, probe.end
    if start is not None or end is not None:
        yield BoundTest(
            "window",
            "dateobs",
            _window_text(window, probe.dateobs),
            lambda frame: (
                frame.dateobs is not None
                and (start is None or start <= frame.dateobs)
                and (end is None or frame.dateobs <= end)
            ),
            _dateobs,
        )
    verdicts = probe.verdicts
    yield BoundTest(
        "verdict",
        "verdict",
        " or ".join(sorted(verdicts)),
        lambda frame: frame.verdict in verdicts,
        lambda frame: frame.verdict,
    )
    if probe.valid_at is not None:
        yield _validity_test(probe.valid_at)
    before = probe.created_before
    if before is not None:
        yield BoundTest(
            "created_before",
            "created",
            f"before {_said(before)}",
            lambda frame: frame.created is not None and frame.created < before,
            lambda frame: frame.created,
        )


def _direction_test(direction: Direction, moment: datetime) -> BoundTest:
    before, after, same = SIDES[direction]

    def passes(frame: CalibrationFrame) -> bool:
        if frame.dateobs is None:
            return False
        if frame.dateobs == moment:
            return same
        return before if frame.dateobs < moment else after

    allowed = {
        Direction.EITHER: "any time",
        Direction.BRACKET: "any time",
        Direction.BEFORE: f"before {_said(moment)}",
        Direction.BEFORE_OR_EQUAL: f"{_said(moment)} or before",
        Direction.AFTER: f"after {_said(moment)}",
        Direction.AFTER_OR_EQUAL: f"{_said(moment)} or after",
    }[direction]
    return BoundTest("direction", "dateobs", allowed, passes, _dateobs)


def _window_text(window: Window, moment: datetime) -> str:
    start, end = limits(moment, replace(window, ends=Ends.CLOSED))
    said = [
        *(() if start is None else (f"from {_said(start)}",)),
        *(() if end is None else (f"to {_said(end)}",)),
    ]
    return f"{' '.join(said)}, ends {window.ends.value}"


def _validity_test(moment: datetime) -> BoundTest:
    return BoundTest(
        "validity",
        "good_after",
        f"valid at {_said(moment)}",
        lambda frame: (
            (frame.good_after is None or frame.good_after <= moment)
            and (frame.good_until is None or moment < frame.good_until)
        ),
        lambda frame: (frame.good_after, frame.good_until),
    )


def _dateobs(frame: CalibrationFrame) -> datetime | None:
    return frame.dateobs


def _said(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds" if moment.microsecond else "seconds").replace(
        "+00:00", "Z"
    )
