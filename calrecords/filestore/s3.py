"""A file store in a versioned S3 bucket."""

from __future__ import annotations

import base64
import io
import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, ClassVar

from calrecords.errors import (
    ChecksumMismatchError,
    ConfigurationError,
    FileStoreError,
    FileStoreRefusedError,
    StoredFileNotFoundError,
)
from calrecords.filestore.base import URL_EXPIRES_S, FileStore
from calrecords.filestore.keys import check_key
from calrecords.filestore.s3_checksums import base64_of, etag_md5, says, whole_checksum
from calrecords.filestore.s3_client import make_s3_client
from calrecords.filestore.s3_errors import s3_errors
from calrecords.filestore.s3_streams import ObjectReader, VerifyingReader, rewindable
from calrecords.forking import start_anew_after_fork
from calrecords.frames import CHUNK_BYTES, ContentDigest, StoredFile, digest_stream
from calrecords.vocabulary import parse_time

__all__ = ["S3Store", "make_s3_client"]

logger = logging.getLogger(__name__)

MAX_PUT_BYTES = 5 * 1024**3
"""Largest file that one request may hold, in bytes, as S3 has it."""

MAX_VERSION_KEY_LENGTH = 32
"""Longest version key that the Science Archive takes, in characters."""

TRANSFER_TIMEOUT_S = 3600.0
"""Longest that one upload, or waiting within one download, may take, in seconds."""

PROBE_PREFIX = "calrecords-probe"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9._+-]+")


