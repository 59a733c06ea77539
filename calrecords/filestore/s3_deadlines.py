"""Answers that come in time as a whole, not only each byte of them.

A socket's timeout starts anew with every byte, so that a server which drips its headers,
or the page in which it lists versions, one byte at a time holds its client for ever. Here
a connection is shut down when the answer that it waits for is not there in time. The
bytes of uploads and downloads have deadlines of their own (`s3_streams`).
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore import awsrequest

if TYPE_CHECKING:
    _Connection = awsrequest.AWSHTTPConnection
else:
    _Connection = object


class _Watch(threading.local):
    """What ends the wait of this thread, and after how many seconds."""

    timer: threading.Timer | None = None
    timeout_s = 0.0

    def start(self, connection: Any) -> None:
        self.stop()
        self.timer = threading.Timer(self.timeout_s, _shut, (connection.sock,))
        self.timer.daemon = True
        self.timer.start()

    def stop(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


_watch = _Watch()


def _shut(sock: socket.socket) -> None:
    # Not the method of a TLS socket, which would change the object under its reader.
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _Watched(_Connection):
    def getresponse(self, *arguments: Any, **named: Any) -> Any:
        _watch.start(self)
        return super().getresponse(*arguments, **named)


# The stubs of these two contradict those of http.client.
class _HTTPConnection(_Watched, awsrequest.AWSHTTPConnection):  # type: ignore[misc]
    """A connection whose answer is watched."""


class _HTTPSConnection(_Watched, awsrequest.AWSHTTPSConnection):  # type: ignore[misc]
    """A connection over TLS whose answer is watched."""


class _HTTPPool(awsrequest.AWSHTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(awsrequest.AWSHTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


def watch_answers(client: Any, timeout_s: float) -> None:
    """Let a client give up each answer that is not there in time.

    Parameters
    ----------
    client : botocore.client.S3
        Changed. Its answers are awaited for at most so long; botocore then tries again.
    timeout_s : float
        Seconds for the headers of an answer, and its body where that is no file.
    """
    session = client._endpoint.http_session  # noqa: SLF001, RUF100 - botocore has no other way
    session._pool_classes_by_scheme.update(http=_HTTPPool, https=_HTTPSPool)  # noqa: SLF001, RUF100
    session.send = _watched(session.send, timeout_s)


def _watched(send: Callable[[Any], Any], timeout_s: float) -> Callable[[Any], Any]:
    def send_in_time(request: Any) -> Any:
        _watch.timeout_s = timeout_s
        try:
            return send(request)
        finally:
            _watch.stop()

    return send_in_time
