"""What an audit found: a table, text or JSON, in which every fault names its frame."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from calrecords.records import RecordedAudit, Sighting
from calrecords.selection.tabulating import html_lines, html_table, time_text
from calrecords.workflows.audit_faults import FaultKind, Finding, NoticeKind
from calrecords.workflows.audit_question import AuditPart, AuditQuestion
from calrecords.workflows.tables import Column, make_table

if TYPE_CHECKING:
    from astropy.table import Table

_COLUMNS: tuple[Column, ...] = (
    ("kind", str, None),
    ("name", str, None),
    ("found", str, None),
    ("remedy", str, None),
    ("seen_at", str, None),
)
_NAMES = tuple(name for name, _, _ in _COLUMNS)
_PART_NAMES = ("part", "state", "examined", "why")
_MOST_SHOWN = 50


class PartState(StrEnum):
    """How far a part of an audit has come."""

    DONE = "done"
    STOPPED = "stopped"
    NOT_REACHED = "not reached"
    LEFT_OUT = "left out"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class PartReport:
    """What became of one comparison.

    Attributes
    ----------
    part : AuditPart
        Which one.
    state : PartState
        How far it has come.
    examined : int
        How many frames, files or intents it looked at.
    why : str
        Why it has not come further; empty where it is done.
    """

    part: AuditPart
    state: PartState
    examined: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """What is worth knowing and no fault.

    Attributes
    ----------
    what : NoticeKind
        What was seen.
    count : int
        How often.
    example : str
        One of them.
    """

    what: NoticeKind
    count: int
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What an audit found.

    It shows itself as a table in a notebook, and as text where it is printed.

    Attributes
    ----------
    number : int
        Of the audit.
    question : AuditQuestion
        What was asked.
    started_at, updated_at : datetime
        When it began, and when it was last at work, UTC.
    finished_at : datetime or None
        When it was done, UTC; None where it can go on.
    frames : int
        How many recorded frames are in the scope.
    parts : tuple of PartReport
        What became of each comparison.
    findings : tuple of Finding
        Every fault.
    notices : tuple of Notice
        What is worth knowing and no fault.
    """

    number: int
    question: AuditQuestion
    started_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    frames: int
    parts: tuple[PartReport, ...]
    findings: tuple[Finding, ...]
    notices: tuple[Notice, ...] = ()

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do of it."""
        return self.finished_at is not None

    @property
    def is_decided(self) -> bool:
        """Whether archive and store let themselves be asked of all that was to be looked at."""
        return not any(notice.what.is_undecided for notice in self.notices)

    @property
    def counts(self) -> dict[FaultKind, int]:
        """How many faults there are of each kind that there is one of."""
        found = Counter(finding.kind for finding in self.findings)
        return {kind: found[kind] for kind in FaultKind if found[kind]}

    @property
    def share(self) -> float:
        """How much of what was looked at is at fault, 0 to 1."""
        examined = max([self.frames, *(part.examined for part in self.parts)])
        return len({finding.name for finding in self.findings}) / max(1, examined)

    def of_kind(self, kind: str) -> tuple[Finding, ...]:
        """Return the faults of one kind."""
        return tuple(finding for finding in self.findings if finding.kind == kind)

    def to_table(self) -> Table:
        """Return one row for each fault; times are ISO 8601 text in UTC."""
        return make_table(_COLUMNS, [dict(zip(_NAMES, row, strict=True)) for row in self._rows()])

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values; times are ISO 8601 text in UTC."""
        return {
            "audit": self.number,
            "question": self.question.to_dict(),
            "started_at": time_text(self.started_at),
            "updated_at": time_text(self.updated_at),
            "finished_at": time_text(self.finished_at),
            "frames": self.frames,
            "share": self.share,
            "parts": [
                {
                    "part": str(one.part),
                    "state": str(one.state),
                    "examined": one.examined,
                    "why": one.why,
                }
                for one in self.parts
            ],
            "counts": {str(kind): count for kind, count in self.counts.items()},
            "findings": [_plain(finding) for finding in self.findings],
            "notices": [
                {"what": str(one.what), "count": one.count, "example": one.example}
                for one in self.notices
            ],
        }

    def to_json(self) -> str:
        """Return all of it as JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def __str__(self) -> str:
        lines = [self._head(), *(_line_of_part(one) for one in self.parts)]
        for kind, count in self.counts.items():
            found = sorted(self.of_kind(kind), key=lambda one: one.name)
            lines += ["", f"{kind}: {count}; repair: {kind.remedy}"]
            lines += [f"  {one.name}: {one.found}" for one in found[:_MOST_SHOWN]]
            if count > _MOST_SHOWN:
                lines.append(f"  ... and {count - _MOST_SHOWN} more, which JSON and the table have")
        lines += [""] * bool(self.notices) + [_line_of(one) for one in self.notices]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = [html_lines([self._head()]), html_table(_PART_NAMES, self._part_rows())]
        if self.findings:
            parts.append(html_table(_NAMES[:-1], [row[:-1] for row in self._rows()]))
        parts.append(html_lines([_line_of(one) for one in self.notices]))
        return "".join(parts)

    def _head(self) -> str:
        state = "finished" if self.is_finished else "not finished"
        count = len(self.findings)
        faults = "no fault" if not count else f"{count} fault{'s' * (count > 1)}"
        return (
            f"audit {self.number} ({self.question.depth}, {state}): {self.frames} recorded frames, "
            f"{faults}"
        )

    def _part_rows(self) -> list[tuple[str, str, int, str]]:
        return [(str(one.part), str(one.state), one.examined, one.why) for one in self.parts]

    def _rows(self) -> list[tuple[str, ...]]:
        order = list(FaultKind)
        ordered = sorted(self.findings, key=lambda one: (order.index(one.kind), one.name))
        return [
            (str(one.kind), one.name, one.found, one.remedy, time_text(one.seen_at) or "")
            for one in ordered
        ]


def report_of(audit: RecordedAudit, sightings: Sequence[Sighting]) -> AuditReport:
    """Return the report of an audit as it is written down."""
    parts: Mapping[str, Any] = audit.progress.get("parts", {})
    notices: Mapping[str, Any] = audit.progress.get("notices", {})
    question = AuditQuestion.of_text(audit.question)
    return AuditReport(
        number=audit.id,
        question=question,
        started_at=audit.started_at,
        updated_at=audit.updated_at,
        finished_at=audit.finished_at,
        frames=int(audit.progress.get("frames", 0)),
        parts=tuple(_part_of(part, parts.get(part)) for part in question.parts),
        findings=tuple(Finding.of_sighting(one) for one in sightings),
        notices=tuple(
            Notice(NoticeKind(what), one["count"], one["example"]) for what, one in notices.items()
        ),
    )


def _part_of(part: AuditPart, said: Mapping[str, Any] | None) -> PartReport:
    if said is None:
        return PartReport(part, PartState.STOPPED, why="not begun")
    return PartReport(part, PartState(said["state"]), said["examined"], said["why"])


def _line_of_part(part: PartReport) -> str:
    why = f": {part.why}" if part.why else ""
    return f"  {part.part}: {part.state}, {part.examined} examined{why}"


def _line_of(notice: Notice) -> str:
    return f"{notice.count} {notice.what} (for example {notice.example})"


def _plain(finding: Finding) -> dict[str, Any]:
    return {
        "kind": str(finding.kind),
        "name": finding.name,
        "found": finding.found,
        "remedy": finding.remedy,
        "what": dict(finding.what),
        "seen_at": time_text(finding.seen_at),
        "fingerprint": finding.fingerprint,
    }
