"""Whether the file store has what the records say, and whether readers find it."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from calrecords.errors import (
    ArchiveError,
    CalRecordsError,
    ChecksumMismatchError,
    FileStoreError,
    FileStoreRefusedError,
    FileStoreUnavailableError,
    StoredFileNotFoundError,
    UnsafeKeyError,
)
from calrecords.filestore import DummyStore, FileStore
from calrecords.frames import ContentDigest, StoredFile, digest_stream
from calrecords.records import AuditedFrame
from calrecords.workflows.audit_asking import ask
from calrecords.workflows.audit_comparing import differences
from calrecords.workflows.audit_faults import FaultKind, Finding, NoticeKind
from calrecords.workflows.audit_question import AuditDepth
from calrecords.workflows.audit_steps import AuditGround, Part, Step
from calrecords.workflows.offline import OfflineStore

log = logging.getLogger(__name__)

_EACH = 8
"""How many files for each worker are looked at in one step."""

_MOST_CLOSED = 3
"""How many files in a row the store may not let us look at before it is taken to be away."""

_OF_BYTES = frozenset({FaultKind.OBJECT_MISSING, FaultKind.OBJECT_DAMAGED})


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
        closed = _Closed(has_seen_any=after > 0)
        with ThreadPoolExecutor(self.ground.workers, "calrecords-audit") as pool:
            while page := self.ground.reads.versions(after, many):
                stored = [frame for frame in page if frame.current.version.stored() is not None]
                after = page[-1].current.id
                found = [
                    closed.passed(frame, one)
                    for frame, one in zip(stored, pool.map(self._tried, stored), strict=True)
                ]
                yield Step(
                    cursor=after,
                    examined=len(stored),
                    findings=tuple(one for one in found if one is not None),
                    notices=tuple((NoticeKind.FILES_UNDECIDED, name) for name in closed.names()),
                )

    def _tried(self, frame: AuditedFrame) -> Finding | FileStoreError | None:
        try:
            return self._look(frame)
        except (FileStoreUnavailableError, FileStoreRefusedError) as error:
            return error

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


class _Closed:
    """Files that a store does not let us look at: several in a row, and it is the store itself.

    Where it let us look at others, what it refuses is a folder that is closed, or the like, and
    must not hide what is wrong behind it.

    Parameters
    ----------
    has_seen_any : bool
        Whether it has let us look at some before.
    """

    def __init__(self, *, has_seen_any: bool) -> None:
        self._has_seen_any = has_seen_any
        self._in_a_row = 0
        self._names: list[str] = []

    def passed(self, frame: AuditedFrame, found: Finding | FileStoreError | None) -> Finding | None:
        """Return what was found, and bear that a single file could not be looked at.

        Raises
        ------
        FileStoreError
            If it is one of several in a row, and the store may be away.
        """
        if not isinstance(found, FileStoreError):
            self._in_a_row, self._has_seen_any = 0, True
            return found
        self._in_a_row += 1
        is_one_place = isinstance(found, FileStoreRefusedError) and self._has_seen_any
        if self._in_a_row >= _MOST_CLOSED and not is_one_place:
            raise found
        log.warning("%s: the store does not let us look at it: %s", frame.filename, found)
        self._names.append(frame.filename)
        return None

    def names(self) -> list[str]:
        """Return the files that could not be looked at since this was last asked."""
        names, self._names = self._names, []
        return names


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
    fault = _file_fault(ground, frame)
    if fault is not None and fault.kind in _OF_BYTES:
        return _as_ingested(ground, frame) or fault
    return fault


def _file_fault(ground: AuditGround, frame: AuditedFrame) -> Finding | None:
    one = frame.current
    stored = one.version.stored()
    if stored is None or not ground.is_settled(one.recorded_at):
        return None
    try:
        found = ground.store.stat(stored)
        fault = _difference(stored, found)
        if fault is None and ground.question.depth is AuditDepth.FULL:
            found = _as_found(stored, _digest_of(ground.store, stored))
            fault = _difference(stored, found)
    except StoredFileNotFoundError:
        return _finding(ground, frame, FaultKind.OBJECT_MISSING, "the store does not have it")
    except UnsafeKeyError as error:
        return _finding(ground, frame, FaultKind.OBJECT_MISSING, str(error))
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


def _as_ingested(ground: AuditGround, frame: AuditedFrame) -> Finding | None:
    """Return that a record is what is wrong, where the store has what the journal says it got."""
    version = frame.current.version
    recorded = (version.sha256, version.size)
    for row in ground.journal.of_names([frame.basename]):
        if not row.is_recorded or row.md5 != version.md5 or recorded == (row.sha256, row.size):
            continue
        was = StoredFile(str(version.key), str(version.version_key), row.md5, row.sha256, row.size)
        try:
            digest = _digest_of(ground.store, was)
        except (StoredFileNotFoundError, ChecksumMismatchError, UnsafeKeyError):
            continue
        if digest == ContentDigest(row.md5, row.sha256, row.size):
            said = (
                f"version {version.version_key} is recorded with {version.size} bytes and SHA-256 "
                f"{version.sha256}; it was ingested with {row.size} and {row.sha256}, which the "
                "store has"
            )
            return _checksum_wrong(ground, frame, said, row.md5, true_sha256=row.sha256)
    return None


def _difference(stored: StoredFile, found: StoredFile) -> str | None:
    """Return in what a file is not the recorded one, as far as the store says."""
    for name in ("size", "sha256", "md5"):
        ours, theirs = getattr(stored, name), getattr(found, name)
        if None not in {ours, theirs} and ours != theirs:
            return f"{name} {theirs}, and {ours} is recorded"
    return None


def _digest_of(store: FileStore, stored: StoredFile) -> ContentDigest:
    """Read a version, and return what it is.

    Raises
    ------
    ChecksumMismatchError
        If the disk cannot read some of it any more.
    FileStoreError
        If the store cannot be reached, or refuses.
    """
    try:
        with store.open(stored) as source:
            return digest_stream(source)
    except CalRecordsError:  # some of ours are OSErrors too
        raise
    except OSError as error:
        msg = f"{stored.key} cannot be read: {error.strerror}"
        if error.errno == errno.EIO:
            raise ChecksumMismatchError(msg) from error
        raise FileStoreUnavailableError(msg) from error


def _as_found(stored: StoredFile, digest: ContentDigest) -> StoredFile:
    return replace(stored, md5=digest.md5, sha256=digest.sha256, size=digest.size)


def _wrong_checksum(ground: AuditGround, frame: AuditedFrame, md5: str) -> Finding:
    """Return that a record contradicts itself: its SHA-256 is that of the bytes."""
    version = frame.current.version
    said = (
        f"version {version.version_key} is recorded with md5 {version.md5}, and with the SHA-256 "
        f"of bytes whose md5 is {md5}, which the store has"
    )
    return _checksum_wrong(ground, frame, said, md5)


def _checksum_wrong(
    ground: AuditGround, frame: AuditedFrame, said: str, true_md5: str, **what: str
) -> Finding:
    version = frame.current.version
    what = {"md5": str(version.md5), "true_md5": true_md5, **what}
    named = {"basename": frame.basename, "version_key": version.version_key}
    return ground.finding(FaultKind.CHECKSUM_WRONG, frame.filename, said, {**named, **what})


def is_newest(ground: AuditGround, frame: AuditedFrame) -> bool:
    """Return whether neither records nor archive have a newer version than the current one.

    A newer one that is not recorded here may be published by whoever brought it in, also where
    the frame is recorded without its ID. Another camera's frame has another place.
    """
    whole = ground.reads.named([frame.basename]).get(frame.basename)
    if whole is not None and whole.newest.id != frame.current.id:
        return False
    if ground.archive is None:
        return True
    try:
        found = ask(ground.archive, frame.basename, frame.frame_id).of(frame)
    except ArchiveError:
        return False
    if found is None or not found.versions or differences(frame, found):
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
