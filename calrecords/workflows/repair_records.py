"""Mending what the records say: IDs, checksums, keys, what is current, and frames they lack."""

from __future__ import annotations

import tempfile
from pathlib import Path

from calrecords.archive import ArchiveFrame
from calrecords.errors import (
    ArchiveError,
    ChecksumMismatchError,
    DataFileError,
    FrameNotFoundError,
    StoredFileNotFoundError,
    TransientError,
)
from calrecords.frames import ContentDigest, StoredFile
from calrecords.records import AuditedFrame, AuditedVersion
from calrecords.workflows.audit_asking import Questioner, ask
from calrecords.workflows.audit_faults import Finding
from calrecords.workflows.audit_steps import Nowhere
from calrecords.workflows.repair_steps import (
    BUSY,
    NOT_NEEDED,
    Done,
    RepairGround,
    done,
    left,
    version_of,
)
from calrecords.workflows.results import IngestOutcome, IngestResult


def mend_frame_id(ground: RepairGround, finding: Finding) -> Done:
    """Take the archive's frame ID for a record that has none, or a wrong one."""
    frame = ground.frame(finding)
    if frame is None:
        return NOT_NEEDED
    if ground.is_busy(frame.basename):
        return BUSY
    found = ask(ground.archive, frame.basename, frame.frame_id).of(frame)
    if found is None or found.frame_id == frame.frame_id:
        return NOT_NEEDED
    md5s = {one.version.md5 for one in frame.versions}
    archived = {
        version.md5.lower(): version.created
        for version in found.versions
        if version.md5.lower() in md5s
    }
    if not archived and None not in md5s:
        return left(f"the archive's frame {found.frame_id} has none of the recorded versions")
    ground.audited.database.belongs_to(ground.archive.root)
    if not ground.fixes.frame_id(frame.basename, frame.frame_id, found.frame_id, archived):
        return NOT_NEEDED
    return done(f"recorded with frame ID {found.frame_id}")


def mend_checksum(ground: RepairGround, finding: Finding) -> Done:
    """Correct a recorded checksum that is not that of the bytes, which are read."""
    frame = ground.frame(finding)
    one = None if frame is None else version_of(frame, finding.what["md5"])
    if frame is None or one is None:
        return NOT_NEEDED
    if ground.is_busy(frame.basename):
        return BUSY
    wanted, version_key = str(finding.what["true_md5"]), str(finding.what["version_key"])
    other = version_of(frame, wanted)
    if other is not None and other.id != one.id:
        return left("another version of this frame is recorded with these bytes")
    digest = _stored_bytes(ground, one, version_key, wanted)
    if digest is None and ground.audited.archive is not None:
        digest = _archived_bytes(ground, frame, wanted)
    if digest is None:
        return left(f"no bytes with md5 {wanted} can be had, so that may be what is wrong")
    if digest.sha256 != finding.what.get("true_sha256", digest.sha256):
        return left("the bytes that can be had are not those that were ingested")
    ground.fixes.content(one.id, one.version.md5, digest)
    ground.fixes.version_key(one.id, one.version.version_key, version_key)
    said = f"md5 {digest.md5}, SHA-256 {digest.sha256} and {digest.size} bytes"
    return done(f"recorded with {said}, which the bytes have")


def mend_version_key(ground: RepairGround, finding: Finding) -> Done:
    """Take the archive's name for a version whose bytes the store has under it."""
    frame = ground.frame(finding)
    one = None if frame is None else version_of(frame, finding.what["md5"])
    if one is None or not _is_still_so(ground, finding):
        return NOT_NEEDED
    theirs = str(finding.what["archive_version_key"])
    has_place = one.version.key is not None
    if has_place and _stored_bytes(ground, one, theirs, str(one.version.md5)) is None:
        return left(f"the store does not have these bytes as version {theirs}")
    ground.fixes.version_key(one.id, one.version.version_key, theirs)
    return done(f"recorded as version {theirs}")


def mend_current(ground: RepairGround, finding: Finding) -> Done:
    """Make the newest version the current one."""
    name, newest = str(finding.what["basename"]), int(finding.what["newest"])
    if not ground.fixes.current(name, finding.what["current"], newest):
        return NOT_NEEDED
    return done("its newest version is the current one again")


