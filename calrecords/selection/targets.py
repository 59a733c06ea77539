"""The frame that needs a calibration, as rules see it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from calrecords.errors import InvalidTargetError
from calrecords.frames import CalibrationFrame, FrameFacts
from calrecords.selection.fields import READERS, attribute_field, plain_value
from calrecords.vocabulary import parse_time

_LENGTHS_OF_TIMES = frozenset({19, 23, 26})
_ZERO = timedelta(0)
_NOT_FACTS = frozenset({"attributes", "inputs", "version", "verdict", "good_after", "good_until"})


@dataclass(frozen=True, slots=True)
class Target:
    """A frame that needs a calibration.

    Attributes
    ----------
    values : mapping
        What it has in each field, spelled as rules compare it.
    dateobs : datetime
        Start of its exposure, UTC.
    basename : str or None
        Its name, where it has one.
    """

    values: Mapping[str, Any] = field(hash=False)
    dateobs: datetime
    basename: str | None = None


def make_target(source: Mapping[str, Any] | FrameFacts | CalibrationFrame) -> Target:
    """Return a target from a mapping in our words, or from what is known of a frame.

    Parameters
    ----------
    source : mapping, FrameFacts or CalibrationFrame
        Of a mapping, names that are not ours are attributes, as are those in a mapping under
        the name ``attributes``. `dateobs` may be an `astropy.time.Time`, an aware datetime or
        ISO text, UTC. A configuration mode that is not given is ``default``, and an instrument
        that is not given has the camera's name.

    Raises
    ------
    InvalidTargetError
        If there is no `dateobs`, or a value is not of its kind.
    """
    mapping = source if isinstance(source, Mapping) else _mapping_of(source)
    values: dict[str, Any] = {"configuration_mode": "default"}
    reader_of = READERS.get
    try:
        dateobs = _time(mapping.get("dateobs"))
        for name, value in mapping.items():
            if value is None or name == "dateobs":
                continue
            if (read := reader_of(name)) is not None:
                values[name] = read(value)
            elif name == "attributes":
                _add_attributes(values, value)
            else:
                values[name] = value if type(value) is str else plain_value(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise _invalid(mapping, error) from None
    values["dateobs"] = dateobs
    if "instrument" not in values:
        values["instrument"] = values.get("camera")
    return Target(values, dateobs, values.get("basename"))


def _time(value: Any) -> datetime:
    """Return a time as `parse_time` does, but at once where it is already as we write it."""
    if type(value) is datetime and value.tzinfo is UTC:
        return value
    if type(value) is str and len(value) in _LENGTHS_OF_TIMES and value.isascii():
        is_plain = (
            value[4] == value[7] == "-" and value[10] == "T" and value[13] == value[16] == ":"
        )
        if is_plain and (len(value) == 19 or value[19] == "."):
            with suppress(ValueError):
                moment = datetime.fromisoformat(value)
                if moment.tzinfo is None:
                    return moment.replace(tzinfo=UTC)
    if value is None:
        msg = "it has no dateobs, from which calibrations are looked for; give it, UTC"
        raise ValueError(msg)
    return parse_time(value)


def _add_attributes(values: dict[str, Any], attributes: Any) -> None:
    if not isinstance(attributes, Mapping):
        msg = "its attributes must be a mapping from name to value"
        raise TypeError(msg)
    for name, value in attributes.items():
        if value is not None:
            values[attribute_field(name)] = plain_value(value)


def _mapping_of(source: FrameFacts | CalibrationFrame) -> dict[str, Any]:
    if not isinstance(source, FrameFacts | CalibrationFrame):
        kind = type(source).__name__
        msg = f"a target is a mapping in our words or a frame's facts, not a {kind}"
        raise InvalidTargetError(msg)
    names = [one.name for one in fields(source) if one.name not in _NOT_FACTS]
    facts = {name: getattr(source, name) for name in names}
    return {**facts, "attributes": source.attributes}


def _invalid(mapping: Mapping[str, Any], error: Exception) -> InvalidTargetError:
    name = mapping.get("basename")
    which = "the target" if name is None else f"the target {name}"
    for field_name, value in mapping.items():
        try:
            if field_name == "dateobs":
                _time(value)
            elif value is not None and field_name in READERS:
                READERS[field_name](value)
        except (ValueError, TypeError, OverflowError) as fault:
            return InvalidTargetError(f"{which}: {field_name}: {fault}")
    return InvalidTargetError(f"{which}: {error}")
