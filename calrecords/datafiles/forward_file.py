"""A stream that can be read like a file, forward only, holding little of it in memory."""

from __future__ import annotations

from collections.abc import Iterator


class ForwardFile:
    """Bytes that come in pieces, with the `seek` and `read` that the header readers use.

    What lies before the last place that was sought is forgotten, so that memory is what was
    read since.

    Parameters
    ----------
    pieces : iterator of bytes
        From the start.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._kept = bytearray()
        self._kept_from = self._position = 0

    def seek(self, position: int, /) -> int:
        """Go to a byte that is not before the last one that was sought; return its number."""
        if position < self._kept_from:
            msg = f"a stream cannot go back from byte {self._kept_from} to {position}"
            raise ValueError(msg)
        while self._end < position and self._pull(keep_from=position):
            pass
        dropped = min(position - self._kept_from, len(self._kept))
        del self._kept[:dropped]
        self._kept_from += dropped
        self._position = position
        return position

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, fewer only at the end of the stream."""
        wanted = self._position + size
        while self._end < wanted and self._pull(keep_from=self._kept_from):
            pass
        start = self._position - self._kept_from
        data = bytes(self._kept[start : start + size])
        self._position += len(data)
        return data

    def drain(self) -> int:
        """Read the rest of the stream, keeping nothing; return its length in bytes."""
        self._position = self._kept_from
        while self._pull(keep_from=self._end):
            self._forget()
        return self._end

    @property
    def _end(self) -> int:
        return self._kept_from + len(self._kept)

    def _forget(self) -> None:
        self._kept_from += len(self._kept)
        self._kept.clear()

    def _pull(self, *, keep_from: int) -> bool:
        """Take the next piece, and forget what lies wholly before a byte; say if there was one."""
        piece = next(self._pieces, None)
        if piece is None:
            return False
        if self._end <= keep_from:
            self._forget()
        self._kept += piece
        return True


class MemberFile:
    """A part of a forward file, as if it were a file by itself.

    Parameters
    ----------
    whole : ForwardFile
        What it is a part of.
    start, size : int
        Where the part lies, in bytes.
    """

    def __init__(self, whole: ForwardFile, start: int, size: int) -> None:
        self._whole = whole
        self._start = start
        self._size = size
        self._position = 0

    def seek(self, position: int, /) -> int:
        """Go to a byte of the part that is not before the last one; return its number."""
        self._whole.seek(self._start + position)
        self._position = position
        return position

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, fewer only at the end of the part."""
        data = self._whole.read(max(min(size, self._size - self._position), 0))
        self._position += len(data)
        return data
