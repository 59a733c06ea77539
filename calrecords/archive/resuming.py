"""What has arrived of a file, and whether the rest of it alone may be asked for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import BinaryIO
from urllib.parse import parse_qs, urlsplit

from calrecords.archive.bodies import OpenFile
from calrecords.archive.origins import Origin, origin_of
from calrecords.frames import CHUNK_BYTES, ContentDigest

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_LENGTH = re.compile(r"[0-9]{1,18}")
_STRONG_TAG = re.compile(r'"[\x21\x23-\x7e]*"')
_SURE_AFTER_S = 60


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file is, without the part of its address that is signed anew each time.

    Attributes
    ----------
    origin : tuple
        Scheme, host and port.
    path : str
        The path.
    version : tuple of str
        The object store's name of the version, where the address has one.
    """

    origin: Origin
    path: str
    version: tuple[str, ...]

    @classmethod
    def of(cls, url: str) -> Place:
        """Return the place that an address leads to.

        Raises
        ------
        ValueError
            If it is no http or https address.
        """
        parts = urlsplit(url)
        version = parse_qs(parts.query).get("versionId", [])
        return cls(origin_of(url), parts.path, tuple(version))


class Received:
    """The part of one file that has arrived, with its digests so far.

    Parameters
    ----------
    sink : binary file
        Where it is; written from its start.
    most : int, optional
        Bytes after which no more are taken than show that there are more.

    Attributes
    ----------
    size : int
        Bytes that have arrived.
    """

    def __init__(self, sink: BinaryIO, most: int | None = None) -> None:
        self._sink = sink
        self._most = most
        self._begin()

    def _begin(self) -> None:
        self.size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()
        self._validator: str | None = None
        self._total = 0
        self._place: Place | None = None

    def forget(self) -> None:
        """Let the next answer begin a file anew."""
        self._begin()

    def rest_of(self, url: str) -> dict[str, str]:
        """Return the headers that ask for the rest alone; none where it must begin anew.

        Only bytes of the same file may be joined: at the same place, and vouched for by a
        validator that the server gave with the first of them.
        """
        if self._validator is None or not self.size or Place.of(url) != self._place:
            return {}
        return {"Range": f"bytes={self.size}-", "If-Range": self._validator}

    def is_continued_by(self, file: OpenFile) -> bool:
        """Return whether an answer with status 206 is the rest that was asked for."""
        match = _CONTENT_RANGE.fullmatch(file.headers.get("Content-Range", "").strip())
        if match is None:
            return False
        first, last, total = (int(number) for number in match.groups())
        is_rest = (first, last, total) == (self.size, self._total - 1, self._total)
        # a server that does not know If-Range sends the rest of whatever it has now
        return is_rest and _validator(file.headers) == self._validator

    def start(self, file: OpenFile, url: str) -> None:
        """Empty the sink for an answer that brings the file from its beginning."""
        self._begin()
        self._sink.seek(0)
        self._sink.truncate()
        length = file.headers.get("Content-Length", "")
        if _LENGTH.fullmatch(length):
            self._validator = _validator(file.headers)
            self._total = int(length)
            self._place = Place.of(url)

    def resume(self) -> None:
        """Place the sink where the rest belongs."""
        self._sink.seek(self.size)
        self._sink.truncate()

    @property
    def is_too_long(self) -> bool:
        """Whether more has arrived than there should be."""
        return self._most is not None and self.size > self._most

    def take(self, file: OpenFile) -> ContentDigest:
        """Return the digest of the whole file when an answer's body has arrived to its end.

        Raises
        ------
        ArchiveUnavailableError
            If the connection breaks; what has arrived is kept.
        """
        while not self.is_too_long and (chunk := file.read(CHUNK_BYTES)):
            left = memoryview(chunk)
            while left:
                left = left[self._sink.write(left) :]
            self._md5.update(chunk)
            self._sha256.update(chunk)
            self.size += len(chunk)
        return ContentDigest(self._md5.hexdigest(), self._sha256.hexdigest(), self.size)


def _validator(headers: Mapping[str, str]) -> str | None:
    """Return what vouches for the bytes of an answer: a strong ETag, else an old enough date."""
    tag = headers.get("ETag")
    if tag is not None:
        return tag.strip() if _STRONG_TAG.fullmatch(tag.strip()) else None
    changed, answered = headers.get("Last-Modified"), headers.get("Date")
    if changed is None or answered is None:
        return None
    try:
        age = parsedate_to_datetime(answered) - parsedate_to_datetime(changed)
    except (ValueError, TypeError):
        return None
    # two versions may have been written within the second that the date can tell
    return changed if age.total_seconds() >= _SURE_AFTER_S else None
