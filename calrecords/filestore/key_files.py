"""The files of one key on a local disk: the published one, and its versions aside."""

from __future__ import annotations

import errno
import logging
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from calrecords.errors import (
    ChecksumMismatchError,
    FileStoreRefusedError,
    StoredFileNotFoundError,
    UnsafeKeyError,
)
from calrecords.filestore.part_files import LINK_SUFFIX, PartFile, sync_directory
from calrecords.frames import ContentDigest, StoredFile, digest_stream

logger = logging.getLogger(__name__)

_NO_LINKS = {errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS}
_HEX = frozenset("0123456789abcdef")
_SHA256_LENGTH = 64


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """Where the files of one key are. Errors of the operating system leave as they are.

    Attributes
    ----------
    key : str
        Slash path inside the store.
    published : Path
        What readers find.
    directory : Path
        Holds each version under its sha256.
    """

    key: str
    published: Path
    directory: Path

    def version(self, stored: StoredFile) -> Path | None:
        """Return the file that keeps this version aside, or None."""
        if stored.sha256 is not None:
            path = self.directory / _checked_sha256(stored)
            return path if length_of(path) is not None else None
        if not self.directory.is_dir():
            return None
        # A record that came without our own checksum: one of a few files has its md5.
        paths = sorted(p for p in self.directory.iterdir() if is_sha256(p.name))
        return next((path for path in paths if holds(path, stored)), None)

    def open_version(self, stored: StoredFile) -> BinaryIO:
        """Open this version, kept aside or published by another tool.

        Raises
        ------
        StoredFileNotFoundError
            If it is neither here nor there, or something else than a file is in its place.
        ChecksumMismatchError
            If it has not the length that `stored` says.
        """
        try:
            path = self.version(stored)
            if path is None:
                return self._open_published(stored)
        except FileStoreRefusedError as error:
            raise StoredFileNotFoundError(str(error)) from error
        source = path.open("rb")
        length = os.fstat(source.fileno()).st_size
        if stored.size in (None, length):
            return source
        source.close()
        msg = (
            f"version {stored.version_key} of {self.key} is {length} bytes long instead of "
            f"{stored.size}; it was damaged; store it again from its source"
        )
        raise ChecksumMismatchError(msg)

    def _open_published(self, stored: StoredFile) -> BinaryIO:
        if length_of(self.published) is None:
            msg = f"the file store has no {self.published}, nor version {stored.version_key} of it"
            raise StoredFileNotFoundError(msg)
        source = self.published.open("rb")
        try:
            if _is_of(digest_stream(source), stored):
                source.seek(0)
                return source
        except BaseException:
            source.close()
            raise
        source.close()
        msg = (
            f"version {stored.version_key} of {self.key} is superseded: {self.published} holds "
            "other bytes now, and the older ones were not kept"
        )
        raise StoredFileNotFoundError(msg)

    def publish(self, version: Path, *, keep: bool = True) -> None:
        """Put a version in the published place in one step; what is there is kept aside.

        Parameters
        ----------
        version : Path
            The version aside.
        keep : bool, optional
            False where what is there is known to be worthless.
        """
        if keep:
            self._keep_published()
        temporary = version.with_name(f"{version.name}.{secrets.token_hex(8)}{LINK_SUFFIX}")
        try:
            temporary.hardlink_to(version)
            temporary.replace(self.published)
            sync_directory(self.published.parent)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _copy(version, self.published, self.directory)
        finally:
            # rename(2) does nothing, and leaves both names, if they are links to one file.
            temporary.unlink(missing_ok=True)

    def _keep_published(self) -> None:
        if length_of(self.published) is None:
            return
        linked = self.published.stat().st_nlink > 1
        if linked and any(is_same(path, self.published) for path in self.directory.iterdir()):
            return
        digest = digest_of(self.published)
        target = self.directory / digest.sha256
        if length_of(target) != digest.size:
            logger.warning(
                "%s was put there by another tool; keeping it aside as version %s",
                self.published,
                digest.md5,
            )
            _copy(self.published, target, self.directory)


def length_of(path: Path) -> int | None:
    """Return the length of a file in bytes, or None if there is none.

    Raises
    ------
    FileStoreRefusedError
        If something else than a file is there.
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(found.st_mode):
        msg = f"the file store cannot use {path}, which is no regular file; move it away"
        raise FileStoreRefusedError(msg)
    return found.st_size


def digest_of(path: Path) -> ContentDigest:
    """Return what the bytes of a file are."""
    with path.open("rb") as source:
        return digest_stream(source)


def is_obstructed(path: Path) -> bool:
    """Whether something else than a file is in a place."""
    try:
        length_of(path)
    except FileStoreRefusedError:
        return True
    return False


def holds(path: Path, stored: StoredFile) -> bool:
    """Whether a file is there and has the bytes of a version, by reading it."""
    length = length_of(path)
    if length is None or stored.size not in (None, length):
        return False
    return _is_of(digest_of(path), stored)


def is_sha256(name: str) -> bool:
    """Whether a name is what a version is kept under."""
    return len(name) == _SHA256_LENGTH and set(name) <= _HEX


def is_same(path: Path, other: Path) -> bool:
    """Whether two names lead to one file."""
    try:
        return path.samefile(other)
    except FileNotFoundError:
        return False


def _is_of(digest: ContentDigest, stored: StoredFile) -> bool:
    if stored.sha256 is not None:
        return stored.sha256 == digest.sha256
    return (stored.md5 or stored.version_key) == digest.md5


def _checked_sha256(stored: StoredFile) -> str:
    sha256 = stored.sha256 or ""
    if not is_sha256(sha256):
        msg = f"{sha256!r:.80} is no sha256, so it names no version of {stored.key}"
        raise UnsafeKeyError(msg)
    return sha256


def _copy(path: Path, target: Path, directory: Path) -> None:
    with PartFile(directory, path.name) as part, path.open("rb") as source:
        digest_stream(source, sink=part.write)
        part.move_to(target)
