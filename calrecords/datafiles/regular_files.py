"""Opening what is a regular file, and nothing else, and noticing when it changes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from calrecords.errors import DataFileNotFoundError, InvalidFrameError

_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a FIFO that takes the file's place must not block us
)


@dataclass(frozen=True, slots=True)
class FileSignature:
    """What changes when a file is written to or replaced.

    Attributes
    ----------
    size : int
        Length in bytes.
    modified_ns : int
        Time of the last write, nanoseconds since 1970.
    device, inode : int
        Which file it is.
    """

    size: int
    modified_ns: int
    device: int
    inode: int

    @classmethod
    def of(cls, file: BinaryIO) -> FileSignature:
        """Return the signature of an open file."""
        status = os.fstat(file.fileno())
        return cls(status.st_size, status.st_mtime_ns, status.st_dev, status.st_ino)


@contextmanager
def open_regular_file(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file for reading, and close it.

    Raises
    ------
    DataFileNotFoundError
        If there is no such file, it is a folder, or it cannot be opened or read.
    InvalidFrameError
        If it is a device, a pipe or a socket.
    """
    try:
        _demand_regular(path, _mode(path))
        descriptor = os.open(path, _FLAGS)
        with os.fdopen(descriptor, "rb") as file:
            _demand_regular(path, os.fstat(descriptor).st_mode)
            yield file
    except FileNotFoundError as error:
        if isinstance(error, DataFileNotFoundError):
            raise
        msg = f"there is no file {path}; check the path, and whether it was moved"
        raise DataFileNotFoundError(msg) from error
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror or error}; check its rights and its disk"
        raise DataFileNotFoundError(msg) from error


def demand_unchanged(path: Path, before: FileSignature, file: BinaryIO) -> None:
    """Raise DataFileNotFoundError unless an open file is still what it was."""
    if FileSignature.of(file) != before:
        msg = f"{path} changed while it was read; wait until it is complete, and open it again"
        raise DataFileNotFoundError(msg)


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except ValueError as error:  # a NUL, or a letter that no file name can hold
        msg = f"{str(path)!r} can be no file's path; check it for stray characters"
        raise DataFileNotFoundError(msg) from error


def _demand_regular(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        msg = f"{path} is a folder, not a file; name the files in it"
        raise DataFileNotFoundError(msg)
    if not stat.S_ISREG(mode):
        msg = f"{path} is a device, a pipe or a socket, not a regular file; copy it to a file first"
        raise InvalidFrameError(msg)
