"""The members of a tar archive, walked as a stream and never extracted.

Reads POSIX ustar and pax and GNU headers (IEEE Std 1003.1, pax). An archive of science files holds
folders and plain files with relative names; whatever else is in it was made to do harm, or is
no business of ours, and the whole archive is refused.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from calrecords.datafiles.forward_file import ForwardFile
from calrecords.datafiles.shown import shown
from calrecords.errors import InvalidFrameError

BLOCK_BYTES = 512
"""Length of a tar block, in bytes."""
MAX_MEMBERS = 10_000
"""Headers of one archive, those that only lengthen another header included."""
MAX_LONG_HEADER_BYTES = 1 << 16
"""Length of a header that gives a long name or other attributes of the next member."""
MAX_LONG_HEADERS_BYTES = 1 << 21
"""Length of all such headers of an archive."""

_PAX, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK = b"x", b"g", b"L", b"K"
_LONG_HEADERS = frozenset({_PAX, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK, b"X"})
_SPARSE = "GNU.sparse"
_PAX_RECORD = re.compile(rb"(\d{1,6}) ([^=\n]+)=")
_WHOLE_NUMBER = re.compile(r"\d{1,18}")
_WHAT = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}


@dataclass(frozen=True, slots=True)
class Member:
    """A plain file in a tar archive.

    Attributes
    ----------
    name : str
        With its folders.
    start, size : int
        Where its bytes lie in the archive.
    """

    name: str
    start: int
    size: int


def walk_members(archive: ForwardFile, path: Path) -> Iterator[Member]:
    """Yield the plain files of an archive; the next step goes past the last one's bytes.

    Raises
    ------
    InvalidFrameError
        If the archive is broken or cut short, or holds anything but folders and plain files with
        relative names, or more members than the limits above.
    """
    position = count = spent = 0
    common: dict[str, str] = {}
    given: dict[str, str] = {}
    while (header := _read_header(archive, path, position)) is not None:
        count += 1
        if count > MAX_MEMBERS:
            raise _invalid(path, f"it has more than {MAX_MEMBERS} members")
        start, kind = position + BLOCK_BYTES, header.type
        if kind in _LONG_HEADERS:
            spent += header.size
            if spent > MAX_LONG_HEADERS_BYTES:
                raise _invalid(path, f"it has over {MAX_LONG_HEADERS_BYTES} bytes of long headers")
            more = _read_long_header(archive, path, header, start)
            (common if kind == _PAX_GLOBAL else given).update(more)
            position = _after(start, header.size)
            continue
        member = _member(path, header, {**common, **given}, start)
        given = {}
        _demand_harmless(path, header, member.name)
        if not header.isdir():
            yield member
        position = _after(start, 0 if header.isdir() else member.size)


def _after(start: int, size: int) -> int:
    return start + -(-size // BLOCK_BYTES) * BLOCK_BYTES


def _read_header(archive: ForwardFile, path: Path, position: int) -> tarfile.TarInfo | None:
    """Return the header at a byte; None for the block of zeros that ends an archive."""
    archive.seek(position)
    block = archive.read(BLOCK_BYTES)
    if len(block) < BLOCK_BYTES:
        raise _invalid(path, f"it is cut short: it ends before the block at byte {position}")
    if not block.strip(b"\0"):
        return None
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError) as error:
        raise _invalid(path, f"the block at byte {position} is no header ({error})") from error
    if header.size < 0:
        raise _invalid(path, f"the member at byte {position} has {header.size} bytes")
    return header


def _read_long_header(
    archive: ForwardFile, path: Path, header: tarfile.TarInfo, start: int
) -> dict[str, str]:
    """Return what a header says of the name, size and kind of what follows."""
    if header.size > MAX_LONG_HEADER_BYTES:
        what = f"the header at byte {start} has {header.size} bytes"
        raise _invalid(path, f"{what}, over {MAX_LONG_HEADER_BYTES}")
    archive.seek(start)
    data = archive.read(header.size)
    if header.type in {_GNU_NAME, _GNU_LINK}:
        name = data.partition(b"\0")[0].decode("utf-8", "surrogateescape")
        return {"path": name} if header.type == _GNU_NAME else {}
    return dict(_pax_records(data, path))


def _pax_records(data: bytes, path: Path) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(data) and data[position]:
        match = _PAX_RECORD.match(data, position)
        end = position + int(match[1]) if match else position
        if match is None or end <= match.end() or data[end - 1 : end] != b"\n":
            raise _invalid(path, "a header of attributes in it is no list of records")
        position = end
        if match[2] in {b"path", b"size"}:
            value = data[match.end() : end - 1].decode("utf-8", "surrogateescape")
            yield match[2].decode("ascii"), value
        elif match[2].startswith(b"GNU.sparse."):
            yield _SPARSE, ""


def _member(path: Path, header: tarfile.TarInfo, given: dict[str, str], start: int) -> Member:
    name, size = given.get("path", header.name), given.get("size", str(header.size))
    if not _WHOLE_NUMBER.fullmatch(size):
        raise _invalid(path, f"{shown(name)} in it has a size of {shown(size)}")
    if _SPARSE in given:
        raise _invalid(path, f"it holds a sparse file, {shown(name)}")
    return Member(name, start, int(size))


def _demand_harmless(path: Path, header: tarfile.TarInfo, name: str) -> None:
    if not (header.isdir() or header.type in {tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE}):
        what = _WHAT.get(header.type, "a member of an unknown type")
        raise _invalid(path, f"it holds {what}, {shown(name)}")
    parts = name.replace("\\", "/").split("/")
    if not name or "\0" in name or not parts[0] or ".." in parts or parts[0][1:2] == ":":
        raise _invalid(path, f"{shown(name)} in it names a place outside of it")


def _invalid(path: Path, what: str) -> InvalidFrameError:
    return InvalidFrameError(
        f"{path} is no tar archive that can be read: {what}; get the file again, or write it anew"
    )
