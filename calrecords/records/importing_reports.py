"""What became of the rows of an import."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

PROBLEMS_KEPT = 100
"""How many refused rows, and how many conflicts, a report names unless it is told otherwise."""


class RowOutcome(StrEnum):
    """What can become of one row."""

    RECORDED = "recorded"
    COMPLETED = "completed"
    ALREADY_THERE = "already there"
    REFUSED = "refused"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that was not recorded.

    Attributes
    ----------
    row : int
        Its number, from 1; of a file, the number of its line.
    basename : str or None
        The frame, where that could be read.
    reason : str
        Why it was not recorded.
    """

    row: int
    basename: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What became of the rows of an import; each is counted once.

    Attributes
    ----------
    source : str
        Where the rows came from, as it may be shown.
    recorded : int
        Rows that gave a new frame, or a new version of one.
    completed : int
        Rows of recorded versions that said what was not known yet: a frame ID, a checksum.
    already_there : int
        Rows that said nothing new.
    refused : int
        Rows with a value that cannot be recorded.
    conflicts : int
        Rows that contradict what is recorded, which stays as it is.
    refused_rows, conflicting_rows : tuple of RowProblem
        The first of them.
    is_dry_run : bool
        Whether nothing was written, and the counts are of what would be.
    """

    source: str
    recorded: int = 0
    completed: int = 0
    already_there: int = 0
    refused: int = 0
    conflicts: int = 0
    refused_rows: tuple[RowProblem, ...] = ()
    conflicting_rows: tuple[RowProblem, ...] = ()
    is_dry_run: bool = False

    @property
    def rows(self) -> int:
        """How many rows were read."""
        kept = self.recorded + self.completed + self.already_there
        return kept + self.refused + self.conflicts

    @property
    def is_clean(self) -> bool:
        """Whether no row was refused, and none contradicts what is recorded."""
        return not self.refused and not self.conflicts

    def __str__(self) -> str:
        done = "would be recorded" if self.is_dry_run else "recorded"
        return (
            f"{self.source}: {self.rows} rows: {self.recorded} {done}, {self.completed} "
            f"completed, {self.already_there} already there, {self.refused} refused, "
            f"{self.conflicts} in conflict"
        )


@dataclass(slots=True)
class Tally:
    """Counts outcomes while an import runs.

    Attributes
    ----------
    kept : int
        How many problems of each kind are kept.
    counts : dict
        How many rows had which outcome.
    problems : dict
        The first rows that were refused, and that are in conflict.
    """

    kept: int = PROBLEMS_KEPT
    counts: dict[RowOutcome, int] = field(default_factory=lambda: dict.fromkeys(RowOutcome, 0))
    problems: dict[RowOutcome, list[RowProblem]] = field(
        default_factory=lambda: {RowOutcome.REFUSED: [], RowOutcome.CONFLICT: []}
    )

    def count(self, outcome: RowOutcome, problem: RowProblem | None = None) -> None:
        """Count a row, and keep what is wrong with it."""
        self.counts[outcome] += 1
        if problem is not None and len(self.problems[outcome]) < self.kept:
            self.problems[outcome].append(problem)

    def add(self, other: Tally) -> None:
        """Count the rows that another one has counted."""
        for outcome, count in other.counts.items():
            self.counts[outcome] += count
        for outcome, found in other.problems.items():
            self.problems[outcome] += found[: self.kept - len(self.problems[outcome])]

    def report(self, source: str, *, is_dry_run: bool) -> ImportReport:
        """Return what was counted."""
        counts = self.counts
        return ImportReport(
            source=source,
            recorded=counts[RowOutcome.RECORDED],
            completed=counts[RowOutcome.COMPLETED],
            already_there=counts[RowOutcome.ALREADY_THERE],
            refused=counts[RowOutcome.REFUSED],
            conflicts=counts[RowOutcome.CONFLICT],
            refused_rows=tuple(self.problems[RowOutcome.REFUSED]),
            conflicting_rows=tuple(self.problems[RowOutcome.CONFLICT]),
            is_dry_run=is_dry_run,
        )
