"""What a file store in a folder holds, found by looking through the folder."""

from __future__ import annotations

import heapq
import os
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from calrecords.errors import StoredFileNotFoundError, UnsafeKeyError
from calrecords.filestore.base import FileStore
from calrecords.filestore.key_files import KeyFiles, holds, is_obstructed, is_same, is_sha256
from calrecords.filestore.key_files import digest_of as digest_file
from calrecords.filestore.keys import is_key
from calrecords.filestore.listing import Leftover, LeftoverKind, ListedFile
from calrecords.filestore.part_files import (
    LINK_SUFFIX,
    PART_SUFFIX,
    is_being_written,
    remove_empty_directories,
    remove_stray,
    store_errors,
    sync_directory,
)
from calrecords.frames import ContentDigest, StoredFile

OWN_FOLDER = ".calrecords"
_VERSIONS = "versions"

_Parts = tuple[str, ...]
_Found = tuple[_Parts, os.stat_result, str]
"""Parts of a key, what is known of a file of it, and its sha256 if it is a version aside."""


class ListedFolder(FileStore):
    """The part of a file system store that looks through its folder.

    Keys come in the order of their parts: all of ``a/`` before anything of ``a-b/``.
    """

    @property
    @abstractmethod
    def root(self) -> Path:
        """The folder that holds the store."""

    @abstractmethod
    def _files(self, key: str) -> KeyFiles:
        """Return where the files of a key are."""

    def is_published(self, stored: StoredFile) -> bool:
        """Return whether this version is the file at its key; a copy of it is read.

        Raises
        ------
        FileStoreUnavailableError
            If the file system fails.
        """
        files = self._files(stored.key)
        with store_errors("read", files.published):
            version = files.version(stored)
            if version is not None and is_same(version, files.published):
                return True
            return not is_obstructed(files.published) and holds(files.published, stored)

    def listed(self, prefix: str = "", *, after: str = "") -> Iterator[ListedFile]:
        """Yield every version, and what another tool has put in a published place.

        A published file that is one of its key's versions, or has the length of one, is no
        file of its own. Symbolic links are not followed.

        Raises
        ------
        FileStoreRefusedError
            If a folder cannot be read.
        FileStoreUnavailableError
            If the file system fails.
        """
        behind = tuple(after.split("/")) if after else ()
        aside = _versions_in(self.root / OWN_FOLDER / _VERSIONS, prefix, behind, ())
        published = _published_in(self.root, prefix, behind, ())
        merged = heapq.merge(aside, published, key=lambda found: found[0])
        for parts, files in groupby(merged, key=lambda found: found[0]):
            key = "/".join(parts)
            if not is_key(key):
                continue
            lengths: set[int] = set()
            for _, status, sha256 in files:
                if sha256 or status.st_size not in lengths:
                    yield _listed(key, status, sha256)
                lengths.add(status.st_size)

    def leftovers(self, prefix: str = "") -> Iterator[Leftover]:
        """Yield the files that killed writers left; those that are written to are passed over.

        Raises
        ------
        FileStoreRefusedError, FileStoreUnavailableError
            As for `listed`.
        """
        own = self.root / OWN_FOLDER
        for folder in _folders_below(own):
            key = _key_of(folder, own / _VERSIONS)
            if not key.startswith(prefix):
                continue
            for entry in _entries(folder):
                path = Path(entry.path)
                if path.suffix not in (PART_SUFFIX, LINK_SUFFIX) or is_being_written(path):
                    continue
                status = _status(entry)
                if status is not None:
                    # A link has the times of the file that it leads to, but for this one.
                    began = datetime.fromtimestamp(status.st_ctime, UTC)
                    name = path.relative_to(self.root).as_posix()
                    yield Leftover(kind=LeftoverKind.PART_FILE, key=key, name=name, began=began)

    def digest_of(self, listed: ListedFile) -> ContentDigest:
        """Read a listed file, and return what its bytes are.

        Raises
        ------
        StoredFileNotFoundError
            If it is gone.
        FileStoreRefusedError
            If it cannot be read.
        """
        path = _path_of(self._files(listed.key), listed)
        with store_errors("read", path):
            try:
                return digest_file(path)
            except FileNotFoundError as error:
                msg = f"the file store has no {path} any more"
                raise StoredFileNotFoundError(msg) from error

    def remove(self, listed: ListedFile) -> bool:
        """Remove exactly this file, in its published place too; return whether it is gone.

        Raises
        ------
        FileStoreRefusedError
            If the folder is read-only.
        """
        files = self._files(listed.key)
        path = _path_of(files, listed)
        with store_errors("delete", path):
            try:
                if _listed(listed.key, path.stat(), listed.sha256 or "") != listed:
                    return False
            except FileNotFoundError:
                return True
            if path != files.published and is_same(path, files.published):
                files.published.unlink(missing_ok=True)
                sync_directory(files.published.parent)
            path.unlink(missing_ok=True)
            sync_directory(path.parent)
        remove_empty_directories(path.parent, below=self.root)
        return True

    def discard(self, leftover: Leftover) -> bool:
        """Remove what a killed writer left, unless somebody writes to it.

        Raises
        ------
        FileStoreRefusedError
            If the folder is read-only.
        UnsafeKeyError
            If the name is not one that `leftovers` gives.
        """
        path = self.root / leftover.name
        own = self.root / OWN_FOLDER
        if ".." in path.parts or not path.is_relative_to(own):
            msg = f"{leftover.name!r} is no leftover of {self!r}, and stays"
            raise UnsafeKeyError(msg)
        with store_errors("delete", path):
            if not remove_stray(path):
                return False
        remove_empty_directories(path.parent, below=self.root)
        return True


