"""What a cache folder holds, and how it is kept to a size."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import stat
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from calrecords.errors import (
    ChecksumMismatchError,
    ConfigurationError,
    FileStoreUnavailableError,
)
from calrecords.frames import CalibrationFrame, ContentDigest, digest_stream
from calrecords.workflows.cache_locks import (
    LOCK_SUFFIX,
    beside,
    is_locked,
    only_one,
    remove_lock,
)

log = logging.getLogger(__name__)

PART_SUFFIX = ".part"
_GROUP = re.compile(r"[0-9a-f]{2}")
_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class CachedFile:
    """A file of the cache.

    Attributes
    ----------
    path : Path
        Where it is.
    md5 : str
        What its bytes should be.
    size : int
        Length in bytes.
    used : datetime
        When it was last asked for, UTC.
    """

    path: Path
    md5: str
    size: int
    used: datetime

    @property
    def filename(self) -> str:
        """Name of the file, without its folder."""
        return self.path.name


def is_md5(text: str) -> bool:
    """Return whether a text is a checksum as the folders of a cache are named after."""
    return _MD5.fullmatch(text) is not None


def is_plain_name(name: str) -> bool:
    """Return whether a name is that of a file, and leads to no other folder."""
    return name not in {"", ".", ".."} and not {"/", "\\", "\0"} & set(name)


def cached_files(folder: Path) -> list[CachedFile]:
    """Return every whole file of a cache folder, the one used longest ago first."""
    found = []
    for path in _entries(folder):
        if path.suffix in {PART_SUFFIX, LOCK_SUFFIX}:
            continue
        with contextlib.suppress(OSError):
            status = path.stat()
            found.append(CachedFile(path, path.parent.name, status.st_size, _used(status)))
    return sorted(found, key=lambda file: (file.used, file.path))


def _entries(folder: Path) -> Iterator[Path]:
    """Yield all that lies where the files of a cache lie; others may remove any of it meanwhile."""
    for group in _names_in(folder):
        for md5 in _names_in(folder / group) if _GROUP.fullmatch(group) else ():
            if is_md5(md5):
                place = folder / group / md5
                yield from (place / name for name in _names_in(place))


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names are all that is wanted of many folders
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        msg = f"cannot look into {folder} (CALRECORDS_CACHE_DIR): {error.strerror}"
        raise ConfigurationError(msg) from error


def _used(status: os.stat_result) -> datetime:
    return datetime.fromtimestamp(max(status.st_atime, status.st_mtime), UTC)


def is_whole(file: CachedFile) -> bool:
    """Return whether a file holds what it should; it is read to its end.

    To look is no use of it: where that can be, what was used longest ago stays so.
    """
    try:
        with open_copy(file.path, without_trace=True) as source:
            return digest_stream(source).md5 == file.md5
    except (OSError, ChecksumMismatchError) as error:
        log.warning("%s: cannot be read: %s", file.path, error)
        return False


def demand_recorded(frame: CalibrationFrame, found: ContentDigest) -> None:
    """Raise ChecksumMismatchError unless bytes are those that are recorded of a version."""
    for name in ("md5", "sha256", "size"):
        recorded, is_now = getattr(frame.version, name), getattr(found, name)
        if recorded is not None and recorded != is_now:
            msg = f"{frame.filename}: {name} is {is_now}, and {recorded} is recorded"
            raise ChecksumMismatchError(msg)


def signature_of(path: Path) -> tuple[int, int, int]:
    """Return what changes when a file is written to or replaced."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def open_copy(path: Path, *, without_trace: bool = False) -> BinaryIO:
    """Return a file of the cache, open for reading.

    Raises
    ------
    ChecksumMismatchError
        If it is a pipe or a device, which would have no end.
    OSError
        If it cannot be opened.
    """
    opener = _without_trace if without_trace else _without_waiting
    file = open(path, "rb", opener=opener)  # noqa: SIM115 - it is returned open
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        msg = f"{path} is no regular file"
        raise ChecksumMismatchError(msg)
    return file


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _without_trace(path: str, flags: int) -> int:
    try:
        return _without_waiting(path, flags | getattr(os, "O_NOATIME", 0))
    except PermissionError:  # another user's file
        return _without_waiting(path, flags)


def remove(files: Iterable[CachedFile]) -> list[CachedFile]:
    """Remove files that nobody is writing at the moment; return those that are gone."""
    return [file for file in files if _is_removed(file, lambda: False)]


