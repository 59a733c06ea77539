"""How one value of an imported row is read, and spelled as its database holds it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from calrecords.records.storable import fault_of, plain_json
from calrecords.vocabulary import (
    Binning,
    Verdict,
    canonical_configuration_mode,
    canonical_obstype,
    parse_day,
    parse_time,
)

Reader = Callable[[Any], Any]
"""Reads a value that is not None; ValueError or TypeError say what is wrong with it."""

_REMEMBERED = 10_000
"""How many spellings of one column are kept; most columns have few."""

_PLAIN_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?)(?:Z|\+00:00)?"
).fullmatch
_MD5 = re.compile(r"[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WHOLE_NUMBER = re.compile(r"[+-]?\d{1,19}")
_TRUTH = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def remembering(read: Reader) -> Reader:
    """Return a reader that reads each text once."""
    seen: dict[str, Any] = {}

    def look(value: Any) -> Any:
        if type(value) is not str:
            return read(value)
        try:
            return seen[value]
        except KeyError:
            if len(seen) >= _REMEMBERED:
                seen.clear()
            found = seen[value] = read(value)
            return found

    return look


def text_of(column: str) -> Reader:
    """Return a reader of a text; a blank one is none."""

    def read(value: Any) -> str | None:
        if not isinstance(value, str):
            msg = f"is {value!r:.100}, not text"
            raise TypeError(msg)
        text = value.strip()
        if not (text.isascii() and text.isprintable() and len(text) <= 100):
            demand_no_fault(text, column)
        return text or None

    return read


def obstype_of(value: Any) -> str | None:
    """Return an observation type in its one spelling."""
    text = text_of("obstype")(value)
    return None if text is None else canonical_obstype(text)


def mode_of(value: Any) -> str:
    """Return a readout mode in its one spelling; a number is taken for its name."""
    text = str(value) if isinstance(value, int) else text_of("configuration_mode")(value)
    return canonical_configuration_mode(text)


def binning_of(value: Any) -> str | None:
    """Return a binning as ``2x2``."""
    if isinstance(value, str) and not value.strip():
        return None
    binning = Binning.parse(value)
    demand_no_fault(binning, "binning")
    return str(binning)


def truth_of(value: Any) -> bool | None:
    """Return true or false, which a text may spell as T, F, true, false, 1 or 0."""
    if isinstance(value, str):
        text = value.strip().lower()
        if text and text not in _TRUTH:
            msg = f"is {value!r:.100}, not true or false"
            raise ValueError(msg)
        return _TRUTH.get(text)
    if value in (0, 1):
        return bool(value)
    msg = f"is {value!r:.100}, not true or false"
    raise TypeError(msg)


def number_of(value: Any) -> float | None:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        value = _unpacked(value, "a number")
    if isinstance(value, str):
        if not value.strip():
            return None
        value = "nan" if "_" in value else value
    try:
        number = float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        msg = f"is {value!r:.100}, not a finite number"
        raise ValueError(msg)
    return number


def whole_number_of(column: str, least: int | None = None) -> Reader:
    """Return a reader of a whole number that the column can hold."""

    def read(value: Any) -> int | None:
        if isinstance(value, str):
            if not value.strip():
                return None
            if not _WHOLE_NUMBER.fullmatch(value.strip()):
                msg = f"is {value!r:.100}, not a whole number"
                raise ValueError(msg)
            number = int(value)
        else:
            plain = _unpacked(value, "a whole number")
            if isinstance(plain, float) and not plain.is_integer():
                msg = f"is {value!r}, not a whole number"
                raise ValueError(msg)
            number = int(plain)
        demand_no_fault(number, column)
        if least is not None and number < least:
            msg = f"is {number}, below {least}"
            raise ValueError(msg)
        return number

    return read


def md5_of(value: Any) -> str | None:
    """Return an md5 in lower-case hexadecimal digits."""
    return _hexadecimal(value, _MD5, "32 hexadecimal digits")


def sha256_of(value: Any) -> str | None:
    """Return a SHA-256 in lower-case hexadecimal digits."""
    return _hexadecimal(value, _SHA256, "64 hexadecimal digits")


def verdict_of(value: Any) -> str | None:
    """Return ``good``, ``bad`` or ``unknown``."""
    text = str(value).strip().lower()
    if not text:
        return None
    try:
        return Verdict(text).value
    except ValueError:
        msg = f"is {value!r:.100}; write good, bad or unknown"
        raise ValueError(msg) from None


def time_of(value: Any) -> datetime | None:
    """Return a point in time, aware UTC; most spellings are read in a short way."""
    if isinstance(value, str):
        if (plain := _PLAIN_TIME(value)) is not None:
            try:
                return datetime.fromisoformat(plain[1] + "+00:00")
            except ValueError:
                return parse_time(value)
        if not value.strip():
            return None
    elif isinstance(value, datetime):
        return value if value.tzinfo is UTC else parse_time(value)
    elif not hasattr(value, "to_datetime"):
        msg = f"is {value!r:.100}, not a time"
        raise TypeError(msg)
    return parse_time(value)


def day_of(value: Any) -> date | None:
    """Return a night."""
    if isinstance(value, int) or (isinstance(value, str) and not value.strip()):
        return None if isinstance(value, str) else parse_day(str(value))
    return parse_day(value)


def inputs_of(value: Any) -> tuple[tuple[str, str], ...]:
    """Return what a frame was made from: pairs of keyword and basename, each once."""
    if not isinstance(value, list | tuple):
        msg = "is not a list of [keyword, basename]"
        raise TypeError(msg)
    pairs = []
    for pair in value:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            msg = f"holds {pair!r:.100}, not [keyword, basename]"
            raise ValueError(msg)
        keyword, basename = text_of("keyword")(pair[0]), text_of("basename")(pair[1])
        if keyword is None or basename is None:
            msg = f"holds {pair!r:.100}, which is blank"
            raise ValueError(msg)
        pairs.append((keyword, basename))
    return tuple(dict.fromkeys(pairs))


class AttributesReader:
    """Reads further facts, given as a mapping or as JSON text, into the JSON that is kept."""

    def __init__(self) -> None:
        self._seen: dict[tuple[Any, ...], str] = {}

    def __call__(self, value: Any) -> tuple[Mapping[str, Any], str] | None:
        """Return the attributes, and their JSON text; None where there are none."""
        if isinstance(value, str):
            if not value.strip():
                return None
            value = _from_json(value)
        if not isinstance(value, Mapping):
            msg = f"is {value!r:.100}, not a mapping of names and values"
            raise TypeError(msg)
        key = tuple(value.items())
        if all(type(inside) is str for _, inside in key):
            return value, self._seen.get(key) or self._learn(key, value)
        return value, _checked_json(value)

    def _learn(self, key: tuple[Any, ...], value: Mapping[str, Any]) -> str:
        text = _checked_json(value)
        if len(self._seen) >= _REMEMBERED:
            self._seen.clear()
        self._seen[key] = text
        return text


def _checked_json(value: Mapping[str, Any]) -> str:
    demand_no_fault(value, "attributes")
    return json.dumps(plain_json(value))


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"is no JSON: {error}"
        raise ValueError(msg) from None


def _hexadecimal(value: Any, wanted: re.Pattern[str], what: str) -> str | None:
    text = str(value).strip().lower()
    if text and not wanted.fullmatch(text):
        msg = f"is {value!r:.100}, not {what}"
        raise ValueError(msg)
    return text or None


def _unpacked(value: Any, wanted: str) -> Any:
    """Return the plain value of an array's scalar."""
    plain = value.item() if getattr(value, "shape", None) == () else value
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        msg = f"is {value!r:.100}, not {wanted}"
        raise TypeError(msg)
    return plain


def demand_no_fault(value: Any, column: str) -> None:
    """Make sure that the column can hold a value.

    Raises
    ------
    ValueError
        If it cannot.
    """
    fault = fault_of(value, column)
    if fault is not None:
        raise ValueError(fault)
