"""From the tables of a rule file to tables of numbers that expressions look up in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from calrecords.selection.expressions import LookupTable
from calrecords.selection.rule_fields import Place, quantity


def read_tables(document: Mapping[str, Any], place: Place) -> Iterator[tuple[str, LookupTable]]:
    """Yield the tables that expressions may look up in, by name.

    Raises
    ------
    RuleError
        If one is no table of numbers.
    """
    at_all = place.at("[tables]")
    for name, given in at_all.demand(document.get("tables", {}), dict, "tables").items():
        at = at_all.at(name)
        at.table(given, ["values", "match", "default"], ["values"])
        values = at.at("values").demand(given["values"], dict, "a table of numbers")
        match = given.get("match", "exact")
        if match not in {"exact", "starts_with"}:
            msg = f"match is 'exact' or 'starts_with', not {match!r}"
            raise at.error(msg)
        default = given.get("default")
        yield (
            name,
            LookupTable(
                name,
                tuple((word, _number(at.at(word), value)) for word, value in values.items()),
                match == "starts_with",
                None if default is None else _number(at.at("default"), default),
            ),
        )


def _number(place: Place, value: Any) -> float:
    try:
        return quantity(value, "")
    except ValueError as error:
        raise place.error(error) from None
