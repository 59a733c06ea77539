"""From ``[fields]`` and ``[attributes]`` of a rule file to the fields that it may name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calrecords.selection.fields import (
    ATTRIBUTES_PREFIX,
    OUR_FIELDS,
    Field,
    Kind,
    attribute_field,
)
from calrecords.selection.places import Place
from calrecords.selection.rule_fields import DECLARED_KINDS, FieldNames
from calrecords.selection.spelling import near_names
from calrecords.selection.units import UNITS


def read_field_names(document: Mapping[str, Any], place: Place) -> FieldNames:
    """Return what the tables ``[fields]`` and ``[attributes]`` of a file say.

    Raises
    ------
    RuleError
        If a name, a kind or a unit is not known.
    """
    aliases = _aliases(document.get("fields", {}), place.at("[fields]"))
    attributes: dict[str, Field] = {}
    at = place.at("[attributes]")
    given = at.demand(document.get("attributes", {}), dict, "a table, NAME = 'text'")
    for name, kind in given.items():
        _demand_name(name, at)
        field_name = attribute_field(name)
        if field_name != name and field_name not in aliases.values():
            msg = (
                f"{name!r} is one of our fields; to mean an attribute of this name, "
                f"write [fields] {name} = '{field_name}'"
            )
            raise at.error(msg)
        attributes[field_name] = _declared(kind, at.at(name))
    for ours in aliases.values():
        if ours not in OUR_FIELDS:
            attributes.setdefault(ours, Field(Kind.TEXT))
    return FieldNames(aliases, attributes)


def _aliases(given: Any, place: Place) -> dict[str, str]:
    aliases: dict[str, str] = {}
    for name, ours in place.demand(given, dict, "a table, THEIR_NAME = 'our_field'").items():
        _demand_name(name, place)
        at = place.at(name)
        found = _aliased(name, at.demand(ours, str, "the name of our field in quotes"), given, at)
        if found in aliases.values():
            other = next(one for one, field in aliases.items() if field == found)
            msg = f"{other} is a name of {found} already; a field has one name, keep one of them"
            raise at.error(msg)
        aliases[name] = found
    return aliases


def _demand_name(name: str, place: Place) -> None:
    if not name.strip():
        msg = "the name of a field is empty"
        raise place.error(msg)


def _aliased(name: str, ours: str, given: Mapping[str, Any], place: Place) -> str:
    attribute = ours.removeprefix(ATTRIBUTES_PREFIX)
    if ours in OUR_FIELDS:
        return ours
    if attribute != ours and attribute.strip():
        return attribute_field(attribute)
    hint = near_names(ours, OUR_FIELDS)
    if name in OUR_FIELDS and not hint.endswith(f"{name!r}?"):
        hint = ""
    if name in OUR_FIELDS:
        hint += f"; an observatory's own name comes first: {ours or 'THEIRS'} = '{name}'"
    elif ours in given:
        hint = f"; it is another name of yours: write the field of ours that {name} is"
    if attribute.strip():
        hint += f"; an attribute is 'attributes.{attribute}'"
    msg = f"{ours!r} is not one of our fields{hint}; they are: {', '.join(OUR_FIELDS)}"
    raise place.error(msg)


def _declared(kind: Any, place: Place) -> Field:
    place.demand(kind, str, "'text', 'number', 'flag', 'time', 'list' or a unit")
    if kind in DECLARED_KINDS:
        return Field(DECLARED_KINDS[kind])
    if kind in UNITS:
        return Field(Kind.NUMBER, kind)
    known = [*DECLARED_KINDS, *UNITS]
    msg = (
        f"{kind!r} is neither a kind of value nor a unit{near_names(kind, known)}; known: "
        f"{', '.join(DECLARED_KINDS)}, or of a number its unit: {', '.join(UNITS)}"
    )
    raise place.error(msg)
