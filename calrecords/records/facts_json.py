"""Facts of a frame as JSON, for the journal, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from calrecords.frames import FrameFacts
from calrecords.vocabulary import Binning, parse_day, parse_time

_TIMES = ("dateobs", "created", "public_date")


def facts_to_json(facts: FrameFacts) -> dict[str, Any]:
    """Return facts as values that JSON can hold; facts that are not known are left out."""
    return {
        name: _plain(value)
        for name in FrameFacts.__dataclass_fields__
        if (value := getattr(facts, name)) is not None
    }


def facts_from_json(document: Mapping[str, Any]) -> FrameFacts:
    """Return the facts that `facts_to_json` wrote."""
    values = dict(document)
    for name in _TIMES:
        if name in values:
            values[name] = parse_time(values[name])
    if "dayobs" in values:
        values["dayobs"] = parse_day(values["dayobs"])
    if "binning" in values:
        values["binning"] = Binning.parse(values["binning"])
    values["inputs"] = tuple((keyword, name) for keyword, name in values.get("inputs", ()))
    return FrameFacts(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Binning):
        return str(value)
    return dict(value) if isinstance(value, Mapping) else value
