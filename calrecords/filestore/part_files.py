"""Files on a local disk that appear whole or not at all, and what a killed writer leaves.

A file is written under a name of its own that ends in ``.part`` and renamed when it is
complete. Its writer holds a lock (flock) on it, which the kernel drops when the writer
dies, however it dies: so a part file that can be locked is a stray and may be removed.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from calrecords.errors import (
    CalRecordsError,
    FileStoreError,
    FileStoreRefusedError,
    FileStoreUnavailableError,
)

logger = logging.getLogger(__name__)

PART_SUFFIX = ".part"
LINK_SUFFIX = ".link"
ATTEMPTS = 50
"""How often to begin again when another process removes a folder or a name meanwhile."""
PAUSE_S = 0.002
"""How much longer each time to wait before that, in seconds."""

_FLUSHED_AT_ONCE = 8 << 20
"""Bytes after which the disk is asked to begin."""
_CAN_ADVISE = hasattr(os, "posix_fadvise")

_REFUSED = {
    errno.EACCES: "give this user the right to it",
    errno.EPERM: "give this user the right to it",
    errno.EROFS: "mount it for writing, or choose another folder",
    errno.ENOTDIR: "a file is in the place of a folder; move it away, or choose another folder",
    errno.EISDIR: "a folder is in the place of a file; move it away",
    errno.EEXIST: "something else is in its place; move it away",
    errno.ELOOP: "mend the symbolic links",
    errno.ENAMETOOLONG: "choose a shorter name or folder",
    errno.EFBIG: "the file is larger than this file system or this process may write",
    errno.EXDEV: "keep the whole store on one file system",
}
_UNAVAILABLE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space, or ask for a larger quota",
}


def as_store_error(error: OSError, doing: str, path: Path) -> FileStoreError:
    """Return our error for one of the operating system's.

    Parameters
    ----------
    error : OSError
        What the operating system said.
    doing : str
        What was tried, as a verb: ``write``.
    path : Path
        Where it was tried.
    """
    what = f"the file store cannot {doing} {path}: {error.strerror or type(error).__name__}"
    if error.errno in _REFUSED:
        return FileStoreRefusedError(f"{what}; {_REFUSED[error.errno]}")
    return FileStoreUnavailableError(f"{what}; {_UNAVAILABLE.get(error.errno or 0, 'try again')}")


@contextmanager
def store_errors(doing: str, path: Path) -> Iterator[None]:
    """Turn every error of the operating system inside the block into one of ours."""
    try:
        yield
    except CalRecordsError:  # some of ours are OSErrors too
        raise
    except OSError as error:
        raise as_store_error(error, doing, path) from error


def sync_directory(directory: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directories(directory: Path) -> list[Path]:
    """Make a folder and those above it, and return the folders that were changed by it.

    They are to be made durable with `sync_directory`, once there is something in the new
    folder: until then another process may remove it again.
    """
    missing = []
    while not directory.is_dir():
        missing.append(directory)
        directory = directory.parent
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
    return [folder.parent for folder in missing]


def remove_empty_directories(directory: Path, *, below: Path) -> None:
    """Remove a folder and those above it, up to `below`, as long as they are empty."""
    with suppress(OSError):
        while directory != below and directory.is_relative_to(below):
            directory.rmdir()
            directory = directory.parent


def remove_strays(directory: Path) -> None:
    """Remove what killed writers left in a folder; those that live keep theirs."""
    try:
        paths = sorted(directory.iterdir())
    except OSError:
        return
    for path in paths:
        with suppress(OSError):  # it lives, or is gone, or we may only read this store
            if path.suffix in (LINK_SUFFIX, PART_SUFFIX):
                remove_stray(path)


def remove_stray(path: Path) -> bool:
    """Remove what a killed writer left; return whether it is gone, and not if a writer lives."""
    if path.suffix == LINK_SUFFIX:
        path.unlink(missing_ok=True)
        return True
    with _unlocked(path) as is_unlocked:
        if is_unlocked:
            path.unlink(missing_ok=True)
            logger.info("removed %s, which a killed process left behind", path)
        return is_unlocked


def is_being_written(path: Path) -> bool:
    """Return whether the writer of a part file lives; of a link that is not known."""
    with _unlocked(path) as is_unlocked:
        return not is_unlocked


@contextmanager
def _unlocked(path: Path) -> Iterator[bool]:
    """Hold a file against writers meanwhile, if that can be; one that is gone has none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        yield True
        return
    try:
        # A shared lock, because over NFS an exclusive one needs a file open for writing. It
        # is held until the name is gone, so that a writer who waits for it sees that.
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


