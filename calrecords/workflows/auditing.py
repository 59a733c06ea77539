"""The verbs that compare records, archive, file store and cache, and mend what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from calrecords.archive import ArchiveClient
from calrecords.errors import ConfigurationError
from calrecords.filestore import FileStore
from calrecords.records import AuditScope, RecordDatabase
from calrecords.workflows.audit import Auditor
from calrecords.workflows.audit_faults import FaultKind, kind_of
from calrecords.workflows.audit_question import AuditQuestion, make_question, seconds_of
from calrecords.workflows.audit_report import AuditReport
from calrecords.workflows.audit_steps import AuditGround
from calrecords.workflows.cache import FileCache
from calrecords.workflows.fetch import Fetcher
from calrecords.workflows.intake import Intake
from calrecords.workflows.parts import why_no_archive
from calrecords.workflows.repair import Repairer
from calrecords.workflows.repair_report import Repair, RepairAction
from calrecords.workflows.repair_steps import RepairGround
from calrecords.workflows.settings import Settings

GRACE = "1h"
"""How young something must be to be left alone: others may be at it."""

WORKERS = 4
"""How many files are looked at at once."""


def utc_now() -> datetime:
    """Return what time it is."""
    return datetime.now(UTC)


class Auditing(Intake):
    """The verbs of `CalibrationRecords` that audit and repair."""

    _database: RecordDatabase
    _fetcher: Fetcher
    store: FileStore
    archive: ArchiveClient | None
    cache: FileCache
    settings: Settings

    def audit(
        self,
        *,
        depth: str = "quick",
        site: str | None = None,
        camera: str | None = None,
        obstype: str | None = None,
        since: Any = None,
        until: Any = None,
        ours: bool = False,
        parts: Iterable[str] | None = None,
        time_limit: Any = None,
        grace: Any = GRACE,
        workers: int = WORKERS,
        anew: bool = False,
        progress: Callable[[str, int], None] | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> AuditReport:
        """Compare records, archive, file store and cache both ways, and tell every fault.

        Nothing is changed but the audit's own tables. Others may ingest meanwhile: what is
        younger than the grace, or what an unfinished ingestion names, is no fault, and each
        fault is looked at twice. An audit that was stopped goes on where it was, from any
        host, as long as the same is asked.

        Archives and stores are shared. Frames and files that neither records nor ingestions
        of this database name are therefore only counted, unless `ours` says that all in the
        scope is this database's.

        Parameters
        ----------
        depth : {"quick", "full"}
            Whether to look at sizes and at what the store says of checksums, or to read every
            byte of store and cache.
        site, camera, obstype : str, optional
            Only these frames.
        since, until : Time, datetime or str, optional
            Only frames whose dateobs is in ``[since, until)``, UTC.
        ours : bool, optional
            Whether all in the scope is this database's, so that what it does not know is a
            fault.
        parts : iterable of str, optional
            Of ``journal`` (ingestions left half done, frames that are recorded no more, and
            those of which another version is current than the newest), ``archive``, ``store``
            (the file of each record), ``objects`` (files that nobody refers to) and ``cache``;
            all by default.
        time_limit : float, timedelta or str, optional
            Seconds, or a duration such as ``"30m"``, after which to stop.
        grace : float, timedelta or str, optional
            How young something must be to be left alone.
        workers : int, optional
            How many files are looked at at once.
        anew : bool, optional
            Begin an audit even where another one of the same question is unfinished.
        progress : callable, optional
            Called with the name of a part and how much it has looked at, after each step.
        clock : callable, optional
            Returns what time it is, UTC.

        Returns
        -------
        AuditReport
            It says which parts could not be audited, and why.

        Raises
        ------
        ConfigurationError
            If a value cannot be used.
        RecordsUnavailableError
            If another process is at the same audit.
        """
        if workers < 1:
            msg = f"workers={workers}: write a whole number above 0"
            raise ConfigurationError(msg)
        question = make_question(
            depth=depth,
            site=site,
            camera=camera,
            obstype=obstype,
            since=since,
            until=until,
            ours=ours,
            parts=parts,
            **self._places(),
            cache=str(self.cache.folder),
        )
        grace_s = seconds_of("grace", grace) or 0.0
        ground = self._audit_ground(question, clock, timedelta(seconds=grace_s), workers)
        return Auditor(ground, progress).run(seconds_of("time_limit", time_limit), anew=anew)

    def audit_report(self, number: int | None = None) -> AuditReport:
        """Return what an audit found, by its number, or the newest one.

        Raises
        ------
        RecordNotFoundError
            If there is no such audit.
        """
        question = AuditQuestion(scope=AuditScope())
        return Auditor(self._audit_ground(question, utc_now, timedelta())).report(number)

    def repair(
        self,
        report: AuditReport | int | None = None,
        *,
        apply: bool = False,
        force: bool = False,
        only: Iterable[str] | None = None,
        progress: Callable[[RepairAction], None] | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> Repair:
        """Return how the faults of an audit would be mended, or mend them.

        Each fault is looked at again before anything is changed, and what is no longer so is
        left alone. Frame IDs, version keys and checksums are taken over where archive and
        bytes agree; frames are registered or recorded again, and their newest version made the
        current one; bytes are stored again from the cache, a copy, or the archive; ingestions
        are resumed. What nobody refers to is deleted only if two audits at least a day apart
        have both seen it.

        Parameters
        ----------
        report : AuditReport or int, optional
            The audit, or its number; by default the newest one.
        apply : bool, optional
            Whether to do it; else only the plan is returned.
        force : bool, optional
            Mend even where more than 1 % of what was audited is at fault.
        only : iterable of str, optional
            Only faults of these kinds, for example ``"frame ID missing"``.
        progress : callable, optional
            Called with each action as it is done.
        clock : callable, optional
            Returns what time it is, UTC.

        Returns
        -------
        Repair
            The plan, or what was done, fault by fault.

        Raises
        ------
        ConfigurationError
            If more than 1 % is at fault and it is not forced, or the audit was of another
            store or archive.
        RecordNotFoundError
            If there is no such audit.
        """
        if not isinstance(report, AuditReport):
            report = self.audit_report(report)
        self._demand_same_places(report)
        kinds = tuple(FaultKind) if only is None else tuple(map(kind_of, only))
        ground = RepairGround(
            audited=self._audit_ground(report.question, clock, timedelta()),
            fetcher=self._fetcher,
            ingester=self._ingester,
            adopter=self._adopter,
            open_file=self.open_file,
            mapping=self._mapping,
        )
        repairer = Repairer(ground, report, kinds)
        return repairer.apply(force=force, progress=progress) if apply else repairer.plan()

    def _demand_same_places(self, report: AuditReport) -> None:
        for name, now in self._places().items():
            then = getattr(report.question, name)
            if then != now:
                msg = (
                    f"audit {report.number} was of the {name} {then or 'none'!s}, and this is "
                    f"{now or 'none'!s}; audit anew, or name that one"
                )
                raise ConfigurationError(msg)

    def _audit_ground(
        self,
        question: AuditQuestion,
        clock: Callable[[], datetime],
        grace: timedelta,
        workers: int = WORKERS,
    ) -> AuditGround:
        return AuditGround(
            question=question,
            database=self._database,
            store=self.store,
            archive=self.archive,
            why_no_archive=why_no_archive(self.settings),
            cache=self.cache,
            clock=clock,
            grace=grace,
            workers=workers,
        )

    def _places(self) -> dict[str, str]:
        return {
            "store": repr(self.store),
            "archive": "" if self.archive is None else self.archive.root,
        }
