"""Recording many frames at once, from rows in our words.

Rows are read and written in chunks, each in one transaction, so that memory stays flat and an
import that was killed is completed by running it again.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import exc
from sqlalchemy.engine import Connection

from calrecords.errors import RecordsUnavailableError
from calrecords.garbage import no_garbage_search
from calrecords.matching import MatchSet
from calrecords.records.importing_decisions import ConflictError, Decider
from calrecords.records.importing_keys import RowKeys
from calrecords.records.importing_known import Recorded
from calrecords.records.importing_reports import (
    PROBLEMS_KEPT,
    ImportReport,
    RowOutcome,
    RowProblem,
    Tally,
)
from calrecords.records.importing_rows import (
    PLAIN_SPELLING,
    SQLITE_SPELLING,
    ImportRow,
    RowReader,
)
from calrecords.records.importing_words import BadRowError
from calrecords.records.importing_writing import ChunkWriter, Context
from calrecords.records.selection_index import sets_to_write

if TYPE_CHECKING:
    from calrecords.records.database import RecordDatabase

log = logging.getLogger(__name__)

CHUNK_ROWS = 10_000
"""How many rows are in memory, and in one transaction."""

_CACHE_KIB = 65536
"""How much of a SQLite file is kept in memory meanwhile; its indexes are written all over."""

_USUAL_CACHE_KIB = 2000
_RACES = frozenset({"23505", "40P01", "40001"})
"""PostgreSQL's codes of a duplicate key, a deadlock and a failed serialization."""

_PAUSE_S = (0.02, 0.2)
_TRIES = 8
"""How often a chunk is tried where others record the same frames at that moment."""

Numbered = tuple[int, Any]
"""Number of a row, and the row; a row that could not be read is a `BadRowError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOrder:
    """How an import is to be done.

    Attributes
    ----------
    source : str
        Where the rows come from, as it may be shown.
    reason, author : str
        Why and by whom frames are marked, where a row does not say.
    known_from : time, "created" or None
        From when on frames count as known, where a row does not say.
    is_dry_run : bool
        Whether nothing is to be written.
    problems_kept : int
        How many refused rows, and how many conflicts, the report names.
    chunk_rows : int
        How many rows are in one transaction.
    on_frame_ids : callable or None
        Called before the first frame ID is written.
    progress : callable or None
        Called after each chunk with the report so far.
    """

    source: str
    reason: str
    author: str
    known_from: Any = None
    is_dry_run: bool = False
    problems_kept: int = PROBLEMS_KEPT
    chunk_rows: int = CHUNK_ROWS
    on_frame_ids: Callable[[], None] | None = None
    progress: Callable[[ImportReport], None] | None = None


class Importer:
    """Records the rows of one import.

    Parameters
    ----------
    database : RecordDatabase
        Where they are recorded.
    order : ImportOrder
        How it is to be done.
    """

    def __init__(self, database: RecordDatabase, order: ImportOrder) -> None:
        self._database = database
        self._order = order
        self._tally = Tally(order.problems_kept)
        self._spelling = PLAIN_SPELLING if database.is_server else SQLITE_SPELLING
        self._sets: list[MatchSet] = []
        self._keys = RowKeys(())
        self._has_frame_ids = False

    def run(self, rows: Iterable[Numbered]) -> ImportReport:
        """Record rows, and return what became of them.

        Raises
        ------
        RecordError
            If the database cannot be reached, or refuses; what whole chunks have recorded
            stays, and running the import again completes it.
        """
        reader = RowReader(self._spelling, datetime.now(UTC), self._order.known_from)
        pending = iter(rows)
        while chunk := list(islice(pending, self._order.chunk_rows)):
            with no_garbage_search():
                good = list(self._good(chunk, reader))
                if good:
                    self._bind(good)
                    self._tally.add(self._import_chunk(good))
            if self._order.progress is not None:
                self._order.progress(self._report())
        self._give_memory_back()
        return self._report()

    def _give_memory_back(self) -> None:
        if not self._database.is_server and not self._order.is_dry_run:
            with self._database.write_rows() as connection:
                connection.exec_driver_sql(f"PRAGMA cache_size = -{_USUAL_CACHE_KIB}")

    def _report(self) -> ImportReport:
        return self._tally.report(self._order.source, is_dry_run=self._order.is_dry_run)

    def _good(self, chunk: list[Numbered], reader: RowReader) -> Iterator[tuple[int, ImportRow]]:
        """Yield the rows that can be recorded; the others are counted as refused."""
        for number, row in chunk:
            try:
                if isinstance(row, BadRowError):
                    raise row
                yield number, reader.read(row)
            except BadRowError as error:
                problem = RowProblem(number, _name_in(row), str(error))
                self._tally.count(RowOutcome.REFUSED, problem)

    def _bind(self, rows: list[tuple[int, ImportRow]]) -> None:
        asked = self._order.on_frame_ids
        if asked is None or self._has_frame_ids or self._order.is_dry_run:
            return
        if any(row.frame_id is not None for _, row in rows):
            asked()
            self._has_frame_ids = True

    def _import_chunk(self, rows: list[tuple[int, ImportRow]]) -> Tally:
        if self._order.is_dry_run:
            with self._database.read() as connection:
                return self._decide(connection, rows, datetime.now(UTC))[1]
        for attempt in range(1, _TRIES + 1):
            try:
                with self._database.write_rows() as connection, _races():
                    return self._write(connection, rows)
            except RaceError as error:
                if attempt == _TRIES:
                    raise
                log.info("%s; trying again", error)
                time.sleep(attempt * random.uniform(*_PAUSE_S))
        raise AssertionError

    def _write(self, connection: Connection, rows: list[tuple[int, ImportRow]]) -> Tally:
        now = datetime.now(UTC)
        if not self._database.is_server:
            connection.exec_driver_sql(f"PRAGMA cache_size = -{_CACHE_KIB}")
        sets = sets_to_write(connection)
        if sets != self._sets:
            self._sets, self._keys = sets, RowKeys(sets)
        decider, tally = self._decide(connection, rows, now)
        context = Context(
            now=now,
            spelled_now=self._spelling.time(now),
            spelling=self._spelling,
            reason=self._order.reason,
            author=self._order.author,
            keys=self._keys,
        )
        ChunkWriter(connection, context).write(decider.decisions)
        return tally

    def _decide(
        self, connection: Connection, rows: list[tuple[int, ImportRow]], now: datetime
    ) -> tuple[Decider, Tally]:
        tally = Tally(self._order.problems_kept)
        recorded = Recorded(connection, locks=not self._order.is_dry_run)
        decider = Decider(recorded, [row for _, row in rows], now, self._spelling.time(now))
        for number, row in rows:
            try:
                tally.count(decider.decide(row))
            except ConflictError as error:
                problem = RowProblem(number, row.basename, str(error))
                tally.count(RowOutcome.CONFLICT, problem)
        return decider, tally


class RaceError(RecordsUnavailableError):
    """Others recorded the same frames at the same moment."""


@contextmanager
def _races() -> Iterator[None]:
    """Tell what goes wrong only since others write at the same moment.

    Raises
    ------
    RaceError
        If the database broke a deadlock, or a frame is recorded since we looked.
    """
    try:
        yield
    except exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) not in _RACES:
            raise
        msg = "other processes record the same frames at the same time; import again later"
        raise RaceError(msg) from None


def _name_in(row: Any) -> str | None:
    """Return what a row that is refused calls its frame."""
    try:
        name = row.get("basename") or row.get("filename")
    except (AttributeError, LookupError):
        return None
    return name[:200] if isinstance(name, str) else None
