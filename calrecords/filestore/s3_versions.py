"""The versions of a key in a bucket, and what is kept with each beside its bytes."""

from __future__ import annotations

import re
from typing import Any

from calrecords.errors import StoredFileNotFoundError
from calrecords.filestore.s3_errors import is_delete_marker, s3_errors
from calrecords.frames import ContentDigest

_PLAIN_NAME = re.compile(r"[A-Za-z0-9._+-]+")


def object_headers(
    key: str, digest: ContentDigest, content_type: str, *, is_old: bool
) -> dict[str, Any]:
    """Return what S3 shall keep with a file, as boto3 calls it.

    Parameters
    ----------
    key : str
        Its last part is the name that a browser saves the file under.
    digest : ContentDigest
        What the file holds; S3 may be asked for it later, where its own checksum is another.
    content_type : str
        Media type; S3 has a default for an empty one.
    is_old : bool
        Whether it goes to the storage class for what is seldom read.
    """
    name = key.rsplit("/", 1)[-1]
    filename = name if _PLAIN_NAME.fullmatch(name) else f'"{name}"'
    headers: dict[str, Any] = {
        "ContentDisposition": f"attachment; filename={filename}",
        "Metadata": {"md5": digest.md5, "sha256": digest.sha256},
    }
    if content_type:
        headers["ContentType"] = content_type
    if is_old:
        headers["StorageClass"] = "STANDARD_IA"
    return headers


def versions_of_length(client: Any, bucket: str, key: str, size: int) -> list[str]:
    """Return the IDs of the versions of a key that are of one length, newest first.

    Parameters
    ----------
    client : botocore.client.S3
        Used for one request if the key is new, and for one more if it is not.
    bucket, key : str
        Where to look.
    size : int
        Length in bytes.

    Raises
    ------
    FileStoreRefusedError
        If we may not look.
    FileStoreUnavailableError
        If S3 cannot be reached.
    """
    if _has_no_version(client, bucket, key):
        return []
    found: list[str] = []
    pages = client.get_paginator("list_object_versions")
    with s3_errors(f"list the versions of {key}", bucket):
        for page in pages.paginate(Bucket=bucket, Prefix=key):
            versions = page.get("Versions", [])
            found += [v["VersionId"] for v in versions if v["Key"] == key and v["Size"] == size]
            # Keys are sorted, so longer ones that begin alike come after all of ours.
            if any(version["Key"] != key for version in versions):
                break
    return found


def _has_no_version(client: Any, bucket: str, key: str) -> bool:
    # A HEAD costs S3, and us, far less than a list, and most files are new. Where it finds
    # nothing there is no version at all, unless a delete marker hides some.
    try:
        with s3_errors(f"look at {key}", bucket):
            client.head_object(Bucket=bucket, Key=key)
    except StoredFileNotFoundError as error:
        return not is_delete_marker(error)
    return False
