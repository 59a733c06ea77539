"""The structure of a FITS file, read from its header blocks before anything trusts it.

A FITS file can ask its reader for any amount of work: 2,880 bytes that say
``NAXIS = 10000000`` keep a reader busy for seconds. Here every count is checked before it is
acted on, and the file must be as long as its headers say. No pixel is read.

What may follow the last HDU: nothing, or padding of zero bytes or blanks of up to
`MAX_PADDING_BYTES`. Anything else is refused, because a reader would not see it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Protocol

from calrecords.datafiles.cards import CARD_BYTES, HeaderValue, UnreadableValue, read_cards
from calrecords.datafiles.shown import shown
from calrecords.errors import InvalidFrameError

BLOCK_BYTES = 2880
"""Length of a FITS block, in bytes."""
MAX_HEADER_BLOCKS = 500
"""Blocks of one header, which is 18,000 cards."""
MAX_TOTAL_HEADER_BLOCKS = 5_000
"""Blocks of all headers of a file."""
MAX_HDUS = 1_000
"""HDUs of a file."""
MAX_AXES = 32
"""Axes of an array; the FITS Standard allows 999, and no camera writes more than a few."""
MAX_FIELDS = 999
"""Columns of a table (FITS Standard 4.0, section 7.3.1)."""
MAX_PADDING_BYTES = 1 << 20
"""Zero bytes or blanks after the last HDU, as tapes and some disk copies leave them."""

_READ_BYTES = 16 * BLOCK_BYTES
_BITPIX = frozenset({8, 16, 32, 64, -32, -64})
_MOST = {"TFIELDS": MAX_FIELDS, "ZNAXIS": MAX_AXES}
_NOT_TEXT = re.compile(rb"[^\x20-\x7e]")

RawHeader = Mapping[str, HeaderValue | UnreadableValue]


class BlockSource(Protocol):
    """What headers are read from: a file, or a stream that goes forward only."""

    def seek(self, position: int, /) -> int:
        """Go to a byte, which is never before the last one that was sought."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, fewer only at the end."""


@dataclass(frozen=True, slots=True)
class Hdu:
    """Where one HDU lies in its file, and what its header says.

    Attributes
    ----------
    index : int
        0 is the primary HDU.
    header_start, data_start, end : int
        Byte numbers, from the start of the file; `end` is after the data's padding.
    header : mapping
        Values by keyword, as they are in the file.
    """

    index: int
    header_start: int
    data_start: int
    end: int
    header: RawHeader


def scan_hdus(file: BlockSource, path: Path, size: int) -> tuple[Hdu, ...]:
    """Return the HDUs of a FITS file, the file being as long as they say.

    Parameters
    ----------
    file : BlockSource
        A binary file, or a stream of one.
    path : Path
        For messages.
    size : int
        Length of the file in bytes.

    Raises
    ------
    InvalidFrameError
        If the file is not FITS, is cut short, goes on after its end, or asks for more than
        the limits above.
    """
    _demand_fits(file, path, size)
    hdus: list[Hdu] = []
    start = blocks = 0
    while start < size:
        if hdus and not _is_extension(file, start):
            _demand_padding(file, path, start, size)
            break
        if len(hdus) == MAX_HDUS:
            raise _invalid(path, f"it has more than {MAX_HDUS} HDUs")
        hdu = _read_hdu(file, path, len(hdus), start, size)
        blocks += (hdu.data_start - hdu.header_start) // BLOCK_BYTES
        if blocks > MAX_TOTAL_HEADER_BLOCKS:
            raise _invalid(path, f"its headers have more than {MAX_TOTAL_HEADER_BLOCKS} blocks")
        hdus.append(hdu)
        start = hdu.end
    return tuple(hdus)


def _demand_fits(file: BlockSource, path: Path, size: int) -> None:
    if size == 0:
        raise _invalid(path, "it is empty")
    file.seek(0)
    magic = file.read(10)
    if magic != b"SIMPLE  = ":
        raise _invalid(path, f"it begins with {magic!r}, and a FITS file with b'SIMPLE  = '")
    if size < BLOCK_BYTES:
        raise _invalid(path, f"it has {size} bytes, less than one FITS block of {BLOCK_BYTES}")


def _is_extension(file: BlockSource, start: int) -> bool:
    file.seek(start)
    return file.read(10) == b"XTENSION= "


def _demand_padding(file: BlockSource, path: Path, start: int, size: int) -> None:
    if size - start > MAX_PADDING_BYTES:
        raise _invalid(path, f"{size - start} bytes follow its last HDU, which ends at {start}")
    file.seek(start)
    if file.read(size - start).strip(b"\0 "):
        raise _invalid(path, f"bytes {start} to {size}, after its last HDU, are no FITS extension")


