"""What is left when nothing may be asked over a network."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from typing import BinaryIO, ClassVar

from calrecords.errors import ConfigurationError
from calrecords.filestore import DummyStore, FileStore, FileSystemStore
from calrecords.filestore.base import URL_EXPIRES_S
from calrecords.frames import ContentDigest, StoredFile

WHY_OFFLINE = "calrecords is offline (CALRECORDS_OFFLINE, or offline=True): set it to false"


class OfflineStore(FileStore):
    """Stands for a store that is somewhere else: every use of it says how to go online.

    Parameters
    ----------
    store : FileStore
        What it stands for.
    """

    kind: ClassVar[str] = "offline"
    keeps_versions: ClassVar[bool] = True

    def __init__(self, store: FileStore) -> None:
        self._store = store

    def __repr__(self) -> str:
        return f"OfflineStore({self._store!r})"

    def _refused(self) -> ConfigurationError:
        return ConfigurationError(f"{WHY_OFFLINE} to use {self._store!r}")

    def check(self, *, for_archive: bool = False, again: bool = False) -> None:
        """Raise; see the class."""
        raise self._refused()

    def put(
        self,
        key: str,
        source: BinaryIO,
        digest: ContentDigest,
        *,
        content_type: str = "",
        dateobs: datetime | None = None,
    ) -> StoredFile:
        """Raise; see the class."""
        raise self._refused()

    def publish(self, stored: StoredFile) -> None:
        """Raise; see the class."""
        raise self._refused()

    def find(self, key: str, digest: ContentDigest) -> StoredFile | None:
        """Raise; see the class."""
        raise self._refused()

    def stat(self, stored: StoredFile) -> StoredFile:
        """Raise; see the class."""
        raise self._refused()

    def open(self, stored: StoredFile) -> AbstractContextManager[BinaryIO]:
        """Raise; see the class."""
        raise self._refused()

    def delete(self, stored: StoredFile) -> None:
        """Raise; see the class."""
        raise self._refused()

    def url(self, stored: StoredFile, *, expires_s: int = URL_EXPIRES_S) -> str:
        """Raise; see the class."""
        raise self._refused()

    def not_listed(self) -> ConfigurationError:
        """Return how to go online."""
        return self._refused()

    def close(self) -> None:
        """Close what it stands for."""
        self._store.close()


def offline_store(store: FileStore) -> FileStore:
    """Return a store that asks nothing over a network: this one, where it is on this machine."""
    return store if isinstance(store, FileSystemStore | DummyStore) else OfflineStore(store)
