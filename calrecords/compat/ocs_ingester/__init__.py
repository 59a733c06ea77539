"""The functions and exceptions of the OCS ingester, with calrecords behind them.

A pipeline that imports `ocs_ingester` imports `calrecords.compat.ocs_ingester` instead, and
changes nothing else: names, arguments, answers and the four exceptions are those of
ocs-ingester 3.2.0, and settings have the names that it reads from the environment. What is
different on purpose is listed in `calrecords.compat.ocs_ingester.ingester`.
"""

from calrecords.compat.ocs_ingester.exceptions import (
    BackoffRetryError,
    DoNotRetryError,
    NonFatalDoNotRetryError,
    RetryError,
)
from calrecords.compat.ocs_ingester.ingester import (
    close_connections,
    frame_exists,
    ingest_archive_record,
    upload_file_and_ingest_to_archive,
    upload_file_to_file_store,
    validate_fits_and_create_archive_record,
)

__all__ = [
    "BackoffRetryError",
    "DoNotRetryError",
    "NonFatalDoNotRetryError",
    "RetryError",
    "close_connections",
    "frame_exists",
    "ingest_archive_record",
    "upload_file_and_ingest_to_archive",
    "upload_file_to_file_store",
    "validate_fits_and_create_archive_record",
]
