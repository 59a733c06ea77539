"""The tree of errors keeps its shape, and every error crosses process borders whole."""

import inspect
import pickle
from datetime import UTC, datetime

import pytest

from calrecords import errors

TREE = {
    "CalRecordsError": ("Exception",),
    "TransientError": ("CalRecordsError",),
    "RetryError": ("TransientError",),
    "BackoffRetryError": ("TransientError",),
    "PermanentError": ("CalRecordsError",),
    "DoNotRetryError": ("PermanentError",),
    "NonFatalDoNotRetryError": ("PermanentError",),
    "ConfigurationError": ("DoNotRetryError", "ValueError"),
    "DataFileError": ("CalRecordsError",),
    "DataFileNotFoundError": ("DataFileError", "DoNotRetryError", "FileNotFoundError"),
    "InvalidFrameError": ("DataFileError", "DoNotRetryError", "ValueError"),
    "MissingKeywordError": ("DataFileError", "DoNotRetryError", "LookupError"),
    "InvalidKeywordError": ("DataFileError", "DoNotRetryError", "ValueError"),
    "UnsupportedFileTypeError": ("DataFileError", "DoNotRetryError", "ValueError"),
    "ArchiveError": ("CalRecordsError",),
    "ArchiveUnavailableError": ("ArchiveError", "BackoffRetryError"),
    "ArchiveRefusedError": ("ArchiveError", "DoNotRetryError"),
    "VersionExistsError": ("ArchiveError", "NonFatalDoNotRetryError"),
    "FrameNotFoundError": ("ArchiveError", "DoNotRetryError", "LookupError"),
    "FileStoreError": ("CalRecordsError",),
    "FileStoreUnavailableError": ("FileStoreError", "BackoffRetryError"),
    "FileStoreRefusedError": ("FileStoreError", "DoNotRetryError", "PermissionError"),
    "StoredFileNotFoundError": ("FileStoreError", "DoNotRetryError", "FileNotFoundError"),
    "ChecksumMismatchError": ("FileStoreError", "DoNotRetryError", "ValueError"),
    "UnsafeKeyError": ("FileStoreError", "DoNotRetryError", "ValueError"),
    "RecordError": ("CalRecordsError",),
    "RecordsUnavailableError": ("RecordError", "BackoffRetryError"),
    "RecordNotFoundError": ("RecordError", "DoNotRetryError", "LookupError"),
    "DuplicateRecordError": ("RecordError", "DoNotRetryError", "ValueError"),
    "InvalidRecordError": ("RecordError", "DoNotRetryError", "ValueError"),
    "RecordsRefusedError": ("RecordError", "DoNotRetryError", "PermissionError"),
    "SchemaError": ("RecordError", "DoNotRetryError"),
    "SelectionError": ("CalRecordsError",),
    "NoCalibrationError": ("SelectionError", "DoNotRetryError", "LookupError"),
    "RuleError": ("SelectionError", "DoNotRetryError", "ValueError"),
    "InvalidTargetError": ("SelectionError", "DoNotRetryError", "ValueError"),
}
CLASSES = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if cls.__module__ == errors.__name__
]
FAMILIES = {"CalRecordsError", "TransientError", "PermanentError"} | {
    f"{part}Error" for part in ("DataFile", "Archive", "FileStore", "Record", "Selection")
}
OUTCOMES = (
    errors.RetryError,
    errors.BackoffRetryError,
    errors.DoNotRetryError,
    errors.NonFatalDoNotRetryError,
)
MESSAGE = "cannot read /data/bias.fits: 'quoted'; check it"


def test_the_tree_has_this_shape():
    assert {cls.__name__: tuple(base.__name__ for base in cls.__bases__) for cls in CLASSES} == TREE


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_of_a_part_is_one_of_the_four_outcomes(cls):
    outcomes = [outcome for outcome in OUTCOMES if issubclass(cls, outcome)]
    assert len(outcomes) == (0 if cls.__name__ in FAMILIES else 1)


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_pickles_with_its_message(cls):
    error = cls(MESSAGE)
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.args, vars(copy)) == (
        cls,
        MESSAGE,
        (MESSAGE,),
        vars(error),
    )
    assert str(error) == MESSAGE


@pytest.mark.parametrize(
    ("cls", "attributes"),
    [(cls, {"retry_after_s": 12.5}) for cls in CLASSES if issubclass(cls, errors.TransientError)]
    + [
        (errors.ArchiveRefusedError, {"status": 400, "nothing_taken": True}),
        (errors.VersionExistsError, {"nothing_taken": True}),
        (
            errors.NoCalibrationError,
            {
                "target": {"site": "lsc"},
                "rule": "bias",
                "caltype": "BIAS",
                "as_of": datetime(2026, 3, 10, 4, tzinfo=UTC),
                "created_before": datetime(2026, 3, 10, tzinfo=UTC),
                "include_bad": True,
            },
        ),
    ],
)
def test_an_error_pickles_with_its_attributes(cls, attributes):
    error = cls(MESSAGE, **attributes)
    copy = pickle.loads(pickle.dumps(error))
    assert vars(copy) == attributes
    assert str(copy) == MESSAGE


@pytest.mark.parametrize("cls", CLASSES)
def test_none_is_a_key_error_whose_message_would_be_quoted(cls):
    assert not issubclass(cls, KeyError)


def test_the_picture_in_the_docstring_names_every_error():
    pictured = {line.split()[0] for line in errors.__doc__.splitlines() if "Error" in line}
    assert set(TREE) <= pictured
