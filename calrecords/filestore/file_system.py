"""A file store in a folder: what readers see is whole, and no version is ever lost.

::

    root/<key>                                  what readers find: a link to the version
                                                that was published last
    root/.calrecords/versions/<key>/<sha256>    every version, under its own checksum
"""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, ClassVar
from urllib.parse import quote

from calrecords.errors import ConfigurationError, FileStoreUnavailableError, UnsafeKeyError
from calrecords.filestore.base import URL_EXPIRES_S, copy_checked
from calrecords.filestore.folder_listing import OWN_FOLDER, ListedFolder
from calrecords.filestore.key_files import KeyFiles, digest_of, holds, is_same, length_of
from calrecords.filestore.keys import check_key
from calrecords.filestore.part_files import (
    ATTEMPTS,
    PAUSE_S,
    PartFile,
    make_directories,
    remove_empty_directories,
    remove_strays,
    store_errors,
    sync_directory,
)
from calrecords.frames import ContentDigest, StoredFile

logger = logging.getLogger(__name__)


class FileSystemStore(ListedFolder):
    """Keeps files in a folder, as the Science Archive's local storage has them.

    The folder has no versions of its own, so the version key is the md5 [1]_. `put` keeps a
    version aside; only `publish` puts it in its place, so that a frame that is refused by
    the archive never replaces good bytes.

    Parameters
    ----------
    root : Path
        The folder; made, when it is first written to, if it is not there.
    base_url : str, optional
        Where a web server shows this folder.

    References
    ----------
    .. [1] Science Archive 2.7.2 with ``FILESTORE_TYPE=local``: ``version_set[].key`` is the
       md5, and the URL is ``FILESYSTEM_STORAGE_BASE_URL`` followed by the key.
    """

    kind: ClassVar[str] = "file system"
    keeps_versions: ClassVar[bool] = False

    def __init__(self, root: Path, *, base_url: str | None = None) -> None:
        self._root = Path(root).expanduser().absolute()
        self._base_url = base_url
        self._checked = False

    def __repr__(self) -> str:
        return f"FileSystemStore({str(self._root)!r})"

    @property
    def root(self) -> Path:
        """The folder that holds the store."""
        return self._root

    def check(self, *, for_archive: bool = False, again: bool = False) -> None:
        """Raise if no file can be written; makes the folder if it is not there.

        Raises
        ------
        FileStoreRefusedError
            If the folder cannot be made or written to.
        FileStoreUnavailableError
            If the file system fails, or is full.
        """
        if self._checked and not again:
            return
        remove_strays(self._root / OWN_FOLDER)
        with PartFile(self._root / OWN_FOLDER, "check") as part:
            part.write(b"calrecords")
        self._checked = True

    def put(
        self,
        key: str,
        source: BinaryIO,
        digest: ContentDigest,
        *,
        content_type: str = "",
        dateobs: datetime | None = None,
    ) -> StoredFile:
        """Keep what is left in `source` as a version of `key`, not yet seen by readers.

        Raises
        ------
        ChecksumMismatchError
            If `source` does not hold what `digest` says.
        FileStoreRefusedError
            If the folder is read-only, or something is in the way.
        FileStoreUnavailableError
            If the file system fails, or is full.
        """
        files = self._files(key)
        if _has(files, digest):
            return _stored(key, digest)
        return self._put_new(files, source, digest)

    def put_anew(
        self,
        stored: StoredFile,
        source: BinaryIO,
        digest: ContentDigest,
        *,
        content_type: str = "",
        dateobs: datetime | None = None,
    ) -> StoredFile:
        """Put good bytes in the place of a damaged version in one step, published as it was.

        Raises
        ------
        ChecksumMismatchError
            If `source` does not hold what `digest` says; the damaged version stays.
        """
        files = self._files(stored.key)
        version = files.directory / digest.sha256
        with store_errors("read", files.published):
            was_published = is_same(version, files.published)
        anew = self._put_new(files, source, digest)
        if was_published:
            with store_errors("publish", files.published):
                files.publish(version, keep=False)
        return anew

    def _put_new(self, files: KeyFiles, source: BinaryIO, digest: ContentDigest) -> StoredFile:
        directory = files.directory
        try:
            with PartFile(directory, digest.sha256) as part:
                copy_checked(files.key, source, digest, part.write)
                part.move_to(directory / digest.sha256)
        except BaseException:
            remove_empty_directories(directory, below=self._root)
            raise
        logger.debug("stored %s, sha256 %s, in %s", files.key, digest.sha256, self._root)
        return replace(_stored(files.key, digest), is_new=True)

    def publish(self, stored: StoredFile) -> None:
        """Make this version what readers find at its key, in one step.

        What another tool had put there is first kept as a version of its own.

        Raises
        ------
        StoredFileNotFoundError
            If the store does not hold this version.
        FileStoreRefusedError
            If the folder is read-only, or something is in the way.
        """
        files = self._files(stored.key)
        with store_errors("publish", files.published):
            version = files.version(stored)
            if version is None:
                files.open_version(stored).close()  # there by another tool, or an error
                return
            for attempt in range(ATTEMPTS):
                if attempt:
                    time.sleep(PAUSE_S * attempt)
                if is_same(version, files.published) or holds(files.published, stored):
                    sync_directory(files.published.parent)
                    remove_strays(files.directory)
                    return
                with suppress(FileNotFoundError):  # another process tidied up: begin again
                    changed = make_directories(files.published.parent)
                    files.publish(version)
                    for folder in changed:
                        sync_directory(folder)
                    remove_strays(files.directory)
                    return
        msg = f"the file store cannot publish {files.published}: a file vanishes; try again"
        raise FileStoreUnavailableError(msg)

    def find(self, key: str, digest: ContentDigest) -> StoredFile | None:
        """Return the version of `key` with this content, or None; remove strays of `key`.

        A version of the right length under its checksum is taken to be whole, since it got
        that name only when it was; a published file of another tool is read and compared.
        """
        return _stored(key, digest) if _has(self._files(key), digest) else None

    def stat(self, stored: StoredFile) -> StoredFile:
        """Return this version with its size; md5 and sha256 are as they were given.

        Raises
        ------
        StoredFileNotFoundError
            If the store does not hold this version.
        """
        with self.open(stored) as source:
            size = os.fstat(source.fileno()).st_size
        md5 = stored.md5 or stored.version_key
        return StoredFile(stored.key, stored.version_key, md5, stored.sha256, size)

    @contextmanager
    def open(self, stored: StoredFile) -> Iterator[BinaryIO]:
        """Open exactly this version for reading.

        Raises
        ------
        StoredFileNotFoundError
            If it is neither among the versions nor the published file.
        ChecksumMismatchError
            If it has not the length that `stored` says: the disk lost some of it.
        """
        files = self._files(stored.key)
        with store_errors("read", files.published):
            source = files.open_version(stored)
        with source:
            yield source

    def delete(self, stored: StoredFile) -> None:
        """Remove this version, and the published file if it is the same.

        Nobody should publish another version of this key at the same moment.

        Raises
        ------
        FileStoreRefusedError
            If the folder is read-only.
        """
        files = self._files(stored.key)
        with store_errors("delete", files.published):
            version = files.version(stored)
            linked = version is not None and is_same(version, files.published)
            if linked or holds(files.published, stored):
                files.published.unlink(missing_ok=True)
                sync_directory(files.published.parent)
            if version is not None:
                version.unlink(missing_ok=True)
                sync_directory(files.directory)
        remove_empty_directories(files.directory, below=self._root)

    def url(self, stored: StoredFile, *, expires_s: int = URL_EXPIRES_S) -> str:
        """Return where the web server shows what is published at the key.

        Raises
        ------
        ConfigurationError
            If the store was made without a base URL.
        """
        check_key(stored.key)
        if not self._base_url:
            msg = (
                f"the file store in {self._root} has no URL; "
                "set FILESYSTEM_STORAGE_BASE_URL to where a web server shows it"
            )
            raise ConfigurationError(msg)
        return f"{self._base_url.rstrip('/')}/{quote(stored.key)}"

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _files(self, key: str) -> KeyFiles:
        root = Path(os.path.realpath(self._root))
        own = root / OWN_FOLDER / "versions"
        with store_errors("read", root / check_key(key)):
            published = _inside(root, key, root=root)
            directory = _inside(own, key, root=root)
        if published.is_relative_to(root / OWN_FOLDER):
            msg = f"the store key {key} leads into {OWN_FOLDER} by a symbolic link; remove it"
            raise UnsafeKeyError(msg)
        return KeyFiles(key, published, directory)


def _has(files: KeyFiles, digest: ContentDigest) -> bool:
    """Return whether a version is there; remove strays beside it."""
    remove_strays(files.directory)
    with store_errors("read", files.published):
        if length_of(files.directory / digest.sha256) == digest.size:
            return True
        return length_of(files.published) == digest.size and digest_of(files.published) == digest


def _stored(key: str, digest: ContentDigest) -> StoredFile:
    return StoredFile(key, digest.md5, digest.md5, digest.sha256, digest.size)


def _inside(folder: Path, key: str, *, root: Path) -> Path:
    """Return where a key leads from a folder; links below the root may lead within the folder."""
    place = str(root)
    for part in (folder / key).relative_to(root).parts:
        place = f"{place}/{part}"
        try:
            is_link = stat.S_ISLNK(os.lstat(place).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            break
        if is_link:
            return _followed(folder, folder / key)
    return folder / key


def _followed(folder: Path, path: Path) -> Path:
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(folder):
        msg = f"{path} leads out of the file store by a symbolic link; remove that link"
        raise UnsafeKeyError(msg)
    return real
