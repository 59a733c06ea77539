"""The server on loopback: connections, requests in, answers out, and faults on the way."""

from __future__ import annotations

import contextlib
import logging
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from calrecords.testing import _answers
from calrecords.testing._answers import Answer, FileBody, Request
from calrecords.testing._endpoints import Api
from calrecords.testing.faults import Fault, Faults

LARGEST_BODY = 10 * 2**20
_CHUNK = 2**18
_LOG = logging.getLogger(__name__)
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_BEFORE = {"500", "503", "403", "429", "login-page", "not-json", "redirect"}


class LoopbackServer(HTTPServer):
    """An HTTP/1.1 server with a thread for each connection, which stops when told to.

    Parameters
    ----------
    port : int
        Port on 127.0.0.1; 0 takes a free one.
    api : Api
        What answers.
    faults : Faults
        What breaks on the way.
    """

    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, port: int, api: Api, faults: Faults) -> None:
        self.api = api
        self.faults = faults
        self.stopping = threading.Event()
        self.connections = 0
        self.requests: list[tuple[str, str]] = []
        self._open: dict[socket.socket, threading.Thread] = {}
        self._resetting: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)
        self._listener = threading.Thread(
            target=self.serve_forever, args=(0.02,), name="science-archive", daemon=True
        )

    def start(self) -> None:
        """Begin to answer."""
        self._listener.start()

    def stop(self) -> None:
        """Stop answering, end every connection, and wait for their threads."""
        self.stopping.set()
        if self._listener.is_alive():
            self.shutdown()
            self._listener.join()
        with self._lock:
            connections = dict(self._open)
        for connection, thread in connections.items():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=5.0)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a new connection in a thread of its own."""
        thread = threading.Thread(
            target=self._serve_connection, args=(request, client_address), daemon=True
        )
        with self._lock:
            self.connections += 1
            self._open[request] = thread
        thread.start()

    def _serve_connection(self, connection: socket.socket, client_address: Any) -> None:
        try:
            self.finish_request(connection, client_address)
        except OSError as error:
            _LOG.debug("the client went away: %s", error)
        except Exception:
            _LOG.exception("a connection to the loopback archive failed")
        finally:
            self.shutdown_request(connection)
            with self._lock:
                self._open.pop(connection, None)

    def reset(self, connection: socket.socket) -> None:
        """Let a connection end with a reset when it is closed."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        with self._lock:
            self._resetting.add(connection)

    def shutdown_request(self, request: Any) -> None:
        """End a connection, politely unless it is to be reset."""
        with self._lock:
            resetting = request in self._resetting
            self._resetting.discard(request)
        if resetting:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def answer(self, request: Request, lag_s: float | None = None) -> Answer:
        """Return the answer to a request; a failure of ours looks like one of the archive."""
        try:
            if lag_s is not None:
                return self.api.stale_answer(request, lag_s)
            return self.api.answer(request)
        except Exception:
            _LOG.exception("the loopback archive failed on %s %s", request.method, request.path)
            return _answers.server_error(request)