class PartFile:
    """A file being written in a folder, which is gone after the block unless it was moved.

    Errors of the operating system leave as ours.

    Parameters
    ----------
    directory : Path
        Made if it is not there.
    stem : str
        How its name begins.
    """

    def __init__(self, directory: Path, stem: str) -> None:
        self._directory = directory
        self._stem = stem
        self._path = directory
        self._descriptor = -1
        self._changed: list[Path] = []
        self._flushed = 0

    def __enter__(self) -> PartFile:
        with store_errors("write into", self._directory):
            for attempt in range(ATTEMPTS):
                # Another process may remove the folder while it is empty, or take our part
                # file for a stray in the moment before it is locked.
                if attempt:
                    time.sleep(PAUSE_S * attempt)
                with suppress(FileNotFoundError):
                    self._changed += make_directories(self._directory)
                    if self._create():
                        return self
        msg = f"the file store cannot write into {self._directory}: it vanishes; try again"
        raise FileStoreUnavailableError(msg)

    def _create(self) -> bool:
        self._path = self._directory / f"{self._stem}.{secrets.token_hex(8)}{PART_SUFFIX}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        # Nobody but this descriptor writes to a version, which may have several names.
        self._descriptor = os.open(self._path, flags, 0o444)
        with suppress(OSError):  # where locks are missing, strays stay and nobody is harmed
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        if self._path.exists():
            return True
        self._close()
        return False

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        self._close()
        with store_errors("write into", self._directory) if error is None else suppress(OSError):
            self._keep_folders()

    def _keep_folders(self) -> None:
        """Make the folders durable that were made for this file."""
        while self._changed:
            sync_directory(self._changed.pop())

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def write(self, chunk: bytes) -> None:
        """Write the whole chunk at the end."""
        with store_errors("write", self._path):
            if os.lseek(self._descriptor, 0, os.SEEK_CUR):
                self._keep_folders()  # not after a long file: others may rely on them meanwhile
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        self._flush_early()

    def _flush_early(self) -> None:
        """Have the disk begin with what is written already, so that the end has less to wait for.

        What is not wanted in memory any more, the kernel begins to write at once.
        """
        written = os.lseek(self._descriptor, 0, os.SEEK_CUR)
        if _CAN_ADVISE and written - self._flushed >= _FLUSHED_AT_ONCE:
            with suppress(OSError):  # advice only
                os.posix_fadvise(
                    self._descriptor, self._flushed, written - self._flushed, os.POSIX_FADV_DONTNEED
                )
            self._flushed = written

    def move_to(self, target: Path) -> None:
        """Give the complete file its name, in place of what had it, durably.

        Raises
        ------
        FileStoreUnavailableError
            If somebody removed the part file, and `target` is not as long as it was.
        """
        with store_errors("write", target):
            os.fsync(self._descriptor)
            self._keep_folders()  # costs nothing now where a sync commits all that came before
            try:
                self._path.replace(target)
            except FileNotFoundError:
                self._accept(target)
            sync_directory(target.parent)

    def _accept(self, target: Path) -> None:
        length = os.fstat(self._descriptor).st_size
        # Whoever removed our part file had finished the same content.
        if not target.is_file() or target.stat().st_size != length:
            msg = f"the file store lost {self._path} while it was being written; try again"
            raise FileStoreUnavailableError(msg)
