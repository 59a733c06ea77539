"""Ingestion that loses nothing: by the journal, and resumed wherever it stopped."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from calrecords.archive import ArchiveClient
from calrecords.datafiles import DataFile, check_archivable, open_regular_file
from calrecords.errors import (
    ArchiveRefusedError,
    CalRecordsError,
    ChecksumMismatchError,
    ConfigurationError,
    DataFileError,
    DuplicateRecordError,
    FileStoreError,
    RecordsUnavailableError,
    StoredFileNotFoundError,
    UnsafeKeyError,
    VersionExistsError,
)
from calrecords.filestore import FileStore
from calrecords.frames import CalibrationFrame, Ingestion, StoredFile
from calrecords.records import Claim, Intent, Journal, RecordDatabase
from calrecords.vocabulary import IngestionState, split_filename
from calrecords.workflows.reopening import reopen_what_is_stored
from calrecords.workflows.results import IngestOutcome, IngestResult, IngestStep
from calrecords.workflows.resuming import resumed_in_turn
from calrecords.workflows.spool import Spool
from calrecords.workflows.steps import Steps

log = logging.getLogger(__name__)

WAIT_FOR_OTHERS_S = 600.0
"""How long to wait for another worker that is at the same basename."""

_REFUSES_THE_FRAME = frozenset({None, 400, 413, 422})
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
    spool : Spool, optional
        Where the bytes of file objects are kept as long as an ingestion may need them.
    why_no_archive : str, optional
        Why there is none, and what to do.
    """

    def __init__(
        self,
        database: RecordDatabase,
        store: FileStore,
        archive: ArchiveClient | None,
        *,
        on_step: Callable[[IngestStep], None] = _go_on,
        spool: Spool | None = None,
        why_no_archive: str = "no archive is named, so there is no frame ID to be had",
    ) -> None:
        self._database = database
        self._journal = Journal(database)
        self._store = store
        self._archive = archive
        self._on_step = on_step
        self._spool = spool
        self._why_no_archive = why_no_archive

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
        if frame is not None and self._is_archived(frame):
            return self._already_there(frame, data_file)
        key = data_file.store_key
        record = check_archivable(data_file, archive.observation_types())
        self._database.demand_archive(archive.root)
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
            return self._already_there(frame, data_file)
        key = data_file.store_key
        self._store.check()
        return self._carry_out(self._claim(data_file, key, None))

    def resume(
        self,
        progress: Callable[[IngestResult], None] | None = None,
        *,
        basename: str | None = None,
    ) -> list[IngestResult]:
        """Take up every unfinished ingestion where it stands; one result for each.

        Several processes may do so at once, and share the work; none waits for another.

        Parameters
        ----------
        progress : callable, optional
            Called with each result as it is there.
        basename : str, optional
            Only those of this frame.
        """
        results = []
        reopen_what_is_stored(self._journal, self._store, basename)
        for result in resumed_in_turn(self._journal, self._resume, basename):
            if progress is not None:
                progress(result)
            results.append(result)
        if basename is None:
            self._sweep()
        return results

    def _sweep(self) -> None:
        """Remove what killed processes left in the spool before they intended anything."""
        if self._spool is not None:
            with _noting():
                self._spool.sweep(self._paths_needed)

    def hand_over(self, md5: str, to: str, *, besides: str | None = None) -> None:
        """End interrupted ingestions of these bytes, which were registered otherwise.

        Else `resume` would register them a second time. What they stored is published.

        Parameters
        ----------
        md5 : str
            Checksum of the bytes.
        to : str
            As what they were registered, and where.
        besides : str, optional
            Basename of which ingestions go on.
        """
        for ingestion in self._journal.unfinished():
            if ingestion.digest.md5 != md5 or ingestion.basename == besides:
                continue
            if ingestion.state is not IngestionState.STORED or ingestion.archive_record is None:
                continue
            claim = self._journal.claim(ingestion.id)
            if claim is None:
                continue
            stored = self._store.find(ingestion.key, ingestion.digest)
            if stored is not None:
                self._store.publish(stored)
            msg = f"{ingestion.path}: these bytes were registered as {to}"
            claim.fail(VersionExistsError(msg), ends=True)
            self.let_go(ingestion.path)

    def let_go(self, path: str | Path) -> None:
        """Remove what the spool keeps of a file object, once no ingestion needs it."""
        if self._spool is None or not self._spool.holds(path):
            return
        with _noting():
            self._spool.discard_unused(path, lambda: self._paths_needed(Path(path)))

    def _paths_needed(self, copy: Path) -> set[str]:
        """Return which paths the unfinished ingestions of a file's basename still need."""
        return {entry.path for entry in self._journal.unfinished(split_filename(copy.name)[0])}

    def _resume(self, ingestion: Ingestion) -> IngestResult:
        try:
            return self._taken_up(ingestion)
        finally:
            self.let_go(ingestion.path)

    def _taken_up(self, ingestion: Ingestion) -> IngestResult:
        try:
            if ingestion.archive_record is not None:
                self._demand_archive()
            claim = self._journal.claim(ingestion.id)
            if claim is None:
                return IngestResult(ingestion.path, IngestOutcome.IN_PROGRESS)
            return self._carry_out(claim)
        except CalRecordsError as error:
            log.info("%s: not ingested: %s", ingestion.path, error)
            return IngestResult(ingestion.path, IngestOutcome.FAILED, error=error)

    def _demand_archive(self) -> ArchiveClient:
        if self._archive is None:
            raise ConfigurationError(self._why_no_archive)
        return self._archive

    def _recorded(self, data_file: DataFile) -> CalibrationFrame | None:
        digest = data_file.digest()
        if not self._database.is_recorded(data_file.basename, digest.md5):
            return None
        frame = self._database.get(basename=data_file.basename, md5=digest.md5)
        if frame.version.sha256 not in {None, digest.sha256}:
            msg = f"{data_file.filename}: has the md5 of a recorded version, but other bytes"
            raise DuplicateRecordError(msg)
        return frame

    def _is_archived(self, frame: CalibrationFrame) -> bool:
        md5 = frame.version.md5
        return md5 is not None and self._database.is_archived(frame.basename, md5)

    def _already_there(self, frame: CalibrationFrame, data_file: DataFile) -> IngestResult:
        """Return the record as it is, once the store has what it says."""
        if frame.is_master != data_file.facts.is_master:
            log.warning(
                "%s: recorded with is_master=%s, and that stays", frame.filename, frame.is_master
            )
        frame = self._completed(frame, data_file)
        try:
            self._mend_store(frame, data_file)
        except FileStoreError as error:
            log.warning("%s: recorded, but the file store fails: %s", frame.filename, error)
        return IngestResult(_place(data_file), IngestOutcome.ALREADY_THERE, frame)

    def _completed(self, frame: CalibrationFrame, data_file: DataFile) -> CalibrationFrame:
        """Fill in what a frame was recorded without, now that its bytes are here."""
        if None not in {frame.version.sha256, frame.version.size, frame.version.key}:
            return frame
        key = frame.version.key
        try:
            key = key or self._key_in_store(frame, data_file)
        except (FileStoreError, DataFileError) as error:
            log.warning("%s: its place in the file store is unknown: %s", frame.filename, error)
        return self._database.complete(frame, data_file.digest(), key)

    def _key_in_store(self, frame: CalibrationFrame, data_file: DataFile) -> str | None:
        """Return where the file store has this version, or gets it; None where it cannot."""
        digest, version_key = data_file.digest(), frame.version.version_key
        key = data_file.store_key
        if version_key is None:
            return None
        stored = StoredFile(key, version_key, digest.md5, digest.sha256, digest.size)
        try:
            self._store.stat(stored)
        except (StoredFileNotFoundError, ChecksumMismatchError):
            return None if self._store.keeps_versions or version_key != digest.md5 else key
        return key

    def _mend_store(self, frame: CalibrationFrame, data_file: DataFile) -> None:
        stored = frame.version.stored()
        if stored is None:
            return
        try:
            self._store.stat(stored)
        except (StoredFileNotFoundError, ChecksumMismatchError):
            if self._store.keeps_versions or stored.version_key != stored.md5:
                raise
            with open_regular_file(data_file.path) as source:
                put_back = self._store.put(stored.key, source, data_file.digest())
            if self._database.get(basename=frame.basename) == frame:
                self._store.publish(put_back)
            log.warning("%s: was gone from the file store, and is put back", frame.filename)

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
        if (claim := self._journal.intend(intent, passes_older=False)) is not None:
            return claim
        self._finish_older(intent)
        give_up = time.monotonic() + WAIT_FOR_OTHERS_S
        pause_s = _FIRST_LOOK_S
        while (claim := self._journal.intend(intent)) is None:
            if pause_s == _FIRST_LOOK_S:
                log.info("%s: waiting for another worker that is at this frame", path)
            if time.monotonic() > give_up:
                msg = f"{path}: another worker has been at this frame for too long; try later"
                raise RecordsUnavailableError(msg)
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_LOOK_S)
        return claim

    def _finish_older(self, intent: Intent) -> None:
        """Finish other versions of the frame that were interrupted, so that theirs come first."""
        for older in self._journal.unfinished(intent.basename):
            if older.digest != intent.digest:
                result = self._resume(older)
                if result.error is not None:
                    log.warning("%s: stays unfinished: %s", older.path, result.error)

    def _carry_out(self, claim: Claim) -> IngestResult:
        try:
            archive = None
            if claim.ingestion.archive_record is not None:
                archive = self._demand_archive()
                self._database.demand_archive(archive.root)
            with claim.kept():
                return Steps(claim, self._database, self._store, archive, self._on_step).run()
        except CalRecordsError as error:
            with _noting():
                claim.fail(error, ends=_ends(error, claim.ingestion))
            raise
        except BaseException:
            with _noting():
                claim.release()
            raise


def _ends(error: CalRecordsError, ingestion: Ingestion) -> bool:
    """Return whether an error ends an ingestion: this file is refused, and will always be.

    All else can be resumed once it is mended: a setting, a right, a store that was away.
    """
    if ingestion.state is IngestionState.ARCHIVED:
        return False
    if isinstance(error, ArchiveRefusedError):
        return error.nothing_taken and error.status in _REFUSES_THE_FRAME
    if isinstance(error, DuplicateRecordError | UnsafeKeyError):
        return True
    if isinstance(error, VersionExistsError):
        return error.nothing_taken
    return isinstance(error, DataFileError) and ingestion.version_key is None


@contextmanager
def _noting() -> Iterator[None]:
    """Go on where the journal cannot be reached: a lease ends, and a copy stays, by itself."""
    try:
        yield
    except CalRecordsError as error:
        log.warning("the journal could not be reached when an ingestion ended: %s", error)


def _place(data_file: DataFile) -> str:
    return str(data_file.path.absolute())
