"""The right values of facts, in whatever spelling a user has them."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from calrecords.errors import InvalidRecordError
from calrecords.records import MENDABLE
from calrecords.vocabulary import Binning, canonical_configuration_mode, parse_day, parse_time

ATTRIBUTES = "attributes"


def _text(value: Any) -> str | None:
    if not isinstance(value, str):
        msg = "write text"
        raise TypeError(msg)
    return value.strip() or None


def _number(value: Any) -> float:
    number = float(value)
    if isinstance(value, bool) or not math.isfinite(number):
        msg = "write a number"
        raise ValueError(msg)
    return number


def _whole_number(value: Any) -> int:
    return int(value) if isinstance(value, str) else operator.index(value)


_READ: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(MENDABLE, _text),
    **dict.fromkeys(("dateobs", "created", "public_date"), parse_time),
    **dict.fromkeys(("exposure_time", "ccd_temperature", "ccd_measured_temperature"), _number),
    "dayobs": parse_day,
    "binning": Binning.parse,
    "reduction_level": _whole_number,
}


def read_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts as records hold them, attributes each under ``attributes.NAME``.

    None, and empty text, mean that a fact is not known; a configuration mode is then
    ``default``, as it is where a header has none.

    Raises
    ------
    InvalidRecordError
        If a value cannot be used.
    """
    given = dict(facts)
    attributes = given.pop(ATTRIBUTES, {})
    if not isinstance(attributes, Mapping):
        msg = f"attributes={attributes!r}: write a mapping from name to value"
        raise InvalidRecordError(msg)
    read = {name: _read(name, value) for name, value in given.items()}
    return read | {f"{ATTRIBUTES}.{name}": value for name, value in attributes.items()}


def _read(name: str, value: Any) -> Any:
    if name == "configuration_mode":
        return canonical_configuration_mode(value)
    if value is None or (name in _READ and value == ""):
        return None
    try:
        return _READ[name](value) if name in _READ else value
    except (TypeError, ValueError, OverflowError) as error:
        msg = f"cannot correct {name} to {value!r}: {error}"
        raise InvalidRecordError(msg) from None
