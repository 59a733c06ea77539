"""Registering again with the archive what it has lost, from the bytes that are in the store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from calrecords.datafiles import DataFile, check_archivable
from calrecords.errors import (
    ArchiveRefusedError,
    ChecksumMismatchError,
    DataFileError,
    MissingKeywordError,
    RecordNotFoundError,
    StoredFileNotFoundError,
    VersionExistsError,
)
from calrecords.records import AuditedFrame, AuditedVersion
from calrecords.workflows.audit_asking import Questioner, ask
from calrecords.workflows.audit_faults import Finding
from calrecords.workflows.repair_steps import (
    BUSY,
    NOT_NEEDED,
    Done,
    RepairGround,
    done,
    left,
    version_of,
)


class _Stays(Exception):  # noqa: N818 - a reason, not an error
    """Why something cannot be registered again."""


def register_frame(ground: RepairGround, finding: Finding) -> Done:
    """Register a frame that the archive does not have any more, with all its versions."""
    frame = ground.frame(finding)
    if frame is None or not _is_still_so(ground, finding):
        return NOT_NEEDED
    ordered = sorted(
        (one for one in frame.versions if one.is_current or one.archived_at is not None),
        key=lambda one: (one.is_current, one.archived_at or one.recorded_at, one.id),
    )
    return _register(ground, frame, ordered)


def register_version(ground: RepairGround, finding: Finding) -> Done:
    """Register the current version of a frame that the archive has without it."""
    frame = ground.frame(finding)
    one = None if frame is None else version_of(frame, finding.what["md5"])
    if frame is None or one is None or not _is_still_so(ground, finding):
        return NOT_NEEDED
    if not one.is_current:
        return left("it is an older version, and would become the newest in the archive")
    found = ask(ground.archive, frame.basename, frame.frame_id).of(frame)
    md5s = {other.version.md5 for other in frame.versions}
    if found is not None and found.versions and found.versions[0].md5.lower() not in md5s:
        return left("the archive has a newer version, which is not recorded; repair that first")
    return _register(ground, frame, [one])


def _register(
    ground: RepairGround, frame: AuditedFrame, versions: Sequence[AuditedVersion]
) -> Done:
    frame_id = frame.frame_id
    try:
        # All that can be refused here is, before the archive is told of the first one.
        ready = [(one, _record_of(ground, frame, one)) for one in versions]
        if ground.is_busy(frame.basename):
            return BUSY
        for one, record in ready:
            frame_id = _register_one(ground, frame, frame_id, one, record)
    except _Stays as reason:
        return left(str(reason))
    return done(f"registered again, as frame {frame_id}")


def _register_one(
    ground: RepairGround,
    frame: AuditedFrame,
    was: int | None,
    one: AuditedVersion,
    record: dict[str, Any],
) -> int:
    try:
        said = ground.archive.create_frame(
            record,
            version_key=str(one.version.version_key),
            md5=str(one.version.md5),
            extension=one.version.extension,
        )
    except (VersionExistsError, ArchiveRefusedError) as error:
        msg = f"the archive refuses it: {error}"
        raise _Stays(msg) from error
    theirs = said.version_with(str(one.version.md5))
    ground.audited.database.belongs_to(ground.archive.root)
    archived = {str(one.version.md5): None if theirs is None else theirs.created}
    ground.fixes.frame_id(frame.basename, was, said.frame_id, archived)
    return said.frame_id


def _record_of(ground: RepairGround, frame: AuditedFrame, one: AuditedVersion) -> dict[str, Any]:
    """Return what to tell the archive of a version, from its own bytes.

    Raises
    ------
    _Stays
        If it cannot be told, or the archive would look for the file elsewhere.
    """
    stored = one.version.stored()
    if stored is None:
        msg = "it is recorded without its place in the file store, where the archive looks for it"
        raise _Stays(msg)
    try:
        ground.audited.store.stat(stored)
        path = ground.fetcher.fetch(ground.recorded(frame, one))
        data_file = _opened(ground, frame, one, path)
        record = check_archivable(data_file, ground.archive.observation_types())
    except (
        StoredFileNotFoundError,
        ChecksumMismatchError,
        RecordNotFoundError,
        DataFileError,
    ) as error:
        raise _Stays(str(error)) from error
    if data_file.store_key != stored.key:
        msg = (
            f"the archive would look for it at {data_file.store_key}, as its header says, and it "
            f"is at {stored.key}"
        )
        raise _Stays(msg)
    return record


def _opened(ground: RepairGround, frame: AuditedFrame, one: AuditedVersion, path: Path) -> DataFile:
    """Return a version as a data file; what its header lacks is taken from the record."""
    try:
        return ground.opened(path, frame)
    except MissingKeywordError:
        return ground.opened(path, frame, _as_recorded(ground, frame, one))


def _as_recorded(ground: RepairGround, frame: AuditedFrame, one: AuditedVersion) -> dict[str, Any]:
    """Return the header keywords of what is recorded of a version."""
    recorded, mapping = ground.recorded(frame, one), ground.mapping
    dateobs, dayobs = recorded.dateobs, recorded.dayobs
    said = {
        mapping.site_id: recorded.site,
        mapping.instrument_id: recorded.camera,
        mapping.configuration_type: recorded.obstype,
        mapping.observation_date: dateobs and dateobs.replace(tzinfo=None).isoformat(),
        mapping.observation_day: dayobs and f"{dayobs:%Y%m%d}",
        mapping.primary_optical_element: recorded.filter,
        mapping.exposure_time: recorded.exposure_time,
        mapping.reduction_level: recorded.reduction_level,
    }
    return {keyword: value for keyword, value in said.items() if keyword and value is not None}


def _is_still_so(ground: RepairGround, finding: Finding) -> bool:
    questioner = Questioner(ground.audited, ground.archive)
    again = questioner.confirmed(str(finding.what["basename"]), [finding])
    return any(one.kind is finding.kind for one in again)
