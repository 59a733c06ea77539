"""A request that has reached an endpoint: what it asks, and who asks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from calrecords.testing import _answers
from calrecords.testing._answers import Answer, RefusalError, Request
from calrecords.testing._frames import User

_LARGEST_KEY = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Call:
    """One request that has reached an endpoint.

    Attributes
    ----------
    request : Request
        As it came.
    allow : str
        The methods of the endpoint.
    name : str
        What OPTIONS calls it.
    user : User or None
        Who asks.
    key : str
        The identifier in the path, unread.
    """

    request: Request
    allow: str
    name: str
    user: User | None
    key: str

    @property
    def query(self) -> dict[str, list[str]]:
        """The query, each name with all its values."""
        return parse_qs(self.request.query, keep_blank_values=True)

    @property
    def origin(self) -> str:
        """Scheme and host by which the client calls the server."""
        return f"http://{self.request.headers.get('Host') or '127.0.0.1'}"

    def is_set(self, name: str, value: str) -> bool:
        """Say whether a parameter has this value, in any case."""
        return self.query.get(name, [""])[-1].lower() == value

    def answer(self, document: Any, status: int = 200) -> Answer:
        """Return a JSON answer to this call."""
        return _answers.json_answer(status, document, self.request, self.allow)


def read_key(text: str) -> int:
    """Return an identifier as a number that no row has if it is too large for one.

    Raises
    ------
    RefusalError
        With status 404 if it is not a number.
    """
    if not re.fullmatch(r"-?\d{1,1000}", text):
        raise RefusalError.detail(404, "Not found.")
    return min(max(int(text), -1), _LARGEST_KEY)
