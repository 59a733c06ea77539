"""Recording what the archive already has, without moving a byte."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from calrecords.archive import ArchiveClient, ArchiveFrame, ArchiveVersion
from calrecords.datafiles import DataFile, DataFileFactory, HeaderMapping, HeaderValue
from calrecords.errors import (
    ChecksumMismatchError,
    DataFileError,
    FileStoreError,
    RecordNotFoundError,
    StoredFileNotFoundError,
    UnsafeKeyError,
    UnsupportedFileTypeError,
)
from calrecords.filestore import FileStore
from calrecords.frames import CalibrationFrame, StoredFile
from calrecords.records import NewVersion, RecordDatabase
from calrecords.workflows.cache_files import is_plain_name
from calrecords.workflows.first_fetch import digest_at_archive
from calrecords.workflows.results import IngestOutcome, IngestResult

log = logging.getLogger(__name__)


class Adopter:
    """Records frames that the archive has.

    Parameters
    ----------
    database : RecordDatabase
        Where they are recorded.
    store : FileStore
        Looked into for their bytes.
    archive : ArchiveClient
        What has them.
    factory : DataFileFactory
        Knows the class of a file, whose repairs its header gets, by its extension.
    mapping : HeaderMapping
        Which header keyword gives which fact.
    """

    def __init__(
        self,
        database: RecordDatabase,
        store: FileStore,
        archive: ArchiveClient,
        factory: DataFileFactory,
        mapping: HeaderMapping,
    ) -> None:
        self._database = database
        self._store = store
        self._archive = archive
        self._factory = factory
        self._mapping = mapping

    def adopt(
        self,
        frame_id: int,
        *,
        is_master: bool | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> IngestResult:
        """Record the newest version of a frame of the archive.

        Raises
        ------
        FrameNotFoundError
            If the archive has no such frame.
        StoredFileNotFoundError
            If the frame has no file there.
        DataFileError
            If its header cannot be used.
        DuplicateRecordError
            If the basename is recorded for another frame.
        ArchiveError, RecordError
            If one of them cannot be reached, or refuses.
        """
        self._database.demand_archive(self._archive.root)
        found = self._archive.frame(frame_id)
        newest = found.version
        name = found.basename + newest.extension
        digest = digest_at_archive(name, newest)
        recorded = self._recorded(found, digest.md5)
        if recorded is not None:
            return IngestResult(name, IngestOutcome.ALREADY_THERE, recorded, archived=found)
        described = self._described(name, self._header(found), metadata, is_master)
        self._database.belongs_to(self._archive.root)
        frame = self._database.record(
            NewVersion(
                basename=found.basename,
                extension=newest.extension,
                facts=described.facts,
                digest=digest,
                key=self._key_in_store(described, newest),
                version_key=newest.version_key,
                frame_id=found.frame_id,
                archived_at=newest.created,
            )
        )
        return IngestResult(name, IngestOutcome.ADOPTED, frame, archived=found)

    def _recorded(self, found: ArchiveFrame, md5: str) -> CalibrationFrame | None:
        """Return the record of a version, if it is known there to be the archive's."""
        try:
            frame = self._database.get(basename=found.basename, md5=md5)
        except RecordNotFoundError:
            return None
        is_same = frame.frame_id == found.frame_id
        return frame if is_same and self._database.is_archived(frame.basename, md5) else None

    def _header(self, found: ArchiveFrame) -> dict[str, HeaderValue]:
        """Return the header that the archive keeps, completed by what it says of the frame.

        What a frame is and where it is from is as the archive says, for it is what a later
        ingestion under this name is compared with.
        """
        mapping = self._mapping
        said = {
            mapping.observation_date: _iso(found.dateobs),
            mapping.observation_day: None if found.dayobs is None else f"{found.dayobs:%Y%m%d}",
            mapping.exposure_time: found.exposure_time,
            mapping.primary_optical_element: found.filter,
            mapping.reduction_level: found.reduction_level or None,  # 0 where no header says it
            mapping.telescope_id: found.telescope,
            mapping.target_name: found.object,
            mapping.proposal_id: found.proposal,
            mapping.public_date: _iso(found.public_date),
        }
        identity = {
            mapping.site_id: found.site,
            mapping.instrument_id: found.camera,
            mapping.configuration_type: found.obstype,
        }
        header = self._archive.headers(found.frame_id)
        kept = {keyword: value for keyword, value in header.items() if _is_value(value)}
        return {**_told(said), **kept, **_told(identity)}

    def _described(
        self,
        name: str,
        header: Mapping[str, HeaderValue],
        metadata: Mapping[str, Any] | None,
        is_master: bool | None,
    ) -> DataFile:
        """Return a data file of this name with this header, and with no bytes."""
        try:
            kind = self._factory.class_for(name)
        except UnsupportedFileTypeError:
            kind = DataFile
        if not is_plain_name(name):
            msg = f"the archive has a frame with the name {name!r:.200}, which no file can have"
            raise UnsafeKeyError(msg)
        with tempfile.TemporaryDirectory(prefix="calrecords-") as folder:
            place = Path(folder) / name
            try:
                place.touch()
            except (OSError, ValueError) as error:
                why = f"{name!r:.200}: {error!s:.200}"
                msg = f"the archive has a frame whose name no file can have: {why}"
                raise UnsafeKeyError(msg) from error
            with_header = _with_header(kind, header)
            return with_header(place, mapping=self._mapping, metadata=metadata, is_master=is_master)

    def _key_in_store(self, described: DataFile, version: ArchiveVersion) -> str | None:
        """Return where our file store has a version; None where that cannot be seen."""
        try:
            key = described.store_key
            self._store.stat(StoredFile(key, version.version_key, version.md5.lower()))
        except (StoredFileNotFoundError, ChecksumMismatchError, DataFileError, UnsafeKeyError):
            return None
        except FileStoreError as error:
            log.warning("%s: its place in the file store is unknown: %s", described.filename, error)
            return None
        return key


def _with_header(kind: type[DataFile], header: Mapping[str, HeaderValue]) -> type[DataFile]:
    """Return a class of data files that have this header, whatever is in the file."""
    return type(
        f"Archived{kind.__name__}",
        (kind,),
        {"read_header": lambda *_: header, "required_keywords": lambda _: ()},
    )


def _is_value(value: object) -> bool:
    """Return whether a header says something: no blank, and nothing that no header can hold."""
    return isinstance(value, bool | int | float | str) and value != ""


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    return {keyword: value for keyword, value in values.items() if keyword and value is not None}


def _iso(time: Any) -> str | None:
    return None if time is None else time.replace(tzinfo=None).isoformat()
