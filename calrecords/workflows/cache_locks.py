"""One writer at a time for each file of the cache, between threads, processes and hosts."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from calrecords.errors import FileStoreUnavailableError

log = logging.getLogger(__name__)

LOCK_SUFFIX = ".lock"
_LONGEST_STEM = 200
_ATTEMPTS, _PAUSE_S = 10, 0.001
_MOST_VANISHED = 1_000
_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.01, 0.5
_HELD = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EINTR})


@contextmanager
def only_one(path: Path, timeout_s: float) -> Iterator[None]:
    """Hold the lock of a path while the block runs.

    The kernel lets go of it when its holder ends, however that ends. Where the file system
    has no locks the block runs without one: then several may write the same, each to a name
    of its own, and the last one is kept.

    Parameters
    ----------
    path : Path
        What is locked; its folder is made if it is not there.
    timeout_s : float
        Seconds to wait for another holder.

    Raises
    ------
    FileStoreUnavailableError
        If another one holds it for longer.
    OSError
        If the folder cannot be written.
    """
    descriptor = acquire(path, timeout_s)
    try:
        yield
    finally:
        release(path, descriptor)


def beside(path: Path, suffix: str) -> Path:
    """Return where a file is that belongs to another, its name cut where it is very long.

    A name may be as long as a file system allows, so that no suffix fits behind it.
    """
    return path.with_name(path.name.encode()[:_LONGEST_STEM].decode(errors="ignore") + suffix)


def is_locked(path: Path) -> bool:
    """Return whether somebody holds the lock of a path."""
    try:
        descriptor = os.open(beside(path, LOCK_SUFFIX), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in _HELD
    finally:
        os.close(descriptor)
    return False


def remove_lock(lock: Path) -> bool:
    """Remove the file of a lock that nobody holds; return whether it is gone."""
    with contextlib.suppress(OSError):
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still_there(descriptor, lock):  # else it is somebody's new one
                lock.unlink()
                return True
        finally:
            os.close(descriptor)
    return False


def release(path: Path, descriptor: int | None) -> None:
    """Let go of a lock, given what `acquire` returned, and leave no file of it."""
    if descriptor is not None:
        with contextlib.suppress(OSError):
            beside(path, LOCK_SUFFIX).unlink(missing_ok=True)
        os.close(descriptor)


def acquire(path: Path, timeout_s: float) -> int | None:
    """Return the descriptor of a path's lock, now ours; None where there are no locks.

    Parameters and errors are those of `only_one`.
    """
    lock = beside(path, LOCK_SUFFIX)
    give_up = time.monotonic() + timeout_s
    vanished = 0
    pause_s = _FIRST_LOOK_S
    while True:
        _make_folder(lock.parent)
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except FileNotFoundError:
            vanished += 1  # another process removed the folder while it was empty
            if vanished > _MOST_VANISHED:  # or the lock is a link to nowhere
                raise
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno not in _HELD:
                log.debug("%s: this file system has no locks: %s", lock, error)
                return None
        else:
            if _is_still_there(descriptor, lock):
                return descriptor
            os.close(descriptor)  # its last holder removed it meanwhile: take the new one
            continue
        if time.monotonic() >= give_up:
            msg = (
                f"another process has been fetching {path} for more than "
                f"{timeout_s:g} s (CALRECORDS_CACHE_LOCK_TIMEOUT_S); try later"
            )
            raise FileStoreUnavailableError(msg)
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_LOOK_S)


def _make_folder(folder: Path) -> None:
    """Make a folder that other processes may remove at any time, as long as it is empty."""
    for attempt in range(_ATTEMPTS):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileNotFoundError, FileExistsError):
            if attempt == _ATTEMPTS - 1:
                raise
            time.sleep(_PAUSE_S * attempt)
        else:
            return


def _is_still_there(descriptor: int, lock: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), lock.stat())
    except FileNotFoundError:
        return False
