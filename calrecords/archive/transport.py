"""Sends requests and reads answers; every fault of the network ends here as one of ours."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar
from urllib.parse import urljoin

import requests
import urllib3
from requests import exceptions
from requests.auth import AuthBase

from calrecords.archive.answers import Answer
from calrecords.archive.deadlines import Deadline, DeadlineAdapter
from calrecords.archive.origins import NoAuth, OriginTokenAuth, origin_of, without_secrets
from calrecords.errors import (
    ArchiveRefusedError,
    ArchiveUnavailableError,
    CalRecordsError,
    ConfigurationError,
)

MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_READ_BYTES = 1 << 16
_EARNED_BYTES_PER_S = 256 * 1024
_NETWORK_ERRORS = (
    exceptions.RequestException,
    urllib3.exceptions.HTTPError,
    HTTPException,
    OSError,
    UnicodeError,
)
_BAD_ADDRESS = (
    exceptions.InvalidURL,
    exceptions.InvalidSchema,
    exceptions.MissingSchema,
    exceptions.InvalidProxyURL,
    urllib3.exceptions.LocationValueError,
    UnicodeError,
)

_T = TypeVar("_T")


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
        return chunked or "Content-Length" in self.headers

    def read(self, size: int) -> bytes:
        """Return up to this many bytes, none at the end.

        Raises
        ------
        ArchiveUnavailableError
            If the connection breaks, the body ends early or a deadline passes.
        """
        data = guarded(lambda: self._read(size), self.call, self._deadline)
        if len(self.start) < 256:
            self.start += data[:256]
        if "Content-Length" in self.headers:
            self._deadline.extend(len(data) / _EARNED_BYTES_PER_S)
        return data

    def answer(self) -> Answer:
        """Return the answer with the beginning of its body, for an error's message."""
        return Answer(self.call, self.status, self.headers, self.read(_READ_BYTES))

    def _read(self, size: int) -> bytes:
        self._deadline.allow()
        data: bytes = self._response.raw.read(size, decode_content=False)
        return data