def _is_removed(file: CachedFile, is_wanted: Callable[[], bool]) -> bool:
    """Remove a file under its lock, unless it is wanted; return whether it is gone."""
    try:
        with only_one(file.path, 0.0):
            if is_wanted():
                return False
            file.path.unlink(missing_ok=True)
    except FileStoreUnavailableError:
        return False
    except OSError as error:
        log.warning("%s: cannot be removed from the cache: %s", file.path, error)
        return False
    _remove_empty(file.path.parent)
    return True


def shrink(folder: Path, max_bytes: int, keep: Path | None = None) -> list[CachedFile]:
    """Remove what was used longest ago until a folder is small enough; return what is gone.

    Parameters
    ----------
    folder : Path
        The cache.
    max_bytes : int
        How much may stay.
    keep : Path, optional
        A file that stays, whatever its size.
    """
    files = cached_files(folder)
    excess = sum(file.size for file in files) - max_bytes
    gone: list[CachedFile] = []
    for file in files:
        if excess <= 0:
            break
        if file.path != keep and _is_removed(file, partial(_was_used_since, file)):
            gone.append(file)
            excess -= file.size
    if gone:
        log.info("%d files were let go of, to keep the cache to its size", len(gone))
    return gone


def _was_used_since(file: CachedFile) -> bool:
    """Return whether somebody was given a file after it was listed, and may be at it now."""
    with contextlib.suppress(OSError):
        return _used(file.path.stat()) > file.used
    return False


def mark_used(path: Path) -> bool:
    """Note that a file was asked for; its content's time stays. Return whether it is still there.

    The time is looked at before a file is let go of, under its lock, so that one that is marked
    under that lock is not taken away from under whoever asked for it.
    """
    try:
        status = path.stat()
        now_ns = int(datetime.now(UTC).timestamp() * 1e9)
        os.utime(path, ns=(now_ns, status.st_mtime_ns))
        path.stat()
    except FileNotFoundError:
        return False
    except OSError as error:
        log.debug("%s: that it was used cannot be noted: %s", path, error)
    return True


def part_of(path: Path) -> Path:
    """Return where a file is written until it is whole."""
    return beside(path, f".{os.getpid()}-{uuid.uuid4().hex}{PART_SUFFIX}")


def remove_strays_beside(path: Path) -> None:
    """Remove what processes that have ended left half-written where a file is to be written.

    The lock of the path must be held. Others may be at work on another file beside it, also
    on another host, whose processes are not seen from here.
    """
    own = beside(path, "")
    for part in path.parent.glob(f"*{PART_SUFFIX}"):
        if _has_ended(part) and (_target_of(part) == own or not is_locked(_target_of(part))):
            part.unlink(missing_ok=True)


def clear_away(folder: Path) -> list[Path]:
    """Remove all that processes that have ended left in a cache folder; return what is gone."""
    gone = [part for part in stray_files(folder) if remove_stray(part)]
    for lock in _entries(folder):
        if lock.suffix == LOCK_SUFFIX and remove_lock(lock):
            gone.append(lock)
            _remove_empty(lock.parent)
    return gone


def stray_files(folder: Path) -> list[Path]:
    """Return what processes that have ended left half-written anywhere in a cache folder."""
    return sorted(
        part
        for part in _entries(folder)
        if part.suffix == PART_SUFFIX and _has_ended(part) and not is_locked(_target_of(part))
    )


def remove_stray(part: Path) -> bool:
    """Remove what a process that has ended left half-written; return whether it is gone."""
    if not _has_ended(part) or is_locked(_target_of(part)):
        return False
    part.unlink(missing_ok=True)
    remove_lock(beside(_target_of(part), LOCK_SUFFIX))
    _remove_empty(part.parent)
    return True


def _remove_empty(folder: Path) -> None:
    for empty in (folder, folder.parent):
        with contextlib.suppress(OSError):
            empty.rmdir()


def _target_of(part: Path) -> Path:
    """Return what a half-written file was to become: ``NAME`` of ``NAME.PID-TOKEN.part``."""
    return part.with_name(part.name.rsplit(".", 2)[0])


def _has_ended(part: Path) -> bool:
    """Return whether no process of this host writes a file, as far as its name says."""
    pid = part.name.rsplit(".", 2)[-2].partition("-")[0]
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return True
    except PermissionError:
        return False
    return False


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
