"""What S3's answers mean to a caller: each of botocore's errors becomes one of ours."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from urllib3.util.ssl_match_hostname import CertificateError

from calrecords.errors import (
    CalRecordsError,
    ChecksumMismatchError,
    ConfigurationError,
    FileStoreRefusedError,
    FileStoreUnavailableError,
    StoredFileNotFoundError,
)
from calrecords.filestore.s3_impostors import NotFromS3Error

# Codes are those of the S3 API reference, "Error responses: list of error codes".
_NOT_FOUND = {"NoSuchKey", "NoSuchVersion", "NotFound", "404"}
_DAMAGED = {
    "BadDigest",
    "InvalidDigest",
    "InvalidPart",
    "XAmzContentChecksumMismatch",
    "XAmzContentSHA256Mismatch",
}
_BUSY = {
    "ConditionalRequestConflict",
    "InternalError",
    "OperationAborted",
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
}
_REGION = {
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "PermanentRedirect",
    "TemporaryRedirect",
    "301",
    "307",
}
_ADVICE = {
    "AccessDenied": "give these credentials the right to do this",
    "EntityTooSmall": "the parts are too small for this store",
    "EntityTooLarge": "the file is too large for one request",
    "ExpiredToken": "renew the credentials",
    "InvalidAccessKeyId": "check AWS_ACCESS_KEY_ID",
    "InvalidObjectState": "the object is in cold storage; restore it first",
    "RequestTimeTooSkewed": "set this machine's clock",
    "SignatureDoesNotMatch": "check AWS_SECRET_ACCESS_KEY and S3_SIGNATURE_VERSION",
}
_SETTINGS_AT_FAULT = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.NoRegionError,
    boto.InvalidRegionError,
    boto.ProfileNotFound,
    boto.ConfigNotFound,
    boto.ConfigParseError,
    boto.ParamValidationError,
    boto.InvalidConfigError,
    boto.InvalidProxiesConfigError,
    boto.InvalidS3AddressingStyleError,
    boto.UnknownSignatureVersionError,
    boto.UnsupportedSignatureVersionError,
    boto.EndpointProviderError,
    boto.SSOError,
)

_CANNOT_BE_READ = (ResponseParserError, LookupError, TypeError, ValueError)
"""What botocore, or who reads its answers, stumbles over where S3 has not answered."""


@contextmanager
def s3_errors(doing: str, bucket: str) -> Iterator[None]:
    """Turn every error of botocore inside the block into one of ours.

    Parameters
    ----------
    doing : str
        What is tried, with its object: ``read a/b.fits``.
    bucket : str
        Name of the bucket.
    """
    # The cause is not shown, for its text may hold a signed address or a proxy's password.
    try:
        yield
    except boto.ClientError as error:
        failure: Any = _of_answer(error, doing, bucket)
        failure.s3_answer = _said(error)
        raise failure from None
    except boto.BotoCoreError as error:
        raise _of_client(error, doing, bucket) from None
    except _CANNOT_BE_READ as error:
        if isinstance(error, CalRecordsError):
            raise
        raise _of_impostor(error, doing, bucket) from None


@dataclass(frozen=True, slots=True)
class S3Answer:
    """What an error's message does not say in so many words.

    Attributes
    ----------
    code : str
        S3's name of the error.
    status : int
        Of HTTP.
    is_marker : bool
        Whether the answer was that of a delete marker.
    """

    code: str
    status: int
    is_marker: bool


def answer_of(error: CalRecordsError) -> S3Answer | None:
    """Return what S3 said where that became an error; None where it said nothing."""
    return getattr(error, "s3_answer", None)


def _said(error: boto.ClientError) -> S3Answer:
    answer: Any = error.response
    metadata = answer.get("ResponseMetadata", {})
    headers = metadata.get("HTTPHeaders", {})
    return S3Answer(
        code=str(answer.get("Error", {}).get("Code") or "no code")[:64],
        status=int(metadata.get("HTTPStatusCode") or 0),
        is_marker=headers.get("x-amz-delete-marker") == "true",
    )


def _of_impostor(error: Exception, doing: str, bucket: str) -> CalRecordsError:
    return FileStoreUnavailableError(
        f"the S3 file store cannot {doing} (bucket {bucket}): {type(error).__name__}; it was "
        "answered, but not as S3 answers; does a login page or a proxy answer for it, or does "
        "S3_ENDPOINT_URL lead elsewhere?"
    )


def _of_client(error: boto.BotoCoreError, doing: str, bucket: str) -> CalRecordsError:
    # Only the name of botocore's error is said.
    name = type(error).__name__
    if isinstance(error, NotFromS3Error):
        return _of_impostor(error, doing, bucket)
    what = f"the S3 file store cannot {doing} (bucket {bucket}): {name}"
    if isinstance(error, boto.FlexibleChecksumError):
        return ChecksumMismatchError(f"{what}; the bytes are not those that S3 has a checksum of")
    certificates = _fault_of_certificates(error)
    if certificates is not None:
        return ConfigurationError(f"{what}; {certificates}")
    if isinstance(error, _SETTINGS_AT_FAULT):
        return ConfigurationError(
            f"{what}; check the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), "
            "AWS_DEFAULT_REGION, S3_SIGNATURE_VERSION, BUCKET and S3_ENDPOINT_URL"
        )
    return FileStoreUnavailableError(
        f"{what}; check that S3_ENDPOINT_URL can be reached from here, or try again later"
    )


def _fault_of_certificates(error: boto.BotoCoreError) -> str | None:
    """Return what is amiss with certificates, None where it is something else."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError | CertificateError):
            return "the server's certificate is not trusted; AWS_CA_BUNDLE names others"
        is_unread = isinstance(cause, ssl.SSLError) and cause.library in {"PEM", "X509"}
        is_gone = isinstance(cause, FileNotFoundError | PermissionError)
        if is_unread or (is_gone and isinstance(error, boto.SSLError)):
            return "AWS_CA_BUNDLE names no file of certificates that can be read"
    return None


