"""The steps of one ingestion: each first asks the outside world what is already true."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from calrecords.archive import ArchiveClient, ArchiveFrame, ArchiveVersion
from calrecords.datafiles import open_regular_file
from calrecords.errors import (
    ArchiveRefusedError,
    ArchiveUnavailableError,
    CalRecordsError,
    ChecksumMismatchError,
    DataFileNotFoundError,
    DuplicateRecordError,
    RecordsUnavailableError,
    StoredFileNotFoundError,
    VersionExistsError,
)
from calrecords.filestore import FileStore
from calrecords.frames import Ingestion, StoredFile, digest_stream
from calrecords.records import Claim, NewVersion, RecordDatabase
from calrecords.vocabulary import IngestionState
from calrecords.workflows.results import IngestOutcome, IngestResult, IngestStep

log = logging.getLogger(__name__)

_CLOCKS_DIFFER_BY = timedelta(seconds=60)
"""How much earlier than ours an archive's clock may be."""

_BEFORE_ANY = datetime.min.replace(tzinfo=UTC)


class Steps:
    """What is left to do of one claimed ingestion.

    Parameters
    ----------
    claim : Claim
        The hold on it.
    database : RecordDatabase
        Where the frame is recorded.
    store : FileStore
        Where its bytes are kept.
    archive : ArchiveClient or None
        The archive that gives the frame ID; None where it is not told.
    reached : callable
        Called with each `IngestStep` once it is reached.
    """

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
        self._said: ArchiveFrame | None = None
        self._is_ours = False

    @property
    def _now(self) -> Ingestion:
        return self._claim.ingestion

    def run(self) -> IngestResult:
        """Do what is left to do.

        Raises
        ------
        DataFileError, FileStoreError, ArchiveError, RecordError
            If a step failed; the journal says how far it came.
        """
        if self._claim.interrupted_since is not None:
            self._claim.demand_identity()
        self._look_after_stored()
        if self._now.state is IngestionState.INTENDED:
            self._reached(IngestStep.INTENDED)
        if self._now.state is not IngestionState.ARCHIVED and self._archive is not None:
            self._ask(self._archive)
        if self._now.state is IngestionState.INTENDED:
            self._put()
        if self._now.state is IngestionState.STORED and self._archive is not None:
            self._register(self._archive)
        return self._record()

    def _look_after_stored(self) -> None:
        """Put the bytes again where the store has lost what the journal says it has."""
        if self._now.state is not IngestionState.STORED:
            return
        self._stored = self._held()
        if self._stored is None:
            log.warning("%s: its bytes are gone from the file store", self._now.path)
            self._claim.advance(IngestionState.INTENDED)

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
        if not self._sent_by_us(version):
            self._outcome = IngestOutcome.ALREADY_THERE
        self._archived(archive, frame)

    def _sent_by_us(self, version: ArchiveVersion) -> bool:
        """Return whether this ingestion gave the archive a version, before it was interrupted."""
        if self._stored is not None:
            return version.version_key == self._now.version_key
        since = self._claim.interrupted_since
        if since is None or version.created is None or self._store.keeps_versions:
            return False
        is_named_alike = version.version_key == self._now.digest.md5
        return is_named_alike and version.created > since - _CLOCKS_DIFFER_BY

    def _put(self) -> None:
        try:
            self._stored = self._copy_to_store()
        except DataFileNotFoundError:
            self._stored = self._store.find(self._now.key, self._now.digest)
            if self._stored is None:
                raise
        self._is_ours = self._stored.is_new
        self._reached(IngestStep.PUT)
        # what is under its own checksum is found again without having been written down
        write = self._claim.advance if self._store.keeps_versions else self._claim.note
        write(IngestionState.STORED, version_key=self._stored.version_key)
        self._reached(IngestStep.STORED)

    def _copy_to_store(self) -> StoredFile:
        now = self._now
        try:
            with open_regular_file(Path(now.path)) as source:
                return self._store.put(
                    now.key,
                    source,
                    now.digest,
                    content_type=now.content_type,
                    dateobs=None if now.facts is None else now.facts.dateobs,
                )
        except ChecksumMismatchError:
            _demand_unchanged(now)
            raise

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
            if error.nothing_taken and self._is_ours:
                self._claim.advance(IngestionState.INTENDED)
                if self._withdraw(version_key):
                    self._claim.advance(IngestionState.INTENDED, version_key=None)
            raise
        if len(frame.versions) > 1 and self._outcome is IngestOutcome.INGESTED:
            self._outcome = IngestOutcome.NEW_VERSION
        self._archived(archive, frame)

    def _archived(self, archive: ArchiveClient, frame: ArchiveFrame) -> None:
        """Write down what the archive says of our version."""
        self._said = frame
        ours, now = frame.version_with(self._now.digest.md5), self._now
        if ours is None:
            msg = f"{now.path}: the archive answered with frame {frame.frame_id}, without our file"
            raise ArchiveUnavailableError(msg)
        if now.version_key is not None and ours.version_key != now.version_key:
            if self._is_ours:
                self._withdraw(now.version_key)
            self._stored = None
        self._database.belongs_to(archive.root)
        self._reached(IngestStep.REGISTERED)
        self._claim.note(
            IngestionState.ARCHIVED,
            frame_id=frame.frame_id,
            version_key=ours.version_key,
            archived_at=ours.created,
        )
        self._reached(IngestStep.ARCHIVED)

    def _record(self) -> IngestResult:
        now = self._now
        stored = self._stored or self._held() or self._put_back()
        if stored is not None and not self._is_superseded():
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
        return IngestResult(now.path, self._outcome, frame, archived=self._said)

    def _is_superseded(self) -> bool:
        """Return whether the archive stored another version later, whoever brought that in.

        All its versions of a frame have one address, and the newest must be found there. So
        what is only registered here never takes the place of any of them.
        """
        now, said = self._now, self._said
        if self._archive is None:
            return self._database.is_superseded(now.basename, _BEFORE_ANY)
        if said is None:
            said = self._archive.find(now.basename)
        ours = None if said is None else said.version_with(now.digest.md5)
        if said is not None and ours is not None:  # else a replica lags behind
            if said.version != ours:
                return True
            if len(said.versions) == 1:
                return False
        return self._database.is_superseded(now.basename, now.archived_at)

    def _held(self) -> StoredFile | None:
        """Return what our store has of the version that the archive names, if anything."""
        try:
            return self._store.stat(self._version(str(self._now.version_key)))
        except (StoredFileNotFoundError, ChecksumMismatchError):
            return None

    def _put_back(self) -> StoredFile | None:
        """Give the store what it lacks of a version that the archive has, where that can be.

        None where it cannot: the bytes may be in another store, which feeds the archive.
        """
        now = self._now
        if now.version_key == now.digest.md5 and not self._store.keeps_versions:
            return self._copy_to_store()
        log.warning(
            "%s: frame %s is in the archive, and its version %s is not in our file store",
            *(now.path, now.frame_id, now.version_key),
        )
        return None

    def _version(self, version_key: str) -> StoredFile:
        digest = self._now.digest
        return StoredFile(self._now.key, version_key, digest.md5, digest.sha256, digest.size)

    def _withdraw(self, version_key: str) -> bool:
        """Take back bytes that the archive will never refer to; say whether they are gone."""
        self._claim.renew()
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
