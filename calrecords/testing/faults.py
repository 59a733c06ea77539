"""Faults to inject into a loopback server: what breaks on the way, on demand."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from random import Random

KINDS = {
    "500": "an HTML server error; the request is not carried out",
    "500-after-commit": "an HTML server error; the request has been carried out",
    "503": "service unavailable with Retry-After (`seconds`); not carried out",
    "403": "permission denied, as the archive says it; not carried out",
    "429": "throttled with Retry-After (`seconds`), as the archive says it; not carried out",
    "reset": "the connection is reset before the request is carried out",
    "lost-answer": "the connection is reset after the request has been carried out",
    "delay": "the request is carried out `seconds` late",
    "delay-after-commit": "the request is carried out at once and answered `seconds` late",
    "drip": "the answer comes one byte at a time, `seconds` apart",
    "login-page": "200 with an HTML page, as a proxy with a login shows; not carried out",
    "not-json": "200 that says it is JSON and is not; not carried out",
    "redirect": "302 to `location`; not carried out",
    "truncated": "the whole length is announced, half is sent, then the connection ends",
    "unannounced-end": "no length is announced, half is sent, then the connection ends",
    "no-length": "no length is announced, the whole is sent, then the connection ends",
    "short-length": "half of the length is announced, the whole is sent",
    "corrupted": "the right length, one byte of the body changed",
    "stale": "a frame is read as it was `seconds` ago, as from a replica that lags behind",
}
"""Every kind of fault, and what the client sees."""


def matches(method: str, path: str, wanted: str | None, where: str | None) -> bool:
    """Say whether a request has a method and a path; None is any, ``*`` is anything."""
    return (wanted is None or wanted == method) and (where is None or fnmatchcase(path, where))


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, waiting for the requests it belongs to.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    method : str or None
        Method of the request, upper case; None is any.
    path : str or None
        Path of the request without its query, where ``*`` stands for anything;
        None is any.
    times : int
        How many requests it hits.
    skip : int
        How many matching requests pass unharmed before the first hit.
    seconds : float
        Seconds to wait, between bytes, for the client to wait or to lag, as the kind says.
    location : str
        Where a redirect leads.
    """

    kind: str
    method: str | None = None
    path: str | None = None
    times: int = 1
    skip: int = 0
    seconds: float = 0.0
    location: str = "/"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            msg = f"no fault is called {self.kind!r}; there are {', '.join(KINDS)}"
            raise ValueError(msg)
        if self.times < 1 or self.skip < 0:
            msg = f"a fault hits at least once, not {self.times} times after {self.skip}"
            raise ValueError(msg)

    def matches(self, method: str, path: str) -> bool:
        """Say whether this fault belongs to a request."""
        return matches(method, path, self.method, self.path)


@dataclass(frozen=True, slots=True)
class _Scattered:
    """Faults of which any may hit any request that it matches.

    Attributes
    ----------
    faults : tuple of Fault
        What may happen.
    rate : float
        To which share of the requests.
    draw : Random
        Which ones.
    """

    faults: tuple[Fault, ...]
    rate: float
    draw: Random

    def take(self, method: str, path: str) -> Fault | None:
        """Return what a request meets, if it meets anything."""
        likely = [fault for fault in self.faults if fault.matches(method, path)]
        if not likely or self.draw.random() >= self.rate:
            return None
        return self.draw.choice(likely)


class Faults:
    """The faults of one server, in the order they were added; the first that matches hits.

    Parameters
    ----------
    kinds : iterable of str
        Of `KINDS`, those that this server can show.
    """

    def __init__(self, kinds: Iterable[str] = KINDS) -> None:
        self._kinds = tuple(kinds)
        self._pending: list[Fault] = []
        self._scattered: list[_Scattered] = []
        self._met: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(
        self,
        kind: str,
        *,
        method: str | None = None,
        path: str | None = None,
        times: int = 1,
        skip: int = 0,
        seconds: float = 0.0,
        location: str = "/",
    ) -> None:
        """Let the next matching requests meet a fault; the arguments are those of `Fault`.

        Raises
        ------
        ValueError
            If there is no such kind, or it would never hit.
        """
        fault = Fault(kind, method, path, times, skip, seconds, location)
        self._demand_shown(fault)
        with self._lock:
            self._pending.append(fault)

    def scatter(self, faults: Sequence[Fault], *, rate: float, seed: int = 0) -> None:
        """Let a share of all requests meet faults at random, until they are cleared.

        Parameters
        ----------
        faults : sequence of Fault
            Any of them that matches a request may hit it, one as likely as the other; how
            often and after how many requests plays no part.
        rate : float
            Which share of the requests is hit, from 0 to 1.
        seed : int, optional
            The same requests in the same order meet the same faults again.

        Raises
        ------
        ValueError
            If this server cannot show one of them, or the rate is no share.
        """
        if not 0.0 <= rate <= 1.0:
            msg = f"a rate is from 0 to 1, not {rate}"
            raise ValueError(msg)
        for fault in faults:
            self._demand_shown(fault)
        with self._lock:
            self._scattered.append(_Scattered(tuple(faults), rate, Random(seed)))

    def _demand_shown(self, fault: Fault) -> None:
        if fault.kind not in self._kinds:
            msg = f"this server cannot show {fault.kind!r}; it can {', '.join(self._kinds)}"
            raise ValueError(msg)

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault that this request meets, and count it as met."""
        with self._lock:
            fault = self._next(method, path)
            if fault is not None:
                self._met[fault.kind] += 1
            return fault

    def _next(self, method: str, path: str) -> Fault | None:
        for index, fault in enumerate(self._pending):
            if not fault.matches(method, path):
                continue
            if fault.skip:
                self._pending[index] = replace(fault, skip=fault.skip - 1)
                continue
            if fault.times > 1:
                self._pending[index] = replace(fault, times=fault.times - 1)
            else:
                del self._pending[index]
            return fault
        drawn = (scattered.take(method, path) for scattered in self._scattered)
        return next((fault for fault in drawn if fault is not None), None)

    def met(self) -> dict[str, int]:
        """Return how many requests each kind of fault has hit."""
        with self._lock:
            return dict(self._met)

    def pending(self) -> tuple[Fault, ...]:
        """Return the faults that have not hit as often as they should."""
        with self._lock:
            return tuple(self._pending)

    def clear(self) -> None:
        """Forget every fault that is still to hit."""
        with self._lock:
            self._pending.clear()
            self._scattered.clear()
