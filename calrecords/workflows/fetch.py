"""The bytes of a recorded frame: from the cache, the file store or the archive, verified."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from calrecords.archive import ArchiveClient
from calrecords.errors import (
    ArchiveError,
    CalRecordsError,
    ChecksumMismatchError,
    ConfigurationError,
    FileStoreError,
    FrameNotFoundError,
    RecordNotFoundError,
    StoredFileNotFoundError,
    TransientError,
)
from calrecords.filestore import FileStore
from calrecords.frames import CalibrationFrame, ContentDigest
from calrecords.records import RecordDatabase
from calrecords.workflows.cache import FileCache
from calrecords.workflows.first_fetch import with_checksum

log = logging.getLogger(__name__)

_NOWHERE = (StoredFileNotFoundError, ChecksumMismatchError, FrameNotFoundError)


class FetchSource(StrEnum):
    """Where bytes may come from when the cache has none."""

    STORE = "store"
    ARCHIVE = "archive"


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to the bytes of a version.

    Attributes
    ----------
    name : str
        For messages.
    write : callable
        Writes them to a file, and returns what they are.
    """

    name: str
    write: Callable[[BinaryIO], ContentDigest]


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
    database : RecordDatabase
        Told what is learned of bytes that were not read before, and asked for other records
        of the same bytes.
    why_no_archive : str, optional
        Why there is none, and what to do.
    """

    def __init__(
        self,
        cache: FileCache,
        store: FileStore,
        archive: ArchiveClient | None,
        database: RecordDatabase,
        *,
        why_no_archive: str = "no archive is named",
    ) -> None:
        self._cache = cache
        self._store = store
        self._archive = archive
        self._database = database
        self._why_no_archive = why_no_archive

    def fetch(
        self,
        frame: CalibrationFrame,
        source: FetchSource | None = None,
        *,
        alternatives: bool = False,
    ) -> Path:
        """Return a local path whose bytes have the recorded checksum.

        Parameters
        ----------
        frame : CalibrationFrame
            The version of it that is wanted.
        source : FetchSource, optional
            Take the bytes from there, even where the cache has them; by default from the
            cache, else the store, else the archive.
        alternatives : bool, optional
            Where this version is nowhere any more, return a newer recorded version of the
            same frame, and say so in the log.

        Raises
        ------
        ChecksumMismatchError
            If what can be had is not what was recorded.
        StoredFileNotFoundError
            If neither the store nor the archive has this version any more.
        RecordNotFoundError
            If no checksum is recorded for it, and the archive cannot be asked for one.
        ConfigurationError
            If `source` is the archive and none is named.
        ArchiveError, FileStoreError
            If they cannot be reached, or refuse.
        """
        try:
            return self._fetch(frame, source)
        except _NOWHERE as error:
            if not alternatives:
                raise
            return self._newer(frame, source, error)

    def _fetch(self, frame: CalibrationFrame, source: FetchSource | None) -> Path:
        if frame.version.md5 is None:
            why = self._why_no_archive
            frame = with_checksum(frame, self._database, self._archive, why_no_archive=why)
        if source is FetchSource.STORE:
            return self._keep(
                frame, _Way("store", lambda sink: self._from_store(frame, sink)), anew=True
            )
        if source is FetchSource.ARCHIVE:
            way = _Way("archive", lambda sink: self._from_archive(frame, frame, sink))
            return self._keep(frame, way, anew=True)
        if (path := self._cache.get(frame)) is not None:
            return path
        failures: list[tuple[str, CalRecordsError]] = []
        for way in self._ways(frame):
            try:
                return self._keep(frame, way)
            except (ArchiveError, FileStoreError) as error:
                log.info("%s: %s: %s", frame.filename, way.name, error)
                failures.append((way.name, error))
        raise self._everything_tried(frame, failures)

    def _newer(
        self, frame: CalibrationFrame, source: FetchSource | None, error: CalRecordsError
    ) -> Path:
        """Return a newer version of a frame, the newest first, or raise what is given."""
        for newer in self._database.versions(frame.basename):
            if newer.version.md5 == frame.version.md5:
                break
            try:
                path = self._fetch(newer, source)
            except _NOWHERE as another:
                log.info("%s: %s", newer.filename, another)
                continue
            log.warning(
                "%s: its version with md5 %s cannot be had any more; a newer version of the "
                "frame, with md5 %s, is used in its place: %s",
                *(frame.filename, frame.version.md5, newer.version.md5, error),
            )
            return path
        raise error

    def _ways(self, frame: CalibrationFrame) -> Iterator[_Way]:
        """Yield each way to the bytes of a version: its own first, then those of its copies."""
        yield from self._ways_of(frame, frame, "")
        if frame.version.md5 is None:
            return
        for other in self._database.with_md5(frame.version.md5):
            if other.basename != frame.basename:
                yield from self._ways_of(frame, other, f" as {other.basename}")

    def _ways_of(self, frame: CalibrationFrame, one: CalibrationFrame, name: str) -> Iterator[_Way]:
        if one.version.stored() is not None:
            yield _Way(f"the file store{name}", lambda sink: self._from_store(one, sink))
        if one.frame_id is not None and self._archive is not None:
            yield _Way(f"the archive{name}", lambda sink: self._from_archive(frame, one, sink))

    def _keep(self, frame: CalibrationFrame, way: _Way, *, anew: bool = False) -> Path:
        digests: list[ContentDigest] = []

        def write(sink: BinaryIO) -> ContentDigest:
            digests.append(way.write(sink))
            return digests[-1]

        path = self._cache.add(frame, write, anew=anew)
        if digests:
            self._learn(frame, digests[-1])
        return path

    def _learn(self, frame: CalibrationFrame, digest: ContentDigest) -> None:
        """Record what a frame that was recorded without its bytes turns out to be."""
        if None not in {frame.version.sha256, frame.version.size}:
            return
        log.info(
            "%s: verified by the archive's md5; its size and SHA-256 are recorded now",
            frame.filename,
        )
        try:
            self._database.complete(frame, digest)
        except CalRecordsError as error:
            log.warning("%s: what it is could not be recorded: %s", frame.filename, error)

    def _everything_tried(
        self, frame: CalibrationFrame, failures: list[tuple[str, CalRecordsError]]
    ) -> CalRecordsError:
        """Return the error to raise: one that may pass before one that stays."""
        if not failures:
            return StoredFileNotFoundError(
                f"{frame.filename}: recorded with neither a store key nor a frame ID that can be "
                f"asked for; ingest the file again, or mend this: {self._why_no_archive}"
            )
        errors = [error for _, error in failures]
        not_asked = self._archive is None and frame.frame_id is not None
        if len(errors) == 1 and not not_asked:
            return errors[0]
        transient = [error for error in errors if isinstance(error, TransientError)]
        lasting = [error for error in errors if not isinstance(error, _NOWHERE)]
        worst = [*transient, *lasting, *errors][0]
        said = "; ".join(f"{name}: {error}" for name, error in failures)
        said += f"; the archive: not asked: {self._why_no_archive}" if not_asked else ""
        chosen = copy.copy(worst)
        chosen.args = (f"{frame.filename}: its bytes cannot be had: {said}",)
        chosen.__cause__ = worst
        return chosen

    def _from_store(self, frame: CalibrationFrame, sink: BinaryIO) -> ContentDigest:
        stored = frame.version.stored()
        if stored is None:
            msg = f"{frame.filename}: recorded without its place in the file store"
            raise StoredFileNotFoundError(msg)
        return self._store.copy_to(stored, sink)

    def _from_archive(
        self, frame: CalibrationFrame, one: CalibrationFrame, sink: BinaryIO
    ) -> ContentDigest:
        if self._archive is None or one.frame_id is None:
            why = self._why_no_archive if self._archive is None else "it has no frame ID"
            msg = f"{frame.filename}: cannot be asked of an archive: {why}"
            raise ConfigurationError(msg)
        md5 = frame.version.md5
        if md5 is None:
            msg = f"{frame.filename}: recorded without a checksum, so no bytes can be verified"
            raise RecordNotFoundError(msg)
        found = self._archive.frame(one.frame_id)
        return self._archive.download(found, md5, sink, size=frame.version.size)
