"""Requests and answers as the server sees them, and the shapes of the archive's refusals."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from email.message import Message
from pathlib import Path
from typing import Any

JSON = "application/json"
HTML = "text/html; charset=utf-8"
_ALWAYS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)
_PAGE = (
    '\n<!doctype html>\n<html lang="en">\n<head>\n  <title>{title}</title>\n</head>\n'
    "<body>\n  <h1>{title}</h1><p>{text}</p>\n</body>\n</html>\n"
)


@dataclass(frozen=True, slots=True)
class Request:
    """One request, its body read.

    Attributes
    ----------
    method, path, query : str
        As in the request line; the query without its question mark.
    headers : Message
        Looked up without regard to case.
    body : bytes
        The whole body.
    """

    method: str
    path: str
    query: str
    headers: Message[str, str]
    body: bytes

    @property
    def names_token(self) -> bool:
        """Whether the request carries a token of the archive, good or bad."""
        return (self.headers.get("Authorization") or "").lower().startswith("token")


@dataclass(frozen=True, slots=True)
class FileBody:
    """A part of a file, sent without being held in memory.

    Attributes
    ----------
    path : Path
        The file.
    start, length : int
        Which bytes of it.
    """

    path: Path
    start: int
    length: int

    def __len__(self) -> int:
        return self.length


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, before it is sent.

    Attributes
    ----------
    status : int
        HTTP status.
    body : bytes or FileBody
        What is sent, or would be sent were the method not HEAD.
    headers : tuple of (str, str)
        All but Content-Length, Date, Server and Connection.
    """

    status: int
    body: bytes | FileBody
    headers: tuple[tuple[str, str], ...]

    def with_headers(self, *headers: tuple[str, str]) -> Answer:
        """Return this answer with headers added."""
        return replace(self, headers=(*self.headers, *headers))


class RefusalError(Exception):
    """A request that the archive answers with an error document in JSON."""

    def __init__(self, status: int, document: Any, *headers: tuple[str, str]) -> None:
        super().__init__(status)
        self.status = status
        self.document = document
        self.headers = headers

    @classmethod
    def detail(cls, status: int, text: str, *headers: tuple[str, str]) -> RefusalError:
        """Return a refusal of the shape ``{"detail": text}``."""
        return cls(status, {"detail": text}, *headers)


class CrashError(Exception):
    """A request on which the archive fails with an HTML page and status 500."""


def json_answer(
    status: int, document: Any, request: Request, allow: str, *headers: tuple[str, str]
) -> Answer:
    """Return a JSON answer with the headers that the archive puts on it."""
    vary = "Accept, origin" if request.names_token else "Accept, origin, Cookie"
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Answer(
        status,
        body.encode(),
        (
            ("Content-Type", JSON),
            ("Vary", vary),
            ("Allow", allow),
            ("X-Frame-Options", "DENY"),
            *_ALWAYS,
            *headers,
        ),
    )


def empty_answer(request: Request, allow: str) -> Answer:
    """Return the answer to a request that leaves nothing to say."""
    answer = json_answer(204, None, request, allow)
    kept = tuple(item for item in answer.headers if item[0] != "Content-Type")
    return replace(answer, body=b"", headers=kept)


def server_error(request: Request) -> Answer:
    """Return the HTML page with which the archive fails."""
    vary = "origin" if request.names_token else "origin, Cookie"
    return _html(500, "Server Error (500)", "", vary)


def not_found_page() -> Answer:
    """Return the HTML page for a path outside the API."""
    return _html(404, "Not Found", "The requested resource was not found on this server.", "origin")


def html_page(status: int, title: str, text: str) -> Answer:
    """Return a page for people."""
    return _html(status, title, text, "Accept, Cookie, origin")


def redirect(status: int, location: str) -> Answer:
    """Return an answer that sends the client elsewhere."""
    headers = (("Content-Type", HTML), ("Location", location), ("Vary", "origin"), *_ALWAYS)
    return Answer(status, b"", headers)


def _html(status: int, title: str, text: str, vary: str) -> Answer:
    body = _PAGE.format(title=title, text=text).encode()
    headers = (("Content-Type", HTML), ("Vary", vary), ("X-Frame-Options", "DENY"), *_ALWAYS)
    return Answer(status, body, headers)
