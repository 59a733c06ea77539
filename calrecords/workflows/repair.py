"""Mending what an audit found: first as a plan, then one fault after the other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from calrecords.errors import CalRecordsError, ConfigurationError, TransientError
from calrecords.records import Audits
from calrecords.workflows.audit_faults import FaultKind, Finding
from calrecords.workflows.audit_report import AuditReport
from calrecords.workflows.repair_archive import register_frame, register_version
from calrecords.workflows.repair_bytes import publish, put_back, refresh_cache
from calrecords.workflows.repair_records import (
    adopt,
    mend_checksum,
    mend_current,
    mend_frame_id,
    mend_version_key,
    resume,
)
from calrecords.workflows.repair_removals import (
    APART,
    discard_upload,
    remove_cached,
    remove_object,
)
from calrecords.workflows.repair_report import Repair, RepairAction, RepairState
from calrecords.workflows.repair_steps import Done, RepairGround

log = logging.getLogger(__name__)

MOST_AT_FAULT = 0.01
"""Share of what was audited above which nothing is mended unless that is forced."""

_MENDED_BY: Mapping[FaultKind, Callable[[RepairGround, Finding], Done]] = {
    FaultKind.INTENT_STALE: resume,
    FaultKind.FRAME_ID_MISSING: mend_frame_id,
    FaultKind.FRAME_ID_WRONG: mend_frame_id,
    FaultKind.CHECKSUM_WRONG: mend_checksum,
    FaultKind.VERSION_KEY_WRONG: mend_version_key,
    FaultKind.CURRENT_VERSION_WRONG: mend_current,
    FaultKind.OBJECT_MISSING: put_back,
    FaultKind.OBJECT_DAMAGED: put_back,
    FaultKind.OBJECT_NOT_PUBLISHED: publish,
    FaultKind.FRAME_NOT_ARCHIVED: register_frame,
    FaultKind.VERSION_NOT_ARCHIVED: register_version,
    FaultKind.FRAME_NOT_RECORDED: adopt,
    FaultKind.VERSION_NOT_RECORDED: adopt,
    FaultKind.CACHED_FILE_DAMAGED: refresh_cache,
    FaultKind.CACHED_FILE_UNFINISHED: remove_cached,
    FaultKind.OBJECT_UNKNOWN: remove_object,
    FaultKind.UPLOAD_UNFINISHED: discard_upload,
}


class Repairer:
    """Mends the faults of one audit.

    Parameters
    ----------
    ground : RepairGround
        Where it works.
    report : AuditReport
        What the audit found.
    only : collection of FaultKind, optional
        Only faults of these kinds.
    """

    def __init__(
        self,
        ground: RepairGround,
        report: AuditReport,
        only: Collection[FaultKind] = tuple(FaultKind),
    ) -> None:
        self._ground = ground
        self._report = report
        order = list(FaultKind)
        chosen = [finding for finding in report.findings if finding.kind in only]
        self._findings = sorted(chosen, key=lambda one: (order.index(one.kind), one.name))

    def plan(self) -> Repair:
        """Return what would be done; nothing is changed."""
        removals = [one for one in self._findings if one.kind.is_removal]
        first = Audits(self._ground.audited.database).seen_before(
            self._report.number, {one.fingerprint for one in removals}
        )
        actions = [
            RepairAction(one, *_planned(one, first.get(one.fingerprint))) for one in self._findings
        ]
        return self._repair(actions, is_applied=False)

    def apply(
        self, *, force: bool = False, progress: Callable[[RepairAction], None] | None = None
    ) -> Repair:
        """Mend what can be; each fault is looked at again before anything is changed.

        Parameters
        ----------
        force : bool, optional
            Mend even where more is at fault than `MOST_AT_FAULT`.
        progress : callable, optional
            Called with each action as it is done.

        Raises
        ------
        ConfigurationError
            If too much is at fault, and it is not forced.
        """
        if self._report.share > MOST_AT_FAULT and not force:
            msg = (
                f"audit {self._report.number} finds {self._report.share:.1%} of what it looked at "
                f"at fault, which is more than {MOST_AT_FAULT:.0%}: more likely a wrong store, "
                "archive or database is named, or one is away. If the faults are real, force it"
            )
            raise ConfigurationError(msg)
        actions = []
        for planned in self.plan().actions:
            action = planned
            if planned.state is RepairState.PLANNED:
                action = self._carried_out(planned.finding)
            actions.append(action)
            if progress is not None:
                progress(action)
        return self._repair(actions, is_applied=True)

    def _carried_out(self, finding: Finding) -> RepairAction:
        try:
            state, said = _MENDED_BY[finding.kind](self._ground, finding)
        except TransientError as error:
            state, said = RepairState.TRY_LATER, str(error)
        except CalRecordsError as error:
            state, said = RepairState.FAILED, str(error)
        log.info("%s: %s: %s: %s", finding.name, finding.kind, state, said)
        return RepairAction(finding, state, said)

    def _repair(self, actions: list[RepairAction], *, is_applied: bool) -> Repair:
        return Repair(self._report.number, self._report.share, is_applied, tuple(actions))


def _planned(finding: Finding, first_seen: datetime | None) -> Done:
    """Return what is to be done about a fault, or why it stays."""
    if finding.kind.is_only_told:
        return RepairState.LEFT, finding.remedy
    if not finding.kind.is_removal:
        return RepairState.PLANNED, finding.remedy
    if first_seen is None:
        return RepairState.LEFT, "only this audit has seen it; audit again in a day, and repair"
    if finding.seen_at - first_seen < APART:
        since = f"{first_seen:%Y-%m-%dT%H:%M:%SZ}"
        return RepairState.LEFT, f"first seen at {since}, less than a day before; audit again"
    return RepairState.PLANNED, "delete it; two audits a day apart have seen it"
