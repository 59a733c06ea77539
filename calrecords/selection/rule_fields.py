"""The fields that a file of rules may name, and how their values are written there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from calrecords.selection.fields import (
    ATTRIBUTES_PREFIX,
    OUR_FIELDS,
    Field,
    Kind,
    canonical_value,
    number_of,
)
from calrecords.selection.places import shown
from calrecords.selection.spelling import near_names
from calrecords.selection.units import in_unit, read_duration, split_quantity
from calrecords.vocabulary import parse_time

DECLARED_KINDS = {
    kind.value: kind for kind in (Kind.TEXT, Kind.NUMBER, Kind.FLAG, Kind.TIME, Kind.LIST)
}
"""The kinds of attributes that a file may declare, beside a unit."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SPELLED = frozenset({Kind.TEXT, Kind.OBSTYPE, Kind.MODE, Kind.BINNING})


@dataclass(frozen=True, slots=True)
class FieldNames:
    """What the names in a file of rules mean.

    Attributes
    ----------
    aliases : mapping
        An observatory's names, and our fields for them.
    attributes : mapping
        The attributes that the file declares, by our field.
    """

    aliases: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Field] = field(default_factory=dict)

    def resolve(self, name: str) -> str:
        """Return our field of a name.

        Raises
        ------
        ValueError
            If it is neither ours nor declared.
        """
        if name in self.aliases:
            return self.aliases[name]
        if name in OUR_FIELDS or name in self.attributes:
            return name
        attribute = name.removeprefix(ATTRIBUTES_PREFIX)
        if attribute in self.attributes:
            return attribute
        if not name.strip():
            msg = "the name of a field is empty"
            raise ValueError(msg)
        hint = near_names(name, self.known)
        msg = (
            f"the field {name!r} is not known{hint}; known: {', '.join(self.known)}; if it is an "
            f"attribute of frames or targets, declare it: [attributes] {_key(attribute)} = 'text' "
            "(or number, flag, time, list, or a unit)"
        )
        raise ValueError(msg)

    @property
    def known(self) -> list[str]:
        """All names that have a meaning."""
        own = [name for name in self.attributes if not name.startswith(ATTRIBUTES_PREFIX)]
        return list(dict.fromkeys([*self.aliases, *own, *OUR_FIELDS]))

    @property
    def labels(self) -> dict[str, str]:
        """Our fields, and what the file calls them."""
        return {ours: theirs for theirs, ours in self.aliases.items()}

    def of(self, name: str) -> Field:
        """Return the kind and the unit of one of our fields."""
        return OUR_FIELDS.get(name) or self.attributes.get(name) or Field(Kind.TEXT)

    def constant(self, name: str, value: Any) -> Any:
        """Return a constant of a file as the field's values are compared.

        Raises
        ------
        ValueError
            If it is not of the field's kind.
        """
        known = self.of(name)
        if known.kind is Kind.NUMBER:
            return quantity(value, known.unit)
        if known.kind is Kind.TIME:
            return read_moment(value)
        if known.kind in _SPELLED and not isinstance(value, str):
            msg = f"write a text in quotes, not {shown(value)}"
            raise ValueError(msg)
        if known.kind is Kind.FLAG and not isinstance(value, bool):
            msg = f"write true or false, not {shown(value)}"
            raise ValueError(msg)
        if name not in OUR_FIELDS:
            return value
        found = canonical_value(name, value)
        if found is None:
            msg = "the text is empty; to ask for what has no value, write present = false"
            raise ValueError(msg)
        return found

    def tolerance(self, name: str, value: Any) -> float:
        """Return a tolerance in the unit of a field; of times in seconds.

        Raises
        ------
        ValueError
            If it is no number of 0 or more, or the units do not fit.
        """
        known = self.of(name)
        if known.kind is Kind.TIME:
            return read_duration(value).total_seconds()
        width = quantity(value, known.unit)
        if width < 0:
            msg = f"a tolerance is 0 or more, not {shown(value)}"
            raise ValueError(msg)
        return width


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else f'"{name}"'


def quantity(value: Any, unit: str) -> float:
    """Return a finite number in a unit, from a number or from text such as ``10 nm``.

    Raises
    ------
    ValueError
        If it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        msg = f"write a number, or a text such as '0.5 deg', not {shown(value)}"
        raise TypeError(msg)
    number, given = split_quantity(value)
    if number_of(number) is None:
        msg = f"write a finite number, not {shown(value)}"
        raise ValueError(msg)
    return in_unit(number, given, unit)


def read_moment(value: Any) -> datetime:
    """Return a time of a file: a TOML date or time, which is UTC unless it says otherwise, or text.

    Raises
    ------
    ValueError
        If it is none.
    """
    if not isinstance(value, date | str):
        msg = f"write a time as '2026-03-10T04:00:00', not {shown(value)}"
        raise TypeError(msg)
    try:
        if isinstance(value, datetime):
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return parse_time(value if isinstance(value, str) else value.isoformat())
    except (ValueError, OverflowError) as error:
        said = str(error)
        msg = said if said.startswith("cannot read") else f"cannot read {shown(value)}: {said}"
        raise ValueError(msg) from None
