"""The four outcomes of the OCS ingester, which are those of every error of calrecords.

Each error that calrecords raises inherits one of them, so that a pipeline's ``except`` clauses
go on working; beyond the originals they have a common root, `calrecords.errors.CalRecordsError`,
and the transient ones say in ``retry_after_s`` what the other side asked us to wait.
"""

from calrecords.errors import (
    BackoffRetryError,
    DoNotRetryError,
    NonFatalDoNotRetryError,
    RetryError,
)

__all__ = ["BackoffRetryError", "DoNotRetryError", "NonFatalDoNotRetryError", "RetryError"]
