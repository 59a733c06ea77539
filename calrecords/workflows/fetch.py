"""The bytes of a recorded frame: from the cache, the file store or the archive, verified."""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from calrecords.archive import ArchiveClient
from calrecords.errors import (
    ArchiveError,
    CalRecordsError,
    ConfigurationError,
    FileStoreError,
    RecordNotFoundError,
    StoredFileNotFoundError,
)
from calrecords.filestore import FileStore
from calrecords.frames import CalibrationFrame, ContentDigest
from calrecords.workflows.cache import FileCache

log = logging.getLogger(__name__)


class FetchSource(StrEnum):
    """Where bytes may come from when the cache has none."""

    STORE = "store"
    ARCHIVE = "archive"


class Fetcher:
    """Gives verified local copies of recorded frames.

    Parameters
    ----------
    cache : FileCache
        Where copies are kept.
    store : FileStore
        Asked first, since that costs the archive nothing.
    archive : ArchiveClient or None
        Asked by frame ID where the store does not have the version.
    """

    def __init__(self, cache: FileCache, store: FileStore, archive: ArchiveClient | None) -> None:
        self._cache = cache
        self._store = store
        self._archive = archive

    def fetch(self, frame: CalibrationFrame, source: FetchSource | None = None) -> Path:
        """Return a local path whose bytes have the recorded checksum.

        Parameters
        ----------
        frame : CalibrationFrame
            The version of it that is wanted.
        source : FetchSource, optional
            Take the bytes from there, even where the cache has them; by default from the
            cache, else the store, else the archive.

        Raises
        ------
        ChecksumMismatchError
            If what can be had is not what was recorded.
        StoredFileNotFoundError
            If neither the store nor the archive has this version any more.
        RecordNotFoundError
            If no checksum is recorded for it.
        ConfigurationError
            If `source` is the archive and none is named.
        ArchiveError, FileStoreError
            If they cannot be reached, or refuse.
        """
        if source is None and (path := self._cache.get(frame)) is not None:
            return path
        ways = {
            FetchSource.STORE: (self._has_key(frame), self._from_store),
            FetchSource.ARCHIVE: (self._has_frame_id(frame), self._from_archive),
        }
        if source is not None:
            return self._cache.add(frame, _writer(frame, ways[source][1]))
        return self._first_that_works(frame, [way for possible, way in ways.values() if possible])

    def _first_that_works(
        self,
        frame: CalibrationFrame,
        ways: list[Callable[[CalibrationFrame, BinaryIO], ContentDigest]],
    ) -> Path:
        failure: CalRecordsError | None = None
        for way in ways:
            try:
                return self._cache.add(frame, _writer(frame, way))
            except (ArchiveError, FileStoreError) as error:
                log.warning("%s: %s", frame.filename, error)
                failure = failure or error
        if failure is not None:
            raise failure
        msg = (
            f"{frame.filename}: recorded with neither a store key nor a frame ID that can be "
            "asked for; name the archive (API_ROOT), or ingest the file again"
        )
        raise StoredFileNotFoundError(msg)

    def _has_key(self, frame: CalibrationFrame) -> bool:
        return frame.version.stored() is not None

    def _has_frame_id(self, frame: CalibrationFrame) -> bool:
        return frame.frame_id is not None and self._archive is not None

    def _from_store(self, frame: CalibrationFrame, sink: BinaryIO) -> ContentDigest:
        stored = frame.version.stored()
        if stored is None:
            msg = f"{frame.filename}: recorded without its place in the file store"
            raise StoredFileNotFoundError(msg)
        return self._store.copy_to(stored, sink)

    def _from_archive(self, frame: CalibrationFrame, sink: BinaryIO) -> ContentDigest:
        if self._archive is None or frame.frame_id is None:
            msg = f"{frame.filename}: name its archive (API_ROOT) to download it by frame ID"
            raise ConfigurationError(msg)
        if frame.version.md5 is None:
            msg = f"{frame.filename}: recorded without a checksum, so no bytes can be verified"
            raise RecordNotFoundError(msg)
        return self._archive.download(self._archive.frame(frame.frame_id), frame.version.md5, sink)


def _writer(
    frame: CalibrationFrame, way: Callable[[CalibrationFrame, BinaryIO], ContentDigest]
) -> Callable[[BinaryIO], ContentDigest]:
    return lambda sink: way(frame, sink)
