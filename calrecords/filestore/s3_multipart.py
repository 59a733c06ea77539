"""Uploads in parts, for files that are longer than S3 takes in one request."""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, cast

from calrecords.errors import (
    CalRecordsError,
    ChecksumMismatchError,
    FileStoreError,
    FileStoreRefusedError,
)
from calrecords.filestore.base import check_source
from calrecords.filestore.s3_checksums import composite_of
from calrecords.filestore.s3_errors import s3_errors
from calrecords.filestore.s3_streams import Deadline, VerifyingReader, Window
from calrecords.frames import CHUNK_BYTES, ContentDigest

logger = logging.getLogger(__name__)

# These four are of the S3 user guide, "Amazon S3 multipart upload limits".
MAX_PUT_BYTES = 5 * 1024**3
"""Longest file, or part of one, that one request may hold, in bytes."""

MAX_OBJECT_BYTES = 5 * 1024**4
"""Longest file that S3 keeps, in bytes."""

MAX_PARTS = 10_000
"""Most parts that one upload may have."""

PART_BYTES = 64 * 1024**2
"""How long a part is by default, in bytes; S3 takes parts of 5 MiB or more, the last excepted."""

STRAY_AFTER = timedelta(days=1)
"""How old an unfinished upload must be to be taken for one whose process was killed."""


