"""Bytes that came without a file of their own, kept on disk until they are recorded."""

from __future__ import annotations

import io
import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from calrecords.errors import CalRecordsError, ConfigurationError, DataFileNotFoundError
from calrecords.frames import digest_stream

_OPEN_FILES = (io.BufferedReader, io.BufferedRandom, io.FileIO)


class Spool:
    """A folder for the bytes of file objects, each under its checksum and its file name.

    Parameters
    ----------
    folder : Path
        Made when it is first needed. It should outlast the process, so that an interrupted
        ingestion finds its bytes again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    def keep(self, fileobj: BinaryIO, filename: str) -> Path:
        """Return a durable copy of a file object; the same bytes are kept once.

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
        ConfigurationError
            If the folder cannot be written.
        """
        if filename in {"", ".", ".."} or "\0" in filename or Path(filename).name != filename:
            msg = f"{filename!r} is no file name; name the file object without a folder"
            raise DataFileNotFoundError(msg)
        part = self._folder / f"{uuid.uuid4().hex}.part"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with part.open("xb") as copy:
                sha256 = _copy(fileobj, copy)
            path = self._folder / sha256 / filename
            path.parent.mkdir(exist_ok=True)
            part.replace(path)
            for folder in (path.parent, self._folder):
                _sync(folder)
        except CalRecordsError:
            raise
        except OSError as error:
            msg = f"cannot keep {filename} in {self._folder} (CALRECORDS_SPOOL_DIR): {error}"
            raise ConfigurationError(msg) from error
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        return path

    def holds(self, path: str | Path) -> bool:
        """Return whether a path is that of a copy that was kept here."""
        return Path(path).parent.parent == self._folder

    def discard(self, path: str | Path) -> None:
        """Remove a copy that is not needed any more; other files are left alone."""
        path = Path(path)
        if not self.holds(path):
            return
        with suppress(OSError):
            path.unlink(missing_ok=True)
            path.parent.rmdir()


def filename_of(fileobj: BinaryIO, filename: str | os.PathLike[str] | None = None) -> str:
    """Return the name of a file object, without a folder.

    Raises
    ------
    DataFileNotFoundError
        If it has no name, and none is given.
    """
    for name in (filename, getattr(fileobj, "name", None), getattr(fileobj, "filename", None)):
        if isinstance(name, str | os.PathLike) and Path(name).name:
            return Path(name).name
    msg = "the file object has no name; say what the file is called"
    raise DataFileNotFoundError(msg)


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
    try:
        fileobj.seek(0)
        digest = digest_stream(fileobj, sink=copy.write)
    except (AttributeError, TypeError, ValueError) as error:
        msg = f"the file object cannot be read as bytes from its start: {error}; open it with 'rb'"
        raise DataFileNotFoundError(msg) from error
    copy.flush()
    os.fsync(copy.fileno())
    return digest.sha256


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
