"""Every error that calrecords raises.

Two axes cross here: which part failed, and what the caller would do about it.
A concrete error names its part first and inherits one of the four outcomes of the
Observatory Control System's ingester, so that a caller can act on either axis::

    CalRecordsError
      TransientError                      worth trying again (.retry_after_s)
        RetryError                          at once
        BackoffRetryError                   later, with exponential backoff
      PermanentError
        DoNotRetryError                     fatal
        NonFatalDoNotRetryError             nothing to do: already there
      ConfigurationError                  DoNotRetryError
      DataFileError
        DataFileNotFoundError               DoNotRetryError, FileNotFoundError
        InvalidFrameError                   DoNotRetryError
        MissingKeywordError                 DoNotRetryError, LookupError
        InvalidKeywordError                 DoNotRetryError
        UnsupportedFileTypeError            DoNotRetryError
      ArchiveError
        ArchiveUnavailableError             BackoffRetryError
        ArchiveRefusedError                 DoNotRetryError
        VersionExistsError                  NonFatalDoNotRetryError
        FrameNotFoundError                  DoNotRetryError, LookupError
      FileStoreError
        FileStoreUnavailableError           BackoffRetryError
        FileStoreRefusedError               DoNotRetryError, PermissionError
        StoredFileNotFoundError             DoNotRetryError, FileNotFoundError
        ChecksumMismatchError               DoNotRetryError
        UnsafeKeyError                      DoNotRetryError
      RecordError
        RecordsUnavailableError             BackoffRetryError
        RecordNotFoundError                 DoNotRetryError, LookupError
        DuplicateRecordError                DoNotRetryError
        InvalidRecordError                  DoNotRetryError
        RecordsRefusedError                 DoNotRetryError, PermissionError
        SchemaError                         DoNotRetryError
      SelectionError
        NoCalibrationError                  DoNotRetryError, LookupError
        RuleError                           DoNotRetryError
        InvalidTargetError                  DoNotRetryError

Errors that blame a value are `ValueError` too. All of them pickle, and no message
ever holds a token, a signed URL or a password.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any


class CalRecordsError(Exception):
    """The root of every error that calrecords raises."""


class TransientError(CalRecordsError):
    """Something failed that may succeed when tried again.

    Parameters
    ----------
    message : str
        What failed, where, and what to do.
    retry_after_s : float, optional
        Seconds that the other side asked us to wait, where it said so.
    """

    def __init__(self, message: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RetryError(TransientError):
    """Try again at once."""


class BackoffRetryError(TransientError):
    """Try again later, waiting longer each time."""


class PermanentError(CalRecordsError):
    """Trying again would fail in the same way."""


class DoNotRetryError(PermanentError):
    """The work failed for good."""


class NonFatalDoNotRetryError(PermanentError):
    """There is nothing to do, because it is done already."""


class ConfigurationError(DoNotRetryError, ValueError):
    """A setting, a right or a service is not as calrecords needs it."""


class DataFileError(CalRecordsError):
    """A data file cannot be used."""


class DataFileNotFoundError(DataFileError, DoNotRetryError, FileNotFoundError):
    """There is no such file, or it went away or changed while it was needed."""


class InvalidFrameError(DataFileError, DoNotRetryError, ValueError):
    """The file is broken, truncated or hostile."""


class MissingKeywordError(DataFileError, DoNotRetryError, LookupError):
    """The header lacks a keyword that is needed."""


class InvalidKeywordError(DataFileError, DoNotRetryError, ValueError):
    """A header keyword has a value that cannot be used."""


class UnsupportedFileTypeError(DataFileError, DoNotRetryError, ValueError):
    """No data file class reads a file with this extension."""


class ArchiveError(CalRecordsError):
    """The Science Archive did not do what was asked."""


class ArchiveUnavailableError(ArchiveError, BackoffRetryError):
    """The Science Archive cannot be reached, or fails for reasons of its own."""


class ArchiveRefusedError(ArchiveError, DoNotRetryError):
    """The Science Archive understood the request and refused it.

    Parameters
    ----------
    message : str
        What was refused, and what to do.
    status : int, optional
        The HTTP status of the answer.
    nothing_taken : bool
        Whether it is certain that the archive does not refer to the version that was sent.
    """

    def __init__(
        self, message: str = "", *, status: int | None = None, nothing_taken: bool = False
    ) -> None:
        super().__init__(message)
        self.status = status
        self.nothing_taken = nothing_taken


class VersionExistsError(ArchiveError, NonFatalDoNotRetryError):
    """The Science Archive already holds a version with this checksum or key.

    Parameters
    ----------
    message : str
        Which version, and under which name.
    nothing_taken : bool
        Whether it is certain that the archive does not refer to the version that was sent.
    """

    def __init__(self, message: str = "", *, nothing_taken: bool = False) -> None:
        super().__init__(message)
        self.nothing_taken = nothing_taken


class FrameNotFoundError(ArchiveError, DoNotRetryError, LookupError):
    """The Science Archive has no such frame, or hides it from this token."""


class FileStoreError(CalRecordsError):
    """The file store did not do what was asked."""


class FileStoreUnavailableError(FileStoreError, BackoffRetryError):
    """The file store cannot be reached, or fails for reasons of its own."""


class FileStoreRefusedError(FileStoreError, DoNotRetryError, PermissionError):
    """The file store does not let us do this."""


class StoredFileNotFoundError(FileStoreError, DoNotRetryError, FileNotFoundError):
    """The file store does not hold this file, or not this version of it."""


class ChecksumMismatchError(FileStoreError, DoNotRetryError, ValueError):
    """The bytes are not those that were recorded."""


class UnsafeKeyError(FileStoreError, DoNotRetryError, ValueError):
    """A store key would leave the store, or cannot be written safely."""


class RecordError(CalRecordsError):
    """The records did not do what was asked."""


class RecordsUnavailableError(RecordError, BackoffRetryError):
    """The records database cannot be reached, or is locked."""


class RecordNotFoundError(RecordError, DoNotRetryError, LookupError):
    """There is no such record."""


class DuplicateRecordError(RecordError, DoNotRetryError, ValueError):
    """Another frame has this identity already."""


class InvalidRecordError(RecordError, DoNotRetryError, ValueError):
    """A value cannot be recorded."""


class RecordsRefusedError(RecordError, DoNotRetryError, PermissionError):
    """The records database does not let us do this."""


class SchemaError(RecordError, DoNotRetryError):
    """The records database has another schema, or belongs to another archive."""


class SelectionError(CalRecordsError):
    """A calibration cannot be chosen."""


class NoCalibrationError(SelectionError, DoNotRetryError, LookupError):
    """No recorded calibration is what the rule asks for.

    Parameters
    ----------
    message : str
        Which calibration, for what, and where the reasons are.
    target : Target, optional
        The frame that needs it, as the rule saw it.
    rule : str, optional
        Name of the rule.
    caltype : str, optional
        What was looked for.
    as_of : datetime, optional
        What was known at this moment counted, UTC.
    created_before : datetime, optional
        Candidates had to be made strictly before, UTC.
    include_bad : bool
        Whether candidates that were called bad were taken too.
    """

    def __init__(
        self,
        message: str = "",
        *,
        target: Any = None,
        rule: str | None = None,
        caltype: str | None = None,
        as_of: datetime | None = None,
        created_before: datetime | None = None,
        include_bad: bool = False,
    ) -> None:
        super().__init__(message)
        self.target = target
        self.rule = rule
        self.caltype = caltype
        self.as_of = as_of
        self.created_before = created_before
        self.include_bad = include_bad


class RuleError(SelectionError, DoNotRetryError, ValueError):
    """A rule, or a file of rules, cannot be used."""


class InvalidTargetError(SelectionError, DoNotRetryError, ValueError):
    """What needs a calibration is not described well enough to choose one."""