def part_length(size: int, part_bytes: int) -> int:
    """Return how long the parts of a file are, so that there are not too many, in bytes.

    Parameters
    ----------
    size : int
        Length of the file, in bytes.
    part_bytes : int
        How long they are where that is enough, in bytes.
    """
    return max(part_bytes, -(-size // MAX_PARTS))


def check_length(key: str, size: int) -> None:
    """Raise if a file is longer than S3 keeps.

    Raises
    ------
    FileStoreRefusedError
        If it is.
    """
    if size > MAX_OBJECT_BYTES:
        msg = (
            f"{key} is {size} bytes long, and the S3 file store takes at most "
            f"{MAX_OBJECT_BYTES} (5 TiB); split or compress it"
        )
        raise FileStoreRefusedError(msg)


class PartsUpload:
    """One upload in parts, which leaves nothing behind unless it is completed.

    Parameters
    ----------
    client : botocore.client.S3
        Used from one thread.
    bucket, key : str
        Where the file goes.
    deadline : Deadline
        When it is given up.

    Attributes
    ----------
    is_sent : bool
        Whether S3 was told to put the parts together; from then on an error may mean that
        only the answer was lost.
    composite : str
        What S3 has to call the checksum of the parts, once they are sent.
    """

    def __init__(self, client: Any, bucket: str, key: str, *, deadline: Deadline) -> None:
        self.is_sent = False
        self.composite = ""
        self._client = client
        self._bucket = bucket
        self._key = key
        self._deadline = deadline
        self._doing = f"write {key} in parts"
        self._named: dict[str, Any] = {"Bucket": bucket, "Key": key}
        self._parts: list[dict[str, Any]] = []
        self._digests: list[bytes] = []

    def send(
        self, source: BinaryIO, digest: ContentDigest, part_bytes: int, headers: dict[str, Any]
    ) -> Any:
        """Upload what is left in a source, in parts, and return S3's last answer.

        Each part is read twice, for its checksum and to be sent, and never held whole.

        Parameters
        ----------
        source : binary file
            Read from where it stands; must be able to seek.
        digest : ContentDigest
            What it must hold; its MD5 is not looked at.
        part_bytes : int
            Length of each part but the last, in bytes.
        headers : dict
            What S3 shall keep with the file, as boto3 calls it.

        Raises
        ------
        ChecksumMismatchError
            If the source, or a part at S3, is not what it should be; nothing is kept then.
        FileStoreRefusedError
            If we may not do this.
        FileStoreUnavailableError
            If S3 cannot be reached, takes too long, or somebody else aborted the upload.
        """
        with s3_errors(self._doing, self._bucket):
            answer = self._client.create_multipart_upload(
                **self._named, ChecksumAlgorithm="SHA256", **headers
            )
            self._named["UploadId"] = answer["UploadId"]
        try:
            for window, part in self._cut(source, digest, part_bytes):
                self._send_part(window, part)
            return self._complete(digest)
        except BaseException:
            self._abort()
            raise

    def _cut(
        self, source: BinaryIO, digest: ContentDigest, part_bytes: int
    ) -> Iterator[tuple[Window, ContentDigest]]:
        start, whole, size = source.tell(), hashlib.sha256(), 0
        while size < digest.size:
            window = Window(source, start + size, min(part_bytes, digest.size - size))
            part = self._digest_of(window, whole.update)
            size += part.size
            if size == digest.size or not part.size:
                size += len(source.read(1))
                check_source(self._key, digest, sha256=whole.hexdigest(), size=size)
            window.seek(0)
            yield window, part

    def _digest_of(self, window: Window, also: Callable[[bytes], None]) -> ContentDigest:
        sha256, size = hashlib.sha256(), 0
        while chunk := window.read(CHUNK_BYTES):
            self._deadline.check()
            sha256.update(chunk)
            also(chunk)
            size += len(chunk)
        return ContentDigest("", sha256.hexdigest(), size)

    def _send_part(self, window: Window, part: ContentDigest) -> None:
        digest = bytes.fromhex(part.sha256)
        checksum = base64.b64encode(digest).decode("ascii")
        number = len(self._parts) + 1
        body = VerifyingReader(self._key, cast("BinaryIO", window), part, deadline=self._deadline)
        answer = send_verified(
            self._client.upload_part,
            body,
            doing=f"{self._doing} (part {number})",
            arguments={
                **self._named,
                "PartNumber": number,
                "ContentLength": part.size,
                "ChecksumSHA256": checksum,
            },
        )
        if answer.get("ChecksumSHA256", checksum) != checksum:
            msg = (
                f"the S3 bucket {self._bucket} did not keep the bytes of {self._key} that were "
                f"sent as part {number}; the upload was aborted"
            )
            raise ChecksumMismatchError(msg)
        self._parts.append(
            {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum}
        )
        self._digests.append(digest)

    def _complete(self, digest: ContentDigest) -> Any:
        self._deadline.check()
        self.composite = composite_of(self._digests)
        self.is_sent = True
        with s3_errors(self._doing, self._bucket):
            return self._client.complete_multipart_upload(
                **self._named, MultipartUpload={"Parts": self._parts}, MpuObjectSize=digest.size
            )

    def _abort(self) -> None:
        try:
            with s3_errors(f"abort the upload of {self._key}", self._bucket):
                self._client.abort_multipart_upload(**self._named)
        except CalRecordsError as error:
            logger.warning("parts of %s may stay in the bucket: %s", self._key, error)


def send_verified(
    operation: Callable[..., Any],
    body: VerifyingReader,
    *,
    doing: str,
    arguments: dict[str, Any],
) -> Any:
    """Send a body with one request and return the answer; what the body raised is raised.

    Parameters
    ----------
    operation : callable
        A method of the client.
    body : VerifyingReader
        What is sent.
    doing : str
        What is tried, with its object, for messages.
    arguments : dict
        The other arguments of `operation`, its bucket among them.
    """
    try:
        with s3_errors(doing, arguments["Bucket"]):
            return operation(Body=body, **arguments)
    except Exception:
        if body.failure is not None:
            raise body.failure from None
        raise


def abort_strays(client: Any, bucket: str, key: str) -> None:
    """Abort the uploads of a key that killed processes left unfinished a day or more ago.

    Where that cannot be done they stay, and only a warning is logged.
    """
    doing = f"clear away unfinished uploads of {key}"
    before = datetime.now(UTC) - STRAY_AFTER
    try:
        with s3_errors(doing, bucket):
            pages = client.get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=bucket, Prefix=key):
                for upload in page.get("Uploads", []):
                    if upload["Key"] == key and upload["Initiated"] < before:
                        client.abort_multipart_upload(
                            Bucket=bucket, Key=key, UploadId=upload["UploadId"]
                        )
                        logger.info("aborted an upload of %s that a killed process left", key)
    except FileStoreError as error:
        logger.warning("unfinished uploads of %s may stay: %s", key, error)
