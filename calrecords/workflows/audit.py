"""Comparing records, archive, file store and cache, a little at a time, and going on later."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from calrecords.errors import (
    ArchiveRefusedError,
    CalRecordsError,
    ConfigurationError,
    FileStoreRefusedError,
    RecordError,
    SchemaError,
    TransientError,
)
from calrecords.records import Audits, HeldAudit
from calrecords.workflows.audit_archive import ArchivePart
from calrecords.workflows.audit_cache import CachePart
from calrecords.workflows.audit_faults import Finding
from calrecords.workflows.audit_journal import JournalPart
from calrecords.workflows.audit_objects import ObjectsPart
from calrecords.workflows.audit_question import AuditPart
from calrecords.workflows.audit_report import AuditReport, PartState, report_of
from calrecords.workflows.audit_steps import AuditGround, Part, Step
from calrecords.workflows.audit_store import StorePart

log = logging.getLogger(__name__)

_SAVE_EVERY_S = 2.0
_ENDED = frozenset({PartState.DONE, PartState.LEFT_OUT, PartState.REFUSED})
_PARTS: Mapping[AuditPart, type[Part]] = {
    AuditPart.JOURNAL: JournalPart,
    AuditPart.ARCHIVE: ArchivePart,
    AuditPart.STORE: StorePart,
    AuditPart.OBJECTS: ObjectsPart,
    AuditPart.CACHE: CachePart,
}


class Auditor:
    """Carries an audit on as long as it may.

    Parameters
    ----------
    ground : AuditGround
        What is looked at, and what is asked.
    progress : callable, optional
        Called with the name of a part and how many things it has looked at, after each step.
    """

    def __init__(
        self, ground: AuditGround, progress: Callable[[str, int], None] | None = None
    ) -> None:
        self._ground = ground
        self._progress = progress
        self._audits = Audits(ground.database)

    def run(self, time_limit_s: float | None = None, *, anew: bool = False) -> AuditReport:
        """Go on with the unfinished audit of this question, or begin one; return its report.

        Parameters
        ----------
        time_limit_s : float, optional
            Seconds after which to stop, at the end of a step.
        anew : bool, optional
            Begin one whether or not another is unfinished.

        Raises
        ------
        RecordsUnavailableError
            If another process is at it, or the records cannot be reached.
        """
        give_up = None if time_limit_s is None else time.monotonic() + time_limit_s
        question = self._ground.question.text()
        held = self._audits.begin(question, self._ground.clock(), anew=anew)
        try:
            work = _Work(self._ground, held, give_up, self._progress)
            work.run()
        finally:
            held.release()
        return self.report(held.audit.id)

    def report(self, number: int | None = None) -> AuditReport:
        """Return the report of an audit, by default of the newest one.

        Raises
        ------
        RecordNotFoundError
            If there is no such audit.
        """
        audit = self._audits.get(number)
        return report_of(audit, self._audits.findings(audit.id))


class _Work:
    """One stretch of an audit: from where it was left to its end, or to the end of its time."""

    def __init__(
        self,
        ground: AuditGround,
        held: HeldAudit,
        give_up: float | None,
        progress: Callable[[str, int], None] | None,
    ) -> None:
        self._ground = ground
        self._held = held
        self._give_up = give_up
        self._progress = progress
        said = held.audit.progress
        self._parts: dict[str, dict[str, Any]] = {
            name: dict(part) for name, part in said.get("parts", {}).items()
        }
        self._notices: dict[str, dict[str, Any]] = dict(said.get("notices", {}))
        self._frames = ground.reads.count()
        self._unsaved: list[Finding] = []
        self._saved_at = time.monotonic()

    def run(self) -> None:
        try:
            self._run()
        except KeyboardInterrupt:
            self._save()
            raise

    def _run(self) -> None:
        for name in self._ground.question.parts:
            part = self._parts.setdefault(
                name, {"state": PartState.STOPPED, "cursor": None, "examined": 0, "why": ""}
            )
            if part["state"] in _ENDED:
                continue
            self._carry_on(name, part)
            if self._is_over:
                break
        self._save(is_finished=all(self._has_ended(name) for name in self._ground.question.parts))

    def _has_ended(self, name: str) -> bool:
        return name in self._parts and self._parts[name]["state"] in _ENDED

    @property
    def _is_over(self) -> bool:
        return self._give_up is not None and time.monotonic() >= self._give_up

    def _carry_on(self, name: AuditPart, part: dict[str, Any]) -> None:
        work = _PARTS[name](self._ground)
        if (why := work.why_not()) is not None:
            part |= {"state": PartState.LEFT_OUT, "why": why}
            return
        try:
            for step in work.steps(part["cursor"]):
                self._take(name, part, step)
                if self._is_over:
                    part |= {"state": PartState.STOPPED, "why": "the time is over"}
                    return
        except RecordError as error:
            if not isinstance(error, SchemaError):
                raise
            part |= {"state": PartState.REFUSED, "why": str(error)}
        except CalRecordsError as error:
            part |= {"state": _state_after(error), "why": str(error)}
            log.warning("the audit of the %s stopped: %s", name, error)
        else:
            part |= {"state": PartState.DONE, "why": ""}

    def _take(self, name: str, part: dict[str, Any], step: Step) -> None:
        part |= {"cursor": step.cursor, "examined": part["examined"] + step.examined}
        self._unsaved += step.findings
        for what, example in step.notices:
            seen = self._notices.setdefault(what, {"count": 0, "example": example})
            seen["count"] += 1
        if self._progress is not None:
            self._progress(name, part["examined"])
        if time.monotonic() - self._saved_at > _SAVE_EVERY_S:
            self._save()

    def _save(self, *, is_finished: bool = False) -> None:
        progress = {"frames": self._frames, "parts": self._parts, "notices": self._notices}
        sightings = [finding.sighting() for finding in self._unsaved]
        self._held.save(progress, sightings, self._ground.clock(), is_finished=is_finished)
        self._unsaved.clear()
        self._saved_at = time.monotonic()


def _state_after(error: CalRecordsError) -> PartState:
    """Return how a part stands that an error ended."""
    if isinstance(error, TransientError):
        return PartState.NOT_REACHED
    refused = isinstance(error, ConfigurationError | FileStoreRefusedError | ArchiveRefusedError)
    if refused:
        return PartState.REFUSED
    raise error
