"""A file store in a versioned S3 bucket."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, ClassVar

from calrecords.errors import (
    ChecksumMismatchError,
    FileStoreUnavailableError,
    StoredFileNotFoundError,
)
from calrecords.filestore.base import URL_EXPIRES_S
from calrecords.filestore.keys import check_key
from calrecords.filestore.s3_bucket import check_bucket, check_version_ids, version_id_of
from calrecords.filestore.s3_checksums import (
    base64_of,
    check_head,
    etag_md5,
    hexadecimal,
    is_same_composite,
    says,
    says_of_parts,
    whole_checksum,
)
from calrecords.filestore.s3_client import make_s3_client
from calrecords.filestore.s3_errors import s3_errors
from calrecords.filestore.s3_listing import ListedBucket
from calrecords.filestore.s3_multipart import (
    MAX_PUT_BYTES,
    PART_BYTES,
    PartsUpload,
    abort_strays,
    check_length,
    part_length,
    send_verified,
)
from calrecords.filestore.s3_streams import Deadline, ObjectReader, VerifyingReader, rewindable
from calrecords.filestore.s3_versions import object_headers, versions_of_length
from calrecords.forking import start_anew_after_fork
from calrecords.frames import CHUNK_BYTES, ContentDigest, StoredFile, digest_stream
from calrecords.vocabulary import parse_time

__all__ = ["S3Store", "make_s3_client"]

logger = logging.getLogger(__name__)

TRANSFER_TIMEOUT_S = 3600.0
"""Longest that 5 GiB of an upload, or waiting within one download, may take, in seconds."""


class S3Store(ListedBucket):
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
        Seconds that one upload, or the waiting within one download, may take; an upload of
        more than 5 GiB as many times longer.
    single_put_bytes : int, optional
        Longer files are uploaded in parts, in bytes.
    part_bytes : int, optional
        Length of a part, in bytes; longer where there would be more than 10,000.
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
        single_put_bytes: int = MAX_PUT_BYTES,
        part_bytes: int = PART_BYTES,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._ia_after = timedelta(days=ia_after_days)
        self._timeout_s = transfer_timeout_s
        self._single_put_bytes = single_put_bytes
        self._part_bytes = part_bytes
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
            check_bucket(self._client, self._bucket)
            self._checked = True
        if for_archive and (again or not self._checked_for_archive):
            check_version_ids(self._client, self._bucket)
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
        """Keep what is left in `source` as a new version of `key`.

        In one request up to 5 GiB, and in parts above.

        Raises
        ------
        ChecksumMismatchError
            If `source`, or what S3 says it has, is not what `digest` says.
        ConfigurationError
            If the bucket cannot be used (see `check`).
        FileStoreRefusedError
            If we may not write, or the file is larger than 5 TiB.
        FileStoreUnavailableError
            If S3 cannot be reached, or takes too long.
        """
        check_key(key)
        check_length(key, digest.size)
        self.check()
        held = self.find(key, digest)
        if held is not None:
            return held
        return self._put_new(key, source, digest, content_type, dateobs)

    def _put_new(
        self,
        key: str,
        source: BinaryIO,
        digest: ContentDigest,
        content_type: str,
        dateobs: datetime | None,
    ) -> StoredFile:
        is_old = dateobs is not None and datetime.now(UTC) - parse_time(dateobs) > self._ia_after
        headers = object_headers(key, digest, content_type, is_old=is_old)
        with rewindable(source) as body:
            if digest.size > self._single_put_bytes:
                stored = self._put_in_parts(key, body, digest, headers)
            else:
                stored = self._put_at_once(key, body, digest, headers)
        logger.debug("stored %s, version %s, in bucket %s", key, stored.version_key, self._bucket)
        return stored

    def publish(self, stored: StoredFile) -> None:
        """Do nothing: the newest version is what readers find already."""
        check_key(stored.key)

    def find(self, key: str, digest: ContentDigest) -> StoredFile | None:
        """Return the oldest version of `key` with this content, or None.

        The oldest, so that two processes that stored the same content at the same time
        come to name the same version.

        Unfinished uploads of a large file are aborted if they are older than a day.

        Raises
        ------
        ConfigurationError
            If the bucket cannot be used (see `check`).
        FileStoreRefusedError
            If we may not list versions (``s3:ListBucketVersions``) or read them.
        FileStoreUnavailableError
            If S3 cannot be reached.
        """
        check_key(key)
        self.check()
        if digest.size > self._single_put_bytes:
            abort_strays(self._client, self._bucket, key)
        listed = versions_of_length(self._client, self._bucket, key, digest.size)
        for version_id in reversed(listed):
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
        sha256 = hexadecimal(checksum) if checksum else head["Metadata"].get("sha256")
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

    def _put_at_once(
        self, key: str, source: BinaryIO, digest: ContentDigest, headers: dict[str, Any]
    ) -> StoredFile:
        arguments = {
            "Bucket": self._bucket,
            "Key": key,
            "ContentLength": digest.size,
            "ChecksumSHA256": base64_of(digest),
            **headers,
        }
        body = VerifyingReader(key, source, digest, deadline=Deadline(key, self._timeout_s))
        answer = send_verified(
            self._client.put_object, body, doing=f"write {key}", arguments=arguments
        )
        stored = self._new(key, answer, digest)
        checksum = answer.get("ChecksumSHA256")
        if checksum is None:
            self._verify(stored, digest, says(self._head(stored), digest, trust_metadata=False))
        else:
            self._verify(stored, digest, checksum == base64_of(digest))
        return stored

    def _put_in_parts(
        self, key: str, source: BinaryIO, digest: ContentDigest, headers: dict[str, Any]
    ) -> StoredFile:
        timeout_s = self._timeout_s * max(1.0, digest.size / MAX_PUT_BYTES)
        upload = PartsUpload(self._client, self._bucket, key, deadline=Deadline(key, timeout_s))
        try:
            part_bytes = part_length(digest.size, self._part_bytes)
            answer = upload.send(source, digest, part_bytes, headers)
        except FileStoreUnavailableError:
            held = self.find(key, digest) if upload.is_sent else None
            if held is None:
                raise
            return held
        stored = self._new(key, answer, digest)
        if is_same_composite(answer.get("ChecksumSHA256", upload.composite), upload.composite):
            head = self._head(stored)
            self._verify(stored, digest, says_of_parts(head, digest.size, upload.composite))
        else:
            self._verify(stored, digest, held=False)
        return stored

    def _new(self, key: str, answer: Any, digest: ContentDigest) -> StoredFile:
        version_key = version_id_of(answer, self._bucket)
        return StoredFile(key, version_key, digest.md5, digest.sha256, digest.size, is_new=True)

    def _verify(self, stored: StoredFile, digest: ContentDigest, held: bool | None) -> None:
        """Remove a new version, and raise, unless S3 holds what was sent; None is to be read."""
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

    def _head(self, stored: StoredFile) -> dict[str, Any]:
        with s3_errors(f"look at {stored.key}", self._bucket):
            head: dict[str, Any] = self._client.head_object(
                ChecksumMode="ENABLED", **self._named(stored)
            )
            check_head(head)
        return head

    def _named(self, stored: StoredFile) -> dict[str, Any]:
        check_key(stored.key)
        if not stored.version_key:
            msg = f"no version of {stored.key} is named, so none can be found in the S3 bucket"
            raise StoredFileNotFoundError(msg)
        return {"Bucket": self._bucket, "Key": stored.key, "VersionId": stored.version_key}
