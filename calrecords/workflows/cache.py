"""Verified local copies of frames, shared by the processes of one machine."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from calrecords.errors import (
    CalRecordsError,
    ChecksumMismatchError,
    ConfigurationError,
    FileStoreUnavailableError,
    RecordNotFoundError,
)
from calrecords.forking import start_anew_after_fork
from calrecords.frames import CalibrationFrame, ContentDigest, FrameVersion, digest_stream

log = logging.getLogger(__name__)


class FileCache:
    """A folder of files by md5; a path that it returns holds the recorded bytes.

    Parameters
    ----------
    folder : Path
        Made when it is first needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._verified: dict[Path, tuple[int, int, int]] = {}
        self._lock = threading.Lock()
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        """Take a lock that no thread of the parent process holds."""
        self._lock = threading.Lock()

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self._folder

    def check(self) -> None:
        """Make sure that files can be kept here.

        Raises
        ------
        ConfigurationError
            If the folder cannot be made or written.
        """
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
        """
        md5 = frame.version.md5
        if md5 is None:
            msg = f"{frame.filename}: recorded without a checksum, so no bytes can be verified"
            raise RecordNotFoundError(msg)
        return self._folder / md5[:2] / md5 / frame.filename

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
        path = self.path_of(frame)
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
        seen = _signature(path)
        with self._lock:
            if self._verified.get(path) == seen:
                return path
        try:
            with path.open("rb") as file:
                _check(frame, digest_stream(file))
        except ChecksumMismatchError as error:
            log.warning("%s: removed from the cache: %s", path, error)
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

        Raises
        ------
        ChecksumMismatchError
            If the bytes are not those that are recorded; nothing is kept.
        ConfigurationError
            If the cache folder cannot be written.
        FileStoreUnavailableError
            If there is no room.
        """
        path = self.path_of(frame)
        part = path.with_name(f"{path.name}.{os.getpid()}-{uuid.uuid4().hex}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove_strays(path.parent)
            with part.open("x+b") as file:
                _check(frame, write(file))
                file.flush()
                os.fsync(file.fileno())
            seen = _signature(part)
            part.replace(path)
            _sync_folder(path.parent)
        except CalRecordsError:
            raise
        except OSError as error:
            raise _unwritable(path, error) from error
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        self._remember(path, seen)
        return path

    def _remember(self, path: Path, seen: tuple[int, int, int]) -> None:
        with self._lock:
            self._verified[path] = seen


def _unwritable(path: Path, error: OSError) -> CalRecordsError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return FileStoreUnavailableError(f"no room for {path} (CALRECORDS_CACHE_DIR)")
    return ConfigurationError(f"cannot write {path} (CALRECORDS_CACHE_DIR): {error.strerror}")


def _signature(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _check(frame: CalibrationFrame, found: ContentDigest) -> None:
    version: FrameVersion = frame.version
    for name in ("md5", "sha256", "size"):
        recorded, is_now = getattr(version, name), getattr(found, name)
        if recorded is not None and recorded != is_now:
            msg = f"{frame.filename}: {name} is {is_now}, and {recorded} is recorded"
            raise ChecksumMismatchError(msg)


def _remove_strays(folder: Path) -> None:
    """Remove what processes that have ended left half-written."""
    for part in folder.glob("*.part"):
        pid = part.name.rsplit(".", 2)[-2].partition("-")[0]
        try:
            os.kill(int(pid), 0)
        except (ProcessLookupError, ValueError, OverflowError):
            part.unlink(missing_ok=True)
        except PermissionError:
            continue


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
