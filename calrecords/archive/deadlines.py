"""Connections on which a whole call has a deadline, not only each wait for a byte.

A socket's timeout starts anew with every byte that arrives, so that a server that drips
one byte at a time holds its client for ever. Here each read and each write is given what
is left of the call's time, while headers are awaited as well as while a body is streamed.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from calrecords.bounded_reader import BoundedReader

_SEND_BYTES = 1 << 16
_POOLED_CONNECTIONS = 32


class Deadline:
    """How long one call may still take.

    Parameters
    ----------
    total_s : float
        Seconds for the whole call.
    silence_s : float
        Seconds to wait for the next byte.
    clock : callable, optional
        Seconds on a clock that never goes back.
    """

    def __init__(
        self, total_s: float, silence_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.total_s = total_s
        self.silence_s = silence_s
        self._clock = clock
        self._end = clock() + total_s

    @property
    def is_over(self) -> bool:
        """Whether no time is left."""
        return self._clock() >= self._end

    def allow(self, wait_s: float | None = None) -> float:
        """Return how many seconds the next wait may take.

        Parameters
        ----------
        wait_s : float, optional
            Seconds that it may take at most; by default the wait for a byte.

        Raises
        ------
        TimeoutError
            If no time is left.
        """
        left = self._end - self._clock()
        if left <= 0:
            msg = f"no whole answer within {self.total_s:g} s"
            raise TimeoutError(msg)
        return min(self.silence_s if wait_s is None else wait_s, left)

    def extend(self, seconds: float) -> None:
        """Move the deadline, for an answer that is long and keeps coming."""
        self._end += seconds

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Hold the connections that are used in this block to this deadline."""
        token = _applied.set(self)
        try:
            yield
        finally:
            _applied.reset(token)


_applied: ContextVar[Deadline | None] = ContextVar("applied_deadline", default=None)


class DeadlineAdapter(HTTPAdapter):
    """Pooled connections that keep to the `Deadline` of the call that uses them."""

    def __init__(self) -> None:
        super().__init__(pool_maxsize=_POOLED_CONNECTIONS, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools, with connections of ours."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        """Return the pools behind a proxy; a SOCKS proxy keeps connections of its own."""
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager


class _TimedReads(io.RawIOBase):
    """What a socket receives, each wait within the call's deadline."""

    def __init__(self, source: io.RawIOBase, sock: socket.socket, deadline: Deadline) -> None:
        self._source = source
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._deadline.allow())
        return self._source.readinto(buffer)

    def close(self) -> None:
        self._source.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        deadline = _applied.get()
        if deadline is not None:
            source = self.fp.detach()
            self.fp = BoundedReader(_TimedReads(source, sock, deadline))


class _Target(str):
    """Path and query of a request, which prints without its query.

    urllib3 logs each request; the query of a signed address must not be in that log.
    """

    __slots__ = ()

    def __str__(self) -> str:
        path, mark, _ = self.partition("?")
        return path + mark


class _Timed:
    """A connection whose writes and reads are held to the deadline that applies."""

    response_class: Any = _TimedResponse

    def putrequest(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        super().putrequest(method, url[:], *args, **kwargs)  # type: ignore[misc]  # a mixin

    def send(self: Any, data: Any) -> None:
        deadline = _applied.get()
        if deadline is None or not isinstance(data, bytes):
            super().send(data)  # type: ignore[misc]  # a mixin
            return
        if self.sock is None:
            self.connect()
        for start in range(0, len(data), _SEND_BYTES):
            self.sock.settimeout(deadline.allow())
            super().send(data[start : start + _SEND_BYTES])  # type: ignore[misc]  # a mixin


class _TimedHTTPConnection(_Timed, HTTPConnection):
    """Speaks http within the deadline that applies."""


class _TimedHTTPSConnection(_Timed, HTTPSConnection):
    """Speaks https within the deadline that applies."""


class _TimedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _TimedHTTPConnection

    def _make_request(self, conn: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        return super()._make_request(conn, method, _Target(url), *args, **kwargs)


class _TimedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _TimedHTTPSConnection

    def _make_request(self, conn: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        return super()._make_request(conn, method, _Target(url), *args, **kwargs)


_POOLS = {"http": _TimedHTTPPool, "https": _TimedHTTPSPool}
