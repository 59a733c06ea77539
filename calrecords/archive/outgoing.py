"""What is sent to the archive, checked first where the archive would answer with a failure.

The archive's database or its JSON parser chokes on some values after the file is stored, or
takes them and then hides the frame for ever; those are refused here, before anything is sent.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from calrecords.archive.models import LARGEST_ID
from calrecords.errors import ArchiveRefusedError

_MD5 = re.compile(r"[0-9a-f]{32}")
_NUL = r"\u0000"
_LONGEST_KEY = 32
_LONGEST_EXTENSION = 20
_LONGEST_BASENAME = 1000


def checked_md5(md5: str) -> str:
    """Return a checksum in lower case.

    Raises
    ------
    ArchiveRefusedError
        If it is not 32 hexadecimal digits. An empty one would match every version.
    """
    lower = md5.strip().lower()
    if not _MD5.fullmatch(lower):
        msg = f"{md5!r} is no md5 checksum; the archive was not asked"
        raise ArchiveRefusedError(msg)
    return lower


def checked_basename(basename: object) -> str:
    """Return a basename that the archive can hold.

    Raises
    ------
    ArchiveRefusedError
        If it is no text, empty, longer than 1000 characters, or holds a NUL character.
    """
    if not isinstance(basename, str) or not 0 < len(basename) <= _LONGEST_BASENAME:
        msg = f"a basename has 1 to {_LONGEST_BASENAME} characters; the archive was not asked"
        raise ArchiveRefusedError(msg)
    if "\0" in basename:
        msg = "a basename cannot hold a NUL character; the archive was not asked"
        raise ArchiveRefusedError(msg)
    return basename


def encoded_record(
    record: Mapping[str, Any], *, version_key: str, md5: str, extension: str
) -> bytes:
    """Return the body of a POST that registers one version of a frame.

    Parameters
    ----------
    record : mapping
        The frame in the archive's words, with its headers, without its version.
    version_key : str
        What the file store calls the version, 1 to 32 characters.
    md5 : str
        Lower-case hexadecimal digest of the file.
    extension : str
        With its dot, up to 20 characters.

    Raises
    ------
    ArchiveRefusedError
        If the archive could not take it. An observation date is demanded although the
        archive does not: without one it answers 201 and never shows the frame again.
    """
    basename = checked_basename(record.get("basename"))
    if not record.get("observation_date"):
        msg = f"{basename}: the archive would never show a frame without an observation date"
        raise ArchiveRefusedError(msg + "; give DATE-OBS (observation_date); nothing was sent")
    if not 0 < len(version_key) <= _LONGEST_KEY:
        msg = (
            f"{basename}: the file store's version key has {len(version_key)} characters, the "
            f"archive takes 1 to {_LONGEST_KEY}; nothing was sent"
        )
        raise ArchiveRefusedError(msg)
    if not extension.startswith(".") or len(extension) > _LONGEST_EXTENSION:
        msg = f"{basename}: {extension!r} is no extension with its dot; nothing was sent"
        raise ArchiveRefusedError(msg)
    version = {"key": version_key, "md5": md5, "extension": extension}
    return _encoded(basename, {**record, "version_set": [version]})


def _encoded(basename: str, data: Mapping[str, Any]) -> bytes:
    text = None
    with suppress(TypeError, ValueError, RecursionError):
        text = json.dumps(data, allow_nan=False)
    if text is None or _NUL in text:
        with suppress(RecursionError):
            for place, fault in _faults(data, ""):
                msg = f"{basename}: {place} holds {fault}, which the archive cannot take"
                raise ArchiveRefusedError(f"{msg}; nothing was sent")
    if text is None:
        msg = f"{basename}: the record holds a value that is not JSON; nothing was sent"
        raise ArchiveRefusedError(msg)
    return text.encode()


def _faults(value: object, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            inner = f"{place}.{name}" if place else str(name)
            if "\0" in str(name):
                yield place or "the record", "a name with a NUL character"
            yield from _faults(item, inner)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _faults(item, place)
    elif isinstance(value, str) and "\0" in value:
        yield place, "a NUL character"
    elif isinstance(value, float) and not math.isfinite(value):
        yield place, "a number that is not finite"


def checked_frame_id(frame_id: int) -> int | None:
    """Return a frame ID that an archive can have, None if it can have none such.

    Raises
    ------
    TypeError
        If it is no whole number.
    """
    if isinstance(frame_id, bool) or not isinstance(frame_id, int):
        msg = f"a frame ID is a whole number, not {type(frame_id).__name__}"
        raise TypeError(msg)
    return frame_id if 0 <= frame_id <= LARGEST_ID else None
