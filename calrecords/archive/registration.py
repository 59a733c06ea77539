"""Tells the archive of one version of a frame, exactly once whatever happens on the way.

A POST that fails may have stored everything: the archive answers 500 after its commit, and
an answer can be lost. So after a failure the archive is asked first what it has. It refuses
a checksum that it knows, which makes the POST itself the reliable check for duplicates.
"""

from __future__ import annotations

import logging
from typing import NoReturn

from calrecords.archive.answers import Answer, raise_for
from calrecords.archive.lookups import (
    TO_POST,
    frame_named,
    parsed,
    versions_with,
)
from calrecords.archive.models import ArchiveFrame, parse_frame
from calrecords.archive.transport import Transport
from calrecords.errors import (
    ArchiveError,
    ArchiveRefusedError,
    ArchiveUnavailableError,
    TransientError,
    VersionExistsError,
)

_NEWEST_ROWS = 100

_logger = logging.getLogger(__name__)


class NotShownError(ArchiveUnavailableError):
    """The archive refused a checksum that it knows, and does not show whose it is.

    A replica may lag behind; if it stays so, another basename has the same bytes.

    Parameters
    ----------
    message : str
        Which checksum.
    nothing_taken : bool
        Whether it is certain that the archive does not refer to the version that was sent.
    """

    def __init__(self, message: str = "", *, nothing_taken: bool = False) -> None:
        super().__init__(message)
        self.nothing_taken = nothing_taken


class Registration:
    """One version of a frame on its way into the archive, and what we know of its fate.

    Parameters
    ----------
    transport : Transport
        Where to send it.
    body : bytes
        The record as JSON.
    basename : str
        The frame's basename.
    version_key, md5 : str
        The version's key and its lower-case checksum.
    """

    def __init__(
        self, transport: Transport, body: bytes, *, basename: str, version_key: str, md5: str
    ) -> None:
        self._transport = transport
        self._body = body
        self._basename = basename
        self._version_key = version_key
        self._md5 = md5
        self._is_unknown = False
        self._refusal: Answer | None = None

    def attempt(self) -> ArchiveFrame:
        """Return the frame, registered now or found to be there.

        To be called again after a `TransientError`; it then looks before it sends.
        """
        if self._refusal is not None:
            return self._existing(self._refusal)
        if self._is_unknown:
            found = self._found()
            if found is not None:
                _logger.info("%s: the archive had taken it", self._basename)
                return found
        return self._send()

    def _send(self) -> ArchiveFrame:
        try:
            answer = self._transport.request("POST", "frames/", body=self._body)
            if answer.status == 400 and answer.existing:
                self._refusal = answer
            elif answer.status == 201:
                return self._registered(answer)
            else:
                self._raise_refusal(answer)
        except TransientError:
            self._is_unknown = True
            raise
        return self._existing(answer)

    def _raise_refusal(self, answer: Answer) -> NoReturn:
        try:
            raise_for(answer, right=TO_POST)
        except ArchiveRefusedError as error:
            error.nothing_taken = answer.is_certain_refusal and not self._is_unknown
            raise

    def _registered(self, answer: Answer) -> ArchiveFrame:
        frame = parsed(answer, parse_frame)
        if frame.basename != self._basename or frame.version_with(self._md5) is None:
            raise answer.broken(f"it does not describe {self._basename} with our md5")
        return frame

    def _found(self) -> ArchiveFrame | None:
        frame = frame_named(self._transport, self._basename)
        return frame if frame is not None and frame.version_with(self._md5) else None

    def _existing(self, refusal: Answer) -> ArchiveFrame:
        found = self._found()
        if found is not None:
            return found
        if "md5" not in refusal.existing:
            msg = (
                f"{self._basename}: the archive knows the version key {self._version_key} for "
                "other bytes; do two file stores feed one archive?"
            )
            raise ArchiveRefusedError(msg, status=refusal.status)
        raise self._not_shown(refusal)

    def _not_shown(self, refusal: Answer) -> ArchiveError:
        other = self._listed_basename()
        if other == self._basename:
            msg = f"{self._basename}: the archive has taken this version but does not show it yet"
            return ArchiveUnavailableError(msg)
        is_ours = "key" in refusal.existing and self._version_key != self._md5
        if other is None and (is_ours or self._is_unknown):
            msg = f"{self._basename}: the archive seems to have it, and does not show it yet"
            return ArchiveUnavailableError(msg)
        if other is None:
            return NotShownError(
                f"{self._basename}: the archive says that it holds this md5 ({self._md5}), but "
                "shows it under no frame of this basename: another basename has the same bytes",
                nothing_taken="key" not in refusal.existing,
            )
        return VersionExistsError(
            f"{self._basename}: the archive holds the same bytes (md5 {self._md5}) under another "
            f"basename, {other}",
            nothing_taken="key" not in refusal.existing or self._version_key == self._md5,
        )

    def _listed_basename(self) -> str | None:
        try:
            rows = versions_with(self._transport, self._md5, limit=_NEWEST_ROWS)
        except ArchiveError:
            return None  # a token without the staff right; what it lists is only a help
        return next((r.basename for r in rows if r.version.md5.lower() == self._md5), None)
