"""Answers that come in time as a whole, not only each byte of them.

A socket's timeout starts anew with every byte, so that a server which drips its headers,
or the page in which it lists versions, one byte at a time holds its client for ever. Here
a connection is shut down when the answer that it waits for is not there in time, and so
are downloads (`Patience`). The bytes of uploads have a deadline of their own
(`s3_streams`).
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPResponse, RemoteDisconnected
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from botocore import awsrequest
from botocore.exceptions import ReadTimeoutError

from calrecords.bounded_reader import BoundedReader

if TYPE_CHECKING:
    _Connection = awsrequest.AWSHTTPConnection
else:
    _Connection = object

_CUT_OFF = "the server hung up in the middle of its headers"
_NOT_IN_TIME = "no whole answer in time"


class _Alarm:
    """Shuts a connection down after a while, and remembers that it did."""

    def __init__(self, sock: socket.socket, timeout_s: float) -> None:
        self.has_rung = False
        self._sock = sock
        self._timer = threading.Timer(timeout_s, self._ring)
        self._timer.daemon = True
        self._timer.start()

    def _ring(self) -> None:
        self.has_rung = True
        _shut(self._sock)

    def cancel(self) -> None:
        self._timer.cancel()


class _Watch(threading.local):
    """What ends the wait of this thread, and after how many seconds."""

    alarm: _Alarm | None = None
    timeout_s = 0.0
    was_late = False

    def start(self, connection: Any) -> None:
        self.stop()
        self.alarm = _Alarm(connection.sock, self.timeout_s)

    def stop(self) -> None:
        if self.alarm is not None:
            self.alarm.cancel()
            self.was_late = self.was_late or self.alarm.has_rung
            self.alarm = None


_watch = _Watch()


def _shut(sock: socket.socket) -> None:
    # Not the method of a TLS socket, which would change the object under its reader.
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _WholeLines:
    """Lines of headers, which must have an end: http.client takes what is cut off for whole."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def readline(self, limit: int = -1) -> bytes:
        line: bytes = self._source.readline(limit)
        if not line:
            raise RemoteDisconnected(_CUT_OFF)
        return line

    def flush(self) -> None:
        self._source.flush()

    def close(self) -> None:
        self._source.close()


class _WholeAnswer(HTTPResponse):
    fp: Any

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.fp = BoundedReader(self.fp.detach())

    def begin(self) -> None:
        source: Any = self.fp
        self.fp = _WholeLines(source)
        super().begin()
        if self.fp is not None:
            self.fp = source


class _Watched(_Connection):
    response_class: Any = _WholeAnswer

    def getresponse(self, *arguments: Any, **named: Any) -> Any:
        _watch.start(self)
        return super().getresponse(*arguments, **named)

    def _tunnel(self) -> None:
        _watch.start(self)
        super()._tunnel()
        _watch.stop()
        if _watch.was_late:  # half an answer of the proxy is taken for leave
            raise TimeoutError(_NOT_IN_TIME)

    def _handle_expect_response(self, message_body: Any) -> None:
        _watch.start(self)
        super()._handle_expect_response(message_body)  # type: ignore[misc]  # no stub has it

    def _consume_headers(self, fp: Any) -> None:
        # botocore's own goes round for ever where the server hangs up
        while _WholeLines(fp).readline().strip():
            pass

    def _send_message_body(self, message_body: Any) -> None:
        _watch.stop()
        super()._send_message_body(message_body)  # type: ignore[misc]  # no stub has it


# The stubs of these two contradict those of http.client.
class _HTTPConnection(_Watched, awsrequest.AWSHTTPConnection):  # type: ignore[misc]
    """A connection whose answer is watched."""


class _HTTPSConnection(_Watched, awsrequest.AWSHTTPSConnection):  # type: ignore[misc]
    """A connection over TLS whose answer is watched."""


class _HTTPPool(awsrequest.AWSHTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(awsrequest.AWSHTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


def watch_answers(client: Any, timeout_s: float, join_timeout_s: float) -> None:
    """Let a client give up each answer that is not there in time.

    Parameters
    ----------
    client : botocore.client.S3
        Changed. Its answers are awaited for at most so long; botocore then tries again.
    timeout_s : float
        Seconds for the headers of an answer, and its body where that is no file.
    join_timeout_s : float
        The same where parts are joined to a file.
    """
    session = client._endpoint.http_session  # noqa: SLF001, RUF100 - botocore has no other way
    session._pool_classes_by_scheme.update(http=_HTTPPool, https=_HTTPSPool)  # noqa: SLF001, RUF100
    session.send = _watched(session.send, timeout_s, join_timeout_s)


def _joins_parts(request: Any) -> bool:
    return request.method == "POST" and "uploadId" in parse_qs(urlsplit(request.url).query)


def _watched(
    send: Callable[[Any], Any], timeout_s: float, join_timeout_s: float
) -> Callable[[Any], Any]:
    def send_in_time(request: Any) -> Any:
        _watch.timeout_s = join_timeout_s if _joins_parts(request) else timeout_s
        _watch.was_late = False
        try:
            answer = send(request)
        finally:
            _watch.stop()
        if _watch.was_late:  # what came may be cut off
            raise ReadTimeoutError(endpoint_url=request.url, error=_NOT_IN_TIME)
        return answer

    return send_in_time


class Patience:
    """Seconds that may be spent waiting for one download, in all.

    Its connection is shut down when they are spent, in the middle of a wait as well. What
    its reader does between two waits does not count.

    Parameters
    ----------
    body : botocore.response.StreamingBody
        What is waited for.
    timeout_s : float
        The seconds.
    """

    def __init__(self, body: Any, timeout_s: float) -> None:
        self._sock = _socket_of(body)
        self._timeout_s = timeout_s
        self._waited_s = 0.0
        self._since: float | None = None
        self._timer: threading.Timer | None = None
        self._is_open = self._sock is not None
        self._look()

    @property
    def is_over(self) -> bool:
        """Whether they are spent."""
        return self._left_s() < 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time that is spent in this block."""
        self._since = began = time.monotonic()
        try:
            yield
        finally:
            self._since = None  # first, lest this wait be counted twice
            self._waited_s += time.monotonic() - began

    def close(self) -> None:
        """Stop looking."""
        self._is_open = False
        if self._timer is not None:
            self._timer.cancel()

    def _left_s(self) -> float:
        since = self._since
        now_s = 0.0 if since is None else time.monotonic() - since
        return self._timeout_s - self._waited_s - now_s

    def _look(self) -> None:
        left_s = self._left_s()
        if left_s < 0:
            _shut(self._sock)
        elif self._is_open:
            self._timer = threading.Timer(left_s + 0.01, self._look)
            self._timer.daemon = True
            self._timer.start()


def _socket_of(body: Any) -> Any:
    # botocore reaches it in the same way; a body that is empty, or no network's, has none.
    with suppress(AttributeError):
        return body._raw_stream._fp.fp.raw._sock  # noqa: SLF001, RUF100
    return None
