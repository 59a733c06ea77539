"""Whether the file store has what the records say, and whether readers find it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from calrecords.errors import ArchiveError, ChecksumMismatchError, StoredFileNotFoundError
from calrecords.filestore import DummyStore
from calrecords.frames import ContentDigest, StoredFile, digest_stream
from calrecords.records import AuditedFrame
from calrecords.workflows.audit_asking import ask
from calrecords.workflows.audit_faults import FaultKind, Finding
from calrecords.workflows.audit_question import AuditDepth
from calrecords.workflows.audit_steps import AuditGround, Part, Step
from calrecords.workflows.offline import OfflineStore

_EACH = 8
"""How many files for each worker are looked at in one step."""


class StorePart(Part):
    """Looks at the file of every recorded version; reads it whole if that is asked for."""

    def why_not(self) -> str | None:
        """Return why there is nothing to look at."""
        store = self.ground.store
        return str(store.not_listed()) if isinstance(store, DummyStore | OfflineStore) else None

    def steps(self, cursor: Any) -> Iterator[Step]:
        """Yield a step for each few versions.

        Raises
        ------
        FileStoreError
            If the store cannot be reached, or a right is missing.
        """
        after, many = int(cursor or 0), self.ground.workers * _EACH
        with ThreadPoolExecutor(self.ground.workers, "calrecords-audit") as pool:
            while page := self.ground.reads.versions(after, many):
                stored = [frame for frame in page if frame.current.version.stored() is not None]
                findings = [one for one in pool.map(self._look, stored) if one is not None]
                after = page[-1].current.id
                yield Step(cursor=after, examined=len(stored), findings=tuple(findings))

    def _look(self, frame: AuditedFrame) -> Finding | None:
        """Return what is wrong with one version, once it is seen twice."""
        first = look_at(self.ground, frame)
        if first is None or any(
            row.is_unfinished for row in self.ground.journal.of_names([frame.basename])
        ):
            return None
        fresh = version_now(self.ground, frame)
        again = None if fresh is None else look_at(self.ground, fresh)
        return again if again is not None and again.fingerprint == first.fingerprint else None


def version_now(ground: AuditGround, frame: AuditedFrame) -> AuditedFrame | None:
    """Return a frame with one version as it is recorded now; None if it is no more."""
    whole = ground.reads.named([frame.basename]).get(frame.basename)
    if whole is None:
        return None
    found = [one for one in whole.versions if one.id == frame.current.id]
    return replace(whole, versions=tuple(found)) if found else None


def look_at(ground: AuditGround, frame: AuditedFrame) -> Finding | None:
    """Return what is wrong with the file of one version, if anything.

    Parameters
    ----------
    ground : AuditGround
        What is looked at.
    frame : AuditedFrame
        With that version alone.

    Raises
    ------
    FileStoreError
        If the store cannot be asked.
    """
    one = frame.current
    stored = one.version.stored()
    if stored is None or not ground.is_settled(one.recorded_at):
        return None
    try:
        found = ground.store.stat(stored)
        fault = _difference(stored, found)
        if fault is None and ground.question.depth is AuditDepth.FULL:
            with ground.store.open(stored) as source:
                found = _as_found(stored, digest_stream(source))
            fault = _difference(stored, found)
    except StoredFileNotFoundError:
        return _finding(ground, frame, FaultKind.OBJECT_MISSING, "the store does not have it")
    except ChecksumMismatchError as error:
        return _finding(ground, frame, FaultKind.OBJECT_DAMAGED, str(error))
    if fault is not None and fault.startswith("md5") and found.sha256 == stored.sha256 is not None:
        return _wrong_checksum(ground, frame, str(found.md5))
    if fault is not None:
        return _finding(ground, frame, FaultKind.OBJECT_DAMAGED, f"the store has {fault}")
    if one.is_current and not ground.store.is_published(stored) and is_newest(ground, frame):
        what = "the store has it aside, and readers do not find it at its key"
        return _finding(ground, frame, FaultKind.OBJECT_NOT_PUBLISHED, what)
    return None


def _difference(stored: StoredFile, found: StoredFile) -> str | None:
    """Return in what a file is not the recorded one, as far as the store says."""
    for name in ("size", "sha256", "md5"):
        ours, theirs = getattr(stored, name), getattr(found, name)
        if None not in {ours, theirs} and ours != theirs:
            return f"{name} {theirs}, and {ours} is recorded"
    return None


def _as_found(stored: StoredFile, digest: ContentDigest) -> StoredFile:
    return replace(stored, md5=digest.md5, sha256=digest.sha256, size=digest.size)


def _wrong_checksum(ground: AuditGround, frame: AuditedFrame, md5: str) -> Finding:
    """Return that a record contradicts itself: its SHA-256 is that of the bytes."""
    version = frame.current.version
    return ground.finding(
        FaultKind.CHECKSUM_WRONG,
        frame.filename,
        f"version {version.version_key} is recorded with md5 {version.md5}, and with the SHA-256 "
        f"of bytes whose md5 is {md5}, which the store has",
        {
            "basename": frame.basename,
            "md5": version.md5,
            "true_md5": md5,
            "version_key": version.version_key,
        },
    )


def is_newest(ground: AuditGround, frame: AuditedFrame) -> bool:
    """Return whether the archive has no newer version than the current one, as far as it says.

    A newer one that is not recorded here may be published by whoever brought it in.
    """
    if ground.archive is None or frame.frame_id is None:
        return True
    try:
        found = ask(ground.archive, frame.basename, frame.frame_id).of(frame)
    except ArchiveError:
        return False
    if found is None or not found.versions:
        return True
    return found.versions[0].md5.lower() == frame.current.version.md5


def _finding(ground: AuditGround, frame: AuditedFrame, kind: FaultKind, said: str) -> Finding:
    version = frame.current.version
    return ground.finding(
        kind,
        frame.filename,
        f"recorded as {version.key}, version {version.version_key}: {said}",
        {
            "basename": frame.basename,
            "md5": version.md5,
            "key": version.key,
            "version_key": version.version_key,
            "store": repr(ground.store),
        },
    )
