"""What an audit asks the archive of single frames, and what a fault must survive to be told."""

from __future__ import annotations

import logging

from calrecords.archive import ArchiveClient, ArchiveFrame
from calrecords.errors import (
    ArchiveRefusedError,
    ArchiveUnavailableError,
    CalRecordsError,
    ChecksumMismatchError,
    FrameNotFoundError,
    StoredFileNotFoundError,
    TransientError,
    UnsafeKeyError,
)
from calrecords.frames import StoredFile
from calrecords.records import AuditedFrame
from calrecords.workflows.audit_comparing import Said, compare
from calrecords.workflows.audit_faults import FaultKind, Finding
from calrecords.workflows.audit_steps import AuditGround, Nowhere

log = logging.getLogger(__name__)

_MOST_SILENT = 3
"""Of how many frames in a row the archive may say nothing before it is taken to be away."""


def ask(archive: ArchiveClient, basename: str, frame_id: int | None) -> Said:
    """Return what the archive says of a frame, by its ID and, where that is another, its name.

    Raises
    ------
    ArchiveError
        If it cannot be asked.
    """
    by_id: ArchiveFrame | None = None
    if frame_id is not None:
        try:
            by_id = archive.frame(frame_id)
        except FrameNotFoundError:
            by_id = None
    if by_id is not None and by_id.basename == basename:
        return Said(by_id, None)
    return Said(by_id, find_named(archive, basename))


def find_named(archive: ArchiveClient, basename: str) -> ArchiveFrame | None:
    """Return the archive's frame of a name; None too of a name that no archive could have.

    Raises
    ------
    ArchiveError
        If it cannot be asked.
    """
    try:
        return archive.find(basename) if basename else None
    except ArchiveRefusedError as error:
        if error.status is not None:
            raise
        log.info("%r: the archive cannot have such a name: %s", basename, error)
        return None


class Questioner:
    """Asks the archive of one frame after the other, and bears that it fails on some.

    Parameters
    ----------
    ground : AuditGround
        What is looked at.
    archive : ArchiveClient
        The archive.
    """

    def __init__(self, ground: AuditGround, archive: ArchiveClient) -> None:
        self._ground = ground
        self._archive = archive
        self._silent = 0

    def compare(self, frame: AuditedFrame, said: Said | None = None) -> list[Finding] | None:
        """Return what is wrong with a frame, seen twice; None where the archive says nothing.

        What a list said is only the first look: records and archive are read anew before a
        fault is told, since either may have changed, or have been a moment behind.

        Parameters
        ----------
        frame : AuditedFrame
            As it is recorded.
        said : Said, optional
            What the archive said of it in a list; by default it is asked.

        Raises
        ------
        ArchiveUnavailableError
            If the archive fails on several frames in a row.
        """
        try:
            found = self._compared(frame, said)
        except ArchiveUnavailableError as error:
            self._silent += 1
            if self._silent >= _MOST_SILENT:
                raise
            log.warning("%s: the archive does not say what it has: %s", frame.filename, error)
            return None
        self._silent = 0
        return found

    def _compared(self, frame: AuditedFrame, said: Said | None) -> list[Finding]:
        if said is None:
            said = ask(self._archive, frame.basename, frame.frame_id)
        first = compare(frame, said, self._ground)
        return self.confirmed(frame.basename, first) if first else []

    def confirmed(self, basename: str, first: list[Finding]) -> list[Finding]:
        """Return which faults are still there when both sides are asked again."""
        if any(row.is_unfinished for row in self._ground.journal.of_names([basename])):
            return []
        frame = self._ground.reads.named([basename]).get(basename)
        if frame is None:
            return []
        said = ask(self._archive, basename, frame.frame_id)
        again = {one.fingerprint for one in compare(frame, said, self._ground)}
        return [self._settled(frame, one) for one in first if one.fingerprint in again]

    def _settled(self, frame: AuditedFrame, finding: Finding) -> Finding:
        """Return a fault, as another one where the archive names a file that is gone."""
        if finding.kind is not FaultKind.VERSION_KEY_WRONG:
            return finding
        what = finding.what
        one = next((v for v in frame.versions if v.version.md5 == what["md5"]), None)
        if one is None or one.version.key is None:
            return finding
        key = one.version.key
        theirs = StoredFile(key, str(what["archive_version_key"]), one.version.md5)
        ours = one.version.stored()
        if ours is None or self._has(theirs) is not False or not self._has(ours):
            return finding
        found = (
            f"the archive says version {what['archive_version_key']}, which the store does not "
            f"have, or not whole; it has these bytes as version {what['version_key']}"
        )
        return self._ground.finding(FaultKind.ARCHIVED_FILE_GONE, finding.name, found, what)

    def _has(self, stored: StoredFile) -> bool | None:
        """Return whether the store has a version, whole; None where it cannot be asked."""
        try:
            self._ground.store.copy_to(stored, Nowhere.sink())
        except (StoredFileNotFoundError, ChecksumMismatchError, UnsafeKeyError):
            return False
        except TransientError:
            raise
        except CalRecordsError as error:
            log.info("%s: the store cannot be asked for it: %s", stored.key, error)
            return None
        return True
