"""Ingestions that were left half done, what they brought in, and which version is current."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from calrecords.archive import ArchiveFrame
from calrecords.frames import FrameFacts
from calrecords.records import AuditedFrame, AuditScope, Journal, JournalRow
from calrecords.workflows.audit_asking import find_named
from calrecords.workflows.audit_faults import FaultKind, Finding
from calrecords.workflows.audit_steps import AuditGround, Part, Step

_PAGE = 200
_FRAMES = 1000


class JournalPart(Part):
    """Looks for intents that nobody has touched for longer than the grace, and into the records.

    Those may be lost, or call another version of a frame current than the newest.
    """

    def steps(self, cursor: Any) -> Iterator[Step]:
        """Yield a step for all that is unfinished, and one for each page of records.

        Raises
        ------
        ArchiveError
            If the archive cannot be asked what it has of a lost record.
        """
        if cursor is None:
            yield self._unfinished()
        if not isinstance(cursor, Mapping):
            yield from self._lost_records(int(cursor or 0))
            cursor = {"frame": 0}
        for after in range(int(cursor["frame"]), self.ground.reads.last(), _FRAMES):
            wrong = self.ground.reads.displaced(after, after + _FRAMES)
            found = tuple(wrong_current(self.ground, frame) for frame in wrong)
            yield Step(cursor={"frame": after + _FRAMES}, findings=found)

    def _lost_records(self, after: int) -> Iterator[Step]:
        while rows := self.ground.journal.lost(after, _PAGE):
            after = rows[-1].id
            yield Step(cursor=after, examined=len(rows), findings=tuple(self._lost(rows)))

    def _unfinished(self) -> Step:
        ground = self.ground
        rows = ground.journal.unfinished()
        if ground.question.scope != AuditScope():
            rows = self._in_scope(rows)
        stale = [row for row in rows if not row.is_live and ground.is_settled(row.updated_at)]
        findings = tuple(self._finding(row) for row in stale)
        return Step(cursor=0, examined=len(rows), findings=findings)

    def _lost(self, rows: Sequence[JournalRow]) -> Iterator[Finding]:
        """Yield each frame that was recorded once and is no more."""
        settled = [row for row in rows if self.ground.is_settled(row.updated_at)]
        for name in sorted({row.basename for row in settled}):
            if any(row.is_unfinished for row in self.ground.journal.of_names([name])):
                continue
            archive = self.ground.archive
            found = None if archive is None else find_named(archive, name)
            if self._is_in_scope(found) and not self.ground.reads.named([name]):
                yield lost_record(self.ground, name, found)

    def _is_in_scope(self, found: ArchiveFrame | None) -> bool:
        """Return whether a lost record is asked about; of what was in it only the archive tells."""
        scope = self.ground.question.scope
        if found is None:
            return scope == AuditScope()
        equal = ((scope.site, found.site), (scope.camera, found.camera))
        kinds = (*equal, (scope.obstype, found.obstype))
        if any(wanted not in {None, theirs} for wanted, theirs in kinds):
            return False
        return _is_between(scope, found.dateobs)

    def _in_scope(self, rows: list[JournalRow]) -> list[JournalRow]:
        """Return the intents in the scope, and those of which that cannot be told."""
        scope = self.ground.question.scope
        outside = {
            one.id
            for one in Journal(self.ground.database).unfinished()
            if one.facts is not None and not _is_within(scope, one.facts)
        }
        return [row for row in rows if row.id not in outside]

    def _finding(self, row: JournalRow) -> Finding:
        why = "" if row.error is None else f", after {row.error}"
        return self.ground.finding(
            FaultKind.INTENT_STALE,
            row.basename + row.extension,
            f"its ingestion from {row.path} stands at {row.state!r} since "
            f"{row.updated_at:%Y-%m-%dT%H:%M:%SZ}{why}, and nobody is at it",
            {"id": row.id, "basename": row.basename, "md5": row.md5},
        )


def _is_within(scope: AuditScope, facts: FrameFacts) -> bool:
    equal = ((scope.site, facts.site), (scope.camera, facts.camera), (scope.obstype, facts.obstype))
    if any(wanted not in {None, found} for wanted, found in equal):
        return False
    return _is_between(scope, facts.dateobs)


def _is_between(scope: AuditScope, dateobs: datetime | None) -> bool:
    if dateobs is None:
        return True
    is_before = scope.since is not None and dateobs < scope.since
    return not is_before and (scope.until is None or dateobs < scope.until)


def lost_record(ground: AuditGround, basename: str, found: ArchiveFrame | None) -> Finding:
    """Return that a frame is not recorded, whatever has it.

    Parameters
    ----------
    ground : AuditGround
        What is looked at.
    basename : str
        The frame.
    found : ArchiveFrame or None
        What the archive has of it.
    """
    said = "it was ingested, and is not recorded any more"
    if found is not None:
        said = f"the archive has it as frame {found.frame_id}, and it is not recorded"
    frame_id = None if found is None else found.frame_id
    what = {"basename": basename, "frame_id": frame_id}
    return ground.finding(FaultKind.FRAME_NOT_RECORDED, basename, said, what)


def wrong_current(ground: AuditGround, frame: AuditedFrame) -> Finding:
    """Return that another version of a frame is current than the newest, or none is."""
    newest = frame.newest
    current = next((one for one in frame.versions if one.is_current), None)
    said = "none of its versions is current"
    if current is not None:
        said = f"the version with md5 {current.version.md5} is current"
    return ground.finding(
        FaultKind.CURRENT_VERSION_WRONG,
        frame.basename + newest.version.extension,
        f"{said}; the newest one has md5 {newest.version.md5}",
        {
            "basename": frame.basename,
            "current": None if current is None else current.id,
            "newest": newest.id,
        },
    )
