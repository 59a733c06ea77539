"""CHECKSUM and DATASUM of every HDU, computed while the bytes stream past once.

FITS Standard 4.0, appendix J: the 32-bit ones'-complement sum of a whole HDU with a CHECKSUM is
zero, and that of its data is its DATASUM. Sums are of the bytes in the file: of a compressed
image they are those of the binary table, not the ZHECKSUM of the image it holds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from calrecords.datafiles.fits_blocks import Hdu
from calrecords.datafiles.gunzip import Gunzip

_ONES = 0xFFFFFFFF
_WORD_BYTES = 4
_SUM = re.compile("[0-9]{1,18}")


class ContentCheck(Protocol):
    """Watches the bytes of a file go by, once and in order."""

    def write(self, chunk: bytes) -> object:
        """Take the next bytes."""

    def fault(self) -> str | None:
        """Return what is wrong with the bytes that went by, or None."""


class NoContentCheck:
    """Finds no fault, where a kind of file says nothing about its own bytes."""

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""

    def fault(self) -> None:
        """Return None."""


class GunzippedCheck:
    """Watches what a gzip file holds, in place of the file's own bytes.

    Parameters
    ----------
    check : ContentCheck
        Is given what was unpacked.
    path : Path
        For messages.
    """

    def __init__(self, check: ContentCheck, path: Path) -> None:
        self._check = check
        self._gunzip = Gunzip(path)

    def write(self, chunk: bytes) -> None:
        """Take the next bytes of the file."""
        for piece in self._gunzip.feed(chunk):
            self._check.write(piece)

    def fault(self) -> str | None:
        """Return what is wrong with what the file holds, or None."""
        self._gunzip.finish()
        return self._check.fault()


@dataclass(slots=True)
class _Span:
    """Bytes of the file that are summed together."""

    start: int
    end: int
    total: int = 0


class HduChecksums:
    """Sums the HDUs of a FITS file, and compares them with their CHECKSUM and DATASUM.

    Parameters
    ----------
    hdus : sequence of Hdu
        From `scan_hdus`; those without either keyword cost nothing.
    """

    def __init__(self, hdus: Sequence[Hdu]) -> None:
        self._hdus = [hdu for hdu in hdus if _stated(hdu, "CHECKSUM") or _stated(hdu, "DATASUM")]
        self._spans = [
            span
            for hdu in self._hdus
            for span in (_Span(hdu.header_start, hdu.data_start), _Span(hdu.data_start, hdu.end))
        ]
        self._position = 0
        self._carry = b""

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        if not self._spans:
            return
        data = self._carry + chunk if self._carry else chunk
        whole = len(data) // _WORD_BYTES * _WORD_BYTES
        view = memoryview(data)[:whole]
        for span in self._spans:
            low = max(span.start - self._position, 0)
            high = min(span.end - self._position, whole)
            if low < high:
                span.total += _sum_words(view[low:high])
        self._position += whole
        self._carry = data[whole:]

    def fault(self) -> str | None:
        """Return which HDU is not what its own checksum says, or None."""
        for hdu, header, data in zip(self._hdus, self._spans[::2], self._spans[1::2], strict=True):
            if _stated(hdu, "DATASUM") and not _is_sum(hdu.header["DATASUM"], data.total):
                return f"the data of HDU {hdu.index} differ from its DATASUM"
            if _stated(hdu, "CHECKSUM") and (header.total + data.total) % _ONES:
                return f"HDU {hdu.index} differs from its CHECKSUM"
        return None


def _stated(hdu: Hdu, keyword: str) -> bool:
    """Return whether a sum is given; an empty one means that it is not known."""
    value = hdu.header.get(keyword)
    return value is not None and str(value).strip() != ""


def _is_sum(stated: object, total: int) -> bool:
    text = str(stated).strip()
    return _SUM.fullmatch(text) is not None and (int(text) - total) % _ONES == 0


def _sum_words(data: memoryview) -> int:
    import numpy as np

    return int(np.frombuffer(data, dtype=">u4").sum(dtype=np.uint64))
