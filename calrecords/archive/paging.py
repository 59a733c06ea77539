"""A list of the archive, read page by page to its true end.

The archive's count is an estimate, its next page follows from that count, and it may give
fewer rows than asked for. So neither is believed: what a full page holds is learnt from the
longest one, and the list ends where a page is shorter than that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TypeAlias

from calrecords.archive.answers import raise_for
from calrecords.archive.lookups import TO_READ, results, understood
from calrecords.archive.models import ArchiveFrame, parse_frame
from calrecords.archive.searching import Question
from calrecords.archive.transport import Transport
from calrecords.errors import ArchiveRefusedError, ArchiveUnavailableError

MOST_ROWS = 1000
"""The longest page, in frames, that an archive gives as it is delivered."""

_MOST_SET_BACKS = 10
_MOST_UNREADABLE = 10

_logger = logging.getLogger(__name__)

_Rows: TypeAlias = list[ArchiveFrame | None]
"""Rows as they stand in the list; None for one that the archive fails to describe."""


class BrokenPageError(ArchiveUnavailableError):
    """The archive fails on a page; one frame that it cannot describe is enough."""


def check_sizes(row_limit: int | None, page_size: int) -> None:
    """Return if these can be how many frames, and how many at once, are asked for.

    Raises
    ------
    ArchiveRefusedError
        If they cannot.
    """
    if row_limit is not None and row_limit != -1 and row_limit < 1:
        msg = f"row_limit={row_limit}: ask for one frame or more, or for all (None or -1)"
        raise ArchiveRefusedError(msg)
    if not 1 <= page_size <= MOST_ROWS:
        msg = f"page_size={page_size}: the archive gives 1 to {MOST_ROWS} frames at once"
        raise ArchiveRefusedError(msg)


class FrameList:
    """The frames that answer one question, each given once.

    Each page begins with the last row of the one before it. If that row is no longer there,
    frames before it have gone, and the list is read again from further back, so that none
    is skipped.

    Parameters
    ----------
    transport : Transport
        Where to ask.
    repeat : callable
        Calls what it is given, again while that may help.
    question : Question
        What to ask.
    page_size : int
        Rows to ask for at once.
    skip_unreadable : bool
        Whether frames that the archive fails to describe are left out, with a warning.
    """

    def __init__(
        self,
        transport: Transport,
        repeat: Callable[[Callable[[], _Rows]], _Rows],
        question: Question,
        *,
        page_size: int,
        skip_unreadable: bool,
    ) -> None:
        self._transport = transport
        self._repeat = repeat
        self._question = question
        self._page_size = page_size
        self._skip_unreadable = skip_unreadable
        self._seen: set[int] = set()
        self._full = 0
        self._unreadable = 0
        self._set_backs = 0

    def frames(self) -> Iterator[ArchiveFrame]:
        """Yield the frames, asking for a page when the one before it is used up.

        Raises
        ------
        ArchiveUnavailableError
            Also if the list changes faster than it can be read.
        ArchiveRefusedError
            Also if a frame comes back that was not asked for, as the server does not filter.
        """
        offset = overlap = 0
        while True:
            rows = self._page(offset - overlap)
            if overlap and self._has_shrunk(rows):
                self._count_set_back()
                offset, overlap = max(0, offset - self._full), 0
                continue
            fresh = self._fresh(rows)
            yield from fresh
            if not rows or len(rows) < self._full:
                return
            if not fresh and None not in rows:
                self._count_set_back()
            offset += len(rows) - overlap
            overlap = int(self._full > 1 and rows[-1] is not None)

    def _fresh(self, rows: _Rows) -> list[ArchiveFrame]:
        fresh = []
        for row in rows:
            if row is not None and row.frame_id not in self._seen:
                self._seen.add(row.frame_id)
                fresh.append(row)
        return fresh

    def _has_shrunk(self, rows: _Rows) -> bool:
        first = rows[0] if rows else None
        return not rows or (first is not None and first.frame_id not in self._seen)

    def _count_set_back(self) -> None:
        self._set_backs += 1
        if self._set_backs > _MOST_SET_BACKS:
            msg = (
                f"GET {self._transport.root}frames/: the list changes faster than it can be "
                "read, or the server does not order or page it; narrow the search"
            )
            raise ArchiveUnavailableError(msg)

    def _page(self, offset: int) -> _Rows:
        size = self._page_size
        try:
            rows = self._repeat(lambda: self._rows(offset, size))
        except BrokenPageError as error:
            if not self._skip_unreadable:
                raise
            _logger.info("%s; asking for parts of it", error)
            return self._parts(offset, size)
        self._full = max(self._full, len(rows))
        return rows

    def _parts(self, offset: int, size: int) -> _Rows:
        if size == 1:
            return self._one(offset)
        rows: _Rows = []
        for part in (size // 2, size - size // 2):
            at = offset + len(rows)
            try:
                found = self._rows(at, part)
            except BrokenPageError:
                found = self._parts(at, part)
            rows += found
            if len(found) < part:
                break
        return rows

    def _one(self, offset: int) -> _Rows:
        try:
            return self._repeat(lambda: self._rows(offset, 1))
        except BrokenPageError:
            self._unreadable += 1
            if self._unreadable > _MOST_UNREADABLE:
                raise
        _logger.warning(
            "GET %sframes/: the archive fails (500) on the frame at offset %d of this search; it "
            "is left out, and whoever runs the archive should mend or remove it",
            self._transport.root,
            offset,
        )
        return [None]

    def _rows(self, offset: int, limit: int) -> _Rows:
        params = {**self._question.parameters, "limit": str(limit), "offset": str(offset)}
        answer = self._transport.request("GET", "frames/", params=params)
        if answer.status == 500:
            msg = (
                f"{answer.call} failed (500) on the page of {limit} frames from offset {offset}; "
                "one frame that the archive cannot describe, as its file has an extension that "
                "is unknown there, is enough for that"
            )
            raise BrokenPageError(msg)
        if answer.status != 200:
            raise_for(answer, right=TO_READ)
        frames = [understood(answer, parse_frame, row) for row in results(answer)]
        for frame in frames:
            word = self._question.disagreement(frame)
            if word is not None:
                msg = (
                    f"{answer.call} was asked for {word}={self._question.asked[word]!r} and "
                    f"answered frame {frame.frame_id} ({frame.basename}), which is another; the "
                    "server does not filter. Does API_ROOT name a Science Archive?"
                )
                raise ArchiveRefusedError(msg, status=answer.status)
        return list(frames)
