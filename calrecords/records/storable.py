"""What every database can hold alike; the rest is refused before anything is done with it.

PostgreSQL refuses what SQLite takes (NUL characters, long index entries), and SQLite changes
what PostgreSQL keeps (a number that is none becomes NULL).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import date, datetime
from typing import Any

from calrecords.errors import InvalidRecordError
from calrecords.frames import FrameFacts
from calrecords.vocabulary import Binning

LONGEST_NAME = 1000
"""Characters of a basename; the Science Archive takes no more."""

LONGEST_WORD = 100
"""Characters of a name that is no file's: a site, a camera, an observation type."""

_LONGEST_ENTRY_BYTES = 2400
"""PostgreSQL's longest entry of an index, less what stands beside a basename in one."""

_LIMITS = {"basename": LONGEST_NAME, "version_key": LONGEST_NAME} | dict.fromkeys(
    ("extension", "obstype", "site", "camera", "instrument", "keyword"), LONGEST_WORD
)
_CHECKED_FACTS = tuple(f.name for f in fields(FrameFacts) if f.name != "inputs")
_INTEGER_BITS = {"reduction_level": 32}
_PLAIN = frozenset({str, int, float, bool, type(None)})


def check_storable(name: str, facts: FrameFacts, **values: Any) -> None:
    """Make sure that a database can hold the facts and further values of a frame.

    Parameters
    ----------
    name : str
        The frame or file, for messages.
    facts : FrameFacts
        What its header says.
    **values
        What else is to be recorded of it; a mapping is recorded as JSON.

    Raises
    ------
    InvalidRecordError
        If a value cannot be held; the message names it.
    """
    recorded = [(name, getattr(facts, name)) for name in _CHECKED_FACTS]
    for keyword, basename in facts.inputs:
        recorded += [("keyword", keyword), ("basename", basename)]
    _check(name, [*recorded, *values.items()])


def check_values(name: str, **values: Any) -> None:
    """Make sure that a database can hold what was learned of a frame whose facts it can hold.

    Raises
    ------
    InvalidRecordError
        If a value cannot be held; the message names it.
    """
    _check(name, values.items())


def _check(name: str, values: Iterable[tuple[str, Any]]) -> None:
    for what, value in values:
        fault = fault_of(value, what)
        if fault is not None:
            msg = f"{name!r} cannot be recorded: {what} {fault}"
            raise InvalidRecordError(msg)


def is_storable(value: Any, column: str = "") -> bool:
    """Return whether a value can be in a database, or in this column of it, at all."""
    return fault_of(value, column) is None


def plain_json(value: Any) -> Any:
    """Return a value as JSON holds it, with dictionaries for mappings and lists for tuples."""
    if isinstance(value, Mapping):
        return {
            name: inside if type(inside) in _PLAIN else plain_json(inside)
            for name, inside in value.items()
        }
    return [plain_json(inside) for inside in value] if isinstance(value, list | tuple) else value


def fault_of(value: Any, what: str = "") -> str | None:
    """Return what is wrong with the value of a column, or with a mapping as JSON, if anything."""
    match value:
        case None | bool():
            return None
        case str():
            return _fault_of_text(value, _LIMITS.get(what))
        case int():
            bits = _INTEGER_BITS.get(what, 64)
            return None if value.bit_length() < bits else f"is beyond {bits} bits"
        case float():
            return None if math.isfinite(value) else f"is {value}, which is no number"
        case datetime():
            return "has no time zone" if value.utcoffset() is None else None
        case date():
            return None
        case Mapping():
            return document_fault(value)
        case Binning():
            return None if max(value.x, value.y) < 1000 else f"is {value}, beyond 999"
    return f"is of type {type(value).__name__}, which no record holds"


def _fault_of_text(text: str, longest: int | None = None) -> str | None:
    if "\0" in text:
        return "holds a NUL character"
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return "is no valid Unicode text"
    if longest is not None and (len(text) > longest or size > _LONGEST_ENTRY_BYTES):
        return f"is too long: {len(text)} characters, {size} bytes"
    return None


def document_fault(value: Any) -> str | None:
    """Return what is wrong with a JSON document, if anything; nothing if it can be recorded."""
    return None if _is_seen_to_be_sound(value) else _fault_in(value)


def _is_seen_to_be_sound(document: Any) -> bool:
    """Return whether a document is sound at a glance; most are, and some sound ones are not."""
    try:
        text = json.dumps(document, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return "\\u0000" not in text and "\\ud" not in text and _has_text_names(document)


def _has_text_names(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(map(_is_text, value)) and all(map(_has_text_names, _nested(value.values())))
    return all(map(_has_text_names, _nested(value)))


def _is_text(name: object) -> bool:
    return type(name) is str


def _nested(values: Iterable[Any]) -> Iterator[Any]:
    return (
        value
        for value in values
        if type(value) not in _PLAIN and isinstance(value, Mapping | list | tuple)
    )


def _fault_in(value: Any) -> str | None:
    """Return what is wrong with the value of a JSON document, if anything."""
    match value:
        case Mapping():
            for name, inside in value.items():
                if not isinstance(name, str):
                    return f"has the name {name!r}, which is no text"
                if fault := _fault_of_text(name) or _fault_in(inside):
                    return f"{name!r} {fault}"
            return None
        case list() | tuple():
            return next((fault for inside in value if (fault := _fault_in(inside))), None)
        case int():
            return None
        case date() | Binning():
            return f"is of type {type(value).__name__}, which no JSON holds"
    return fault_of(value)
