"""Why a calibration was chosen, or none: what each test removed, and what came nearest.

Candidates are looked at one after the other, so that memory stays flat; what sorts whole
groups of them out at once (observation type, site, camera) is tested on the groups.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from calrecords.frames import CalibrationFrame
from calrecords.selection.bound_tests import BoundTest
from calrecords.selection.ordering import tie_break
from calrecords.selection.questions import Question
from calrecords.selection.reasons import Elimination, NearMiss, Shortfall, told, value_text

NEAREST = 5
"""How many of the nearest misses are told."""

VALUES_NOTED = 1000
"""How many values of candidates are noted, until one is found that is wanted."""

OF_GROUPS = ("obstype", "site", "camera", "instrument")
"""Fields that all candidates of a group share, in the order in which they are tested."""

OF_KINDS = ("is_master",)
"""Fields that are tested after these, on candidates of two kinds."""


class Counted(Protocol):
    """Candidates that share what they are tested for."""

    @property
    def count(self) -> int:
        """How many there are."""


@dataclass(frozen=True, slots=True)
class Kind:
    """The masters, or the individual calibrations, among candidates.

    Attributes
    ----------
    is_master : bool
        Which of them.
    count : int
        How many there are.
    """

    is_master: bool
    count: int


_C = TypeVar("_C", bound=Counted)


class Tally:
    """Counts what the tests of a question remove.

    It is given all groups of candidates, then the kinds of what is left, then each candidate of
    what is left then. Where that is none, it can compare others, to find the nearest misses.

    Parameters
    ----------
    question : Question
        What was asked.
    nearest : int, optional
        How many of the nearest misses are kept.
    """

    def __init__(self, question: Question, *, nearest: int = NEAREST) -> None:
        tests = question.tests
        self._target = question.target
        self._of_groups = _on_values(tests, OF_GROUPS)
        self._of_kinds = _on_values(tests, OF_KINDS)
        early = {id(test) for test in (*self._of_groups, *self._of_kinds)}
        self._late = [test for test in tests if id(test) not in early]
        self._all = (*self._of_groups, *self._of_kinds, *self._late)
        self._early: list[Elimination] = []
        self._removed = [0] * len(self._late)
        self._values: list[dict[str, None] | None] = [
            {} if test.holds is not None else None for test in self._late
        ]
        self._wanted = nearest
        self._nearest: list[tuple[Any, CalibrationFrame, list[BoundTest]]] = []
        self._taken = 0
        self.total = 0
        self.passed = 0

    @property
    def rows(self) -> tuple[Elimination, ...]:
        """What each test did, in the order in which they were made."""
        return (*self._early, *self._late_rows())

    @property
    def nearest(self) -> tuple[NearMiss, ...]:
        """The candidates that fail the fewest tests; of these the nearest in time first."""
        return tuple(
            NearMiss(
                frame,
                None if frame.dateobs is None else frame.dateobs - self._target.dateobs,
                tuple(
                    Shortfall(test.name, test.field, value_text(test.actual(frame)), test.allowed)
                    for test in failed
                ),
            )
            for _, frame, failed in self._nearest
        )

    def take_groups(self, groups: Sequence[_C]) -> tuple[list[_C], list[_C]]:
        """Return the groups that are left, and those that the last test to remove any was given.

        Parameters
        ----------
        groups : sequence
            All candidates of the whole database, by what they share in `OF_GROUPS`.
        """
        self.total = _count(groups)
        return self._sift(self._of_groups, groups)

    def take_kinds(self, kinds: Sequence[Kind]) -> frozenset[bool]:
        """Return whether masters (true), individual calibrations (false) or both are left.

        Parameters
        ----------
        kinds : sequence of Kind
            What the groups that are left consist of.
        """
        left, _ = self._sift(self._of_kinds, [kind for kind in kinds if kind.count])
        return frozenset(kind.is_master for kind in left)

    def _sift(self, tests: Sequence[BoundTest], bins: Sequence[_C]) -> tuple[list[_C], list[_C]]:
        left = list(bins)
        given = left
        for test in tests:
            holds = test.holds or _anything
            passing = [one for one in left if holds(getattr(one, test.field))]
            tested = _count(left)
            values = () if passing else told(value_text(getattr(one, test.field)) for one in left)
            self._early.append(
                Elimination(
                    *(test.name, test.field, test.allowed),
                    *(tested, tested - _count(passing), values),
                )
            )
            if left:
                given = left
            left = passing
        return left, left or given

    def take(self, frame: CalibrationFrame) -> None:
        """Look at a candidate of the groups and kinds that are left."""
        failed = [at for at, test in enumerate(self._late) if not test.passes(frame)]
        self._taken += 1
        self._note_values(frame, failed[0] if failed else len(self._late))
        if failed:
            self._removed[failed[0]] += 1
            self._keep(frame, [self._late[at] for at in failed])
        else:
            self.passed += 1

    def compare(self, frame: CalibrationFrame) -> None:
        """Look at a candidate only to find out how near it comes."""
        failed = [test for test in self._all if not test.passes(frame)]
        if failed:
            self._keep(frame, failed)

    def _note_values(self, frame: CalibrationFrame, failed: int) -> None:
        """Note what a candidate has in each test that it reaches and nothing has passed yet."""
        for at, values in enumerate(self._values[: failed + 1]):
            if values is None:
                continue
            if at < failed:
                self._values[at] = None
            elif len(values) < VALUES_NOTED:
                values[value_text(self._late[at].actual(frame))] = None

    def _keep(self, frame: CalibrationFrame, failed: list[BoundTest]) -> None:
        kept = self._nearest
        if len(kept) >= self._wanted and len(failed) > kept[-1][0][0]:
            return
        insort(kept, ((len(failed), tie_break(frame, self._target)), frame, failed), key=_rank)
        del kept[self._wanted :]

    def _late_rows(self) -> Iterable[Elimination]:
        tested = self._taken
        for test, removed, values in zip(self._late, self._removed, self._values, strict=True):
            known = told(values) if tested and tested == removed and values else ()
            yield Elimination(test.name, test.field, test.allowed, tested, removed, known)
            tested -= removed


def _on_values(tests: Iterable[BoundTest], fields: Sequence[str]) -> list[BoundTest]:
    """Return the tests that look at nothing but the value of one of these fields."""
    wanted = [test for test in tests if test.holds is not None and test.field in fields]
    return sorted(wanted, key=lambda test: fields.index(test.field))


def _count(bins: Iterable[Counted]) -> int:
    return sum(one.count for one in bins)


def _anything(_: Any) -> bool:
    return True


def _rank(kept: tuple[Any, CalibrationFrame, list[BoundTest]]) -> Any:
    return kept[0]
