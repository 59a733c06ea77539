"""Bytes that came without a file of their own, kept on disk until they are recorded."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import stat
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from calrecords.errors import (
    CalRecordsError,
    ConfigurationError,
    DataFileNotFoundError,
    InvalidFrameError,
)
from calrecords.frames import digest_stream

_OPEN_FILES = (io.BufferedReader, io.BufferedRandom, io.FileIO)
_ATTEMPTS = 50
_PAUSE_S = 0.002
_NEW = ".new"


def spool_folder(folder: Path, place: str) -> Path:
    """Return where the copies of one records database are.

    Databases may share a spool, and none knows what another one's ingestions still need.

    Parameters
    ----------
    folder : Path
        The spool.
    place : str
        Where the database is.
    """
    return folder / hashlib.sha256(place.encode(errors="surrogateescape")).hexdigest()[:16]


class Spool:
    """A folder for the bytes of file objects, each copy in a folder of its own.

    Whoever uses a copy holds a lock (flock) on it, which the kernel drops should it die. A copy
    that nobody holds, and that no unfinished ingestion names, is not needed.

    Parameters
    ----------
    folder : Path
        Made when it is first needed, for the copies of one records database. It should outlast
        the process, so that an interrupted ingestion finds its bytes again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    @contextmanager
    def keep(self, fileobj: BinaryIO, filename: str) -> Iterator[Path]:
        """Yield a durable copy of a file object, which nobody discards meanwhile.

        It stays afterwards; `discard_unused` removes it.

        Parameters
        ----------
        fileobj : binary file
            Read from its start to its end, in flat memory.
        filename : str
            What the copy is called.

        Raises
        ------
        DataFileNotFoundError
            If the name is none, or the file object cannot be read as bytes.
        InvalidFrameError
            If it is a device.
        ConfigurationError
            If the folder cannot be written.
        """
        if filename in {"", ".", ".."} or "\0" in filename or Path(filename).name != filename:
            msg = f"{filename!r} is no file name; name the file object without a folder"
            raise DataFileNotFoundError(msg)
        with ExitStack() as held:
            try:
                path = self._copied(fileobj, filename, held)
            except OSError as error:
                if isinstance(error, CalRecordsError):
                    raise
                msg = f"cannot keep {filename} in {self._folder} (CALRECORDS_SPOOL_DIR): {error}"
                raise ConfigurationError(msg) from error
            yield path

    def _copied(self, fileobj: BinaryIO, filename: str, held: ExitStack) -> Path:
        token = uuid.uuid4().hex
        new = self._folder / f"{token}{_NEW}"
        try:
            copy = held.enter_context(self._begun(new / filename))
            place = self._folder / f"{_copy(fileobj, copy)}.{token}"
            new.rename(place)
        except BaseException:
            for remove in ((new / filename).unlink, new.rmdir):
                with suppress(OSError):
                    remove()
            raise
        for folder in (place, self._folder):
            _sync(folder)
        return place / filename

    def _begun(self, path: Path) -> BinaryIO:
        """Return a new file that is locked, in a new folder of its own.

        In the moment before it is locked, another process may take it for a dead one's.
        """
        for attempt in range(_ATTEMPTS):
            time.sleep(_PAUSE_S * attempt)
            with suppress(FileNotFoundError):
                path.parent.mkdir(parents=True, exist_ok=True)
                copy = path.open("xb")
                fcntl.flock(copy, fcntl.LOCK_EX)
                if path.exists():
                    return copy
                copy.close()
        msg = f"{path} vanishes while it is made"
        raise OSError(msg)

    def holds(self, path: str | Path) -> bool:
        """Return whether a path is that of a copy that was kept here."""
        return Path(path).parent.parent == self._folder

    def discard_unused(self, path: str | Path, in_use: Callable[[], Collection[str]]) -> None:
        """Remove a copy, and others of the same bytes and name, where nobody needs them.

        Parameters
        ----------
        path : str or Path
            The copy; other files are left alone.
        in_use : callable
            Returns the paths that are needed later.
        """
        path = Path(path)
        if not self.holds(path):
            return
        for folder in self._folder.glob(f"{path.parent.name.partition('.')[0]}.*"):
            _discard(folder / path.name, lambda _copy: in_use())

    def sweep(self, in_use: Callable[[Path], Collection[str]]) -> None:
        """Remove every copy that nobody needs: what killed processes left behind.

        Parameters
        ----------
        in_use : callable
            Given a copy, returns the paths that are needed later.
        """
        for folder in self._folder.glob("*.*"):
            with suppress(OSError):  # it is gone meanwhile, or is no folder
                for copy in list(folder.iterdir()):
                    _discard(copy, in_use)
                folder.rmdir()  # if nothing is in it


def filename_of(fileobj: BinaryIO, filename: str | os.PathLike[str] | None = None) -> str:
    """Return the name of a file object, without a folder.

    Raises
    ------
    DataFileNotFoundError
        If it has no name, and none is given.
    """
    for name in _names(fileobj, filename):
        if isinstance(name, str | os.PathLike) and Path(name).name:
            return Path(name).name
    msg = "the file object has no name; say what the file is called"
    raise DataFileNotFoundError(msg)


def _names(fileobj: BinaryIO, filename: object) -> Iterator[object]:
    yield filename
    for attribute in ("name", "filename"):
        yield getattr(fileobj, attribute, None)


def path_behind(fileobj: BinaryIO, filename: str) -> Path | None:
    """Return where an open file is on disk under this name; None if it is not.

    What unpacks as it reads, such as a `gzip.GzipFile`, gives other bytes than its path has.

    Parameters
    ----------
    fileobj : binary file
        Perhaps an open file.
    filename : str
        Without a folder.
    """
    name = getattr(fileobj, "name", None)
    if not isinstance(name, str) or Path(name).name != filename:
        return None
    if not isinstance(getattr(fileobj, "file", fileobj), _OPEN_FILES):
        return None
    try:
        fileobj.flush()
        is_same = os.path.samestat(os.fstat(fileobj.fileno()), Path(name).stat())
    except (OSError, ValueError, AttributeError):
        return None
    return Path(name) if is_same else None


def _copy(fileobj: BinaryIO, copy: BinaryIO) -> str:
    _demand_end(fileobj)
    try:
        fileobj.seek(0)
        digest = digest_stream(fileobj, sink=copy.write)
    except (AttributeError, TypeError, ValueError) as error:
        msg = f"the file object cannot be read as bytes from its start: {error}; open it with 'rb'"
        raise DataFileNotFoundError(msg) from error
    copy.flush()
    os.fsync(copy.fileno())
    return digest.sha256


def _demand_end(fileobj: BinaryIO) -> None:
    """Refuse a device, whose bytes may have no end."""
    try:
        mode = os.fstat(fileobj.fileno()).st_mode
    except (OSError, ValueError, TypeError, AttributeError):
        return  # it is no file of the system
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        msg = "the file object is a device, which may have no end; copy what is wanted to a file"
        raise InvalidFrameError(msg)


def _discard(copy: Path, in_use: Callable[[Path], Collection[str]]) -> None:
    """Remove a copy with its folder, unless somebody holds it or needs it later."""
    with suppress(OSError), copy.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if str(copy) not in in_use(copy):
            copy.unlink()
            copy.parent.rmdir()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
