"""Many files at once: each has its own outcome, whatever happens to the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from threading import Event

from calrecords.datafiles import DataFile
from calrecords.errors import CalRecordsError, ConfigurationError, DoNotRetryError
from calrecords.vocabulary import split_filename
from calrecords.workflows.results import IngestOutcome, IngestResult

log = logging.getLogger(__name__)

Input = str | Path | DataFile
"""What can be ingested among many."""

WORKERS = 4
"""How many files are worked on at once, unless it is told otherwise."""

_Take = Callable[[Input], IngestResult]
_Progress = Callable[[IngestResult], None]
_Done = SimpleQueue[tuple[Input, IngestResult] | BaseException]


def take_many(
    inputs: Iterable[Input],
    take: _Take,
    *,
    workers: int = WORKERS,
    progress: _Progress | None = None,
) -> dict[Input, IngestResult]:
    """Do the same with many files, several at once; return each one's outcome by its input.

    Files of one basename are versions of one frame, and are taken one after the other in the
    order in which they are given. When this is interrupted, or `progress` raises, no further
    file is begun, and those that were begun are finished first.

    Parameters
    ----------
    inputs : iterable of str, Path or DataFile
        What to take; an input that is given twice is taken once.
    take : callable
        What to do with each; a `CalRecordsError` that it raises becomes that input's outcome.
    workers : int, optional
        How many are worked on at once.
    progress : callable, optional
        Called with each result as it is there, from the thread that called this.

    Returns
    -------
    dict
        In the order of the inputs, each as it was given.

    Raises
    ------
    ConfigurationError
        If `workers` is no whole number above 0, or an input is no file; nothing is begun.
    """
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        msg = f"workers={workers!r}: write a whole number, 1 or more"
        raise ConfigurationError(msg)
    given = _distinct(inputs)
    results: dict[Input, IngestResult] = {}
    groups = list(_by_basename(given).values())
    done: _Done = SimpleQueue()
    stopped = Event()
    with ThreadPoolExecutor(max(1, min(workers, len(groups))), "calrecords-many") as pool:
        try:
            for group in groups:
                pool.submit(_take_in_order, group, take, done, stopped)
            for _ in given:
                one, result = _next(done)
                results[one] = result
                if progress is not None:
                    progress(result)
        finally:
            stopped.set()
            pool.shutdown(wait=True, cancel_futures=True)
    return {one: results[one] for one in given}


def _distinct(inputs: Iterable[Input]) -> list[Input]:
    given = list(dict.fromkeys([inputs] if isinstance(inputs, Input) else inputs))
    for one in given:
        if not isinstance(one, Input):
            msg = f"cannot ingest {one!r} among many; give paths or data files"
            raise ConfigurationError(msg)
    return given


def _by_basename(given: Iterable[Input]) -> dict[str, list[Input]]:
    groups: dict[str, list[Input]] = {}
    for one in given:
        name = one.filename if isinstance(one, DataFile) else str(one)
        groups.setdefault(split_filename(name)[0], []).append(one)
    return groups


def _take_in_order(group: list[Input], take: _Take, done: _Done, stopped: Event) -> None:
    for one in group:
        if stopped.is_set():
            return
        try:
            done.put((one, _outcome(one, take)))
        except BaseException as error:
            done.put(error)
            return


def _outcome(one: Input, take: _Take) -> IngestResult:
    try:
        return take(one)
    except CalRecordsError as error:
        log.info("%s: failed: %s", one, error)
        return failed(one, error)
    except Exception as error:
        log.exception("%s: failed in an unforeseen way", one)
        unforeseen = DoNotRetryError(f"{place_of(one)}: {type(error).__name__}: {error}")
        unforeseen.__cause__ = error
        return failed(one, unforeseen)


def _next(done: _Done) -> tuple[Input, IngestResult]:
    answer = done.get()
    if isinstance(answer, BaseException):
        raise answer
    return answer


def failed(one: Input, error: CalRecordsError) -> IngestResult:
    """Return the outcome of an input that could not be taken."""
    return IngestResult(place_of(one), IngestOutcome.FAILED, error=error)


def place_of(one: Input) -> str:
    """Return the path of an input as text."""
    return str(one.path if isinstance(one, DataFile) else one)
