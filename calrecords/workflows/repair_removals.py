"""Deleting what nobody refers to: once two audits have seen it, and not while anybody might."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from calrecords.errors import ArchiveRefusedError, StoredFileNotFoundError
from calrecords.filestore import Leftover, LeftoverKind, ListedFile
from calrecords.frames import StoredFile
from calrecords.vocabulary import parse_time
from calrecords.workflows.audit_asking import find_named
from calrecords.workflows.audit_faults import Finding
from calrecords.workflows.audit_objects import Known, basename_of, is_archived
from calrecords.workflows.cache_files import remove_stray
from calrecords.workflows.repair_steps import NOT_NEEDED, Done, RepairGround, done, left

APART = timedelta(days=1)
"""How far apart two audits must have seen what is deleted."""


def remove_object(ground: RepairGround, finding: Finding) -> Done:
    """Delete a file that neither records, nor ingestions, nor the archive refer to."""
    audited, what = ground.audited, finding.what
    listed = ListedFile(
        key=str(what["key"]),
        version_key=what["version_key"],
        sha256=what["sha256"],
        size=int(what["size"]),
        modified=parse_time(what["modified"]),
    )
    if audited.archive is None and audited.reads.archive_root() is not None:
        return left(f"the archive must be asked first: {audited.why_no_archive}")
    try:
        md5 = _md5_of(ground, listed)
    except StoredFileNotFoundError:
        return NOT_NEEDED
    if is_archived(audited, listed):
        return NOT_NEEDED
    if _is_archived_otherwise(ground, listed, md5):
        return left("the archive has these bytes under another name; find out whose they are")
    # Nobody can begin to ingest under this name until it is gone, and so come to rely on it.
    with audited.journal.held(basename_of(listed.key)) as held:
        versions = () if listed.version_key is None else (listed.version_key,)
        known = Known(audited, held.rows(), held.objects(versions))
        if known.refers_to(listed, md5):
            return NOT_NEEDED
        if not audited.store.remove(listed):
            return left("it changed since it was audited")
    return done("deleted")


def discard_upload(ground: RepairGround, finding: Finding) -> Done:
    """Remove what was begun in the store and never finished."""
    what = finding.what
    leftover = Leftover(
        kind=LeftoverKind(what["kind"]),
        key=str(what["key"]),
        name=str(what["name"]),
        began=parse_time(what["began"]),
    )
    if leftover not in list(ground.audited.store.leftovers(leftover.key)):
        return NOT_NEEDED
    with ground.audited.journal.held(basename_of(leftover.key)) as held:
        if any(row.is_live and row.key == leftover.key for row in held.rows()):
            return left("somebody is at it now")
        if not ground.audited.store.discard(leftover):
            return left("somebody writes to it now")
    return done("deleted")


def remove_cached(ground: RepairGround, finding: Finding) -> Done:
    """Remove a half-written copy of the cache."""
    path, folder = Path(str(finding.what["path"])), ground.audited.cache.folder
    if not path.is_relative_to(folder):
        return left(f"it is in another cache than {folder}")
    if not path.exists():
        return NOT_NEEDED
    if ground.audited.cache.is_read_only:
        return left("the cache is only read (CALRECORDS_CACHE_READ_ONLY)")
    return done("deleted") if remove_stray(path) else left("somebody writes to it now")


def _md5_of(ground: RepairGround, listed: ListedFile) -> str:
    """Return what the bytes of a file are; they are read where the store cannot say."""
    store = ground.audited.store
    if listed.version_key is not None:
        md5 = store.stat(StoredFile(listed.key, listed.version_key)).md5
        if md5 is not None:
            return md5
    return store.digest_of(listed).md5


def _is_archived_otherwise(ground: RepairGround, listed: ListedFile, md5: str) -> bool:
    """Return whether the archive has these bytes, and not as the frame of this name."""
    archive, name = ground.audited.archive, basename_of(listed.key)
    if archive is None:
        return False
    frame = find_named(archive, name)
    if frame is not None and frame.version_with(md5) is not None:
        return False  # another version of this key is the one that it refers to
    try:
        return archive.has_version(md5) is True
    except ArchiveRefusedError:  # it tells that to staff alone
        return False
