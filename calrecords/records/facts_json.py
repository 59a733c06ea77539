"""Facts of a frame as JSON, for the journal, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from calrecords.errors import InvalidRecordError
from calrecords.frames import FrameFacts
from calrecords.records.storable import plain_json
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
    """Return the facts that `facts_to_json` wrote.

    Raises
    ------
    InvalidRecordError
        If they are not ours, for example because a later version of calrecords wrote them.
    """
    values = dict(document)
    try:
        for name in _TIMES:
            if name in values:
                values[name] = parse_time(values[name])
        if "dayobs" in values:
            values["dayobs"] = parse_day(values["dayobs"])
        if "binning" in values:
            values["binning"] = Binning.parse(values["binning"])
        values["inputs"] = tuple((keyword, name) for keyword, name in values.get("inputs", ()))
        return FrameFacts(**values)
    except (TypeError, ValueError) as error:
        msg = f"the journal holds facts that cannot be read ({error}); ingest the file again"
        raise InvalidRecordError(msg) from None


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Binning) else plain_json(value)
