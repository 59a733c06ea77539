"""What the exit codes of the command line mean."""

from __future__ import annotations

from calrecords.errors import CalRecordsError, ConfigurationError, SchemaError, TransientError

OK = 0
FAILED = 1
USAGE = 2
NOT_FOUND = 3
CONFIGURATION = 4
TRY_LATER = 75
INTERRUPTED = 130

EPILOG = (
    "Exit codes: 0 done; 1 failed for good; 2 wrong usage; 3 not found; "
    "4 a setting, a right or the database's schema needs mending; "
    "75 failed for now, try again later; 130 interrupted."
)


def of_error(error: CalRecordsError) -> int:
    """Return the exit code that says what to do about an error."""
    if isinstance(error, TransientError):
        return TRY_LATER
    if isinstance(error, ConfigurationError | SchemaError):
        return CONFIGURATION
    if isinstance(error, LookupError | FileNotFoundError):
        return NOT_FOUND
    return FAILED
