"""From the candidates of a question to those that are chosen, in their order."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from datetime import timedelta
from itertools import islice
from typing import Any

from calrecords.frames import CalibrationFrame
from calrecords.selection.fields import value_of
from calrecords.selection.ordering import BoundPart, OrderKind, tie_break
from calrecords.selection.questions import Question
from calrecords.selection.terms import Bound, Term
from calrecords.selection.windows import Direction

_ZERO = timedelta(0)


def rank(question: Question, candidates: Iterable[CalibrationFrame]) -> list[CalibrationFrame]:
    """Return the candidates that are chosen, best first.

    Parameters
    ----------
    question : Question
        What is wanted.
    candidates : iterable of CalibrationFrame
        What the probe of the question gives, outward in time: by distance, then by the
        tie-break. Only as many are read as it takes.

    Returns
    -------
    list of CalibrationFrame
        At most `max_results`; none where there are fewer than the count's minimum. Of a
        bracket, the nearest of each side, ordered like the others; one at the target's very
        time is on the side before it.
    """
    if question.never is not None:
        return []
    wanted = max(question.max_results, question.count.minimum)
    if question.direction is Direction.BRACKET:
        found = _bracket(question, candidates, wanted)
    elif question.is_two_probes:
        found = list(islice(candidates, wanted))
    else:
        found = _Best(question, wanted).of(candidates)
    return found[: question.max_results] if len(found) >= question.count.minimum else []


def choose_among(question: Question, frames: Iterable[CalibrationFrame]) -> list[CalibrationFrame]:
    """Return which of any frames, in any order, are chosen, best first."""
    passing = [frame for frame in frames if question.passes(frame)]
    passing.sort(key=lambda frame: tie_break(frame, question.target))
    return rank(question, passing)


def _bracket(
    question: Question, candidates: Iterable[CalibrationFrame], wanted: int
) -> list[CalibrationFrame]:
    """Return the best of each side, as many from each; of both, in their order."""
    per_side = (wanted + 1) // 2
    sides = {True: _Best(question, per_side), False: _Best(question, per_side)}
    for frame in candidates:
        is_before = frame.dateobs is not None and frame.dateobs <= question.target.dateobs
        sides[is_before].take(frame)
        if all(side.is_complete for side in sides.values()):
            break
    if any(len(side.found) < question.count.minimum // 2 for side in sides.values()):
        return []
    both = sorted([*sides[True].found, *sides[False].found], key=lambda one: one[0])
    return [frame for _, frame in both]


class _Best:
    """Keeps the best candidates so far, and knows when no better one can come."""

    def __init__(self, question: Question, wanted: int) -> None:
        self._question = question
        self._wanted = wanted
        self._parts = [part.bind(question.target) for part in question.order]
        values = question.target.values
        bound = [(term, term.bind(values)) for _, term in question.prefer]
        self._prefer = [(term, one) for term, one in bound if one is not None]
        self._is_only_time = question.order[0].kind is OrderKind.TIME and (
            len(question.order) == 1 and not question.order[0].resolution
        )
        self.found: list[tuple[Any, CalibrationFrame]] = []
        self.is_complete = wanted < 1

    def of(self, candidates: Iterable[CalibrationFrame]) -> list[CalibrationFrame]:
        """Return the best candidates, reading no more than it takes."""
        if not self.is_complete:
            for frame in candidates:
                self.take(frame)
                if self.is_complete:
                    break
        return [frame for _, frame in self.found]

    def take(self, frame: CalibrationFrame) -> None:
        """Look at the next candidate outward in time."""
        if self.is_complete:
            return
        if len(self.found) == self._wanted and self._none_is_better_from(frame):
            self.is_complete = True
            return
        if self._question.passes_residual(frame):
            insort(self.found, (self._key(frame), frame), key=lambda one: one[0])
            del self.found[self._wanted :]

    def _key(self, frame: CalibrationFrame) -> tuple[Any, ...]:
        return (
            tuple(not _is_preferred(frame, term, bound) for term, bound in self._prefer),
            *(part.key(frame) for part in self._parts),
            tie_break(frame, self._question.target),
        )

    def _none_is_better_from(self, frame: CalibrationFrame) -> bool:
        """Return whether neither this candidate nor a later one can displace what is found."""
        last = self.found[-1][0]
        if any(last[0]):
            return False
        if self._is_only_time:
            return True
        first: BoundPart = self._parts[0]
        distance = _ZERO if frame.dateobs is None else frame.dateobs - self._question.target.dateobs
        return bool(last[1] < first.lowest_from(abs(distance)))


def _is_preferred(frame: CalibrationFrame, term: Term, bound: Bound) -> bool:
    return bound.holds(value_of(frame, term.field))
