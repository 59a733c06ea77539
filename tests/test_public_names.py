import inspect
import subprocess
import sys

import pytest

import calrecords
from calrecords.errors import CalRecordsError

PUBLIC = {
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
    "connect",
    "errors",
}


def test_the_public_names_are_these_and_each_is_there():
    assert set(calrecords.__all__) == PUBLIC
    for name in PUBLIC:
        assert getattr(calrecords, name).__doc__


@pytest.mark.parametrize(
    "verb",
    [
        *("audit", "best", "calibrations_for", "explain", "get", "import_records", "ingest"),
        *("lookup", "repair"),
    ],
)
def test_what_a_choice_or_an_ingestion_gives_can_be_named_in_annotations(verb):
    given = inspect.signature(getattr(calrecords.CalibrationRecords, verb)).return_annotation
    assert given in calrecords.__all__


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(calrecords, "no_such_name")


def test_errors_are_where_the_documentation_says():
    assert calrecords.errors.CalRecordsError is CalRecordsError


def test_importing_opens_nothing_and_configures_no_logging(tmp_path):
    code = (
        "import os, logging, calrecords\n"
        "for name in calrecords.__all__: getattr(calrecords, name)\n"
        "assert logging.getLogger().handlers == []\n"
        "assert logging.getLogger('calrecords').level == 0\n"
        "assert os.listdir() == []\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
