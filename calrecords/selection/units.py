"""Units of tolerances and windows, and how one is written in another."""

from __future__ import annotations

import re
from datetime import timedelta

from calrecords.selection.spelling import near_names

_SAME_AS: dict[str, dict[str, float]] = {
    "time": {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0},
    "length": {"Angstrom": 1e-10, "nm": 1e-9, "um": 1e-6, "mm": 1e-3, "cm": 1e-2, "m": 1.0},
    "angle": {"arcsec": 1 / 3600, "arcmin": 1 / 60, "deg": 1.0, "rad": 57.29577951308232},
    "temperature difference": {"deg C": 1.0, "K": 1.0},
    "pixel": {"pixel": 1.0},
    "electrons": {"electron": 1.0},
    "signal": {"adu": 1.0},
}
_DIMENSION_OF = {unit: name for name, units in _SAME_AS.items() for unit in units}
_QUANTITY = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*")

UNITS = tuple(_DIMENSION_OF)
"""The units that rules may use."""


def split_quantity(value: float | str) -> tuple[float, str]:
    """Return the number and the unit of ``90 d`` or of a bare number.

    Raises
    ------
    ValueError
        If it is no number, or the unit is not known.

    Examples
    --------
    >>> split_quantity("90 d"), split_quantity(0.5)
    ((90.0, 'd'), (0.5, ''))
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value), ""
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        msg = f"cannot read {value!r} as a number with a unit; write it as '0.5 deg'"
        raise ValueError(msg)
    if match[2]:
        known_unit(match[2])
    return float(match[1]), match[2]


def known_unit(unit: str) -> str:
    """Return a unit that is known.

    Raises
    ------
    ValueError
        If it is not.
    """
    if unit not in _DIMENSION_OF:
        msg = f"the unit {unit!r} is not known{near_names(unit, UNITS)}; known: {', '.join(UNITS)}"
        raise ValueError(msg)
    return unit


def in_unit(number: float, unit: str, wanted: str) -> float:
    """Return a number of one unit in another; without a unit it is in the wanted one.

    Raises
    ------
    ValueError
        If the two do not measure the same.
    """
    if not unit or unit == wanted:
        return number
    if not wanted:
        msg = f"the field has no unit, so it cannot be compared in {unit}; declare its unit"
        raise ValueError(msg)
    if _DIMENSION_OF[unit] != _DIMENSION_OF[wanted]:
        msg = f"{unit} is a unit of {_DIMENSION_OF[unit]}, but the field is in {wanted}"
        raise ValueError(msg)
    scale = _SAME_AS[_DIMENSION_OF[unit]]
    return number * scale[unit] / scale[wanted]


def read_duration(value: object) -> timedelta:
    """Return a length of time of 0 or more, written as ``90 d`` or ``30 s``.

    Raises
    ------
    ValueError
        If it is none, or has no unit.
    """
    if not isinstance(value, str):
        msg = f"write a time with its unit, for example '90 d', not {value!r}"
        raise TypeError(msg)
    try:
        number, unit = split_quantity(value)
    except ValueError as error:
        if _QUANTITY.fullmatch(value) is not None:
            raise
        msg = f"cannot read {value!r} as a length of time; write it as '90 d', or in s, min or h"
        raise ValueError(msg) from error
    if not unit:
        msg = f"{value!r} has no unit; write it as '{value.strip()} d', or in s, min or h"
        raise ValueError(msg)
    if number < 0:
        msg = f"{value!r} is below 0"
        raise ValueError(msg)
    try:
        return timedelta(seconds=in_unit(number, unit, "s"))
    except OverflowError:
        msg = f"{value!r} is longer than any archive"
        raise ValueError(msg) from None
