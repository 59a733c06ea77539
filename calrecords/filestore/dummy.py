"""A file store that keeps nothing, for trials of everything around it."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from datetime import datetime
from typing import BinaryIO, ClassVar, NoReturn

from calrecords.errors import ConfigurationError, StoredFileNotFoundError
from calrecords.filestore.base import URL_EXPIRES_S, FileStore, copy_checked
from calrecords.filestore.keys import check_key
from calrecords.frames import ContentDigest, StoredFile

logger = logging.getLogger(__name__)


class DummyStore(FileStore):
    """Throws every byte away; only ever made when it is asked for by name."""

    kind: ClassVar[str] = "dummy"
    keeps_versions: ClassVar[bool] = False

    def __init__(self) -> None:
        logger.warning(
            "the dummy file store keeps nothing: every file put into it is lost; "
            "set FILESTORE_TYPE to local or s3 to keep files"
        )

    def __repr__(self) -> str:
        return "DummyStore()"

    def check(self, *, for_archive: bool = False, again: bool = False) -> None:
        """Do nothing: there is nothing that could be missing."""

    def put(
        self,
        key: str,
        source: BinaryIO,
        digest: ContentDigest,
        *,
        content_type: str = "",
        dateobs: datetime | None = None,
    ) -> StoredFile:
        """Read the source, verify it, and forget it.

        Raises
        ------
        ChecksumMismatchError
            If the source does not hold what `digest` says.
        """
        check_key(key)
        copy_checked(key, source, digest)
        return StoredFile(key, digest.md5, digest.md5, digest.sha256, digest.size)

    def publish(self, stored: StoredFile) -> None:
        """Do nothing."""
        check_key(stored.key)

    def find(self, key: str, digest: ContentDigest) -> StoredFile | None:
        """Return None: nothing is ever held."""
        check_key(key)
        return None

    def stat(self, stored: StoredFile) -> StoredFile:
        """Raise `StoredFileNotFoundError`, always."""
        self._lost(stored)

    def open(self, stored: StoredFile) -> AbstractContextManager[BinaryIO]:
        """Raise `StoredFileNotFoundError`, always."""
        self._lost(stored)

    def delete(self, stored: StoredFile) -> None:
        """Do nothing."""
        check_key(stored.key)

    def url(self, stored: StoredFile, *, expires_s: int = URL_EXPIRES_S) -> str:
        """Raise `ConfigurationError`, always."""
        msg = "the dummy file store has no URLs; set FILESTORE_TYPE to local or s3"
        raise ConfigurationError(msg)

    def close(self) -> None:
        """Do nothing."""

    def not_listed(self) -> ConfigurationError:
        """Return that nothing is kept, so that there is nothing to list."""
        msg = "the dummy file store keeps nothing; set FILESTORE_TYPE to local or s3"
        return ConfigurationError(msg)

    def _lost(self, stored: StoredFile) -> NoReturn:
        msg = f"the dummy file store threw {stored.key} away; set FILESTORE_TYPE to local or s3"
        raise StoredFileNotFoundError(msg)
