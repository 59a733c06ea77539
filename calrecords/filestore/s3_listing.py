"""What a bucket holds, found by listing it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, BinaryIO, TypeVar

from calrecords.errors import FileStoreUnavailableError
from calrecords.filestore.base import FileStore
from calrecords.filestore.keys import check_key, is_key
from calrecords.filestore.listing import Leftover, LeftoverKind, ListedFile
from calrecords.filestore.s3_errors import answer_of, s3_errors
from calrecords.filestore.s3_multipart import check_length
from calrecords.frames import ContentDigest, StoredFile, digest_stream

_Entry = TypeVar("_Entry")


class ListedBucket(FileStore):
    """The part of an S3 store that lists its bucket. Keys come as S3 sorts them, by bytes."""

    _client: Any
    _bucket: str

    @abstractmethod
    def _put_new(
        self,
        key: str,
        source: BinaryIO,
        digest: ContentDigest,
        content_type: str,
        dateobs: datetime | None,
    ) -> StoredFile:
        """Keep bytes as a new version of a key, whatever is there."""

    def put_anew(
        self,
        stored: StoredFile,
        source: BinaryIO,
        digest: ContentDigest,
        *,
        content_type: str = "",
        dateobs: datetime | None = None,
    ) -> StoredFile:
        """Keep good bytes as a new version of the key of a damaged one, which stays beside it.

        Raises
        ------
        ChecksumMismatchError
            As for `put`.
        """
        check_key(stored.key)
        check_length(stored.key, digest.size)
        self.check()
        return self._put_new(stored.key, source, digest, content_type, dateobs)

    def listed(self, prefix: str = "", *, after: str = "") -> Iterator[ListedFile]:
        """Yield every version of every key that begins so.

        Raises
        ------
        FileStoreRefusedError
            If we may not list versions (``s3:ListBucketVersions``).
        FileStoreUnavailableError
            If S3 cannot be reached.
        """
        self.check()
        pages = self._client.get_paginator("list_object_versions")
        named = {"Prefix": prefix} | ({"KeyMarker": after} if after else {})
        for page in self._pages(pages, "list its versions", named, _versions_in):
            yield from (listed for listed in page if listed.key != after and is_key(listed.key))

    def leftovers(self, prefix: str = "") -> Iterator[Leftover]:
        """Yield the uploads in parts that were never completed; some may still go on.

        Raises
        ------
        FileStoreRefusedError
            If we may not list them (``s3:ListBucketMultipartUploads``).
        FileStoreUnavailableError
            If S3 cannot be reached.
        """
        self.check()
        pages = self._client.get_paginator("list_multipart_uploads")
        named = {"Prefix": prefix}
        for page in self._pages(pages, "list unfinished uploads", named, _uploads_in):
            yield from (upload for upload in page if is_key(upload.key))

    def digest_of(self, listed: ListedFile) -> ContentDigest:
        """Download a listed version, and return what its bytes are.

        Raises
        ------
        StoredFileNotFoundError
            If it is gone.
        FileStoreUnavailableError
            If S3 cannot be reached.
        """
        with self.open(StoredFile(listed.key, listed.version_key or "")) as source:
            return digest_stream(source)

    def remove(self, listed: ListedFile) -> bool:
        """Remove exactly this version, whose name no other ever gets.

        Raises
        ------
        FileStoreRefusedError
            If we may not (``s3:DeleteObjectVersion``).
        FileStoreUnavailableError
            If S3 cannot be reached.
        """
        self.delete(StoredFile(listed.key, listed.version_key or ""))
        return True

    def discard(self, leftover: Leftover) -> bool:
        """Abort an upload that was never completed.

        Raises
        ------
        FileStoreRefusedError
            If we may not (``s3:AbortMultipartUpload``).
        FileStoreUnavailableError
            If S3 cannot be reached.
        """
        named = {"Bucket": self._bucket, "Key": leftover.key, "UploadId": leftover.name}
        try:
            with s3_errors(f"abort an upload of {leftover.key}", self._bucket):
                self._client.abort_multipart_upload(**named)
        except FileStoreUnavailableError as error:
            if not _is_gone(error):
                raise
        return True

    def _pages(
        self, pages: Any, doing: str, named: dict[str, str], read: Callable[[Any], list[_Entry]]
    ) -> Iterator[list[_Entry]]:
        found = iter(pages.paginate(Bucket=self._bucket, **named))
        while True:
            with s3_errors(doing, self._bucket):
                page = next(found, None)
                entries = None if page is None else read(page)
            if entries is None:
                return
            yield entries


def _versions_in(page: Any) -> list[ListedFile]:
    return [
        ListedFile(
            key=version["Key"],
            size=version["Size"],
            modified=version["LastModified"],
            version_key=version["VersionId"],
        )
        for version in page.get("Versions", [])
    ]


def _uploads_in(page: Any) -> list[Leftover]:
    return [
        Leftover(
            kind=LeftoverKind.UPLOAD,
            key=upload["Key"],
            name=upload["UploadId"],
            began=upload["Initiated"],
        )
        for upload in page.get("Uploads", [])
    ]


def _is_gone(error: FileStoreUnavailableError) -> bool:
    said = answer_of(error)
    return said is not None and said.code == "NoSuchUpload"
