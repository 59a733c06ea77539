"""How a corrected fact is kept in the history, and how it is undone to see what was known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from calrecords.records.match_fields import ATTRIBUTE_PREFIX
from calrecords.records.models import Correction
from calrecords.records.storable import plain_json

UNDO_ORDER = (Correction.recorded_at.desc(), Correction.id.desc())
"""The newest first; of corrections at one moment the last written."""

_TIMES = frozenset({"dateobs", "created", "public_date"})


def as_kept(value: Any) -> dict[str, Any]:
    """Return the value of a column or an attribute as a correction keeps it."""
    if isinstance(value, datetime):
        value = value.astimezone(UTC).isoformat()
    elif isinstance(value, date):
        value = value.isoformat()
    return {"value": plain_json(value)}


def as_recorded(field: str, kept: Mapping[str, Any]) -> Any:
    """Return a value that a correction keeps as the column or the attribute had it."""
    value = kept["value"]
    if value is None or field not in {*_TIMES, "dayobs"}:
        return value
    return datetime.fromisoformat(value) if field in _TIMES else date.fromisoformat(value)


def facts_before(
    change: Any, facts: Mapping[str, Any], attributes: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the facts and the attributes as they were before a correction.

    Parameters
    ----------
    change : row of corrections
        The correction that is undone.
    facts, attributes : mapping
        As they were after it.
    """
    facts, attributes = dict(facts), dict(attributes)
    if not change.field.startswith(ATTRIBUTE_PREFIX):
        facts[change.field] = as_recorded(change.field, change.old)
    elif change.old is None:
        attributes.pop(change.field.removeprefix(ATTRIBUTE_PREFIX), None)
    else:
        attributes[change.field.removeprefix(ATTRIBUTE_PREFIX)] = change.old["value"]
    return facts, attributes
