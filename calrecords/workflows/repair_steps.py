"""What the single repairs share: where they work, and how they say what they did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from calrecords.archive import ArchiveClient
from calrecords.datafiles import DataFile, HeaderMapping
from calrecords.errors import ConfigurationError
from calrecords.frames import CalibrationFrame
from calrecords.records import AuditedFrame, AuditedVersion, RecordFixes
from calrecords.workflows.adopting import Adopter
from calrecords.workflows.audit_faults import Finding
from calrecords.workflows.audit_steps import AuditGround
from calrecords.workflows.fetch import Fetcher
from calrecords.workflows.ingest import Ingester
from calrecords.workflows.repair_report import RepairState

Done: TypeAlias = tuple[RepairState, str]
"""What became of a fault, and what was done or why it stays."""

OpenFile: TypeAlias = Callable[..., DataFile]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairGround:
    """Where a repair works.

    Attributes
    ----------
    audited : AuditGround
        What was audited, to look at it again before anything is changed.
    fetcher : Fetcher
        Gives verified bytes.
    ingester : Ingester
        Resumes ingestions.
    adopter : callable
        Returns what records the archive's own frames.
    open_file : callable
        Opens a data file by the settings.
    mapping : HeaderMapping
        Which header keyword gives which fact.
    """

    audited: AuditGround
    fetcher: Fetcher
    ingester: Ingester
    adopter: Callable[[], Adopter]
    open_file: OpenFile
    mapping: HeaderMapping

    @property
    def archive(self) -> ArchiveClient:
        """The archive.

        Raises
        ------
        ConfigurationError
            If none is named.
        """
        if self.audited.archive is None:
            raise ConfigurationError(self.audited.why_no_archive)
        return self.audited.archive

    @property
    def fixes(self) -> RecordFixes:
        """What may be changed in the records."""
        return RecordFixes(self.audited.database)

    def frame(self, finding: Finding) -> AuditedFrame | None:
        """Return the record that a fault is of, as it is now."""
        name = str(finding.what["basename"])
        return self.audited.reads.named([name]).get(name)

    def recorded(self, frame: AuditedFrame, one: AuditedVersion) -> CalibrationFrame:
        """Return a version of a frame as `fetch` takes it."""
        return self.audited.database.get(basename=frame.basename, md5=one.version.md5)

    def is_busy(self, basename: str) -> bool:
        """Return whether an ingestion of a frame is unfinished."""
        return any(row.is_unfinished for row in self.audited.journal.of_names([basename]))

    def opened(self, path: Path, frame: AuditedFrame, metadata: Any = None) -> DataFile:
        """Return the data file of a frame, as what it is recorded as."""
        return self.open_file(path, is_master=frame.is_master, metadata=metadata)


def version_of(frame: AuditedFrame, md5: str | None) -> AuditedVersion | None:
    """Return the version of a frame with a checksum, or None."""
    return next((one for one in frame.versions if one.version.md5 == md5), None)


def done(said: str) -> Done:
    """Return that a fault is mended."""
    return RepairState.DONE, said


def left(why: str) -> Done:
    """Return that a fault stays."""
    return RepairState.LEFT, why


NOT_NEEDED: Done = (RepairState.NOT_NEEDED, "it is no longer so")
"""What is said of a fault that went away by itself, or with another."""

BUSY: Done = left("an ingestion of it is unfinished; resume it first")
"""What is said while somebody may still be at it."""
