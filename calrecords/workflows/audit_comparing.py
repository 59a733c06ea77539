"""A recorded frame beside what the archive says of it: what agrees, and what does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from calrecords.archive import ArchiveFrame, ArchiveVersion
from calrecords.records import AuditedFrame, AuditedVersion
from calrecords.workflows.audit_faults import FaultKind, Finding
from calrecords.workflows.audit_steps import AuditGround


@dataclass(frozen=True, slots=True)
class Said:
    """What the archive says.

    Attributes
    ----------
    by_id : ArchiveFrame or None
        The frame with the recorded frame ID.
    by_name : ArchiveFrame or None
        The frame with the recorded basename.
    """

    by_id: ArchiveFrame | None
    by_name: ArchiveFrame | None

    def of(self, frame: AuditedFrame) -> ArchiveFrame | None:
        """Return what the archive has of a frame."""
        if self.by_id is not None and self.by_id.basename == frame.basename:
            return self.by_id
        return self.by_name


def compare(frame: AuditedFrame, said: Said, ground: AuditGround) -> list[Finding]:
    """Return what is wrong between a record and the archive."""
    return list(_Comparison(frame, said, ground).findings())


class _Comparison:
    """One record beside what the archive says."""

    def __init__(self, frame: AuditedFrame, said: Said, ground: AuditGround) -> None:
        self._frame = frame
        self._said = said
        self._ground = ground
        self._is_settled: Callable[[datetime | None], bool] = ground.is_settled

    def findings(self) -> Iterator[Finding]:
        frame, found = self._frame, self._said.of(self._frame)
        if found is None:
            if frame.frame_id is not None and self._is_settled(frame.current.recorded_at):
                yield self._not_archived()
            return
        if others := differences(frame, found):
            if frame.frame_id is not None:
                yield self._another(found, others)
            return
        if frame.frame_id is None:
            if _has_one_of(frame, found):
                yield self._without_id(found)
            return
        if frame.frame_id != found.frame_id:
            yield self._wrong_id(found)
        yield from self._versions(found)

    def _not_archived(self) -> Finding:
        frame, other = self._frame, self._said.by_id
        found = f"recorded with frame ID {frame.frame_id}, and the archive has no such frame"
        if other is not None:
            found = (
                f"recorded with frame ID {frame.frame_id}, which is {other.basename} in the "
                "archive, where none has this name"
            )
        return self._finding(FaultKind.FRAME_NOT_ARCHIVED, found, frame_id=frame.frame_id)

    def _another(self, found: ArchiveFrame, differences: str) -> Finding:
        return self._finding(
            FaultKind.ANOTHER_FRAME,
            f"the archive has frame {found.frame_id} under this name, with {differences}",
            frame_id=self._frame.frame_id,
            archive_frame_id=found.frame_id,
        )

    def _without_id(self, found: ArchiveFrame) -> Finding:
        return self._finding(
            FaultKind.FRAME_ID_MISSING,
            f"recorded without a frame ID; the archive has it as frame {found.frame_id}",
            archive_frame_id=found.frame_id,
        )

    def _wrong_id(self, found: ArchiveFrame) -> Finding:
        frame, other = self._frame, self._said.by_id
        theirs = "nothing" if other is None else other.basename
        return self._finding(
            FaultKind.FRAME_ID_WRONG,
            f"recorded with frame ID {frame.frame_id}, which is {theirs} in the archive; there "
            f"it is frame {found.frame_id}",
            frame_id=frame.frame_id,
            archive_frame_id=found.frame_id,
        )

    def _versions(self, found: ArchiveFrame) -> Iterator[Finding]:
        explained: set[str] = set()
        recorded = [one for one in self._frame.versions if one.version.md5 is not None]
        has_match = _has_one_of(self._frame, found)
        for one in recorded:
            theirs = found.version_with(str(one.version.md5))
            if theirs is not None:
                yield from self._same_content(one, theirs)
                continue
            alike = _with_key(found, one.version.version_key)
            if alike is None and not has_match and found.versions:
                alike = found.versions[0]
            if alike is not None and self._is_settled(one.recorded_at):
                explained.add(alike.md5.lower())
                yield self._wrong_checksum(one, alike)
            elif one.archived_at is not None and self._is_settled(one.recorded_at):
                yield self._version_not_archived(one, found)
        if found.versions and len(recorded) == len(self._frame.versions):
            newest = found.versions[0]
            known = explained | {str(one.version.md5) for one in recorded}
            if newest.md5.lower() not in known and self._is_settled(newest.created):
                yield self._version_not_recorded(found, newest)

    def _same_content(self, one: AuditedVersion, theirs: ArchiveVersion) -> Iterator[Finding]:
        ours = one.version.version_key
        if ours not in {None, theirs.version_key} and self._is_settled(one.recorded_at):
            yield self._finding(
                FaultKind.VERSION_KEY_WRONG,
                f"recorded as version {ours}; the archive calls these bytes {theirs.version_key}",
                md5=one.version.md5,
                version_key=ours,
                archive_version_key=theirs.version_key,
            )

    def _wrong_checksum(self, one: AuditedVersion, theirs: ArchiveVersion) -> Finding:
        return self._finding(
            FaultKind.CHECKSUM_WRONG,
            f"version {one.version.version_key} is recorded with md5 {one.version.md5}; the "
            f"archive says {theirs.md5.lower()}",
            md5=one.version.md5,
            true_md5=theirs.md5.lower(),
            version_key=theirs.version_key,
        )

    def _version_not_archived(self, one: AuditedVersion, found: ArchiveFrame) -> Finding:
        which = "the current version" if one.is_current else "an older version"
        return self._finding(
            FaultKind.VERSION_NOT_ARCHIVED,
            f"{which}, with md5 {one.version.md5}, is recorded as archived; the archive's frame "
            f"{found.frame_id} has no such version",
            frame_id=found.frame_id,
            md5=one.version.md5,
        )

    def _version_not_recorded(self, found: ArchiveFrame, newest: ArchiveVersion) -> Finding:
        return self._finding(
            FaultKind.VERSION_NOT_RECORDED,
            f"the archive's newest version of frame {found.frame_id}, with md5 "
            f"{newest.md5.lower()}, is not recorded",
            frame_id=found.frame_id,
            md5=newest.md5.lower(),
        )

    def _finding(self, kind: FaultKind, found: str, **what: object) -> Finding:
        what = {"basename": self._frame.basename, **what}
        return self._ground.finding(kind, self._frame.filename, found, what)


def differences(frame: AuditedFrame, found: ArchiveFrame) -> str:
    """Return in what an archive's frame is another one, in words; empty where it is the same."""
    pairs = (
        ("site", frame.site, found.site),
        ("camera", frame.camera, found.camera),
        ("observation type", frame.obstype, found.obstype),
    )
    return " and ".join(
        f"{what} {theirs!r} in place of {ours!r}"
        for what, ours, theirs in pairs
        if theirs and ours and theirs.strip() != ours.strip()
    )


def _has_one_of(frame: AuditedFrame, found: ArchiveFrame) -> bool:
    """Return whether the archive has a recorded version, or may: one without a checksum."""
    md5s = [one.version.md5 for one in frame.versions]
    return any(md5 is None or found.version_with(md5) is not None for md5 in md5s)


def _with_key(found: ArchiveFrame, version_key: str | None) -> ArchiveVersion | None:
    return next((one for one in found.versions if one.version_key == version_key), None)
