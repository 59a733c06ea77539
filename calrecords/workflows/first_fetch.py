"""Frames that were recorded without a checksum: which bytes they are, as the archive says."""

from __future__ import annotations

import logging

from calrecords.archive import ArchiveClient, ArchiveFrame, ArchiveVersion
from calrecords.errors import (
    DuplicateRecordError,
    InvalidRecordError,
    RecordNotFoundError,
    StoredFileNotFoundError,
)
from calrecords.frames import CalibrationFrame
from calrecords.records import PartialDigest, RecordDatabase
from calrecords.workflows.cache_files import is_md5

log = logging.getLogger(__name__)


def with_checksum(
    frame: CalibrationFrame,
    database: RecordDatabase,
    archive: ArchiveClient | None,
    *,
    why_no_archive: str,
) -> CalibrationFrame:
    """Return a frame with the checksum that the archive has of it, which is recorded now.

    Parameters
    ----------
    frame : CalibrationFrame
        A frame that was recorded without an md5.
    database : RecordDatabase
        Where it is recorded.
    archive : ArchiveClient or None
        Asked for the frame by its ID.
    why_no_archive : str
        Why there is none, and what to do.

    Raises
    ------
    RecordNotFoundError
        If the frame has no frame ID, or there is no archive to ask.
    DuplicateRecordError
        If the archive has another frame under this ID.
    StoredFileNotFoundError
        If the archive has no such version.
    ArchiveError, RecordError
        If one of them cannot be reached, or refuses.
    """
    recorded = database.versions(frame.basename)
    if frame.version not in [one.version for one in recorded]:
        for one in recorded:
            if _has_become(frame, one):
                return one
    if archive is None or frame.frame_id is None:
        why = why_no_archive if archive is None else "it has no frame ID to ask the archive with"
        msg = f"{frame.filename}: recorded without a checksum, so no bytes can be verified: {why}"
        raise RecordNotFoundError(msg)
    database.demand_archive(archive.root)
    found = archive.frame(frame.frame_id)
    if found.basename != frame.basename:
        msg = (
            f"{frame.filename}: recorded with frame ID {frame.frame_id}, which is "
            f"{found.basename} at {archive.root}; is this another archive?"
        )
        raise DuplicateRecordError(msg)
    version = _version_of(frame, found)
    database.belongs_to(archive.root)
    completed = database.complete(
        frame,
        digest_at_archive(frame.filename, version),
        version_key=version.version_key,
        archived_at=version.created,
        extension=version.extension,
    )
    log.info(
        "%s: it was recorded without a checksum; the archive's md5 %s is recorded now",
        *(completed.filename, completed.version.md5),
    )
    return completed


def digest_at_archive(name: str, version: ArchiveVersion) -> PartialDigest:
    """Return what the archive says that the bytes of a version are.

    Raises
    ------
    InvalidRecordError
        If its checksum is none; a path is made of it later.
    """
    md5 = version.md5.lower()
    if not is_md5(md5):
        msg = f"{name!r:.200} cannot be recorded: the archive says its md5 is {version.md5!r:.200}"
        raise InvalidRecordError(msg)
    return PartialDigest(md5)


def _has_become(frame: CalibrationFrame, one: CalibrationFrame) -> bool:
    """Return whether a recorded version is what somebody else has completed meanwhile."""
    same_key = frame.version.version_key in (None, one.version.version_key)
    same_file = frame.version.extension in ("", one.version.extension)
    return same_key and same_file and one.version.md5 is not None and frame.created == one.created


def _version_of(frame: CalibrationFrame, found: ArchiveFrame) -> ArchiveVersion:
    """Return the archive's version that a record is of: by its key, else the newest alike."""
    key, extension = frame.version.version_key, frame.version.extension
    alike = [
        version
        for version in found.versions
        if key in (None, version.version_key) and extension in ("", version.extension)
    ]
    if not alike:
        named = f"with the key {key}" if key is not None else f"with the extension {extension!r}"
        msg = f"{frame.filename}: frame {found.frame_id} has no version {named} in the archive"
        raise StoredFileNotFoundError(msg)
    if len(alike) > 1:
        log.warning(
            "%s: the archive has %d versions, and the record does not say which; the newest is "
            "taken",
            *(frame.filename, len(alike)),
        )
    return alike[0]
