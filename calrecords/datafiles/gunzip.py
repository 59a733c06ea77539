"""Unpacking gzip as a stream, with limits, so that a small file cannot ask for endless work.

A megabyte of gzip can stand for a gigabyte. Nothing here holds more than a piece of what it
unpacks, and it gives up on a file that unpacks to more than the limits below. Zero bytes after
a compressed stream are padding, of up to `MAX_PADDING_BYTES` in all: a terabyte of them costs
whoever wrote it nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from calrecords.datafiles.fits_blocks import MAX_PADDING_BYTES, Hdu, scan_hdus
from calrecords.datafiles.forward_file import ForwardFile
from calrecords.errors import InvalidFrameError

MAX_UNPACKED_BYTES = 4 << 30
"""Bytes that one file may unpack to."""
FREE_UNPACKED_BYTES = 128 << 20
"""Bytes up to which the ratio does not count: a bad-pixel mask is mostly zeros."""
MAX_RATIO = 20
"""Bytes unpacked for each byte of the file; pixels with noise have a ratio of 1 to 5."""
MAX_GZIP_MEMBERS = 100_000
"""Compressed streams in one file, one after the other, as parallel programs write them."""

_PACKED_BYTES = 1 << 16
_PIECE_BYTES = 1 << 18
_GZIP = 16 + zlib.MAX_WBITS


class Gunzip:
    """Unpacks what it is fed, piece by piece.

    Parameters
    ----------
    path : Path
        For messages.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inflater: zlib._Decompress | None = None
        self._members = self._taken = self._given = self._padding = 0

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """Yield what the next bytes of the file stand for.

        Raises
        ------
        InvalidFrameError
            If they are no gzip, are damaged, or unpack to more than the limits.
        """
        self._taken += len(packed)
        while packed or self._inflater is not None:
            if self._inflater is None:
                packed = self._without_padding(packed) if self._members else packed
                if not packed:
                    return
                self._inflater = self._next_member()
            try:
                piece = self._inflater.decompress(packed, _PIECE_BYTES)
            except zlib.error as error:
                raise self._invalid(f"it is damaged ({error})") from error
            self._count(len(piece))
            if piece:
                yield piece
            if self._inflater.eof:
                packed, self._inflater = self._inflater.unused_data, None
                continue
            packed = self._inflater.unconsumed_tail
            if not packed:
                return

    def finish(self) -> None:
        """Raise InvalidFrameError if the file ends before what it holds does."""
        if self._inflater is not None or not self._members:
            raise self._invalid("it is cut short")

    def _without_padding(self, packed: bytes) -> bytes:
        left = packed.lstrip(b"\0")
        self._padding += len(packed) - len(left)
        if self._padding > MAX_PADDING_BYTES:
            raise self._invalid(f"it is padded with more than {MAX_PADDING_BYTES} zero bytes")
        return left

    def _next_member(self) -> zlib._Decompress:
        self._members += 1
        if self._members > MAX_GZIP_MEMBERS:
            raise self._invalid(f"it has more than {MAX_GZIP_MEMBERS} members")
        return zlib.decompressobj(_GZIP)

    def _count(self, given: int) -> None:
        self._given += given
        if self._given > MAX_UNPACKED_BYTES:
            raise self._invalid(f"it unpacks to more than {MAX_UNPACKED_BYTES} bytes")
        if self._given > max(FREE_UNPACKED_BYTES, MAX_RATIO * self._taken):
            what = f"{self._taken} of its bytes unpack to more than {self._given}"
            raise self._invalid(f"{what}, over {MAX_RATIO} times as many")

    def _invalid(self, what: str) -> InvalidFrameError:
        return InvalidFrameError(
            f"{self._path} is no gzip file that can be read: {what};"
            " get the file again, or write it anew"
        )


def unpacked(file: BinaryIO, path: Path) -> Iterator[bytes]:
    """Yield what a gzip file holds, from its start to its end, which must be whole.

    Raises
    ------
    InvalidFrameError
        As of `Gunzip`.
    """
    gunzip = Gunzip(path)
    for packed in packed_pieces(file):
        yield from gunzip.feed(packed)
    gunzip.finish()


def packed_pieces(file: BinaryIO) -> Iterator[bytes]:
    """Yield the bytes of a file as they are, from its start."""
    file.seek(0)
    while piece := file.read(_PACKED_BYTES):
        yield piece


def scan_gzipped_hdus(file: BinaryIO, path: Path) -> tuple[Hdu, ...]:
    """Return the HDUs of a FITS file in gzip, as `scan_hdus` does of a plain one.

    It is unpacked twice, the first time to learn that it is whole, and how long.
    """
    size = ForwardFile(unpacked(file, path)).drain()
    return scan_hdus(ForwardFile(unpacked(file, path)), path, size)
