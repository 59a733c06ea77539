"""Which server an address belongs to, and so whether it may see the token."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import SplitResult, urlsplit, urlunsplit

from requests import PreparedRequest
from requests.auth import AuthBase

from calrecords.errors import ConfigurationError

_DEFAULT_PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int]
"""Scheme, host and port."""


@dataclass(frozen=True, slots=True)
class Service:
    """What a server is called where we speak of it, and the settings that lead to it.

    Attributes
    ----------
    noun : str
        With its article.
    root_setting, token_setting : str
        Names of the settings.
    """

    noun: str
    root_setting: str
    token_setting: str


ARCHIVE = Service("the archive", "API_ROOT", "AUTH_TOKEN")
PORTAL = Service(
    "the observation portal", "OBSERVATION_PORTAL_BASE_URL", "OBSERVATION_PORTAL_API_TOKEN"
)


def origin_of(url: str) -> Origin:
    """Return scheme, lower-case host and port of an http or https address.

    Raises
    ------
    ValueError
        If the address is of another kind, or cannot be read.
    """
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        msg = "not an http or https address"
        raise ValueError(msg)
    port = parts.port if parts.port is not None else _DEFAULT_PORTS[parts.scheme]
    return parts.scheme, parts.hostname, port


def without_secrets(url: str) -> str:
    """Return an address that can be printed: no user, no query, no fragment."""
    try:
        scheme, host, port = origin_of(url)
        path = urlsplit(url).path
    except ValueError:
        return "an address that cannot be read"
    plain = f"{scheme}://{_netloc(scheme, host, port)}{path}"
    return "".join(letter if letter.isprintable() else "?" for letter in plain)


def normalised_root(root: str, service: Service = ARCHIVE) -> str:
    """Return a server's root in its one spelling: lower-case host, one trailing slash.

    Raises
    ------
    ConfigurationError
        If it is no http or https address, or carries a user, a query or a fragment.
    """
    try:
        parts = urlsplit(root.strip())
        scheme, host, port = origin_of(root.strip())
    except ValueError:
        msg = (
            f"{service.root_setting} is not an http or https address; write it as "
            "https://archive.example/"
        )
        raise ConfigurationError(msg) from None
    if _carries_more(parts):
        msg = (
            f"{service.root_setting} must not carry a user, a query or a fragment; the token is "
            f"{service.token_setting}"
        )
        raise ConfigurationError(msg)
    path = parts.path.rstrip("/") + "/"
    return urlunsplit((scheme, _netloc(scheme, host, port), path, "", ""))


def checked_token(
    token: str | None, root: str, *, allow_plain_http: bool, service: Service = ARCHIVE
) -> str | None:
    """Return a token that may be sent to this root, None where there is none.

    Raises
    ------
    ConfigurationError
        If it cannot be a token, or if it would cross a network unencrypted.
    """
    token = token.strip() if token else ""
    if not token:
        return None
    if not (token.isascii() and token.isprintable()) or " " in token:
        msg = (
            f"{service.token_setting} is not a token: give the bare token, without 'Token ' "
            "before it"
        )
        raise ConfigurationError(msg)
    scheme, host, _ = origin_of(root)
    if scheme == "http" and not is_loopback(host) and not allow_plain_http:
        msg = (
            f"the token would be sent unencrypted to {root}; make {service.root_setting} an "
            "https address, or set allow_plain_http = true"
        )
        raise ConfigurationError(msg)
    return token


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, whatever a resolver says of it."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class OriginTokenAuth(AuthBase):
    """Sends the token to one origin, and to no other.

    Being given explicitly it also keeps requests from reading ``~/.netrc``, whose entry
    would replace our header.

    Parameters
    ----------
    token : str or None
        The bare token; None sends no credentials anywhere.
    origin : tuple
        Scheme, host and port that may see it.
    """

    def __init__(self, token: str | None, origin: Origin) -> None:
        self._token = token
        self._origin = origin

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Return the request, with the token if it goes to the token's own origin."""
        request.headers.pop("Authorization", None)
        if self._token is not None and origin_of(request.url or "") == self._origin:
            request.headers["Authorization"] = f"Token {self._token}"
        return request

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled.

        Raises
        ------
        TypeError
            Always.
        """
        msg = "a token is not pickled; make a client of its own in each process"
        raise TypeError(msg)


class NoAuth(AuthBase):
    """Sends no credentials, neither ours nor those of ``~/.netrc``."""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Return the request without credentials."""
        request.headers.pop("Authorization", None)
        return request


def _netloc(scheme: str, host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port == _DEFAULT_PORTS[scheme] else f"{shown}:{port}"


def _carries_more(parts: SplitResult) -> bool:
    return bool(parts.username is not None or parts.query or parts.fragment)
