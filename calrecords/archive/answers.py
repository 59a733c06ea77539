"""What an answer of the archive means: its JSON, or the error that it stands for."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

from calrecords.archive.origins import without_secrets
from calrecords.errors import ArchiveError, ArchiveRefusedError, ArchiveUnavailableError

_LONGEST_QUOTE = 600
_EXISTS = "already exists"
_ADDRESS = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the archive, read whole.

    Attributes
    ----------
    call : str
        Method and address of the request, without secrets.
    status : int
        The HTTP status.
    headers : mapping
        The HTTP headers, found in any case of letters.
    body : bytes
        The body as it was sent.
    """

    call: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return what the body says.

        Raises
        ------
        ArchiveUnavailableError
            If it is no JSON, as when a login page or a proxy answers for the archive.
        """
        try:
            return json.loads(self.body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            pass
        what = "a page" if looks_like_html(self.body) else "something that is not JSON"
        msg = (
            f"{self.call} was answered {self.status} with {what}; does a login page or a proxy "
            "answer for the archive, or does API_ROOT lead elsewhere?"
        )
        raise ArchiveUnavailableError(msg, retry_after_s=self.retry_after_s)

    def broken(self, why: object) -> ArchiveUnavailableError:
        """Return the error for an answer that says something impossible."""
        return ArchiveUnavailableError(
            f"{self.call} was answered {self.status}, but not as a Science Archive answers: {why}"
        )

    @property
    def retry_after_s(self) -> float | None:
        """Seconds after which the server asks to be tried again, where it says so."""
        return _seconds(self.headers.get("Retry-After"))

    @property
    def date(self) -> datetime | None:
        """When the server answered, by its own clock, UTC."""
        return _http_date(self.headers.get("Date"))

    @property
    def complaints(self) -> dict[str, list[str]]:
        """What the server says of each field; empty where the body is no such JSON.

        The archive has three shapes for it [1]_: ``{"detail": text}``, lists of texts by
        field, and lists or mappings of those by position.

        References
        ----------
        .. [1] science-archive 2.7.2, as observed.
        """
        found: dict[str, list[str]] = {}
        try:
            data = json.loads(self.body)
            for field, text in _leaves(data if isinstance(data, Mapping) else None, ()):
                found.setdefault(field, []).append(text)
        except (ValueError, RecursionError):
            return {}
        return found

    @property
    def is_from_api(self) -> bool:
        """Whether an error was said by the archive itself, not by something before it."""
        return "detail" in self.complaints

    @property
    def is_certain_refusal(self) -> bool:
        """Whether nothing of what was sent can be in the archive, now or from before."""
        texts = [text for texts in self.complaints.values() for text in texts]
        return 400 <= self.status < 500 and not any(_EXISTS in text for text in texts)

    @property
    def existing(self) -> frozenset[str]:
        """Which of ``key`` and ``md5`` a refused version shares with one in the archive.

        Empty where anything else was refused as well.
        """
        complaints = self.complaints
        fields = {field.rsplit(".", 1)[-1] for field in complaints}
        if not all(
            field.startswith("version_set.") and all(_EXISTS in text for text in texts)
            for field, texts in complaints.items()
        ):
            return frozenset()
        return frozenset(fields & {"key", "md5"})


def raise_for(answer: Answer, *, right: str) -> NoReturn:
    """Raise the error that an answer without success stands for.

    Parameters
    ----------
    answer : Answer
        An answer with another status than the one that means success.
    right : str
        What the token needs for this request, for the message.

    Raises
    ------
    ArchiveUnavailableError
        For 408, 425, 429 and 5xx, with what the server asks us to wait; and for a success
        that is not the one that was due, as when a login page answers.
    ArchiveRefusedError
        For everything else.
    """
    raise _error(answer, right)


def _error(answer: Answer, right: str) -> ArchiveError:
    status, said = answer.status, _quoted(answer)
    if status < 300:
        answer.json()
        return answer.broken("another kind of success was due; does API_ROOT lead elsewhere?")
    if is_passing(status):
        msg = f"{answer.call} failed ({status}){said}"
        return ArchiveUnavailableError(msg, retry_after_s=answer.retry_after_s)
    if status < 400:
        target = without_secrets(answer.headers.get("Location", ""))
        hint = f"; it was sent on ({target}), so API_ROOT must be that of the archive itself"
    elif status == 401:
        hint = "; set AUTH_TOKEN to a valid token of the archive"
    elif status == 403:
        hint = f"; the token in AUTH_TOKEN needs {right}"
    elif status in {404, 405}:
        hint = "; does API_ROOT name the root of the archive's API?"
    else:
        hint = ""
    return ArchiveRefusedError(f"{answer.call} was refused ({status}){said}{hint}", status=status)


def is_passing(status: int) -> bool:
    """Return whether a status may be another one when asked again later."""
    return status in {408, 425, 429} or status >= 500


def looks_like_html(body: bytes) -> bool:
    """Return whether bytes begin as a web page does."""
    start = body[:256].lstrip().lower()
    return start.startswith((b"<!doctype", b"<html"))


def _quoted(answer: Answer) -> str:
    complaints = answer.complaints
    parts = [
        " ".join(texts) if field == "detail" else f"{field}: {' '.join(texts)}"
        for field, texts in complaints.items()
    ]
    safe = (_ADDRESS.sub(lambda found: without_secrets(found[0]), part) for part in parts)
    text = "".join(c if c.isprintable() else " " for c in "; ".join(safe))
    if len(text) > _LONGEST_QUOTE:
        text = text[:_LONGEST_QUOTE] + " ..."
    return f": {text}" if text else ""


def _leaves(data: object, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(data, Mapping):
        for name, value in data.items():
            yield from _leaves(value, (*path, str(name)))
    elif isinstance(data, list):
        for position, value in enumerate(data):
            is_text = isinstance(value, str)
            yield from _leaves(value, path if is_text else (*path, str(position)))
    elif isinstance(data, str):
        yield ".".join(path), data


def _refuse_constant(name: str) -> NoReturn:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        moment = _http_date(text)
        seconds = (moment - datetime.now(UTC)).total_seconds() if moment else math.nan
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _http_date(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
