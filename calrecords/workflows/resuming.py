"""Unfinished ingestions in turn, beside other processes that take them up at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from calrecords.frames import Ingestion
from calrecords.records import Journal
from calrecords.workflows.results import IngestOutcome, IngestResult


def resumed_in_turn(
    journal: Journal, take_up: Callable[[Ingestion], IngestResult], basename: str | None = None
) -> Iterator[IngestResult]:
    """Yield what becomes of each unfinished ingestion, oldest first.

    Several processes share the work so: each passes over what another one is at, without
    waiting, and looks at it once more in the end. What others have finished by then is theirs
    to tell.

    Parameters
    ----------
    journal : Journal
        Where they are.
    take_up : callable
        Takes one up; what it says is in progress is another process's.
    basename : str, optional
        Only those of this frame.
    """
    passed_over = []
    for number in journal.numbers(basename):
        result = _taken_up(journal, take_up, number)
        if result is None:
            continue
        if result.outcome is IngestOutcome.IN_PROGRESS:
            passed_over.append(number)
        else:
            yield result
    for number in passed_over:
        result = _taken_up(journal, take_up, number)
        if result is not None:
            yield result


def _taken_up(
    journal: Journal, take_up: Callable[[Ingestion], IngestResult], number: int
) -> IngestResult | None:
    """Return what becomes of an ingestion; None if others have finished it."""
    standing = journal.look(number)
    if standing is None:
        return None
    in_progress = IngestResult(standing.ingestion.path, IngestOutcome.IN_PROGRESS)
    if standing.is_held:
        return in_progress
    result = take_up(standing.ingestion)
    if result.outcome is IngestOutcome.IN_PROGRESS and journal.look(number) is None:
        return None
    return result
