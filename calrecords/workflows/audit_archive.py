"""Records and archive, compared both ways along the time of observation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from calrecords.archive import ArchiveClient, ArchiveFrame
from calrecords.errors import ConfigurationError
from calrecords.records import AuditedFrame, AuditReads, AuditScope, JournalRow, Stratum
from calrecords.vocabulary import parse_time
from calrecords.workflows.audit_asking import Questioner
from calrecords.workflows.audit_comparing import Said
from calrecords.workflows.audit_faults import Finding, NoticeKind
from calrecords.workflows.audit_journal import lost_record
from calrecords.workflows.audit_steps import AuditGround, Part, Step

_WINDOW = 500
_PAGE = 200


@dataclass(frozen=True, slots=True)
class _Window:
    """What the archive has between two times.

    Attributes
    ----------
    start, end : datetime or None
        Half-open range of dateobs, UTC; None is open.
    frames : list of ArchiveFrame
        All that is in it.
    """

    start: datetime | None
    end: datetime | None
    frames: list[ArchiveFrame]


class ArchivePart(Part):
    """Compares records with what the archive has.

    The archive is asked for whole pages, of each camera and reduction level that is recorded;
    only what does not agree there is asked for by name.
    """

    def why_not(self) -> str | None:
        """Return why there is no archive."""
        return self.ground.why_no_archive if self.ground.archive is None else None

    def steps(self, cursor: Any) -> Iterator[Step]:
        """Yield a step for each page of records.

        Raises
        ------
        ArchiveError
            If the archive cannot be reached, or the token lacks a right.
        """
        archive = self.ground.archive
        if archive is None:
            raise ConfigurationError(self.ground.why_no_archive)
        self.ground.database.demand_archive(archive.root)
        # Without this right the archive hides frames, which would look as if they were lost.
        types = archive.observation_types()
        walk = _Walk(self.ground, archive, types)
        at: Mapping[str, Any] = cursor or {}
        if "undated" not in at:
            yield from walk.dated(at)
        yield from walk.undated(int(at.get("undated", 0)))


class _Walk:
    """One walk through records and archive."""

    def __init__(self, ground: AuditGround, archive: ArchiveClient, types: frozenset[str]) -> None:
        self._ground = ground
        self._archive = archive
        self._types = types
        self._questioner = Questioner(ground, archive)
        self._claims_any_level = False

    def dated(self, at: Mapping[str, Any]) -> Iterator[Step]:
        begin = tuple(at["stratum"]) if "stratum" in at else None
        for stratum in self._strata():
            place = stratum.place
            if begin is not None and (place < begin or (place == begin and at.get("done"))):
                continue
            start, after = self._ground.question.scope.since, None
            if place == begin and at.get("from") is not None:
                start = parse_time(at["from"])
                after = None if at.get("after") is None else (start, int(at["after"]))
            for window in self._windows(stratum, start):
                yield from self._compared(stratum, window, after)
                after = None
            yield Step(cursor={"stratum": list(place), "done": True})

    def undated(self, after: int) -> Iterator[Step]:
        while page := self._ground.reads.undated(after, _PAGE):
            after = page[-1].id
            yield self._step({"undated": after}, [(frame, None) for frame in page])

    def _strata(self) -> list[Stratum]:
        """Return what is recorded, and what is said to be ours and may not be."""
        question, recorded = self._ground.question, self._ground.reads.strata()
        scope = question.scope
        if not question.ours or scope.site is None or scope.camera is None:
            return recorded
        here = {stratum.place for stratum in recorded}
        types: dict[int | None, set[str]] = {}
        everywhere = AuditReads(self._ground.database, AuditScope(obstype=scope.obstype))
        for stratum in everywhere.strata():
            types.setdefault(stratum.reduction_level, set()).update(stratum.obstypes)
        if not types and scope.obstype is not None:
            types[None] = {scope.obstype}
            self._claims_any_level = True
        more = [
            Stratum(scope.site, scope.camera, level, tuple(sorted(kinds)))
            for level, kinds in types.items()
        ]
        found = [*recorded, *(stratum for stratum in more if stratum.place not in here)]
        return sorted(found, key=lambda stratum: stratum.place)

    def _windows(self, stratum: Stratum, start: datetime | None) -> Iterator[_Window]:
        end = self._ground.question.scope.until
        filters = self._filters(stratum)
        if filters is None:
            yield _Window(start, end, [])
            return
        for name, moment in (("start", start), ("end", end)):
            if moment is not None:
                filters[name] = moment
        order = ("dateobs", "frame_id")
        frames = self._archive.search(ordering=order, skip_unreadable=True, **filters)
        yield from _cut(frames, start, end)

    def _filters(self, stratum: Stratum) -> dict[str, Any] | None:
        """Return what to ask the archive for; None where it cannot have any, or be asked."""
        types = [kind for kind in stratum.obstypes if kind in self._types]
        words = (stratum.site, stratum.camera)
        if not types or any(not word or word != word.strip() for word in words):
            return None
        filters: dict[str, Any] = {
            "site": stratum.site,
            "camera": stratum.camera,
            "obstypes": types,
        }
        if stratum.reduction_level is not None:
            filters["reduction_level"] = stratum.reduction_level
        return filters

    def _compared(
        self, stratum: Stratum, window: _Window, after: tuple[datetime, int] | None
    ) -> Iterator[Step]:
        """Yield a step for each page of records of a window, each a little further on."""
        place = list(stratum.place)
        by_name = {frame.basename: frame for frame in window.frames}
        by_id = {frame.frame_id: frame for frame in window.frames}
        more = self._unrecorded(stratum, window)
        while page := self._ground.reads.dated(stratum, window.start, window.end, after, _PAGE):
            last = page[-1].current.dateobs
            assert last is not None
            after = (last, page[-1].id)
            cursor = {"stratum": place, "from": last.isoformat(), "after": page[-1].id}
            step = self._step(
                cursor, [(frame, self._listed(frame, by_name, by_id)) for frame in page]
            )
            yield replace(
                step, findings=more.findings + step.findings, notices=more.notices + step.notices
            )
            more = Step(cursor=cursor)
        if window.end is not None:
            yield replace(more, cursor={"stratum": place, "from": window.end.isoformat()})
        elif more.findings or more.notices:
            yield replace(more, cursor={"stratum": place, "done": True})

    def _listed(
        self,
        frame: AuditedFrame,
        by_name: Mapping[str, ArchiveFrame],
        by_id: Mapping[int, ArchiveFrame],
    ) -> Said | None:
        """Return what the archive's list says of a frame; None where it must be asked."""
        found = by_name.get(frame.basename)
        if found is not None and frame.frame_id in {None, found.frame_id}:
            return Said(found, found)
        if found is None and frame.frame_id is None and frame.obstype not in self._types:
            return Said(None, None)
        return None

    def _step(self, cursor: Any, frames: Sequence[tuple[AuditedFrame, Said | None]]) -> Step:
        findings: list[Finding] = []
        notices: list[tuple[NoticeKind, str]] = []
        for frame, said in frames:
            found = self._questioner.compare(frame, said)
            if found is None:
                notices.append((NoticeKind.FRAMES_UNDECIDED, frame.filename))
            else:
                findings += found
        return Step(
            cursor=cursor,
            examined=len(frames),
            findings=tuple(findings),
            notices=tuple(notices),
        )

    def _unrecorded(self, stratum: Stratum, window: _Window) -> Step:
        """Return which frames of the archive are not recorded."""
        ground = self._ground
        names = {frame.basename for frame in window.frames}
        candidates = names - ground.reads.known(names)
        rows = ground.journal.of_names(candidates)
        busy = {row.basename for row in rows if row.is_unfinished}
        tied = {frame.basename for frame in window.frames if _is_tied(frame, rows)}
        has_level = stratum.reduction_level is not None or self._claims_any_level
        claimed = ground.question.ours and has_level
        findings, notices = [], []
        for frame in window.frames:
            if frame.basename not in candidates - busy or not self._is_settled(frame):
                continue
            if frame.basename not in tied and not claimed:
                notices.append((NoticeKind.FRAMES_OF_OTHERS, frame.basename))
            elif not ground.reads.known([frame.basename]):
                findings.append(lost_record(ground, frame.basename, frame))
        return Step(cursor=None, findings=tuple(findings), notices=tuple(notices))

    def _is_settled(self, frame: ArchiveFrame) -> bool:
        return all(self._ground.is_settled(version.created) for version in frame.versions)


def _is_tied(frame: ArchiveFrame, rows: Sequence[JournalRow]) -> bool:
    """Return whether an ingestion was of this frame, and not only refused for its name."""
    return any(
        row.basename == frame.basename
        and (row.is_recorded or frame.version_with(row.md5) is not None)
        for row in rows
    )


def _cut(
    frames: Iterator[ArchiveFrame], start: datetime | None, end: datetime | None
) -> Iterator[_Window]:
    """Yield windows that leave no gap, each with all frames of its times."""
    held: list[ArchiveFrame] = []
    for frame in frames:
        if end is not None and frame.dateobs is not None and frame.dateobs >= end:
            continue  # the archive counts the end to the range
        if len(held) >= _WINDOW and frame.dateobs != held[-1].dateobs:
            yield _Window(start, frame.dateobs, held)
            start, held = frame.dateobs, []
        held.append(frame)
    yield _Window(start, end, held)