def _path_of(files: KeyFiles, listed: ListedFile) -> Path:
    return files.directory / listed.sha256 if listed.sha256 else files.published


def _listed(key: str, status: os.stat_result, sha256: str) -> ListedFile:
    modified = datetime.fromtimestamp(status.st_mtime, UTC)
    return ListedFile(key=key, size=status.st_size, modified=modified, sha256=sha256 or None)


def _versions_in(folder: Path, prefix: str, behind: _Parts, parts: _Parts) -> Iterator[_Found]:
    entries = _entries(folder)
    if _is_wanted(parts, prefix, behind):
        for entry in entries:
            if is_sha256(entry.name) and (status := _status(entry)) is not None:
                yield parts, status, entry.name
    for entry in entries:
        below = (*parts, entry.name)
        if entry.is_dir(follow_symlinks=False) and _may_hold(below, prefix, behind):
            yield from _versions_in(Path(entry.path), prefix, behind, below)


def _published_in(folder: Path, prefix: str, behind: _Parts, parts: _Parts) -> Iterator[_Found]:
    for entry in _entries(folder):
        below = (*parts, entry.name)
        if below == (OWN_FOLDER,):
            continue
        if entry.is_dir(follow_symlinks=False):
            if _may_hold(below, prefix, behind):
                yield from _published_in(Path(entry.path), prefix, behind, below)
        elif _is_wanted(below, prefix, behind) and (status := _status(entry)) is not None:
            yield below, status, ""


def _is_wanted(parts: _Parts, prefix: str, behind: _Parts) -> bool:
    return bool(parts) and "/".join(parts).startswith(prefix) and parts > behind


def _may_hold(parts: _Parts, prefix: str, behind: _Parts) -> bool:
    """Return whether keys below a folder may be wanted."""
    begins = "/".join(parts) + "/"
    alike = begins.startswith(prefix) or prefix.startswith(begins)
    return (alike or "/".join(parts).startswith(prefix)) and parts >= behind[: len(parts)]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what is in a folder, by name; nothing if it is gone."""
    with store_errors("list", folder):
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except FileNotFoundError:
            return []


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Return what is known of a regular file; None if it is none, or is gone."""
    with store_errors("read", Path(entry.path)), suppress(FileNotFoundError):
        if entry.is_file(follow_symlinks=False):
            return entry.stat(follow_symlinks=False)
    return None


def _folders_below(folder: Path) -> Iterator[Path]:
    yield folder
    for entry in _entries(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from _folders_below(Path(entry.path))


def _key_of(folder: Path, versions: Path) -> str:
    inside = folder.is_relative_to(versions) and folder != versions
    return folder.relative_to(versions).as_posix() if inside else ""
