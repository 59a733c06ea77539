"""Verified local copies of frames, shared by the processes of one machine."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import threading
import uuid
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from calrecords.errors import (
    CalRecordsError,
    ChecksumMismatchError,
    ConfigurationError,
    FileStoreUnavailableError,
    RecordNotFoundError,
    UnsafeKeyError,
)
from calrecords.forking import start_anew_after_fork
from calrecords.frames import CalibrationFrame, ContentDigest, digest_stream
from calrecords.workflows.cache_files import (
    CachedFile,
    cached_files,
    clear_away,
    demand_recorded,
    is_md5,
    is_plain_name,
    is_whole,
    mark_used,
    open_copy,
    part_of,
    remove,
    remove_strays_beside,
    shrink,
    signature_of,
    sync_folder,
)
from calrecords.workflows.cache_locks import only_one
from calrecords.workflows.private_folders import PrivateFolder, remove_abandoned

log = logging.getLogger(__name__)

LOCK_TIMEOUT_S = 1800.0
"""How long to wait for another process that writes the same file, in seconds."""

_MARK_TIMEOUT_S, _ATTEMPTS = 0.1, 3
_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


class FileCache:
    """A folder of files by md5; a path that it returns holds the recorded bytes.

    A folder that cannot be written, or must not be, is read all the same; what it does not
    hold is then kept in a private temporary folder, until `close`. Others do not see what such
    a reader uses, and may let go of it to keep the cache to its size.

    Parameters
    ----------
    folder : Path
        Made when it is first needed.
    max_bytes : int, optional
        Size above which the files that were used longest ago are let go of; 0 is no limit.
    lock_timeout_s : float, optional
        Seconds to wait for another process that writes the same file.
    read_only : bool, optional
        Never write into the folder.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int = 0,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        read_only: bool = False,
    ) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock_timeout_s = lock_timeout_s
        self._read_only = read_only
        self._private: PrivateFolder | None = None
        self._verified: dict[Path, tuple[int, int, int]] = {}
        self._lock = threading.Lock()
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        """Take a lock that no thread of the parent process holds, and leave it its files."""
        self._lock = threading.Lock()
        self._private = None

    def close(self) -> None:
        """Remove the private temporary folder, where there is one."""
        with self._lock:
            private, self._private = self._private, None
        if private is not None:
            private.remove()

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self._folder

    @property
    def is_read_only(self) -> bool:
        """Whether nothing is written into the folder, as far as that is known yet."""
        return self._read_only

    def check(self) -> None:
        """Make sure that files can be kept here.

        Raises
        ------
        ConfigurationError
            If the folder cannot be made or written.
        """
        if self._read_only:
            return
        probe = self._folder / f"probe-{uuid.uuid4().hex}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise _unwritable(probe, error) from error

    def path_of(self, frame: CalibrationFrame) -> Path:
        """Return where the cache has, or would have, this version of a frame.

        Raises
        ------
        RecordNotFoundError
            If no checksum is recorded for it.
        UnsafeKeyError
            If what is recorded would lead out of the cache.
        """
        md5 = frame.version.md5
        if md5 is None:
            msg = f"{frame.filename}: recorded without a checksum, so no bytes can be verified"
            raise RecordNotFoundError(msg)
        if not is_md5(md5) or not is_plain_name(frame.filename):
            msg = (
                f"{frame.filename!r:.200} with md5 {md5!r:.200} has no place in a cache, for one "
                "of them is none; find out where this record comes from"
            )
            raise UnsafeKeyError(msg)
        return self._folder / place_of(md5, frame.filename)

    def get(self, frame: CalibrationFrame) -> Path | None:
        """Return the verified local copy, or None; a damaged copy is removed.

        The bytes are hashed at the first use in a process, and again when the file changed.

        Raises
        ------
        RecordNotFoundError
            If no checksum is recorded for it.
        ConfigurationError
            If the cache folder cannot be used.
        """
        found = self._held(frame)
        return found if found is None or self._is_marked(found) else None

    def _held(self, frame: CalibrationFrame) -> Path | None:
        path = self.path_of(frame)
        private = self._private
        found = self._looked_up(path, frame)
        if found is None and private is not None:
            found = self._looked_up(private.path / path.relative_to(self._folder), frame)
        return found

    def _is_marked(self, path: Path) -> bool:
        """Return whether a file is there, and will be, as others see that it is used now.

        Where files are let go of this is noted under the lock under which they are removed.
        """
        if self._read_only or not path.is_relative_to(self._folder):
            return True
        if not self._max_bytes:
            return mark_used(path)
        try:
            with only_one(path, _MARK_TIMEOUT_S):
                return mark_used(path)
        except FileStoreUnavailableError:  # who writes it also keeps it from being removed
            return mark_used(path)
        except OSError as error:
            log.debug("%s: cannot be locked: %s", path, error)
            return mark_used(path)

    def _looked_up(self, path: Path, frame: CalibrationFrame) -> Path | None:
        try:
            return self._verified_copy(path, frame)
        except FileNotFoundError:
            return None
        except CalRecordsError:
            raise
        except OSError as error:
            msg = f"cannot use {path} (CALRECORDS_CACHE_DIR): {error.strerror}"
            raise ConfigurationError(msg) from error

    def _verified_copy(self, path: Path, frame: CalibrationFrame) -> Path | None:
        seen = signature_of(path)
        with self._lock:
            if self._verified.get(path) == seen:
                return path
        try:
            with open_copy(path) as file:
                demand_recorded(frame, digest_stream(file))
        except ChecksumMismatchError as error:
            log.warning("%s: damaged in the cache, and not used: %s", path, error)
            if not self._read_only:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
            return None
        self._remember(path, seen)
        return path

    def add(
        self,
        frame: CalibrationFrame,
        write: Callable[[BinaryIO], ContentDigest],
        *,
        anew: bool = False,
    ) -> Path:
        """Return the local copy of what `write` writes, once it is verified and durable.

        One at a time, of all threads and processes, writes the same file: who had to wait
        gets what the other one wrote.

        Parameters
        ----------
        frame : CalibrationFrame
            Which version it is.
        write : callable
            Writes the bytes to a file, and returns what they are.
        anew : bool, optional
            Write even where the cache has the file.

        Raises
        ------
        ChecksumMismatchError
            If the bytes are not those that are recorded; nothing is kept.
        ConfigurationError
            If the cache folder cannot be made.
        FileStoreUnavailableError
            If there is no room, or another process is at it for too long.
        """
        path = self.path_of(frame)
        if not self._read_only:
            try:
                return self._add_to(path, frame, write, anew=anew)
            except CalRecordsError:
                raise
            except OSError as error:
                if error.errno not in _READ_ONLY:
                    raise _unwritable(path, error) from error
                log.warning("%s: the cache can only be read: %s", self._folder, error.strerror)
                self._read_only = True
        path = self._private_folder() / path.relative_to(self._folder)
        try:
            return self._add_to(path, frame, write, anew=anew)
        except CalRecordsError:
            raise
        except OSError as error:
            raise _unwritable(path, error) from error

    def _add_to(
        self,
        path: Path,
        frame: CalibrationFrame,
        write: Callable[[BinaryIO], ContentDigest],
        *,
        anew: bool,
    ) -> Path:
        """Add a file, again where somebody removes the folder while it is written."""
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._add_once(path, frame, write, anew=anew)
            except CalRecordsError:
                raise
            except FileNotFoundError as error:
                log.info("%s: removed while it was written: %s", path.parent, error)
        return self._add_once(path, frame, write, anew=anew)

    def _add_once(
        self,
        path: Path,
        frame: CalibrationFrame,
        write: Callable[[BinaryIO], ContentDigest],
        *,
        anew: bool,
    ) -> Path:
        with only_one(path, self._lock_timeout_s):
            if not anew and (found := self._held(frame)) is not None:
                mark_used(found)
                return found
            self._write(path, frame, write)
        if self._max_bytes and path.is_relative_to(self._folder):
            self._shrink_besides(path)
        return path

    def _shrink_besides(self, path: Path) -> None:
        try:
            shrink(self._folder, self._max_bytes, keep=path)
        except (OSError, ConfigurationError) as error:
            log.warning("%s: cannot be kept to its size: %s", self._folder, error)

    def _write(
        self, path: Path, frame: CalibrationFrame, write: Callable[[BinaryIO], ContentDigest]
    ) -> None:
        part = part_of(path)
        try:
            remove_strays_beside(path)
            with part.open("x+b") as file:
                demand_recorded(frame, write(file))
                file.flush()
                os.fsync(file.fileno())
            seen = signature_of(part)
            part.replace(path)
            sync_folder(path.parent)
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        self._remember(path, seen)

    def _private_folder(self) -> Path:
        with self._lock:
            if self._private is None:
                self._private = PrivateFolder()
                weakref.finalize(self, self._private.remove)
            return self._private.path

    def files(self) -> list[CachedFile]:
        """Return what the folder holds, the file that was used longest ago first.

        Raises
        ------
        ConfigurationError
            If it cannot be looked into.
        """
        return cached_files(self._folder)

    def verify(self) -> list[CachedFile]:
        """Read every file, and return those that are damaged; they are removed if they can be.

        So is what processes that have ended left half-written.

        Raises
        ------
        ConfigurationError
            If the folder cannot be looked into.
        """
        unlike = [file for file in self.files() if not is_whole(file)]
        damaged = [file for file in unlike if file.path.exists()]
        remove_abandoned()
        if not self._read_only:
            remove(damaged)
            clear_away(self._folder)
        return damaged

    def evict(self, frame: CalibrationFrame) -> list[CachedFile]:
        """Remove the copies of one version; return what is gone."""
        self.demand_writable()
        return remove(file for file in self.files() if file.path == self.path_of(frame))

    def shrink(self, max_bytes: int = 0) -> list[CachedFile]:
        """Remove what was used longest ago until at most this stays; return what is gone."""
        self.demand_writable()
        return shrink(self._folder, max_bytes)

    def demand_writable(self) -> None:
        """Raise where nothing may be removed.

        Raises
        ------
        ConfigurationError
            If the cache is read-only.
        """
        if self._read_only:
            msg = f"{self._folder} can only be read (CALRECORDS_CACHE_READ_ONLY)"
            raise ConfigurationError(msg)

    def _remember(self, path: Path, seen: tuple[int, int, int]) -> None:
        with self._lock:
            self._verified[path] = seen


def place_of(md5: str, filename: str) -> Path:
    """Return where a file is inside a cache folder."""
    return Path(md5[:2]) / md5 / filename


def _unwritable(path: Path, error: OSError) -> CalRecordsError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return FileStoreUnavailableError(f"no room for {path} (CALRECORDS_CACHE_DIR)")
    return ConfigurationError(f"cannot write {path} (CALRECORDS_CACHE_DIR): {error.strerror}")
