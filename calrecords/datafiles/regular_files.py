"""Opening what is a regular file, and nothing else, and noticing when it changes."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from calrecords.errors import CalRecordsError, DataFileNotFoundError, InvalidFrameError

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


def open_regular_file(path: Path) -> BinaryIO:
    """Return a regular file, open for reading; its read errors are ours, too.

    It ends where it ended when it was opened, so that to read one that grows has an end.

    Raises
    ------
    DataFileNotFoundError
        If there is no such file, it is a folder, or it cannot be opened or, later, read.
    InvalidFrameError
        If it is a device, a pipe or a socket.
    """
    with _our_errors(path):
        _demand_regular(path, _mode(path))
        file = io.BufferedReader(_RegularFile(path))
        try:
            _demand_regular(path, os.fstat(file.fileno()).st_mode)
        except BaseException:
            file.close()
            raise
    return cast("BinaryIO", file)


class _RegularFile(io.FileIO):
    """A file whose read errors are ours, so that they are never taken for another part's."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb", opener=lambda name, _flags: os.open(name, _FLAGS))
        self._path = path
        self._size = os.fstat(self.fileno()).st_size

    def _left(self) -> int:
        return max(self._size - self.tell(), 0)

    def readinto(self, buffer: Any, /) -> int:
        with _our_errors(self._path):
            return super().readinto(memoryview(buffer)[: self._left()])

    def readall(self) -> bytes:
        with _our_errors(self._path):
            return super().read(self._left())


@contextmanager
def _our_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except CalRecordsError:
        raise
    except FileNotFoundError as error:
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
