"""The body of an answer, read as it arrives."""

from __future__ import annotations

import re
from collections.abc import Mapping

import requests

from calrecords.archive.answers import Answer
from calrecords.archive.deadlines import Deadline
from calrecords.archive.faults import guarded

READ_BYTES = 1 << 16
_START_BYTES = 256
_LENGTH = re.compile(r"[0-9]{1,18}(?:, *[0-9]{1,18})*")
_EARNED_BYTES_PER_S = 256 * 1024


class OpenFile:
    """The body of a download, read as it arrives.

    A body whose length was announced earns time by arriving, so that a large file may take
    longer than the total deadline while a server that drips may not.

    Parameters
    ----------
    response : requests.Response
        An answer whose body was not read yet.
    call : str
        Method and address, without secrets.
    deadline : Deadline
        How long it may take.
    """

    def __init__(self, response: requests.Response, call: str, deadline: Deadline) -> None:
        self._response = response
        self._deadline = deadline
        self.call = call
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.start = b""

    @property
    def says_its_length(self) -> bool:
        """Whether an early end would be noticed."""
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "").lower()
        return chunked or self._is_announced

    @property
    def encoding(self) -> str:
        """How the body was packed on its way, though it was asked for as it is; mostly empty."""
        named = self.headers.get("Content-Encoding", "").strip().lower()
        return "" if named == "identity" else named

    @property
    def _is_announced(self) -> bool:
        return _LENGTH.fullmatch(self.headers.get("Content-Length", "").strip()) is not None

    def read(self, size: int) -> bytes:
        """Return up to this many bytes, and up to `READ_BYTES`; none at the end.

        Raises
        ------
        ArchiveUnavailableError
            If the connection breaks, the body ends early or a deadline passes.
        """
        data = guarded(lambda: self._read(min(size, READ_BYTES)), self.call, self._deadline)
        if len(self.start) < _START_BYTES:
            self.start += data[:_START_BYTES]
        if self._is_announced:
            self._deadline.extend(len(data) / _EARNED_BYTES_PER_S)
        return data

    def answer(self) -> Answer:
        """Return the answer with the beginning of its body, for an error's message."""
        return Answer(self.call, self.status, self.headers, self.read(READ_BYTES))

    def _read(self, size: int) -> bytes:
        self._deadline.allow()
        data: bytes = self._response.raw.read(size, decode_content=False)
        return data
