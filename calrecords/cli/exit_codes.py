"""What the exit codes of the command line mean."""

from __future__ import annotations

from calrecords.errors import (
    ArchiveRefusedError,
    CalRecordsError,
    ConfigurationError,
    DataFileNotFoundError,
    FileStoreRefusedError,
    FrameNotFoundError,
    NoCalibrationError,
    RecordNotFoundError,
    RecordsRefusedError,
    SchemaError,
    StoredFileNotFoundError,
    TransientError,
)

OK = 0
FAILED = 1
USAGE = 2
NOT_FOUND = 3
CONFIGURATION = 4
AT_FAULT = 5
TRY_LATER = 75
INTERRUPTED = 130

EPILOG = (
    "Exit codes: 0 done; 1 failed for good; 2 wrong usage; 3 not found; "
    "4 a setting, a right or the database's schema needs mending; "
    "5 an audit found faults, or a repair left some; "
    "75 failed for now, try again later; 130 interrupted."
)


_NEEDS_MENDING = (ConfigurationError, SchemaError, FileStoreRefusedError, RecordsRefusedError)
_NOT_FOUND = (
    DataFileNotFoundError,
    FrameNotFoundError,
    NoCalibrationError,
    RecordNotFoundError,
    StoredFileNotFoundError,
)


def of_error(error: CalRecordsError) -> int:
    """Return the exit code that says what to do about an error."""
    if isinstance(error, TransientError):
        return TRY_LATER
    lacks_right = isinstance(error, ArchiveRefusedError) and error.status in {401, 403}
    if lacks_right or isinstance(error, _NEEDS_MENDING):
        return CONFIGURATION
    return NOT_FOUND if isinstance(error, _NOT_FOUND) else FAILED
