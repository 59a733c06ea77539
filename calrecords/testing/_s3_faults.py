"""Faults of the loopback S3 server: the same words as the archive's, said as S3 says them."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from calrecords.testing.faults import Fault, Faults

S3_KINDS = (
    "500",
    "500-after-commit",
    "503",
    "403",
    "429",
    "reset",
    "lost-answer",
    "delay",
    "delay-after-commit",
    "drip",
    "login-page",
    "truncated",
)
"""The kinds of fault that the S3 server can show."""

HANDLER = "calrecords.handler"
"""Where the server's own handler of a request is found in its environment."""

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_REFUSALS = {
    "500": ("500 Internal Server Error", "InternalError"),
    "500-after-commit": ("500 Internal Server Error", "InternalError"),
    "503": ("503 Slow Down", "SlowDown"),
    "403": ("403 Forbidden", "AccessDenied"),
    "429": ("429 Too Many Requests", "TooManyRequests"),
}
_LOGIN_PAGE = b"<!doctype html><title>Log in</title><p>Please log in to continue."

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


def with_faults(application: Application, faults: Faults, stopping: threading.Event) -> Application:
    """Return a WSGI application that meets faults.

    Parameters
    ----------
    application : callable
        What carries requests out.
    faults : Faults
        What shall break on the way.
    stopping : Event
        Set once the server stops, which ends every wait.
    """

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        fault = faults.take(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if fault is None:
            return application(environ, start_response)
        return _Met(fault, environ, start_response, stopping).answer(application)

    return answer


class _Met:
    """A request that has met a fault."""

    def __init__(
        self, fault: Fault, environ: dict[str, Any], start_response: Any, stopping: threading.Event
    ) -> None:
        self._fault = fault
        self._environ = environ
        self._start_response = start_response
        self._stopping = stopping

    def answer(self, application: Application) -> Iterable[bytes]:
        kind = self._fault.kind
        if kind in {"500", "503", "403", "429", "login-page"}:
            self._read_body()
            return self._refusal()
        if kind == "reset":
            self._read_body()
            self._reset()
        if kind == "delay":
            self._stopping.wait(self._fault.seconds)
        said: list[Any] = []
        body = b"".join(application(self._environ, lambda *head: said.extend(head)))
        if kind == "delay-after-commit":
            self._stopping.wait(self._fault.seconds)
        if kind == "500-after-commit":
            return self._refusal()
        if kind == "lost-answer":
            self._reset()
        self._start_response(*said)
        return self._sent_badly(body) if kind in {"drip", "truncated"} else [body]

    def _read_body(self) -> None:
        """Take what was sent, so that the client is not refused while it still sends."""
        length = int(self._environ.get("CONTENT_LENGTH") or 0)
        self._environ["wsgi.input"].read(length)

    def _refusal(self) -> Iterable[bytes]:
        if self._fault.kind == "login-page":
            self._start_response(
                "200 OK",
                [("Content-Type", "text/html"), ("Content-Length", str(len(_LOGIN_PAGE)))],
            )
            return [_LOGIN_PAGE]
        status, code = _REFUSALS[self._fault.kind]
        said = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{code}</Code><Message>{status}</Message></Error>"
        ).encode()
        headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(said)))]
        self._start_response(status, headers)
        return [said]

    def _sent_badly(self, body: bytes) -> Iterator[bytes]:
        if self._fault.kind == "drip":
            for at in range(len(body)):
                if self._stopping.wait(self._fault.seconds):
                    break
                yield body[at : at + 1]
            return
        yield body[: len(body) // 2]
        self._reset()

    def _reset(self) -> None:
        handler = self._environ[HANDLER]
        handler.close_connection = True
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        raise ConnectionResetError


def close_as_told(server: Any) -> None:
    """Let a server end a connection with a reset where that was asked for, else politely."""
    politely = server.shutdown_request

    def shutdown_request(connection: socket.socket) -> None:
        lingers = 0
        with contextlib.suppress(OSError):
            told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
            lingers = struct.unpack("ii", told)[0]
        if lingers:
            server.close_request(connection)
        else:
            politely(connection)

    server.shutdown_request = shutdown_request
