"""The fields that rules, targets and candidates share, and how their values are spelled.

A field is one of ours (`OUR_FIELDS`), or an attribute: any other name, or ``attributes.NAME``
where an attribute has the name of one of ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from calrecords.frames import CalibrationFrame
from calrecords.vocabulary import (
    Binning,
    canonical_configuration_mode,
    canonical_obstype,
    parse_day,
    parse_time,
)

ATTRIBUTES_PREFIX = "attributes."


class Kind(StrEnum):
    """What kind of value a field has."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "flag"
    TIME = "time"
    NIGHT = "night"
    LIST = "list"
    BINNING = "binning"
    OBSTYPE = "obstype"
    MODE = "configuration mode"


NUMERIC = frozenset({Kind.NUMBER, Kind.TIME})
"""The kinds of which two values have a distance."""

WORDED = frozenset({Kind.TEXT, Kind.LIST, Kind.BINNING, Kind.OBSTYPE, Kind.MODE})
"""The kinds that words can be looked for in."""


@dataclass(frozen=True, slots=True)
class Field:
    """What is known of a field.

    Attributes
    ----------
    kind : Kind
        What kind of value it has.
    unit : str
        Of a number; empty where it has none.
    """

    kind: Kind
    unit: str = ""


_TEXT = Field(Kind.TEXT)
OUR_FIELDS: Mapping[str, Field] = {
    "obstype": Field(Kind.OBSTYPE),
    "site": _TEXT,
    "camera": _TEXT,
    "instrument": _TEXT,
    "telescope": _TEXT,
    "is_master": Field(Kind.FLAG),
    "reduction_level": Field(Kind.NUMBER),
    "filter": _TEXT,
    "binning": Field(Kind.BINNING),
    "configuration_mode": Field(Kind.MODE),
    "exposure_time": Field(Kind.NUMBER, "s"),
    "ccd_temperature": Field(Kind.NUMBER, "deg C"),
    "ccd_measured_temperature": Field(Kind.NUMBER, "deg C"),
    "dateobs": Field(Kind.TIME),
    "dayobs": Field(Kind.NIGHT),
    "created": Field(Kind.TIME),
    "public_date": Field(Kind.TIME),
    "object": _TEXT,
    "proposal": _TEXT,
    "pipeline_name": _TEXT,
    "pipeline_version": _TEXT,
    "basename": _TEXT,
    "extension": _TEXT,
}

NOT_IN_KEYS = frozenset({"dateobs"})
"""Fields that no key of a match set holds: the index is ordered by them."""


def value_of(frame: CalibrationFrame, field: str) -> Any:
    """Return what a candidate has in a field, None where it has nothing."""
    if field in OUR_FIELDS:
        return frame.version.extension if field == "extension" else getattr(frame, field)
    return frame.attributes.get(field.removeprefix(ATTRIBUTES_PREFIX))


def is_in_keys(field: str) -> bool:
    """Return whether the records can index versions by a field."""
    return field not in NOT_IN_KEYS


def attribute_field(name: str) -> str:
    """Return the field of an attribute; its prefix stays only where the name is one of ours."""
    return ATTRIBUTES_PREFIX + name if name in OUR_FIELDS else name


def canonical_value(field: str, value: Any) -> Any:
    """Return a field's value as it is compared; None where it says nothing.

    Raises
    ------
    ValueError
        If the value is not of the field's kind.
    """
    if value is None:
        return None
    read = READERS.get(field)
    return plain_value(value) if read is None else read(value)


def plain_value(value: Any) -> Any:
    """Return an attribute's value: numpy's numbers as Python's, NaN as None."""
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if hasattr(value, "dtype") and hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        return plain_value(value.item())
    if isinstance(value, tuple):
        return list(value)
    return value


def number_of(value: Any) -> float | None:
    """Return a value as a number, a time as seconds; None where it is neither."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, datetime):
        return value.timestamp()
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _text(value: Any) -> str | None:
    return (value if type(value) is str else str(value)).strip() or None


def _number(value: Any) -> float | int | None:
    if isinstance(value, str) and not value.strip():
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isnan(value):
        return None
    number = number_of(value)
    if number is None:
        msg = f"cannot read {value!r} as a number"
        raise ValueError(msg)
    return number


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in {"true", "1", "t"}:
        return True
    if word in {"false", "0", "f"}:
        return False
    msg = f"cannot read {value!r} as true or false"
    raise ValueError(msg)


@lru_cache(maxsize=1024)
def _spelled_binning(text: str) -> str:
    return str(Binning.parse(text))


def _binning(value: Any) -> str | None:
    if isinstance(value, str):
        return _spelled_binning(value) if value.strip() else None
    return str(Binning.parse(value))


@lru_cache(maxsize=1024)
def _spelled_mode(text: str) -> str:
    return canonical_configuration_mode(text)


def _mode(value: Any) -> str:
    return _spelled_mode(value) if isinstance(value, str) else canonical_configuration_mode(value)


_OF_KIND: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: _text,
    Kind.NUMBER: _number,
    Kind.FLAG: _flag,
    Kind.TIME: parse_time,
    Kind.NIGHT: parse_day,
    Kind.LIST: plain_value,
    Kind.BINNING: _binning,
    Kind.OBSTYPE: canonical_obstype,
    Kind.MODE: _mode,
}
READERS: Mapping[str, Callable[[Any], Any]] = {
    name: _OF_KIND[field.kind] for name, field in OUR_FIELDS.items()
}
"""How the values of our fields are read."""