def _causes(error: boto.BotoCoreError) -> Iterator[Exception]:
    cause: Any = getattr(error, "kwargs", {}).get("error")
    while isinstance(cause, Exception):
        yield cause
        cause = getattr(cause, "reason", None) or next(iter(cause.args), None)


def _of_answer(error: boto.ClientError, doing: str, bucket: str) -> CalRecordsError:
    answer: Any = error.response
    metadata = answer.get("ResponseMetadata", {})
    said = _said(error)
    code, status = said.code, said.status
    what = f"the S3 file store cannot {doing} (bucket {bucket}): {code}, HTTP status {status}"
    if code == "NoSuchBucket":
        return ConfigurationError(f"{what}; there is no bucket {bucket}; set BUCKET to one")
    if code in _NOT_FOUND or _is_no_version(code, status, answer):
        return StoredFileNotFoundError(f"{what}; it is not there, or not in this version")
    if code == "NoSuchUpload":
        return FileStoreUnavailableError(f"{what}; somebody else aborted the upload; try again")
    if code in _DAMAGED:
        return ChecksumMismatchError(f"{what}; the bytes changed on their way; nothing was stored")
    if code in _REGION:
        return ConfigurationError(f"{what}; set AWS_DEFAULT_REGION to the bucket's region")
    if code == "InvalidStorageClass":
        return ConfigurationError(
            f"{what}; this store has no cheaper class; raise S3_DAYS_TO_IA_STORAGE"
        )
    if code in _BUSY or status in (408, 429) or status >= 500 or status == 0:
        return FileStoreUnavailableError(
            f"{what}; try again later", retry_after_s=_retry_after(metadata)
        )
    advice = _ADVICE["AccessDenied"] if status in (401, 403) else "S3 does not do this here"
    return FileStoreRefusedError(f"{what}; {_ADVICE.get(code, advice)}")


def _is_no_version(code: str, status: int, answer: Any) -> bool:
    # A version ID in a form that S3 never gave is "InvalidArgument", and a delete marker
    # in the place of a version "MethodNotAllowed"; HEAD has only the status for both.
    if status == 405 or code == "MethodNotAllowed":
        return True
    name = answer.get("Error", {}).get("ArgumentName", "")
    return code == "InvalidArgument" and name == "versionId"


def _retry_after(metadata: Any) -> float | None:
    text = str(metadata.get("HTTPHeaders", {}).get("retry-after", ""))
    return float(text) if text.isdecimal() else None


def is_delete_marker(error: StoredFileNotFoundError) -> bool:
    """Whether a key was not found because it was deleted, with older versions kept below."""
    said = answer_of(error)
    return said is not None and (said.status != 404 or said.is_marker)
