"""Putting good bytes back: into the file store, in their published place, into the cache."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from calrecords.errors import (
    ArchiveError,
    ChecksumMismatchError,
    DataFileError,
    FileStoreError,
    RecordNotFoundError,
    StoredFileNotFoundError,
    TransientError,
)
from calrecords.frames import CalibrationFrame, ContentDigest, StoredFile, digest_stream
from calrecords.records import AuditedFrame
from calrecords.workflows.audit_faults import FaultKind, Finding
from calrecords.workflows.audit_store import is_newest, look_at
from calrecords.workflows.cache_files import CachedFile, is_whole
from calrecords.workflows.fetch import FetchSource
from calrecords.workflows.repair_steps import (
    BUSY,
    NOT_NEEDED,
    Done,
    RepairGround,
    done,
    left,
    version_of,
)


def put_back(ground: RepairGround, finding: Finding) -> Done:
    """Store the bytes of a version again, from the cache, a copy, or the archive."""
    frame = _still_at_fault(ground, finding)
    if frame is None:
        return NOT_NEEDED
    if ground.is_busy(frame.basename):
        return BUSY
    one = frame.current
    stored = one.version.stored()
    if stored is None:
        return NOT_NEEDED
    recorded = ground.recorded(frame, one)
    try:
        path = ground.fetcher.fetch(recorded)
    except (StoredFileNotFoundError, ChecksumMismatchError, RecordNotFoundError) as error:
        return left(f"its bytes cannot be had any more: {error}")
    with path.open("rb") as file:
        digest = digest_stream(file)
    if not _is_of(stored, digest):
        return left(
            f"what can be had has the recorded md5, but {digest.size} bytes and SHA-256 "
            f"{digest.sha256}, where {stored.size} and {stored.sha256} are recorded; find out "
            "which of the two is right"
        )
    anew = _put(ground, frame, stored, path, recorded, digest, is_damaged=_is_damaged(finding))
    ground.fixes.version_key(one.id, one.version.version_key, anew.version_key)
    if one.is_current and is_newest(ground.audited, frame):
        _publish(ground, frame, anew)
    if anew.version_key == stored.version_key:
        return done("its bytes are in the store again")
    said = f"its bytes are in the store again, as version {anew.version_key}"
    if one.archived_at is not None:
        said += f"; the archive still names version {stored.version_key}"
    return done(said)


def _put(
    ground: RepairGround,
    frame: AuditedFrame,
    stored: StoredFile,
    path: Path,
    recorded: CalibrationFrame,
    digest: ContentDigest,
    *,
    is_damaged: bool,
) -> StoredFile:
    store = ground.audited.store
    put = partial(store.put_anew, stored) if is_damaged else partial(store.put, stored.key)
    with path.open("rb") as file:
        content_type = _content_type(ground, path, frame)
        return put(file, digest, content_type=content_type, dateobs=recorded.dateobs)


def _is_of(stored: StoredFile, digest: ContentDigest) -> bool:
    """Return whether bytes are those of a version in all that is recorded of it."""
    return stored.sha256 in {None, digest.sha256} and stored.size in {None, digest.size}


def publish(ground: RepairGround, finding: Finding) -> Done:
    """Let readers find a version at its key again."""
    frame = _still_at_fault(ground, finding)
    stored = None if frame is None else frame.current.version.stored()
    if frame is None or stored is None:
        return NOT_NEEDED
    if ground.is_busy(frame.basename):
        return BUSY
    if not _publish(ground, frame, stored):
        return BUSY
    return done("readers find it at its key again")


def _publish(ground: RepairGround, frame: AuditedFrame, stored: StoredFile) -> bool:
    """Publish a version unless another one comes in its place; return whether it was."""
    with ground.audited.journal.held(frame.basename) as held:
        is_busy = any(row.is_unfinished for row in held.rows())
        if is_busy or held.current_md5() != frame.current.version.md5:
            return False
        ground.audited.store.publish(stored)
    return True


def refresh_cache(ground: RepairGround, finding: Finding) -> Done:
    """Fetch a copy anew in place of a damaged one."""
    path, md5 = Path(finding.what["path"]), str(finding.what["md5"])
    cache = ground.audited.cache
    if not path.is_relative_to(cache.folder):
        return left(f"it is in another cache than {cache.folder}")
    frames = ground.audited.database.with_md5(md5)
    mine = [frame for frame in frames if cache.path_of(frame) == path]
    if not path.exists() or (not _has_wrong_size(path, mine) and is_whole(_cached(path, md5))):
        return NOT_NEEDED
    if cache.is_read_only:
        return left("the cache is only read (CALRECORDS_CACHE_READ_ONLY)")
    if not mine:
        return left("no record has these bytes under this name; remove it: calrecords cache verify")
    failures = []
    for source in FetchSource:
        try:
            ground.fetcher.fetch(mine[0], source)
        except TransientError:
            raise
        except (ArchiveError, FileStoreError, RecordNotFoundError) as error:
            failures.append(f"{source}: {error}")
        else:
            return done(f"fetched anew from the {source}")
    return left(f"it cannot be fetched anew, and stays as it is: {'; '.join(failures)}")


def _has_wrong_size(path: Path, frames: list[CalibrationFrame]) -> bool:
    sizes = {frame.version.size for frame in frames} - {None}
    return bool(sizes) and path.stat().st_size not in sizes


def _cached(path: Path, md5: str) -> CachedFile:
    return CachedFile(path, md5, 0, datetime.now(UTC))


def _still_at_fault(ground: RepairGround, finding: Finding) -> AuditedFrame | None:
    """Return a frame with the version that is at fault, if it still is."""
    whole = ground.frame(finding)
    one = None if whole is None else version_of(whole, finding.what["md5"])
    if whole is None or one is None:
        return None
    frame = replace(whole, versions=(one,))
    again = look_at(ground.audited, frame)
    return frame if again is not None and again.kind is finding.kind else None


def _is_damaged(finding: Finding) -> bool:
    return finding.kind is FaultKind.OBJECT_DAMAGED


def _content_type(ground: RepairGround, path: Path, frame: AuditedFrame) -> str:
    try:
        return ground.opened(path, frame).content_type
    except DataFileError:
        return ""
