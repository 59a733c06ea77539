"""Sends requests to one archive, and reads what comes back within limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import requests
from requests.auth import AuthBase
from requests.utils import select_proxy

from calrecords.archive.answers import Answer
from calrecords.archive.bodies import READ_BYTES, OpenFile
from calrecords.archive.deadlines import Deadline, DeadlineAdapter
from calrecords.archive.faults import guarded
from calrecords.archive.origins import (
    ARCHIVE,
    NoAuth,
    OriginTokenAuth,
    Service,
    is_loopback,
    origin_of,
    without_secrets,
)
from calrecords.errors import ArchiveRefusedError, ArchiveUnavailableError
from calrecords.forking import start_anew_after_fork

MOST_REDIRECTS = 5
_ALWAYS = {"User-Agent": "calrecords", "Connection": "keep-alive"}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

_inherited: list[requests.Session] = []
"""Sessions of the parent process: never closed here, for a closing handshake would be heard."""


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
    service : Service
        What errors call the server.
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
        service: Service = ARCHIVE,
    ) -> None:
        self.root = root
        self._service = service
        self._token = token
        self._auth = OriginTokenAuth(token, origin_of(root))
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._total_timeout_s = total_timeout_s
        self._max_answer_bytes = max_answer_bytes
        self._settings: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._owned = session is None
        self._session = _new_session() if session is None else session
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        """Leave the parent process its connections, unless the session was handed in."""
        if self._owned:
            _inherited.append(self._session)
            self._session = _new_session()

    def close(self) -> None:
        """Close the pooled connections, unless the session was handed in."""
        if self._owned:
            self._session.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | list[str]] | None = None,
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
            If the server's certificate is not trusted, or those to trust cannot be read.
        """
        url = self.root + path
        call = f"{method} {url}"
        with self._open(method, url, self._auth, params=params, body=body) as file:
            whole = self._read_capped(file)
            if self._token and file.status >= 400:
                # a server may repeat the token in its complaint, which is quoted in errors
                whole = whole.replace(self._token.encode(), b"(the token)")
            return Answer(call, file.status, file.headers, whole)

    @contextmanager
    def open_file(self, url: str, headers: Mapping[str, str] | None = None) -> Iterator[OpenFile]:
        """Yield the answer to a GET of a file's address, without any credentials.

        Parameters
        ----------
        url : str
            The address.
        headers : mapping, optional
            Sent as well, to ask for a part of the file.

        Raises
        ------
        ArchiveUnavailableError, ArchiveRefusedError, ConfigurationError
            As for `request`.
        """
        with self._open("GET", url, NoAuth(), headers=headers) as file:
            yield file

    @contextmanager
    def _open(
        self,
        method: str,
        url: str,
        auth: AuthBase,
        *,
        params: Mapping[str, str | list[str]] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[OpenFile]:
        call = f"{method} {without_secrets(url)}"
        deadline = Deadline(self._total_timeout_s, self._read_timeout_s)
        sent = _headers(auth, body)
        if headers:
            sent.update(headers)
        request = requests.Request(method, url, headers=sent, params=params, data=body, auth=auth)
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
        msg = (
            f"{call} was redirected more than {MOST_REDIRECTS} times; check "
            f"{self._service.root_setting}"
        )
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
        if auth is self._auth and self._token and before != after:
            msg = (
                f"{call} was redirected to {without_secrets(hop)}, where the token must not "
                f"go; if that is {self._service.noun}, make it {self._service.root_setting}"
            )
            raise ArchiveRefusedError(msg)
        return hop

    def _send(self, request: requests.Request, deadline: Deadline) -> requests.Response:
        prepared = _prepared(request) if self._owned else self._session.prepare_request(request)
        url = prepared.url or ""
        settings = self._settings_for(url)
        timeouts = (deadline.allow(self._connect_timeout_s), deadline.allow())
        # the session's own send would keep cookies, and read the whole body of a redirect
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

    def _settings_for(self, url: str) -> Mapping[str, Any]:
        """Return the proxies and certificates of the environment, read once for each server.

        To look through the environment takes longer than all else that is done for a request.
        """
        key = urlsplit(url)[:2]
        settings = self._settings.get(key)
        if settings is None or not self._owned:
            settings = self._session.merge_environment_settings(url, {}, True, None, None)
            if _is_led_away(url, settings["proxies"]):
                settings = {**settings, "proxies": {}}
            self._settings[key] = settings
        return settings

    def _read_capped(self, file: OpenFile) -> bytes:
        parts: list[bytes] = []
        size = 0
        while chunk := file.read(READ_BYTES):
            size += len(chunk)
            if size > self._max_answer_bytes:
                msg = f"{file.call} was answered with more than {self._max_answer_bytes} bytes"
                raise ArchiveUnavailableError(msg)
            parts.append(chunk)
        return b"".join(parts)


def _is_led_away(url: str, proxies: Mapping[str, str]) -> bool:
    """Return whether a proxy would take what stays on this machine to another one.

    There it would be another server's, and so would the token, which plain http shows to all.
    """
    scheme, host, _ = origin_of(url)
    proxy = select_proxy(url, proxies)
    if scheme != "http" or not proxy or not is_loopback(host):
        return False
    place = proxy if "://" in proxy else f"http://{proxy}"
    return not is_loopback(urlsplit(place).hostname or "")


def _prepared(request: requests.Request) -> requests.PreparedRequest:
    """Return a request as a session without cookies, parameters and hooks would prepare it."""
    prepared = requests.PreparedRequest()
    prepared.prepare_method(request.method)
    prepared.url = _whole_url(str(request.url), request.params)
    prepared.prepare_headers({**_ALWAYS, **request.headers})
    if request.data:
        prepared.prepare_body(request.data, None)
    request.auth(prepared)
    return prepared


def _whole_url(url: str, params: Any) -> str:
    base = _encoded_url(url)
    if not params:
        return base
    return f"{base}{'&' if urlsplit(base).query else '?'}{urlencode(params, doseq=True)}"


@lru_cache(maxsize=256)
def _encoded_url(url: str) -> str:
    """Return an address as it is sent; a session asks the same few again and again."""
    prepared = requests.PreparedRequest()
    prepared.prepare_url(url, None)
    return str(prepared.url)


def _headers(auth: AuthBase, body: bytes | None) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity"}
    headers["Accept"] = "*/*" if isinstance(auth, NoAuth) else "application/json"
    if body is not None:
        headers["Content-Type"] = "application/json"
    return headers


def _new_session() -> requests.Session:
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, DeadlineAdapter())
    return session
