"""The observation portal, which knows the tags of a proposal, and so who may see its frames."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Lock
from typing import Any, Self, TypeVar
from urllib.parse import quote

import requests
from tenacity import BaseRetrying

from calrecords.archive.answers import Answer, is_passing
from calrecords.archive.origins import PORTAL, checked_token, normalised_root
from calrecords.archive.policy import default_retrying, repeated
from calrecords.archive.transport import Transport
from calrecords.errors import ArchiveRefusedError, ArchiveUnavailableError
from calrecords.forking import start_anew_after_fork

_MAX_ANSWER_BYTES = 4 * 1024 * 1024
_NOBODYS = "calrecords-doctor"
_T = TypeVar("_T")
_NO_NAMES = frozenset({"", ".", ".."})

_logger = logging.getLogger(__name__)


class ObservationPortal:
    """Asks one observation portal about proposals, about each at most once.

    One portal may be shared between threads. It is a context manager; `close` closes its
    pooled connections.

    Parameters
    ----------
    root : str
        The portal's root, with or without its trailing slash.
    token : str, optional
        Sent to the root's own scheme, host and port, and nowhere else.
    connect_timeout_s, read_timeout_s, total_timeout_s : float
        Seconds to connect, to wait for the next byte, and for one whole request.
    retrying : tenacity.BaseRetrying, optional
        When a request is sent again; by default `default_retrying`.
    allow_plain_http : bool
        Whether the token may be sent over http to another machine.
    session : requests.Session, optional
        Used in place of one of our own, with its own adapters, and left open.

    Attributes
    ----------
    root : str
        The portal's root in its one spelling, with one trailing slash.

    Raises
    ------
    ConfigurationError
        If the root is no http or https address, the token is none, or it would be sent
        unencrypted to another machine.
    """

    def __init__(
        self,
        root: str,
        token: str | None = None,
        *,
        connect_timeout_s: float = 5.0,
        read_timeout_s: float = 30.0,
        total_timeout_s: float = 60.0,
        retrying: BaseRetrying | None = None,
        allow_plain_http: bool = False,
        session: requests.Session | None = None,
    ) -> None:
        self.root = normalised_root(root, PORTAL)
        self._transport = Transport(
            self.root,
            checked_token(token, self.root, allow_plain_http=allow_plain_http, service=PORTAL),
            connect_timeout_s=connect_timeout_s,
            read_timeout_s=read_timeout_s,
            total_timeout_s=total_timeout_s,
            max_answer_bytes=_MAX_ANSWER_BYTES,
            session=session,
            service=PORTAL,
        )
        self._retrying = (retrying or default_retrying()).copy(reraise=True)
        self._tags: dict[str, frozenset[str]] = {}
        self.start_anew()
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        """Take locks that no thread of the parent process holds."""
        self._lock = Lock()
        self._asking: dict[str, Lock] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.root!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections."""
        self._transport.close()

    def proposal_tags(self, proposal_id: str) -> frozenset[str]:
        """Return the tags of a proposal; asked once, and then remembered.

        A proposal that the portal does not know has none, and a warning says so.

        Raises
        ------
        ArchiveUnavailableError
            If the portal cannot be reached, fails, or something else answers in its place.
        ArchiveRefusedError
            If the portal refuses, for example the token, or the identifier can be none.
        ConfigurationError
            If the portal's certificate is not trusted.
        """
        if proposal_id in _NO_NAMES or "\0" in proposal_id:
            msg = f"{proposal_id!r} is no identifier of a proposal; the portal was not asked"
            raise ArchiveRefusedError(msg)
        with self._lock:
            asking = self._asking.setdefault(proposal_id, Lock())
        with asking:
            tags = self._tags.get(proposal_id)
            if tags is None:
                tags = self._tags[proposal_id] = self._repeat(lambda: self._ask(proposal_id))
            return tags

    def check(self) -> None:
        """Make sure that the portal answers as one does, and takes the token.

        Raises
        ------
        ArchiveUnavailableError, ArchiveRefusedError, ConfigurationError
            As for `proposal_tags`.
        """
        self._repeat(self._ask_for_nobodys)

    def _ask_for_nobodys(self) -> None:
        answer = self._transport.request("GET", f"api/proposals/{_NOBODYS}/")
        if not (answer.status == 404 and answer.is_from_api):
            _tags_of(answer)

    def _repeat(self, ask: Callable[[], _T]) -> _T:
        try:
            return repeated(self._retrying, ask)
        except ArchiveUnavailableError as error:
            if PORTAL.root_setting in str(error):
                raise
            msg = f"{error}; {PORTAL.root_setting} names the observation portal"
            failure = ArchiveUnavailableError(msg, retry_after_s=error.retry_after_s)
        raise failure

    def _ask(self, proposal_id: str) -> frozenset[str]:
        answer = self._transport.request("GET", f"api/proposals/{quote(proposal_id, safe='')}/")
        if answer.status == 404 and answer.is_from_api:
            _logger.warning(
                "%s: the observation portal knows no proposal %r, or hides it from the token; "
                "its frames are treated as having no tags",
                answer.call,
                proposal_id,
            )
            return frozenset()
        return _tags_of(answer)


def _failure(answer: Answer) -> ArchiveRefusedError | ArchiveUnavailableError:
    said = f"{answer.call} was answered {answer.status}"
    if answer.status in {401, 403}:
        msg = f"{said}; set {PORTAL.token_setting} to a token of the observation portal"
        return ArchiveRefusedError(msg, status=answer.status)
    hint = f"does {PORTAL.root_setting} name the root of the observation portal, and is it well?"
    if is_passing(answer.status) or answer.status < 300:
        return ArchiveUnavailableError(f"{said}; {hint}", retry_after_s=answer.retry_after_s)
    return ArchiveRefusedError(f"{said}; {hint}", status=answer.status)


def _tags_of(answer: Answer) -> frozenset[str]:
    if answer.status != 200:
        raise _failure(answer)
    data: Any = None
    with suppress(ValueError, RecursionError):
        data = json.loads(answer.body)
    tags = data.get("tags") if isinstance(data, Mapping) else None
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        msg = (
            f"{answer.call} was answered, but not with a proposal and its tags; does "
            f"{PORTAL.root_setting} name the root of the observation portal?"
        )
        raise ArchiveUnavailableError(msg)
    return frozenset(tags)
