"""What we know of calibration frames, in a database of our own.

The Science Archive can be asked by filter, but slowly and at a cost to all who share it.
These records answer at once, and hold what the archive does not: binning, verdicts,
validity, and what is still being ingested. Nothing of SQLAlchemy leaves this part.
"""

from __future__ import annotations

from calrecords.records.claims import Claim
from calrecords.records.database import RecordDatabase
from calrecords.records.journal import Journal
from calrecords.records.journal_entries import Intent
from calrecords.records.reading import FrameFilter
from calrecords.records.recording import NewVersion, PartialDigest

__all__ = [
    "Claim",
    "FrameFilter",
    "Intent",
    "Journal",
    "NewVersion",
    "PartialDigest",
    "RecordDatabase",
]
