"""What an ingestion comes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from calrecords import errors
from calrecords.archive import ArchiveFrame
from calrecords.errors import CalRecordsError
from calrecords.frames import CalibrationFrame, Ingestion


class IngestOutcome(StrEnum):
    """How an ingestion ended."""

    INGESTED = "ingested"
    REGISTERED = "registered"
    ADOPTED = "adopted"
    NEW_VERSION = "new version"
    ALREADY_THERE = "already there"
    FAILED = "failed"
    IN_PROGRESS = "in progress"


class IngestStep(StrEnum):
    """The boundaries between the steps of an ingestion, in order.

    `INTENDED`, `STORED` and `RECORDED` are written down when they are reached. At the others an
    effect is durable outside while the journal need not say so yet: whoever takes up a killed
    ingestion asks the archive first.
    """

    INTENDED = "intended"
    PUT = "put"
    STORED = "stored"
    REGISTERED = "registered"
    ARCHIVED = "archived"
    PUBLISHED = "published"
    RECORDED = "recorded"


@dataclass(frozen=True)
class IngestResult:
    """The stated outcome of one ingestion.

    Attributes
    ----------
    path : str
        The file that was ingested; of an adopted frame its name.
    outcome : IngestOutcome
        How it ended.
    frame : CalibrationFrame or None
        The frame with the version that was ingested; None where it failed.
    error : CalRecordsError or None
        Why it failed.
    archived : ArchiveFrame or None
        What the archive said of the frame; None where this call had no need to ask it. Its
        URLs may be signed, and expire.
    """

    path: str
    outcome: IngestOutcome
    frame: CalibrationFrame | None = None
    error: CalRecordsError | None = None
    archived: ArchiveFrame | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of_failure(cls, ingestion: Ingestion) -> IngestResult:
        """Return the outcome of an ingestion that the journal holds as failed."""
        kind = getattr(errors, ingestion.error or "", errors.DoNotRetryError)
        return cls(ingestion.path, IngestOutcome.FAILED, error=kind(ingestion.message or ""))

    @property
    def frame_id(self) -> int | None:
        """The archive's number of the frame; None where it failed or is in no archive."""
        return None if self.frame is None else self.frame.frame_id
