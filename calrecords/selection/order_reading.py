"""From the tables of a rule file to the order of what satisfies a rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calrecords.selection.fields import NUMERIC
from calrecords.selection.ordering import OrderKind, OrderPart, Weight
from calrecords.selection.places import Place
from calrecords.selection.term_reading import TermReader
from calrecords.selection.units import read_duration

_WEIGHT = "{ field = 'FIELD', scale = ... }"


def read_order(
    reader: TermReader, table: Mapping[str, Any], place: Place
) -> tuple[OrderPart, ...] | None:
    """Return the order of a rule or a branch; None where it has none.

    Raises
    ------
    RuleError
        If a part of it compares in no known way.
    """
    given = table.get("order")
    if given is None:
        return None
    at = place.at("order")
    parts = given if isinstance(given, list) else [given]
    if not parts:
        msg = "the list is empty; leave it out to mean closest_in_time"
        raise at.error(msg)
    return tuple(_order_part(reader, part, at) for part in parts)


def _order_part(reader: TermReader, given: Any, place: Place) -> OrderPart:
    kinds = [kind.value for kind in OrderKind]
    if isinstance(given, str):
        given = {given: "0 s" if given == OrderKind.TIME else None}
    place.table(given, kinds, said="'closest_in_time', or a part such as { highest = 'FIELD' }")
    if len(given) != 1:
        msg = f"one part of an order compares in one way of {', '.join(kinds)}"
        raise place.error(msg)
    [(word, value)] = given.items()
    at = place.at(word)
    if word == OrderKind.TIME:
        return OrderPart(OrderKind.TIME, resolution=at.attempt(read_duration, value))
    if word == OrderKind.WEIGHTED:
        items = at.demand(value, list, f"a list of {_WEIGHT}")
        if not items:
            msg = f"the list is empty; write {_WEIGHT} for each field"
            raise at.error(msg)
        return OrderPart(
            OrderKind.WEIGHTED, weights=tuple(_weight(reader, one, at) for one in items)
        )
    label = at.demand(value, str, f"a field to compare, {{ {word} = 'FIELD' }}")
    return OrderPart(OrderKind(word), _comparable(reader, label, at))


def _weight(reader: TermReader, given: Any, place: Place) -> Weight:
    place.table(given, ["field", "scale"], ["field", "scale"], said=_WEIGHT)
    label = place.demand(given["field"], str, "the name of a field")
    at = place.at(label)
    name = _comparable(reader, label, at)
    scale = given["scale"]
    if isinstance(scale, dict):
        at.table(scale, ["expr"], ["expr"])
        text = at.demand(scale["expr"], str, "an expression in quotes")
        return Weight(name, reader.values.expression(text, at))
    width = at.at("scale").attempt(reader.values.names.tolerance, name, scale)
    if not width:
        msg = "the scale is 0, by which nothing can be divided"
        raise at.error(msg)
    return Weight(name, width)


def _comparable(reader: TermReader, label: str, place: Place) -> str:
    """Return our field of a name, of which it must be possible to say how far two are apart."""
    name: str = place.attempt(reader.values.names.resolve, label)
    kind = reader.values.names.of(name).kind
    if kind not in NUMERIC:
        msg = f"{label} is of kind {kind.value}; only numbers and times have an order"
        raise place.error(msg)
    return name
