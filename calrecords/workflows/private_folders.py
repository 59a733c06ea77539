"""Temporary folders of one process each, removed by another one should it be killed."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import uuid
from contextlib import suppress
from pathlib import Path

from calrecords.errors import FileStoreUnavailableError
from calrecords.workflows.cache_locks import LOCK_SUFFIX, acquire, release

_PREFIX = "calrecords-cache-"


class PrivateFolder:
    """A new folder among the system's temporary ones, which nobody else may look into.

    Its lock is held until `remove`, or until the process ends, however it ends; the next one
    that makes such a folder then removes it.

    Attributes
    ----------
    path : Path
        Where it is.

    Raises
    ------
    OSError
        If it cannot be made.
    """

    def __init__(self) -> None:
        remove_abandoned()
        self.path = Path(tempfile.gettempdir()) / f"{_PREFIX}{uuid.uuid4().hex}"
        self._made_by = os.getpid()
        self._lock = acquire(self.path, 0.0)
        self.path.mkdir(mode=0o700)

    def remove(self) -> None:
        """Remove it with all that is in it, in the process that made it; twice is no fault."""
        if os.getpid() != self._made_by:
            return
        shutil.rmtree(self.path, ignore_errors=True)
        lock, self._lock = self._lock, None
        release(self.path, lock)


def remove_abandoned() -> None:
    """Remove the folders of this user's processes that ended without doing it."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*{LOCK_SUFFIX}"):
        with suppress(OSError, FileStoreUnavailableError):
            if _is_own(lock):
                _remove_if_free(lock.with_suffix(""))


def _is_own(lock: Path) -> bool:
    """Return whether a file is this user's: others may put anything among temporary files."""
    status = lock.lstat()
    return status.st_uid == os.geteuid() and stat.S_ISREG(status.st_mode)


def _remove_if_free(folder: Path) -> None:
    descriptor = acquire(folder, 0.0)
    if descriptor is not None:  # else nobody can tell whose it is
        shutil.rmtree(folder, ignore_errors=True)
        release(folder, descriptor)
