"""The fields that a file of rules may name, and where in the file something is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from calrecords.errors import RuleError
from calrecords.selection.fields import (
    ATTRIBUTES_PREFIX,
    OUR_FIELDS,
    Field,
    Kind,
    attribute_field,
    canonical_value,
    number_of,
)
from calrecords.selection.spelling import near_names
from calrecords.selection.units import in_unit, known_unit, read_duration, split_quantity
from calrecords.vocabulary import parse_time

_KINDS = {kind.value: kind for kind in (Kind.TEXT, Kind.NUMBER, Kind.FLAG, Kind.TIME, Kind.LIST)}


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file of rules something is, for messages.

    Attributes
    ----------
    file : str
        The file.
    parts : tuple of str
        What leads to it.
    """

    file: str
    parts: tuple[str, ...] = ()

    def at(self, part: str) -> Place:
        """Return a place inside of this one."""
        return Place(self.file, (*self.parts, part))

    def error(self, message: object) -> RuleError:
        """Return an error that names this place."""
        return RuleError(": ".join([self.file, *self.parts, str(message)]))

    def demand(self, value: Any, kind: type | tuple[type, ...], said: str) -> Any:
        """Return a value of the file that must be of some type.

        Raises
        ------
        RuleError
            If it is of another type.
        """
        is_flag = isinstance(value, bool) and kind is not bool
        if is_flag or not isinstance(value, kind):
            msg = f"write {said}, not {_shown(value)}"
            raise self.error(msg)
        return value

    def table(self, value: Any, allowed: Iterable[str], needed: Iterable[str] = ()) -> Any:
        """Return a table of the file, of whose keys each is allowed.

        Raises
        ------
        RuleError
            If it is no table, or a key is not known, or one is missing.
        """
        self.demand(value, dict, "a table")
        known = list(allowed)
        for key in value:
            if key not in known:
                hint = near_names(key, known)
                msg = f"there is no {key!r} here{hint}; known: {', '.join(known)}"
                raise self.error(msg)
        for key in needed:
            if key not in value:
                msg = f"{key!r} is missing; add it"
                raise self.error(msg)
        return value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


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
        hint = near_names(name, self.known)
        msg = (
            f"the field {name!r} is not known{hint}; if it is an attribute of frames or targets, "
            f"declare it: [attributes] {name} = 'text' (or number, flag, time, list, or a unit)"
        )
        raise ValueError(msg)

    @property
    def known(self) -> list[str]:
        """All names that have a meaning."""
        own = [name for name in self.attributes if not name.startswith(ATTRIBUTES_PREFIX)]
        return [*self.aliases, *own, *OUR_FIELDS]

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
        if name in OUR_FIELDS:
            return canonical_value(name, value)
        if known.kind is Kind.FLAG and not isinstance(value, bool):
            msg = f"write true or false, not {value!r}"
            raise ValueError(msg)
        if known.kind is Kind.TEXT and not isinstance(value, str):
            msg = f"write a text in quotes, not {value!r}"
            raise ValueError(msg)
        return value

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
            msg = f"a tolerance is 0 or more, not {value!r}"
            raise ValueError(msg)
        return width


def quantity(value: Any, unit: str) -> float:
    """Return a finite number in a unit, from a number or from text such as ``10 nm``.

    Raises
    ------
    ValueError
        If it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        msg = f"write a number, or a text such as '0.5 deg', not {value!r}"
        raise TypeError(msg)
    number, given = split_quantity(value)
    if number_of(number) is None:
        msg = f"write a finite number, not {value!r}"
        raise ValueError(msg)
    return in_unit(number, given, unit)


def read_moment(value: Any) -> datetime:
    """Return a time of a file: a TOML date or time, which is UTC unless it says otherwise, or text.

    Raises
    ------
    ValueError
        If it is none.
    """
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        return parse_time(value.isoformat())
    if not isinstance(value, str):
        msg = f"write a time as '2026-03-10T04:00:00', not {value!r}"
        raise TypeError(msg)
    return parse_time(value)


def read_field_names(document: Mapping[str, Any], place: Place) -> FieldNames:
    """Return what the tables ``[fields]`` and ``[attributes]`` of a file say.

    Raises
    ------
    RuleError
        If a name, a kind or a unit is not known.
    """
    aliases: dict[str, str] = {}
    at = place.at("[fields]")
    for name, ours in at.demand(document.get("fields", {}), dict, "a table").items():
        aliases[name] = _aliased(name, at.demand(ours, str, "the name of a field"), at)
    attributes: dict[str, Field] = {}
    at = place.at("[attributes]")
    for name, kind in at.demand(document.get("attributes", {}), dict, "a table").items():
        field_name = attribute_field(name)
        if field_name != name and field_name not in aliases.values():
            msg = (
                f"{name!r} is one of our fields; to mean an attribute of this name, "
                f"write [fields] {name} = '{field_name}'"
            )
            raise at.error(msg)
        attributes[field_name] = _declared(name, kind, at)
    for ours in aliases.values():
        if ours not in OUR_FIELDS:
            attributes.setdefault(ours, Field(Kind.TEXT))
    return FieldNames(aliases, attributes)


def _aliased(name: str, ours: str, place: Place) -> str:
    if ours in OUR_FIELDS:
        return ours
    if ours.startswith(ATTRIBUTES_PREFIX) and len(ours) > len(ATTRIBUTES_PREFIX):
        return attribute_field(ours.removeprefix(ATTRIBUTES_PREFIX))
    hint = near_names(ours, OUR_FIELDS)
    msg = f"{name}: {ours!r} is not one of our fields{hint}; an attribute is 'attributes.{ours}'"
    raise place.error(msg)


def _declared(name: str, kind: Any, place: Place) -> Field:
    place.at(name).demand(kind, str, "'text', 'number', 'flag', 'time', 'list' or a unit")
    if kind in _KINDS:
        return Field(_KINDS[kind])
    try:
        return Field(Kind.NUMBER, known_unit(kind))
    except ValueError as error:
        hint = near_names(kind, _KINDS)
        msg = f"{kind!r} is neither text, number, flag, time, list{hint} nor a unit: {error}"
        raise place.at(name).error(msg) from None