class Transport:
    """One pooled session with one archive.

    Parameters
    ----------
    root : str
        The archive's root, normalised.
    token : str or None
        Sent to the root's own scheme, host and port, and nowhere else.
    connect_timeout_s, read_timeout_s, total_timeout_s : float
        Seconds to connect, to wait for a byte, and for a whole call.
    max_answer_bytes : int
        Longest answer that is read into memory.
    session : requests.Session, optional
        Used as it is, and left open by `close`. Its own adapters must then see to it that
        the total deadline holds while headers are awaited.
    """

    def __init__(
        self,
        root: str,
        token: str | None,
        *,
        connect_timeout_s: float,
        read_timeout_s: float,
        total_timeout_s: float,
        max_answer_bytes: int,
        session: requests.Session | None = None,
    ) -> None:
        self.root = root
        self._has_token = token is not None
        self._auth = OriginTokenAuth(token, origin_of(root))
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._total_timeout_s = total_timeout_s
        self._max_answer_bytes = max_answer_bytes
        self._owned = session is None
        self._session = _new_session() if session is None else session

    def close(self) -> None:
        """Close the pooled connections, unless the session was handed in."""
        if self._owned:
            self._session.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Return what the archive answers, whatever its status.

        Redirects are followed for GET alone. With a token they must stay at the archive's
        own origin: followed without it they would show a stranger's view of the archive.

        Raises
        ------
        ArchiveUnavailableError
            If the archive cannot be reached, breaks off, takes too long, or answers more
            than ``max_answer_bytes``.
        ArchiveRefusedError
            If a redirect leads where it must not be followed.
        ConfigurationError
            If the server's certificate is not trusted.
        """
        url = self.root + path
        call = f"{method} {url}"
        with self._open(method, url, self._auth, params=params, body=body) as file:
            whole = self._read_capped(file)
            return Answer(call, file.status, file.headers, whole)

    @contextmanager
    def open_file(self, url: str) -> Iterator[OpenFile]:
        """Yield the answer to a GET of a file's address, without any credentials.

        Raises
        ------
        ArchiveUnavailableError, ArchiveRefusedError, ConfigurationError
            As for `request`.
        """
        with self._open("GET", url, NoAuth()) as file:
            yield file

    @contextmanager
    def _open(
        self,
        method: str,
        url: str,
        auth: AuthBase,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Iterator[OpenFile]:
        call = f"{method} {without_secrets(url)}"
        deadline = Deadline(self._total_timeout_s, self._read_timeout_s)
        request = requests.Request(
            method, url, headers=_headers(auth, body), params=params, data=body, auth=auth
        )
        response = guarded(lambda: self._follow(request, call, deadline), call, deadline)
        try:
            yield OpenFile(response, call, deadline)
        finally:
            response.close()

    def _follow(
        self, request: requests.Request, call: str, deadline: Deadline
    ) -> requests.Response:
        for _ in range(MOST_REDIRECTS + 1):
            response = self._send(request, deadline)
            target = response.headers.get("Location")
            if response.status_code not in _REDIRECTS or not target or request.method != "GET":
                return response
            response.close()
            request.url = self._checked_hop(str(response.url), target, call, request.auth)
            request.params = {}
        msg = f"{call} was redirected more than {MOST_REDIRECTS} times; check API_ROOT"
        raise ArchiveRefusedError(msg, status=response.status_code)

    def _checked_hop(self, url: str, target: str, call: str, auth: object) -> str:
        try:
            hop = urljoin(url, target)
            before, after = origin_of(url), origin_of(hop)
        except ValueError:
            msg = f"{call} was redirected to an address that cannot be used"
            raise ArchiveRefusedError(msg) from None
        if before[0] == "https" and after[0] == "http":
            msg = f"{call} was redirected from https to http, which is not followed"
            raise ArchiveRefusedError(msg)
        if auth is self._auth and self._has_token and before != after:
            msg = (
                f"{call} was redirected to {without_secrets(hop)}, where the token must not "
                "go; if that is the archive, make it API_ROOT"
            )
            raise ArchiveRefusedError(msg)
        return hop

    def _send(self, request: requests.Request, deadline: Deadline) -> requests.Response:
        prepared = self._session.prepare_request(request)
        url = prepared.url or ""
        settings = self._session.merge_environment_settings(url, {}, True, None, None)
        timeouts = (deadline.allow(self._connect_timeout_s), deadline.allow())
        # the session's own send would read the whole body of a redirect that is not followed
        adapter = self._session.get_adapter(url)
        with deadline.applied():
            return adapter.send(
                prepared,
                stream=True,
                timeout=timeouts,
                verify=True if settings["verify"] is None else settings["verify"],
                cert=settings["cert"],
                proxies=dict(settings["proxies"] or {}),
            )

    def _read_capped(self, file: OpenFile) -> bytes:
        parts: list[bytes] = []
        size = 0
        while chunk := file.read(_READ_BYTES):
            size += len(chunk)
            if size > self._max_answer_bytes:
                msg = f"{file.call} was answered with more than {self._max_answer_bytes} bytes"
                raise ArchiveUnavailableError(msg)
            parts.append(chunk)
        return b"".join(parts)


def guarded(act: Callable[[], _T], call: str, deadline: Deadline) -> _T:
    """Return what a step of a call returns, its network faults turned into errors of ours.

    Parameters
    ----------
    act : callable
        Takes nothing.
    call : str
        Method and address, without secrets.
    deadline : Deadline
        The call's deadline, to tell which one passed.

    Raises
    ------
    ArchiveUnavailableError, ArchiveRefusedError, ConfigurationError
        In place of anything that requests, urllib3 or a socket raises.
    """
    try:
        return act()
    except _NETWORK_ERRORS as error:
        if isinstance(error, CalRecordsError):
            raise
        failure = _failure(error, call, deadline)
    # outside of the handler, as the original's text may hold a signed address
    raise failure


def _failure(error: BaseException, call: str, deadline: Deadline) -> CalRecordsError:
    chain = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in chain):
        msg = f"{call}: the server's certificate is not trusted; REQUESTS_CA_BUNDLE names others"
        return ConfigurationError(msg)
    if isinstance(error, _BAD_ADDRESS):
        msg = f"{call}: the address, or that of the proxy in the environment, cannot be used"
        return ArchiveRefusedError(msg)
    if deadline.is_over:
        return ArchiveUnavailableError(f"{call}: no whole answer within {deadline.total_s:g} s")
    if any(isinstance(c, TimeoutError | urllib3.exceptions.TimeoutError) for c in chain):
        return ArchiveUnavailableError(f"{call}: no answer in time; is the archive up?")
    where = "the proxy" if isinstance(error, exceptions.ProxyError) else "the archive"
    reason = next((c.strerror for c in chain if isinstance(c, OSError) and c.strerror), None)
    return ArchiveUnavailableError(
        f"{call}: the connection to {where} failed or was broken off"
        + (f" ({reason})" if reason else "")
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    pending, seen = [error], set()
    while pending:
        cause = pending.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        nested: list[Any] = [cause.__cause__, cause.__context__, getattr(cause, "reason", None)]
        pending += [c for c in (*nested, *cause.args) if isinstance(c, BaseException)]


def _headers(auth: AuthBase, body: bytes | None) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity"}
    headers["Accept"] = "*/*" if isinstance(auth, NoAuth) else "application/json"
    if body is not None:
        headers["Content-Type"] = "application/json"
    return headers


def _new_session() -> requests.Session:
    session = requests.Session()
    session.headers["User-Agent"] = "calrecords"
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("http://", "https://"):
        session.mount(scheme, DeadlineAdapter())
    return session