def _read_hdu(file: BlockSource, path: Path, index: int, start: int, size: int) -> Hdu:
    text = _read_header_text(file, path, index, start)
    header = read_cards(text)
    if index == 0 and header["SIMPLE"] is not True:
        raise _invalid(path, "its SIMPLE is not T, so it does not claim to follow the standard")
    _demand_counts(header, path, index)
    used = len(text) + CARD_BYTES
    data_start = start + -(-used // BLOCK_BYTES) * BLOCK_BYTES
    end = data_start + -(-_data_bytes(header, path, index) // BLOCK_BYTES) * BLOCK_BYTES
    if end > size:
        what = f"HDU {index} goes from byte {start} to {end}, and the file has {size}"
        raise _invalid(path, f"it is cut short: {what}")
    return Hdu(index, start, data_start, end, header)


def _demand_counts(header: RawHeader, path: Path, index: int) -> None:
    """Refuse counts that do not say how long the data is, and that readers loop over."""
    for keyword, most in _MOST.items():
        if isinstance(header.get(keyword), int):
            whole_number(header, keyword, path, index, most=most)


def _read_header_text(file: BlockSource, path: Path, index: int, start: int) -> str:
    """Return the cards of the header that starts at a byte, up to its END."""
    file.seek(start)
    data = b""
    while len(data) < MAX_HEADER_BLOCKS * BLOCK_BYTES:
        chunk = file.read(_READ_BYTES)
        if not chunk:
            raise _invalid(path, f"it is cut short: the header of HDU {index} has no END")
        searched, data = len(data), data + chunk
        end = _find_end(data, searched)
        if end is not None:
            return _text(data[:end], path, index, start)
    raise _invalid(path, f"the header of HDU {index} has no END in {MAX_HEADER_BLOCKS} blocks")


def _find_end(data: bytes, searched: int) -> int | None:
    """Return where the END card stands, looking from a place that is whole cards."""
    found = searched - 1
    while (found := data.find(b"END     ", found + 1)) != -1:
        if found % CARD_BYTES == 0 and not data[found + 3 : found + CARD_BYTES].strip():
            return found
    return None


def _text(data: bytes, path: Path, index: int, start: int) -> str:
    bad = _NOT_TEXT.search(data)
    if bad is not None:
        keyword = data[bad.start() // CARD_BYTES * CARD_BYTES :][:8].decode("ascii", "replace")
        what = f"byte {start + bad.start()}, in the header of HDU {index} at {keyword.strip()!r},"
        raise _invalid(path, f"{what} is {bad[0][0]:#04x}, which no FITS header may hold")
    return data.decode("ascii")


def _data_bytes(header: RawHeader, path: Path, index: int) -> int:
    """Return the length of an HDU's data without padding (FITS Standard 4.0, section 4.4.1)."""
    bitpix = header.get("BITPIX")
    if bitpix not in _BITPIX or not isinstance(bitpix, int):
        raise _invalid(path, f"HDU {index} has BITPIX = {_shown(bitpix)}; it says {_BITPIX_TEXT}")
    count = whole_number(header, "NAXIS", path, index, most=MAX_AXES)
    if count == 0:
        return 0
    axes = [whole_number(header, f"NAXIS{axis}", path, index) for axis in range(1, count + 1)]
    if axes[0] == 0 and header.get("GROUPS") is True:
        axes = axes[1:]
    parameters = whole_number(header, "PCOUNT", path, index, absent=0)
    groups = whole_number(header, "GCOUNT", path, index, absent=1)
    return abs(bitpix) // 8 * groups * (parameters + prod(axes))


_BITPIX_TEXT = "one of 8, 16, 32, 64, -32, -64 in a FITS file"


def whole_number(
    header: RawHeader,
    keyword: str,
    path: Path,
    index: int,
    *,
    most: int = 1 << 62,
    absent: int | None = None,
) -> int:
    """Return a structural keyword's value, which must be a whole number from 0 to `most`.

    Raises
    ------
    InvalidFrameError
        If it is no such number, or is absent where `absent` gives no value for that.
    """
    value = header.get(keyword, absent)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        what = f"HDU {index} has {keyword} = {_shown(value)}"
        raise _invalid(path, f"{what}, not a whole number from 0 to {most}")
    return value


def _shown(value: object) -> str:
    return value.text if isinstance(value, UnreadableValue) else shown(value)


def _invalid(path: Path, what: str) -> InvalidFrameError:
    return InvalidFrameError(
        f"{path} is not a whole FITS file: {what}; get the file again, or write it anew"
    )
