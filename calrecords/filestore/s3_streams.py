"""Streams to and from S3: hashed as they are read, and never endless."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from calrecords.errors import FileStoreUnavailableError
from calrecords.filestore.base import check_source
from calrecords.filestore.s3_deadlines import Patience
from calrecords.filestore.s3_errors import s3_errors
from calrecords.frames import CHUNK_BYTES, ContentDigest

PIECE_BYTES = 1 << 14
"""How much of a download is waited for at a time, in bytes; its time is looked at between."""


@contextmanager
def rewindable(source: BinaryIO) -> Iterator[BinaryIO]:
    """Yield a stream with the same bytes that can be read twice, spooled if need be.

    The bytes are read once for the signature of a request, and again for each attempt.
    """
    if source.seekable():
        yield source
        return
    with tempfile.TemporaryFile() as spool:
        shutil.copyfileobj(source, spool, CHUNK_BYTES)
        spool.seek(0)
        yield spool


class Deadline:
    """A moment after which an upload is given up.

    Parameters
    ----------
    key : str
        What is uploaded, for messages.
    timeout_s : float
        Seconds from now.
    """

    def __init__(self, key: str, timeout_s: float) -> None:
        self._key = key
        self._timeout_s = timeout_s
        self._ends = time.monotonic() + timeout_s

    def check(self) -> None:
        """Raise if it has passed.

        Raises
        ------
        FileStoreUnavailableError
            If it has passed.
        """
        if time.monotonic() > self._ends:
            msg = f"storing {self._key} took longer than {self._timeout_s:g} s; try again later"
            raise FileStoreUnavailableError(msg)


class Window(io.RawIOBase):
    """A piece of a file, read like a file of its own; the file itself is not closed.

    Parameters
    ----------
    source : binary file
        Must be able to seek; nobody else moves it while the window is read.
    start, length : int
        Where the piece begins and how long it is, in bytes.
    """

    def __init__(self, source: BinaryIO, start: int, length: int) -> None:
        super().__init__()
        self._source = source
        self._start = start
        self._length = length
        self._position = 0
        source.seek(start)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return how many bytes of the piece were read."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place counted from the beginning of the piece."""
        if whence != os.SEEK_SET or offset < 0:
            msg = "a piece of a file is read from its beginning"
            raise io.UnsupportedOperation(msg)
        self._position = self._source.seek(self._start + offset) - self._start
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes of the piece, all that are left if `size` is negative."""
        left = max(0, self._length - self._position)
        chunk = self._source.read(left if size is None or size < 0 else min(size, left))
        self._position += len(chunk)
        return chunk


class VerifyingReader:
    """The body of an upload, which breaks off before its last byte if its bytes are wrong.

    So the request stays incomplete, and the store keeps nothing of it. botocore asks
    nothing of a body but the methods that are here.

    Parameters
    ----------
    key : str
        For messages.
    source : binary file
        Read from where it stands; must be able to seek.
    digest : ContentDigest
        What it must hold; its MD5 is not looked at.
    deadline : Deadline
        When reading fails.
    """

    def __init__(
        self, key: str, source: BinaryIO, digest: ContentDigest, *, deadline: Deadline
    ) -> None:
        self.failure: BaseException | None = None
        self._key = key
        self._source = source
        self._start = source.tell()
        self._digest = digest
        self._deadline = deadline
        self._rewind()

    def _rewind(self) -> None:
        self._source.seek(self._start)
        self._position = 0
        self._sha256 = hashlib.sha256()

    def tell(self) -> int:
        """Return how many bytes were read, counted from where the source stood."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to the beginning, or to the end to learn the length."""
        if (offset, whence) == (0, os.SEEK_END):
            self._position = self._digest.size
        elif (offset, whence) == (0, os.SEEK_SET):
            self._guard(self._rewind)
        else:
            msg = "the body of an upload is read from its beginning"
            raise io.UnsupportedOperation(msg)
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes.

        Raises
        ------
        ChecksumMismatchError
            Instead of the last bytes, if they are not those of the digest.
        FileStoreUnavailableError
            If the upload takes too long.
        """
        chunk: bytes = self._guard(lambda: self._read(size))
        return chunk

    def _guard(self, step: Any) -> Any:
        # botocore wraps what a body raises, and tries again: so it is kept for the caller.
        if self.failure is not None:
            raise self.failure
        try:
            return step()
        except BaseException as error:
            self.failure = error
            raise

    def _read(self, size: int) -> bytes:
        self._deadline.check()
        chunk = self._source.read(size)
        self._sha256.update(chunk)
        self._position += len(chunk)
        if not chunk or self._position >= self._digest.size:
            self._position += len(self._source.read(1))
            check_source(
                self._key, self._digest, sha256=self._sha256.hexdigest(), size=self._position
            )
        return chunk


class ObjectReader(io.RawIOBase):
    """The body of a download, whose errors are ours.

    Parameters
    ----------
    body : botocore.response.StreamingBody
        Closed with the reader.
    doing : str
        What is tried, with its object, for messages.
    bucket : str
        Name of the bucket.
    timeout_s : float
        Seconds that may be spent waiting for bytes, in all.
    """

    def __init__(self, body: Any, *, doing: str, bucket: str, timeout_s: float) -> None:
        super().__init__()
        self._body = body
        self._doing = doing
        self._bucket = bucket
        self._timeout_s = timeout_s
        self._patience = Patience(body, timeout_s)

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer from the network and return how many bytes came; 0 at the end.

        Raises
        ------
        FileStoreUnavailableError
            If the connection breaks, or too much time was spent waiting.
        ChecksumMismatchError
            If S3 has a checksum of the whole, and the bytes that came do not have it.
        """
        chunk = b""
        try:
            if not self._patience.is_over:
                with self._patience.waiting(), s3_errors(self._doing, self._bucket):
                    chunk = self._body.read(min(len(buffer), PIECE_BYTES))
        except FileStoreUnavailableError:
            if not self._patience.is_over:
                raise
        if self._patience.is_over:  # what came may be cut off
            msg = f"to {self._doing} took longer than {self._timeout_s:g} s; try again later"
            raise FileStoreUnavailableError(msg)
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        """Let go of the connection."""
        self._patience.close()
        self._body.close()
        super().close()
