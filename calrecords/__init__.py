"""Calibration records for observatory pipelines: ingest, record, look up and fetch.

Everything public is here or in `calrecords.errors`. Importing it opens nothing, reads no
environment and configures no logging; what is heavy is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from calrecords import errors

if TYPE_CHECKING:
    from calrecords.archive import ArchiveClient, ArchiveFrame
    from calrecords.datafiles import DataFile, FitsFile, HeaderMapping, LcoFitsFile
    from calrecords.filestore import FileStore, FileSystemStore, S3Store
    from calrecords.frames import CalibrationFrame, FrameFacts, FrameVersion
    from calrecords.records.importing_reports import ImportReport
    from calrecords.selection import Selection
    from calrecords.vocabulary import Binning, ObservationType, Verdict
    from calrecords.workflows.audit_report import AuditReport
    from calrecords.workflows.calibration_sets import CalibrationSet
    from calrecords.workflows.connection import connect
    from calrecords.workflows.explanations import Explanation
    from calrecords.workflows.facade import CalibrationRecords
    from calrecords.workflows.repair_report import Repair
    from calrecords.workflows.results import IngestOutcome, IngestResult

__version__ = "0.1.0"

_HOME = {
    "ArchiveClient": "archive",
    "ArchiveFrame": "archive",
    "AuditReport": "workflows.audit_report",
    "Binning": "vocabulary",
    "CalibrationFrame": "frames",
    "CalibrationRecords": "workflows.facade",
    "CalibrationSet": "workflows.calibration_sets",
    "DataFile": "datafiles",
    "Explanation": "workflows.explanations",
    "FileStore": "filestore",
    "FileSystemStore": "filestore",
    "FitsFile": "datafiles",
    "FrameFacts": "frames",
    "FrameVersion": "frames",
    "HeaderMapping": "datafiles",
    "ImportReport": "records.importing_reports",
    "IngestOutcome": "workflows.results",
    "IngestResult": "workflows.results",
    "LcoFitsFile": "datafiles",
    "ObservationType": "vocabulary",
    "Repair": "workflows.repair_report",
    "S3Store": "filestore",
    "Selection": "selection",
    "Verdict": "vocabulary",
    "connect": "workflows.connection",
}

__all__ = [  # noqa: RUF022 - `connect` is where everybody begins
    "connect",
    "errors",
    "ArchiveClient",
    "ArchiveFrame",
    "AuditReport",
    "Binning",
    "CalibrationFrame",
    "CalibrationRecords",
    "CalibrationSet",
    "DataFile",
    "Explanation",
    "FileStore",
    "FileSystemStore",
    "FitsFile",
    "FrameFacts",
    "FrameVersion",
    "HeaderMapping",
    "ImportReport",
    "IngestOutcome",
    "IngestResult",
    "LcoFitsFile",
    "ObservationType",
    "Repair",
    "S3Store",
    "Selection",
    "Verdict",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        msg = f"module 'calrecords' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"calrecords.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
