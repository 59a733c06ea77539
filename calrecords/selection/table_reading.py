"""From the tables of a rule file to tables of numbers that expressions look up in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from calrecords.selection.expressions import FUNCTIONS, LookupTable, demand_name
from calrecords.selection.places import Place, shown
from calrecords.selection.rule_fields import quantity

_VALUES = "values = { NAME = 1.5 }"


def read_tables(document: Mapping[str, Any], place: Place) -> Iterator[tuple[str, LookupTable]]:
    """Yield the tables that expressions may look up in, by name.

    Raises
    ------
    RuleError
        If one is no table of numbers.
    """
    at_all = place.at("[tables]")
    tables = at_all.demand(document.get("tables", {}), dict, "tables, [tables.NAME]")
    for name, given in tables.items():
        at = at_all.at(name)
        at.attempt(demand_name, name, FUNCTIONS)
        at.table(given, ["values", "match", "default"], ["values"], said=f"{_VALUES} under it")
        values = at.at("values").demand(given["values"], dict, "a table of numbers")
        if not values:
            msg = f"it has no values; write {_VALUES}"
            raise at.error(msg)
        match = given.get("match", "exact")
        if match not in ("exact", "starts_with"):
            msg = f"match is 'exact' or 'starts_with', not {shown(match)}"
            raise at.error(msg)
        default = given.get("default")
        yield (
            name,
            LookupTable(
                name,
                tuple((word, _number(at.at(word), number)) for word, number in values.items()),
                match == "starts_with",
                None if default is None else _number(at.at("default"), default),
            ),
        )


def _number(place: Place, value: Any) -> float:
    number: float = place.attempt(quantity, place.demand(value, (int, float), "a number"), "")
    return number