def adopt(ground: RepairGround, finding: Finding) -> Done:
    """Record what the archive has."""
    if ground.is_busy(str(finding.what["basename"])):
        return BUSY
    if finding.what["frame_id"] is None:
        return recover(ground, finding)
    try:
        result = ground.adopter().adopt(int(finding.what["frame_id"]))
    except FrameNotFoundError:
        return NOT_NEEDED
    if result.outcome is IngestOutcome.ALREADY_THERE:
        return NOT_NEEDED
    return done("recorded from what the archive says; its bytes are verified when it is fetched")


def recover(ground: RepairGround, finding: Finding) -> Done:
    """Record a frame that only the journal and the store still know, from its own bytes."""
    name = str(finding.what["basename"])
    rows = [row for row in ground.audited.journal.of_names([name]) if row.is_recorded]
    if ground.frame(finding) is not None or not rows:
        return NOT_NEEDED
    row = rows[-1]
    stored = StoredFile(row.key, row.version_key or row.md5, row.md5, row.sha256, row.size)
    with tempfile.TemporaryDirectory(prefix="calrecords-") as folder:
        path = Path(folder) / f"{name}{row.extension}"
        try:
            with path.open("wb") as sink:
                ground.audited.store.copy_to(stored, sink)
            data_file = ground.open_file(path)
        except (StoredFileNotFoundError, ChecksumMismatchError, DataFileError) as error:
            return left(f"its bytes cannot be had any more: {error}")
        is_archived = row.frame_id is not None and ground.audited.archive is not None
        take = ground.ingester.ingest if is_archived else ground.ingester.register
        result = take(data_file)
    return done(f"recorded from its own bytes: {result.outcome}")


def resume(ground: RepairGround, finding: Finding) -> Done:
    """Finish an ingestion that was left."""
    name, number = str(finding.what["basename"]), finding.what["id"]
    audited = ground.audited
    rows = audited.journal.of_names([name])
    row = next((row for row in rows if row.id == number and row.is_unfinished), None)
    if row is None:
        return NOT_NEEDED
    if row.is_live:
        return left("somebody is at it now")
    results = ground.ingester.resume(basename=name)
    result = next((one for one in results if one.path == row.path), None)
    if result is not None:
        return _resumed(result)
    if any(one.id == number and one.is_unfinished for one in audited.journal.of_names([name])):
        return left(f"what the journal holds of it cannot be read; ingest it again: {row.path}")
    return NOT_NEEDED


def _resumed(result: IngestResult) -> Done:
    if result.error is not None:
        raise result.error
    if result.outcome is IngestOutcome.IN_PROGRESS:
        return left("somebody is at it now")
    return done(f"resumed: {result.outcome}, frame ID {result.frame_id}")


def _is_still_so(ground: RepairGround, finding: Finding) -> bool:
    questioner = Questioner(ground.audited, ground.archive)
    again = questioner.confirmed(str(finding.what["basename"]), [finding])
    return any(one.kind is finding.kind for one in again)


def _stored_bytes(
    ground: RepairGround, one: AuditedVersion, version_key: str, md5: str
) -> ContentDigest | None:
    """Return what the store has under a version key, read whole; None if not those bytes."""
    if one.version.key is None:
        return None
    try:
        return ground.audited.store.copy_to(
            StoredFile(one.version.key, version_key, md5), Nowhere.sink()
        )
    except (StoredFileNotFoundError, ChecksumMismatchError):
        return None


def _archived_bytes(ground: RepairGround, frame: AuditedFrame, md5: str) -> ContentDigest | None:
    """Return what the archive gives as a version, downloaded whole; None if not those bytes."""
    found: ArchiveFrame | None = ask(ground.archive, frame.basename, frame.frame_id).of(frame)
    if found is None:
        return None
    try:
        with tempfile.TemporaryFile() as sink:
            return ground.archive.download(found, md5, sink)
    except TransientError:
        raise
    except (ArchiveError, StoredFileNotFoundError, ChecksumMismatchError):
        return None
