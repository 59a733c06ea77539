"""Turns every fault of the network into one of our errors, whose text holds no secret."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from http.client import HTTPException
from typing import Any, TypeVar

import urllib3
from requests import exceptions

from calrecords.archive.deadlines import Deadline
from calrecords.errors import (
    ArchiveRefusedError,
    ArchiveUnavailableError,
    CalRecordsError,
    ConfigurationError,
)

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
    # how requests says that a file of certificates is missing, before it sends anything
    is_missing = type(error) is OSError and error.errno is None
    if is_missing or any(_is_of_trust(cause) for cause in chain):
        msg = (
            f"{call}: REQUESTS_CA_BUNDLE names no file or folder of certificates that can be "
            "read; nothing was sent"
        )
        return ConfigurationError(msg)
    if isinstance(error, _BAD_ADDRESS):
        msg = f"{call}: the address, or that of the proxy in the environment, cannot be used"
        return ArchiveRefusedError(msg)
    if deadline.is_over:
        return ArchiveUnavailableError(f"{call}: no whole answer within {deadline.total_s:g} s")
    if any(_is_timeout(cause) for cause in chain):
        return ArchiveUnavailableError(f"{call}: no answer in time; is the server up?")
    where = "the proxy" if isinstance(error, exceptions.ProxyError) else "the server"
    reason = next((c.strerror for c in chain if isinstance(c, OSError) and c.strerror), None)
    return ArchiveUnavailableError(
        f"{call}: the connection to {where} failed or was broken off"
        + (f" ({reason})" if reason else "")
    )


def _is_of_trust(cause: BaseException) -> bool:
    """Return whether the certificates to trust could not be read."""
    return isinstance(cause, ssl.SSLError) and cause.library in {"PEM", "X509"}


def _is_timeout(cause: BaseException) -> bool:
    if isinstance(cause, urllib3.exceptions.NewConnectionError):
        return False  # urllib3 counts a refused connection among the timeouts
    return isinstance(cause, TimeoutError | urllib3.exceptions.TimeoutError)


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
