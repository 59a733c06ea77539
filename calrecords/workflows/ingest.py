"""Ingestion that loses nothing: store, register and record by the journal, and resume.

Each step's effect is durable before its state is written, and each step first asks the
outside world what is already true, so that every one of them can be repeated.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from calrecords.archive import ArchiveClient, ArchiveFrame
from calrecords.datafiles import DataFile, check_archivable
from calrecords.datafiles.regular_files import open_regular_file
from calrecords.errors import (
    ArchiveRefusedError,
    ArchiveUnavailableError,
    CalRecordsError,
    ChecksumMismatchError,
    ConfigurationError,
    DataFileNotFoundError,
    DuplicateRecordError,
    RecordNotFoundError,
    RecordsUnavailableError,
    StoredFileNotFoundError,
    VersionExistsError,
)
from calrecords.filestore import FileStore
from calrecords.frames import CalibrationFrame, Ingestion, StoredFile, digest_stream
from calrecords.records import Claim, Intent, Journal, NewVersion, RecordDatabase
from calrecords.vocabulary import IngestionState
from calrecords.workflows.results import IngestOutcome, IngestResult, IngestStep

log = logging.getLogger(__name__)

WAIT_FOR_OTHERS_S = 600.0
"""How long to wait for another worker that is at the same basename."""

_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.02, 0.5


def _go_on(_step: IngestStep) -> None:
    """Do nothing between two steps."""


class Ingester:
    """Brings calibration frames into the file store, the archive and the records.

    Parameters
    ----------
    database : RecordDatabase
        Where frames are recorded.
    store : FileStore
        Where bytes are kept.
    archive : ArchiveClient or None
        The archive that gives frame IDs.
    on_step : callable, optional
        Called with each `IngestStep` once it is reached; what it raises ends the ingestion
        there, to be resumed.
    """

    def __init__(
        self,
        database: RecordDatabase,
        store: FileStore,
        archive: ArchiveClient | None,
        *,
        on_step: Callable[[IngestStep], None] = _go_on,
    ) -> None:
        self._database = database
        self._journal = Journal(database)
        self._store = store
        self._archive = archive
        self._on_step = on_step

    def ingest(self, data_file: DataFile) -> IngestResult:
        """Ingest one file, and return its frame with the archive's frame ID.

        Raises
        ------
        ConfigurationError
            If no archive is named, or the store or a right is not as it must be.
        DataFileError
            If the file is not one that the archive takes.
        DuplicateRecordError
            If the basename is another frame's, here or in the archive.
        ArchiveError, FileStoreError, RecordError
            If a step failed; what is transient can be resumed.
        """
        archive = self._demand_archive()
        frame = self._recorded(data_file)
        if frame is not None and frame.frame_id is not None:
            return IngestResult(_place(data_file), IngestOutcome.ALREADY_THERE, frame)
        key = data_file.store_key
        record = check_archivable(data_file, archive.observation_types())
        self._database.belongs_to(archive.root)
        self._store.check(for_archive=True)
        return self._carry_out(self._claim(data_file, key, record))

    def register(self, data_file: DataFile) -> IngestResult:
        """Store and record one file that no archive is told of; it gets no frame ID.

        Raises
        ------
        DataFileError
            If the file cannot be used.
        DuplicateRecordError
            If the basename is another frame's.
        FileStoreError, RecordError
            If a step failed; what is transient can be resumed.
        """
        if (frame := self._recorded(data_file)) is not None:
            return IngestResult(_place(data_file), IngestOutcome.ALREADY_THERE, frame)
        key = data_file.store_key
        self._store.check()
        return self._carry_out(self._claim(data_file, key, None))

    def resume(self) -> list[IngestResult]:
        """Take up every unfinished ingestion where it stands; one result for each."""
        results = []
        for ingestion in self._journal.unfinished():
            claim = self._journal.claim(ingestion.id)
            if claim is None:
                results.append(IngestResult(ingestion.path, IngestOutcome.IN_PROGRESS))
                continue
            try:
                results.append(self._carry_out(claim))
            except CalRecordsError as error:
                log.warning("%s: not ingested: %s", ingestion.path, error)
                results.append(IngestResult(ingestion.path, IngestOutcome.FAILED, error=error))
        return results

    def _demand_archive(self) -> ArchiveClient:
        if self._archive is None:
            msg = (
                "no archive is named, so there is no frame ID to be had; set API_ROOT and "
                "AUTH_TOKEN, or pass archive= and token="
            )
            raise ConfigurationError(msg)
        return self._archive

    def _recorded(self, data_file: DataFile) -> CalibrationFrame | None:
        try:
            return self._database.get(basename=data_file.basename, md5=data_file.digest().md5)
        except RecordNotFoundError:
            return None

    def _claim(self, data_file: DataFile, key: str, record: dict[str, Any] | None) -> Claim:
        path = _place(data_file)
        intent = Intent(
            path=path,
            basename=data_file.basename,
            extension=data_file.extension,
            digest=data_file.digest(),
            facts=data_file.facts,
            archive_record=record,
            key=key,
            content_type=data_file.content_type,
        )
        give_up = time.monotonic() + WAIT_FOR_OTHERS_S
        pause_s = _FIRST_LOOK_S
        while (claim := self._journal.intend(intent)) is None:
            if time.monotonic() > give_up:
                msg = f"{path}: another worker has been at this frame for too long; try later"
                raise RecordsUnavailableError(msg)
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_LOOK_S)
        return claim

    def _carry_out(self, claim: Claim) -> IngestResult:
        try:
            archive = None
            if claim.ingestion.archive_record is not None:
                archive = self._demand_archive()
                self._database.belongs_to(archive.root)
            with claim.kept():
                return _Steps(claim, self._database, self._store, archive, self._on_step).run()
        except CalRecordsError as error:
            with _noting():
                claim.fail(error)
            raise
        except BaseException:
            with _noting():
                claim.release()
            raise


@contextmanager
def _noting() -> Iterator[None]:
    """Write down how it ended; where that fails too, the lease ends by itself."""
    try:
        yield
    except CalRecordsError as error:
        log.warning("the journal could not be told how an ingestion ended: %s", error)


def _place(data_file: DataFile) -> str:
    return str(data_file.path.absolute())


class _Steps:
    """The steps of one claimed ingestion."""

    def __init__(
        self,
        claim: Claim,
        database: RecordDatabase,
        store: FileStore,
        archive: ArchiveClient | None,
        reached: Callable[[IngestStep], None],
    ) -> None:
        self._claim = claim
        self._database = database
        self._store = store
        self._archive = archive
        self._reached = reached
        self._outcome = IngestOutcome.REGISTERED if archive is None else IngestOutcome.INGESTED
        self._stored: StoredFile | None = None
        begun = claim.ingestion
        self._is_first = begun.state is IngestionState.INTENDED and begun.version_key is None

    @property
    def _now(self) -> Ingestion:
        return self._claim.ingestion

    def run(self) -> IngestResult:
        """Do what is left to do."""
        if self._now.state is IngestionState.INTENDED:
            self._reached(IngestStep.INTENDED)
            if self._archive is not None:
                self._ask(self._archive)
        if self._now.state is IngestionState.INTENDED:
            self._put()
        if self._now.state is IngestionState.STORED and self._archive is not None:
            self._register(self._archive)
        return self._record()

    def _ask(self, archive: ArchiveClient) -> None:
        """Take over what the archive already has; refuse another frame's name."""
        frame = archive.find(self._now.basename)
        if frame is None:
            return
        _demand_same_frame(self._now, frame)
        version = frame.version_with(self._now.digest.md5)
        if version is None:
            self._outcome = IngestOutcome.NEW_VERSION
            return
        self._outcome = IngestOutcome.ALREADY_THERE
        self._archived(frame)

    def _put(self) -> None:
        now = self._now
        try:
            with open_regular_file(Path(now.path)) as source:
                self._stored = self._store.put(
                    now.key,
                    source,
                    now.digest,
                    content_type=now.content_type,
                    dateobs=None if now.facts is None else now.facts.dateobs,
                )
        except ChecksumMismatchError:
            _demand_unchanged(now)
            raise
        self._reached(IngestStep.PUT)
        self._claim.advance(IngestionState.STORED, version_key=self._stored.version_key)
        self._reached(IngestStep.STORED)

    def _register(self, archive: ArchiveClient) -> None:
        now = self._now
        version_key = str(now.version_key)
        try:
            frame = archive.create_frame(
                now.archive_record or {},
                version_key=version_key,
                md5=now.digest.md5,
                extension=now.extension,
            )
        except (ArchiveRefusedError, VersionExistsError) as error:
            if error.nothing_taken and self._is_first:
                self._claim.advance(IngestionState.INTENDED)
                if self._withdraw(version_key):
                    self._claim.advance(IngestionState.INTENDED, version_key=None)
            raise
        if len(frame.versions) > 1 and self._outcome is IngestOutcome.INGESTED:
            self._outcome = IngestOutcome.NEW_VERSION
        self._archived(frame)

    def _archived(self, frame: ArchiveFrame) -> None:
        """Write down what the archive says of our version."""
        ours, now = frame.version_with(self._now.digest.md5), self._now
        if ours is None:
            msg = f"{now.path}: the archive answered with frame {frame.frame_id}, without our file"
            raise ArchiveUnavailableError(msg)
        if now.version_key is not None and ours.version_key != now.version_key:
            self._withdraw(now.version_key)
            self._stored = None
        self._reached(IngestStep.REGISTERED)
        self._claim.advance(
            IngestionState.ARCHIVED,
            frame_id=frame.frame_id,
            version_key=ours.version_key,
            archived_at=ours.created,
        )
        self._reached(IngestStep.ARCHIVED)

    def _record(self) -> IngestResult:
        now = self._now
        stored = self._stored or self._held()
        if stored is not None and not self._database.is_superseded(now.basename, now.archived_at):
            self._store.publish(stored)
        self._reached(IngestStep.PUBLISHED)
        if now.facts is None:
            msg = f"{now.path}: its journal entry has no facts; ingest the file again"
            raise RecordsUnavailableError(msg)
        frame = self._claim.finish(
            NewVersion(
                basename=now.basename,
                extension=now.extension,
                facts=now.facts,
                digest=now.digest,
                key=None if stored is None else stored.key,
                version_key=now.version_key,
                frame_id=now.frame_id,
                archived_at=now.archived_at,
            )
        )
        self._reached(IngestStep.RECORDED)
        return IngestResult(now.path, self._outcome, frame)

    def _held(self) -> StoredFile | None:
        """Return what our store has of the version that the archive names, if anything."""
        try:
            return self._store.stat(self._version(str(self._now.version_key)))
        except StoredFileNotFoundError:
            return None

    def _version(self, version_key: str) -> StoredFile:
        digest = self._now.digest
        return StoredFile(self._now.key, version_key, digest.md5, digest.sha256, digest.size)

    def _withdraw(self, version_key: str) -> bool:
        """Take back bytes that the archive will never refer to; say whether they are gone."""
        try:
            self._store.delete(self._version(version_key))
        except CalRecordsError as error:
            key = self._now.key
            log.warning("%s: unreferenced bytes stay in the file store: %s", key, error)
            return False
        return True


def _demand_same_frame(now: Ingestion, frame: ArchiveFrame) -> None:
    """Refuse to overwrite another camera's or another kind of frame in the archive."""
    record = now.archive_record or {}
    for what, keyword, theirs in (
        ("site", "site_id", frame.site),
        ("camera", "instrument_id", frame.camera),
        ("observation type", "configuration_type", frame.obstype),
    ):
        ours = record.get(keyword)
        if theirs and ours and str(ours) != str(theirs):
            msg = (
                f"{now.path}: the archive's frame {frame.frame_id} has this basename with {what} "
                f"{theirs!r}, and this file has {ours!r}; a basename names one frame in the whole "
                "archive, so rename the file"
            )
            raise DuplicateRecordError(msg)


def _demand_unchanged(now: Ingestion) -> None:
    with open_regular_file(Path(now.path)) as source:
        if digest_stream(source) != now.digest:
            msg = f"{now.path}: changed while it was being ingested; ingest it anew"
            raise DataFileNotFoundError(msg)