class S3Store(FileStore):
    """Keeps files in a bucket with versioning, as the Science Archive has them.

    Parameters
    ----------
    client : botocore.client.S3
        For example of `make_s3_client`; retries are its own. Closed with the store.
    bucket : str
        Name of the bucket.
    ia_after_days : int, optional
        Frames observed more days ago than this go to the storage class ``STANDARD_IA``.
    transfer_timeout_s : float, optional
        Seconds that one upload, or the waiting within one download, may take.
    """

    kind: ClassVar[str] = "S3"
    keeps_versions: ClassVar[bool] = True

    def __init__(
        self,
        client: Any,
        bucket: str,
        *,
        ia_after_days: int = 60,
        transfer_timeout_s: float = TRANSFER_TIMEOUT_S,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._ia_after = timedelta(days=ia_after_days)
        self._timeout_s = transfer_timeout_s
        self._checked = False
        self._checked_for_archive = False
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        """Drop the pooled connections that the parent process still uses."""
        self._client.close()

    def __repr__(self) -> str:
        return f"S3Store(bucket={self._bucket!r})"

    @property
    def bucket(self) -> str:
        """Name of the bucket."""
        return self._bucket

    def check(self, *, for_archive: bool = False, again: bool = False) -> None:
        """Raise if the bucket is missing, closed to us, or without versioning.

        For the Science Archive an empty object is stored under ``calrecords-probe/`` and
        removed, to see how long the version IDs of this store are.

        Raises
        ------
        ConfigurationError
            If there is no such bucket, it keeps no versions, or version IDs are too long.
        FileStoreRefusedError
            If we may not ask.
        FileStoreUnavailableError
            If S3 cannot be reached.
        """
        if again or not self._checked:
            self._check_bucket()
            self._checked = True
        if for_archive and (again or not self._checked_for_archive):
            self._check_version_ids()
            self._checked_for_archive = True

    def put(
        self,
        key: str,
        source: BinaryIO,
        digest: ContentDigest,
        *,
        content_type: str = "",
        dateobs: datetime | None = None,
    ) -> StoredFile:
        """Keep what is left in `source` as a new version of `key`, in one request.

        Raises
        ------
        ChecksumMismatchError
            If `source`, or what S3 says it has, is not what `digest` says.
        ConfigurationError
            If the bucket cannot be used (see `check`).
        FileStoreRefusedError
            If we may not write, or the file is larger than 5 GiB.
        FileStoreUnavailableError
            If S3 cannot be reached, or takes too long.
        """
        check_key(key)
        self.check()
        if digest.size > MAX_PUT_BYTES:
            msg = (
                f"{key} is {digest.size} bytes long, and the S3 file store takes at most "
                f"{MAX_PUT_BYTES} (5 GiB) in one request; split or compress it"
            )
            raise FileStoreRefusedError(msg)
        held = self.find(key, digest)
        if held is not None:
            return held
        arguments = self._arguments(key, digest, content_type, dateobs)
        with rewindable(source) as body:
            answer = self._upload(
                VerifyingReader(key, body, digest, timeout_s=self._timeout_s), arguments
            )
        stored = StoredFile(
            key, self._version_id(answer), digest.md5, digest.sha256, digest.size, is_new=True
        )
        self._verify(stored, answer.get("ChecksumSHA256"))
        logger.debug("stored %s, version %s, in bucket %s", key, stored.version_key, self._bucket)
        return stored

    def publish(self, stored: StoredFile) -> None:
        """Do nothing: the newest version is what readers find already."""
        check_key(stored.key)

    def find(self, key: str, digest: ContentDigest) -> StoredFile | None:
        """Return the oldest version of `key` with this content, or None.

        The oldest, so that two processes that stored the same content at the same time
        come to name the same version.

        Raises
        ------
        FileStoreRefusedError
            If we may not list versions (``s3:ListBucketVersions``) or read them.
        FileStoreUnavailableError
            If S3 cannot be reached.
        """
        check_key(key)
        for version_id in reversed(self._versions_of_length(key, digest.size)):
            stored = StoredFile(key, version_id, digest.md5, digest.sha256, digest.size)
            with suppress(StoredFileNotFoundError):  # removed since it was listed
                if says(self._head(stored), digest) is True:
                    return stored
        return None

    def stat(self, stored: StoredFile) -> StoredFile:
        """Return this version with its size, and its checksums as far as S3 knows them.

        Raises
        ------
        StoredFileNotFoundError
            If there is no such version.
        FileStoreUnavailableError
            If S3 cannot be reached.
        """
        head = self._head(stored)
        checksum = whole_checksum(head)
        sha256 = base64.b64decode(checksum).hex() if checksum else head["Metadata"].get("sha256")
        md5 = etag_md5(head) or head["Metadata"].get("md5")
        return StoredFile(
            stored.key,
            stored.version_key,
            md5 or stored.md5,
            sha256 or stored.sha256,
            head["ContentLength"],
        )

    @contextmanager
    def open(self, stored: StoredFile) -> Iterator[BinaryIO]:
        """Open exactly this version for reading, as a stream that cannot seek.

        Raises
        ------
        StoredFileNotFoundError
            If there is no such version.
        FileStoreUnavailableError
            If S3 cannot be reached, or, while reading, the connection breaks.
        """
        doing = f"read {stored.key}"
        with s3_errors(doing, self._bucket):
            answer = self._client.get_object(ChecksumMode="ENABLED", **self._named(stored))
        reader = ObjectReader(
            answer["Body"], doing=doing, bucket=self._bucket, timeout_s=self._timeout_s
        )
        with io.BufferedReader(reader, CHUNK_BYTES) as source:
            yield source

    def delete(self, stored: StoredFile) -> None:
        """Remove exactly this version; nothing happens if it is not there.

        Raises
        ------
        FileStoreRefusedError
            If we may not (``s3:DeleteObjectVersion``).
        FileStoreUnavailableError
            If S3 cannot be reached.
        """
        named = self._named(stored)
        with suppress(StoredFileNotFoundError), s3_errors(f"delete {stored.key}", self._bucket):
            self._client.delete_object(**named)

    def url(self, stored: StoredFile, *, expires_s: int = URL_EXPIRES_S) -> str:
        """Return a signed URL of exactly this version; whoever has it may read the bytes.

        Raises
        ------
        ConfigurationError
            If there are no credentials to sign with.
        """
        with s3_errors(f"sign a URL of {stored.key}", self._bucket):
            signed: str = self._client.generate_presigned_url(
                "get_object", Params=self._named(stored), ExpiresIn=expires_s
            )
        return signed

    def close(self) -> None:
        """Close the client's connections."""
        self._client.close()

    def _check_bucket(self) -> None:
        try:
            with s3_errors("look at the bucket", self._bucket):
                self._client.head_bucket(Bucket=self._bucket)
        except StoredFileNotFoundError as error:
            msg = f"there is no S3 bucket {self._bucket}; make it, or set BUCKET to one that is"
            raise ConfigurationError(msg) from error
        with s3_errors("ask whether versions are kept", self._bucket):
            answer = self._client.get_bucket_versioning(Bucket=self._bucket)
        if answer.get("Status") != "Enabled":
            raise self._unversioned()

    def _unversioned(self) -> ConfigurationError:
        msg = (
            f"the S3 bucket {self._bucket} keeps no versions, so new bytes would replace old "
            "ones; enable versioning on it, or set BUCKET to another"
        )
        return ConfigurationError(msg)

    def _check_version_ids(self) -> None:
        key = f"{PROBE_PREFIX}/{secrets.token_hex(8)}"
        with s3_errors(f"write {key}", self._bucket):
            answer = self._client.put_object(Bucket=self._bucket, Key=key, Body=b"")
        version_id = self._version_id(answer)
        try:
            self.delete(StoredFile(key, version_id))
        except FileStoreError as error:
            logger.warning("an empty object %s stays in the bucket: %s", key, error)
        if len(version_id) > MAX_VERSION_KEY_LENGTH:
            msg = (
                f"version IDs of the S3 bucket {self._bucket} have {len(version_id)} characters, "
                f"and the Science Archive takes {MAX_VERSION_KEY_LENGTH}; use a store with shorter "
                "ones (Amazon's have 32; MinIO's have 36), or set FILESTORE_TYPE to local"
            )
            raise ConfigurationError(msg)

    def _arguments(
        self, key: str, digest: ContentDigest, content_type: str, dateobs: datetime | None
    ) -> dict[str, Any]:
        name = key.rsplit("/", 1)[-1]
        filename = name if _PLAIN_NAME.fullmatch(name) else f'"{name}"'
        arguments: dict[str, Any] = {
            "Bucket": self._bucket,
            "Key": key,
            "ContentLength": digest.size,
            "ContentDisposition": f"attachment; filename={filename}",
            "ChecksumSHA256": base64_of(digest),
            "Metadata": {"md5": digest.md5, "sha256": digest.sha256},
        }
        if content_type:
            arguments["ContentType"] = content_type
        if dateobs is not None and datetime.now(UTC) - parse_time(dateobs) > self._ia_after:
            arguments["StorageClass"] = "STANDARD_IA"
        return arguments

    def _upload(self, body: VerifyingReader, arguments: dict[str, Any]) -> Any:
        try:
            with s3_errors(f"write {arguments['Key']}", self._bucket):
                return self._client.put_object(Body=body, **arguments)
        except Exception:
            if body.failure is not None:
                raise body.failure from None
            raise

    def _version_id(self, answer: Any) -> str:
        version_id = answer.get("VersionId")
        if not version_id or version_id == "null":
            raise self._unversioned()
        return str(version_id)

    def _verify(self, stored: StoredFile, checksum: str | None) -> None:
        digest = ContentDigest(stored.md5 or "", stored.sha256 or "", stored.size or 0)
        if checksum == base64_of(digest):
            return
        held = False if checksum else says(self._head(stored), digest, trust_metadata=False)
        if held is None:  # a store that keeps no checksum at all
            with self.open(stored) as source:
                held = digest_stream(source) == digest
        if not held:
            self.delete(stored)
            msg = (
                f"the S3 bucket {self._bucket} did not keep the bytes of {stored.key} that were "
                f"sent (sha256 {stored.sha256}); version {stored.version_key} was removed again"
            )
            raise ChecksumMismatchError(msg)

    def _versions_of_length(self, key: str, size: int) -> list[str]:
        found: list[str] = []
        pages = self._client.get_paginator("list_object_versions")
        with s3_errors(f"list the versions of {key}", self._bucket):
            for page in pages.paginate(Bucket=self._bucket, Prefix=key):
                versions = page.get("Versions", [])
                found += [v["VersionId"] for v in versions if v["Key"] == key and v["Size"] == size]
                # Keys are sorted, so longer ones that begin alike come after all of ours.
                if any(version["Key"] != key for version in versions):
                    break
        return found

    def _head(self, stored: StoredFile) -> dict[str, Any]:
        with s3_errors(f"look at {stored.key}", self._bucket):
            head: dict[str, Any] = self._client.head_object(
                ChecksumMode="ENABLED", **self._named(stored)
            )
        return head

    def _named(self, stored: StoredFile) -> dict[str, Any]:
        check_key(stored.key)
        if not stored.version_key:
            msg = f"no version of {stored.key} is named, so none can be found in the S3 bucket"
            raise StoredFileNotFoundError(msg)
        return {"Bucket": self._bucket, "Key": stored.key, "VersionId": stored.version_key}
