"""What we know of calibration frames, in a database of our own.

The Science Archive can be asked by filter, but slowly and at a cost to all who share it.
These records answer at once, and hold what the archive does not: binning, verdicts,
validity, and what is still being ingested. Nothing of SQLAlchemy leaves this part.
"""

from __future__ import annotations

from calrecords.records.affected import AffectedFrame
from calrecords.records.auditing import Audits, HeldAudit, RecordedAudit, Sighting
from calrecords.records.auditing_fixes import RecordFixes
from calrecords.records.auditing_journal import HeldName, JournalReads, JournalRow, ObjectRow
from calrecords.records.auditing_reads import (
    AuditedFrame,
    AuditedVersion,
    AuditReads,
    AuditScope,
    Stratum,
)
from calrecords.records.candidate_rows import BriefFrame
from calrecords.records.choices import Choices
from calrecords.records.claims import Claim
from calrecords.records.correcting import MENDABLE
from calrecords.records.database import RecordDatabase
from calrecords.records.histories import EventKind, HistoryEvent
from calrecords.records.journal import Journal
from calrecords.records.journal_entries import Intent
from calrecords.records.judgements import Judgements
from calrecords.records.overrides import RecordedOverride, Subject
from calrecords.records.overriding import Overrides
from calrecords.records.probing import Candidates
from calrecords.records.reading import FrameFilter
from calrecords.records.recording import NewVersion, PartialDigest
from calrecords.records.uses import Asked, RecordedInput, RecordedUse, Uses

__all__ = [
    "MENDABLE",
    "AffectedFrame",
    "Asked",
    "AuditReads",
    "AuditScope",
    "AuditedFrame",
    "AuditedVersion",
    "Audits",
    "BriefFrame",
    "Candidates",
    "Choices",
    "Claim",
    "EventKind",
    "FrameFilter",
    "HeldAudit",
    "HeldName",
    "HistoryEvent",
    "Intent",
    "Journal",
    "JournalReads",
    "JournalRow",
    "Judgements",
    "NewVersion",
    "ObjectRow",
    "Overrides",
    "PartialDigest",
    "RecordDatabase",
    "RecordFixes",
    "RecordedAudit",
    "RecordedInput",
    "RecordedOverride",
    "RecordedUse",
    "Sighting",
    "Stratum",
    "Subject",
    "Uses",
]
