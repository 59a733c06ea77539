"""Files that people write, read with care: a name may be mistyped, and a file anything."""

from __future__ import annotations

import stat
from pathlib import Path

from calrecords.errors import RuleError
from calrecords.selection.spelling import near_names


def read_text(path: Path, *, what: str, largest: int) -> str:
    """Return the text of a file.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        What it should be, for messages: "a TOML file of rules".
    largest : int
        How long it may be, in bytes.

    Raises
    ------
    RuleError
        If it is not there, is no regular file, is too long or is not UTF-8.
    """
    try:
        return _bytes(path, what, largest).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{path}: it is not UTF-8 text (byte {error.start}); save it as UTF-8"
        raise RuleError(msg) from None


def _bytes(path: Path, what: str, largest: int) -> bytes:
    try:
        found = path.stat()
        is_file = stat.S_ISREG(found.st_mode)
        read = path.read_bytes() if is_file and found.st_size <= largest else b""
    except FileNotFoundError:
        msg = f"{path}: there is no such file{_near(path)}; name {what}"
        raise RuleError(msg) from None
    except OSError as error:
        msg = f"{path}: it cannot be read: {error.strerror}"
        raise RuleError(msg) from None
    except ValueError:
        msg = f"{str(path)!r} is not the path of a file"
        raise RuleError(msg) from None
    if not is_file:
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "no regular file"
        msg = f"{path}: it is {kind}; name {what}"
        raise RuleError(msg)
    if found.st_size > largest:
        msg = f"{path}: it has {found.st_size} bytes, of at most {largest}; name {what}"
        raise RuleError(msg)
    return read


def _near(path: Path) -> str:
    """Return a question about a file beside it whose name is nearest, or nothing."""
    try:
        beside = list(path.parent.iterdir())
    except OSError:
        return ""
    is_near = near_names(path.stem, [one.stem for one in beside])
    return near_names(path.name, [one.name for one in beside]) if is_near else ""
