"""Gets the bytes of one version from wherever the archive keeps them, and proves them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import BinaryIO

from calrecords.archive.answers import is_passing, looks_like_html, raise_for
from calrecords.archive.bodies import OpenFile
from calrecords.archive.models import ArchiveFrame, ArchiveVersion
from calrecords.archive.origins import origin_of
from calrecords.archive.resuming import Received
from calrecords.archive.transport import Transport
from calrecords.errors import (
    ArchiveRefusedError,
    ArchiveUnavailableError,
    ChecksumMismatchError,
    StoredFileNotFoundError,
)
from calrecords.frames import ContentDigest

_logger = logging.getLogger(__name__)


class CutShortError(ArchiveUnavailableError):
    """A body of unannounced length ended with other bytes than recorded, perhaps early."""


class Download:
    """One version on its way to a sink.

    Addresses are signed anew for every answer of the archive and expire, so the handed
    frame's is tried once, and every other attempt asks for the frame again. What has arrived
    before a connection broke is kept where the server vouches that the rest belongs to it.

    Parameters
    ----------
    transport : Transport
        Where to ask.
    look_up : callable
        Returns the frame with an ID, as the archive describes it now.
    frame : ArchiveFrame
        The frame, as freshly looked up as the caller has it.
    md5 : str
        Lower-case checksum of the version.
    sink : binary file
        Written from its start, and emptied wherever the file is begun anew.
    size : int, optional
        How long the version is, in bytes, where that is known; a body that goes on is not read.
    """

    def __init__(
        self,
        transport: Transport,
        look_up: Callable[[int], ArchiveFrame],
        frame: ArchiveFrame,
        md5: str,
        sink: BinaryIO,
        size: int | None = None,
    ) -> None:
        self._transport = transport
        self._look_up = look_up
        self._handed: ArchiveFrame | None = frame
        self._frame_id = frame.frame_id
        self._md5 = md5
        self._received = Received(sink, size)

    def attempt(self) -> ContentDigest:
        """Return the digest of the bytes, which are in the sink.

        To be called again after a `TransientError`.
        """
        handed, self._handed = self._handed, None
        if handed is not None:
            try:
                return self._fetch(handed)
            except (StoredFileNotFoundError, ArchiveRefusedError) as error:
                _logger.debug("frame %d: asking for a fresh address: %s", self._frame_id, error)
        return self._fetch(self._look_up(self._frame_id))

    def _fetch(self, frame: ArchiveFrame) -> ContentDigest:
        version = frame.version_with(self._md5)
        if version is None:
            msg = f"{_name(frame)} has no version with md5 {self._md5} in the archive"
            raise StoredFileNotFoundError(msg)
        url = _address(frame, version)
        rest = self._received.rest_of(url)
        if rest:
            digest = self._joined(frame, url, rest)
            if digest is not None:
                return digest
        with self._transport.open_file(url) as file:
            self._demand_success(frame, file)
            return self._whole(frame, url, file)

    def _whole(self, frame: ArchiveFrame, url: str, file: OpenFile) -> ContentDigest:
        self._received.start(file, url)
        digest = self._received.take(file)
        if digest.md5 != self._md5:
            failure = self._mismatch(frame, file, digest)
            self._received.forget()
            raise failure
        return digest

    def _joined(self, frame: ArchiveFrame, url: str, rest: dict[str, str]) -> ContentDigest | None:
        """Return the digest of what had arrived and its rest, None if they do not belong together.

        Then the file has to be asked for from its start, before anything is said of it.
        """
        with self._transport.open_file(url, rest) as file:
            if file.status == 200:
                return self._whole(frame, url, file)
            if is_passing(file.status):
                self._demand_success(frame, file)
            if file.status == 206 and self._received.is_continued_by(file):
                _logger.info("%s: going on after %d bytes", _name(frame), self._received.size)
                self._received.resume()
                digest = self._received.take(file)
                if digest.md5 == self._md5:
                    return digest
        _logger.info("%s: its parts do not belong together; starting over", _name(frame))
        self._received.forget()
        return None

    def _demand_success(self, frame: ArchiveFrame, file: OpenFile) -> None:
        if file.status == 200:
            return
        if file.status in {404, 410}:
            msg = (
                f"{_name(frame)}: the version with md5 {self._md5} was superseded or moved: the "
                f"archive lists it, but its address ({file.call}) has no file"
            )
            raise StoredFileNotFoundError(msg)
        if is_passing(file.status):
            raise_for(file.answer(), right="")
        if file.status < 300:
            msg = (
                f"{_name(frame)}: {file.call} was answered {file.status}, and a whole file comes "
                "with 200; does something answer in place of the archive's file store?"
            )
            raise ArchiveUnavailableError(msg)
        msg = (
            f"{_name(frame)}: {file.call} was refused ({file.status}); the archive signs such "
            "addresses, so its clock or its rights on its file store may be at fault"
        )
        raise ArchiveRefusedError(msg, status=file.status)

    def _mismatch(self, frame: ArchiveFrame, file: OpenFile, digest: ContentDigest) -> Exception:
        if looks_like_html(file.start):
            msg = f"{file.call} was answered with a page in place of the file; a login page?"
            return ArchiveUnavailableError(msg)
        if self._received.is_too_long:
            msg = (
                f"{_name(frame)}: {file.call} goes on after the bytes that are recorded; the file "
                "was overwritten or damaged where the archive keeps it"
            )
            return ChecksumMismatchError(msg)
        if not file.says_its_length:
            msg = f"{file.call} ended after {digest.size} bytes with another checksum"
            return CutShortError(msg)
        why = "the file was overwritten or damaged where the archive keeps it"
        if file.encoding:
            why = f"it came as Content-Encoding {file.encoding!r:.80}; does a proxy pack files?"
        return ChecksumMismatchError(
            f"{_name(frame)}: {file.call} has md5 {digest.md5} ({digest.size} bytes), not "
            f"{self._md5}; {why}"
        )


def _name(frame: ArchiveFrame) -> str:
    return f"frame {frame.frame_id} ({frame.basename})"


def _address(frame: ArchiveFrame, version: ArchiveVersion) -> str:
    url = version.url or ""
    try:
        origin_of(url)
    except ValueError:
        msg = (
            f"{_name(frame)}: the archive gives no address of a file; with "
            "FILESTORE_TYPE=dummy it keeps none"
        )
        raise StoredFileNotFoundError(msg) from None
    return url