class _Handler(BaseHTTPRequestHandler):
    """Reads the requests of one connection and sends their answers."""

    server: LoopbackServer
    protocol_version = "HTTP/1.1"
    wbufsize = 2**16
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        _LOG.debug(format, *args)

    def _serve(self) -> None:
        request = self._read_request()
        if request is None:
            return
        self.server.requests.append((self.command, self.path))
        fault = self.server.faults.take(request.method, request.path)
        if fault is None:
            self._send(self.server.answer(request))
        elif fault.kind == "stale":
            self._send(self.server.answer(request, fault.seconds))
        elif fault.kind in _BEFORE:
            self._send(_instead(fault, request, self.server.api.methods(request.path)))
        else:
            self._serve_badly(fault, request)

    def version_string(self) -> str:
        return "gunicorn"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):  # how the base class asks for the method's function
            return self._serve
        raise AttributeError(name)

    def _serve_badly(self, fault: Fault, request: Request) -> None:
        if fault.kind == "delay":
            self.server.stopping.wait(fault.seconds)
        is_lost = fault.kind == "reset" or self.server.stopping.is_set()
        answer = None if is_lost else self.server.answer(request)
        if fault.kind == "delay-after-commit":
            self.server.stopping.wait(fault.seconds)
        if answer is None or fault.kind == "lost-answer":
            self.server.reset(self.connection)
            self.close_connection = True
        elif fault.kind == "500-after-commit":
            self._send(_answers.server_error(request))
        elif fault.kind == "corrupted":
            self._send(replace(answer, body=_corrupted(answer.body)))
        else:
            self._send(answer, fault)

    def _read_request(self) -> Request | None:
        """Return the request with its body, or None where it was refused outright."""
        length = self.headers.get("Content-Length") or "0"
        if self.headers.get("Transfer-Encoding") or not length.isdigit():
            self._refuse(411)
            return None
        if int(length) > LARGEST_BODY:
            self._refuse(413)
            return None
        body = self.rfile.read(int(length))
        path, _, query = self.path.partition("?")
        return Request(self.command, path, query, self.headers, body)

    def _refuse(self, status: int) -> None:
        self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def _send(self, answer: Answer, fault: Fault | None = None) -> None:
        kind = fault.kind if fault else ""
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if kind in ("unannounced-end", "no-length"):
            self.close_connection = True
        else:
            announced = len(answer.body) // (2 if kind == "short-length" else 1)
            self.send_header("Content-Length", str(announced))
        self.send_header("Connection", "close" if self.close_connection else "keep-alive")
        self.end_headers()
        if self.command == "HEAD":
            return
        length = len(answer.body)
        if kind in ("truncated", "unannounced-end"):
            length //= 2
            self.close_connection = True
        if kind == "drip" and fault is not None:
            self._drip(answer.body, fault.seconds)
            return
        for chunk in _chunks(answer.body, _CHUNK):
            self.wfile.write(chunk[:length])
            length -= min(length, len(chunk))
        if length:  # the file has shrunk; the client must not wait for the rest
            self.close_connection = True

    def _drip(self, body: bytes | FileBody, seconds: float) -> None:
        self.wfile.flush()
        for byte in _chunks(body, 1):
            if self.server.stopping.wait(seconds):
                self.close_connection = True
                return
            self.wfile.write(byte)
            self.wfile.flush()


def _instead(fault: Fault, request: Request, allow: str) -> Answer:
    """Return the answer of a fault that keeps the request from the archive."""
    wait = ("Retry-After", f"{fault.seconds:g}")
    if fault.kind == "redirect":
        return _answers.redirect(302, fault.location)
    if fault.kind == "login-page":
        return _answers.html_page(200, "Log in", "Please log in to continue.")
    if fault.kind == "not-json":
        return _answers.Answer(200, b'{"count": 1, "resul', (("Content-Type", _answers.JSON),))
    if fault.kind == "403":
        said = "You do not have permission to perform this action."
        return _answers.json_answer(403, {"detail": said}, request, allow)
    if fault.kind == "429":
        said = f"Request was throttled. Expected available in {fault.seconds:g} seconds."
        return _answers.json_answer(429, {"detail": said}, request, allow, wait)
    if fault.kind == "503":
        page = _answers.html_page(503, "Service Unavailable", "")
        return page.with_headers(wait)
    return _answers.server_error(request)


def _chunks(body: bytes | FileBody, size: int) -> Iterator[bytes]:
    if isinstance(body, bytes):
        for start in range(0, len(body), size):
            yield body[start : start + size]
        return
    left = body.length
    with body.path.open("rb") as file:
        file.seek(body.start)
        while left and (chunk := file.read(min(size, left))):
            left -= len(chunk)
            yield chunk


def _corrupted(body: bytes | FileBody) -> bytes:
    """Return the body with its middle byte changed."""
    content = bytearray(b"".join(_chunks(body, _CHUNK)))
    if content:
        content[len(content) // 2] ^= 1
    return bytes(content)
