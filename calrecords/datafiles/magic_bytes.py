"""The first bytes of kinds of files that have no header of ours, so that none is mistaken."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from calrecords.errors import InvalidFrameError

_JPEG = ("JPEG picture", b"\xff\xd8\xff")
_MAGIC = {".jpg": _JPEG, ".jpeg": _JPEG, ".pdf": ("PDF document", b"%PDF-")}


def demand_magic(file: BinaryIO, path: Path, extension: str) -> None:
    """Raise InvalidFrameError if a file does not begin as its extension says.

    Parameters
    ----------
    file : binary file
        Stands at its start, and is left somewhere else.
    path : Path
        For messages.
    extension : str
        In any case of letters; only PDF and JPEG files are looked at.
    """
    kind, magic = _MAGIC.get(extension.lower(), ("", b""))
    begins = file.read(len(magic))
    if begins != magic:
        msg = (
            f"{path} is no {kind}: it begins with {begins!r}, and one with {magic!r};"
            " get the file again, or give it the extension of what it is"
        )
        raise InvalidFrameError(msg)
