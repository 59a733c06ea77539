"""Whether a bucket is one that calrecords, and the Science Archive, can use."""

from __future__ import annotations

import logging
import secrets
from typing import Any

from calrecords.errors import ConfigurationError, FileStoreError, StoredFileNotFoundError
from calrecords.filestore.s3_errors import s3_errors

logger = logging.getLogger(__name__)

MAX_VERSION_KEY_LENGTH = 32
"""Longest version key that the Science Archive takes, in characters."""

PROBE_PREFIX = "calrecords-probe"


def check_bucket(client: Any, bucket: str) -> None:
    """Raise unless there is a bucket, open to us, that keeps versions.

    Raises
    ------
    ConfigurationError
        If there is no such bucket, or it keeps no versions.
    FileStoreRefusedError
        If we may not ask.
    FileStoreUnavailableError
        If S3 cannot be reached.
    """
    try:
        with s3_errors("look at the bucket", bucket):
            client.head_bucket(Bucket=bucket)
    except StoredFileNotFoundError as error:
        msg = f"there is no S3 bucket {bucket}; make it, or set BUCKET to one that is"
        raise ConfigurationError(msg) from error
    with s3_errors("ask whether versions are kept", bucket):
        answer = client.get_bucket_versioning(Bucket=bucket)
    if answer.get("Status") != "Enabled":
        raise _unversioned(bucket)


def check_version_ids(client: Any, bucket: str) -> None:
    """Raise if version IDs are longer than the Science Archive takes.

    An empty object is stored under ``calrecords-probe/`` and removed.

    Raises
    ------
    ConfigurationError
        If they are too long.
    FileStoreRefusedError
        If we may not write.
    FileStoreUnavailableError
        If S3 cannot be reached.
    """
    key = f"{PROBE_PREFIX}/{secrets.token_hex(8)}"
    with s3_errors(f"write {key}", bucket):
        answer = client.put_object(Bucket=bucket, Key=key, Body=b"")
    version_id = version_id_of(answer, bucket)
    try:
        with s3_errors(f"delete {key}", bucket):
            client.delete_object(Bucket=bucket, Key=key, VersionId=version_id)
    except FileStoreError as error:
        logger.warning("an empty object %s stays in the bucket: %s", key, error)
    if len(version_id) > MAX_VERSION_KEY_LENGTH:
        msg = (
            f"version IDs of the S3 bucket {bucket} have {len(version_id)} characters, "
            f"and the Science Archive takes {MAX_VERSION_KEY_LENGTH}; use a store with shorter "
            "ones (Amazon's have 32; MinIO's have 36), or set FILESTORE_TYPE to local"
        )
        raise ConfigurationError(msg)


def version_id_of(answer: Any, bucket: str) -> str:
    """Return the version that an answer to an upload names.

    Raises
    ------
    ConfigurationError
        If it names none: the bucket keeps no versions.
    """
    version_id = answer.get("VersionId")
    if not version_id or version_id == "null":
        raise _unversioned(bucket)
    return str(version_id)


def _unversioned(bucket: str) -> ConfigurationError:
    msg = (
        f"the S3 bucket {bucket} keeps no versions, so new bytes would replace old "
        "ones; enable versioning on it, or set BUCKET to another"
    )
    return ConfigurationError(msg)
