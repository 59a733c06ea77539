"""From the tables of a rule file to the order of what satisfies a rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calrecords.selection.ordering import OrderKind, OrderPart, Weight
from calrecords.selection.rule_fields import Place
from calrecords.selection.term_reading import TermReader, attempt
from calrecords.selection.units import read_duration


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
    if isinstance(given, str):
        given = {given: "0 s"} if given == OrderKind.TIME else {given: None}
    kinds = [kind.value for kind in OrderKind]
    place.table(given, kinds)
    if len(given) != 1:
        msg = f"one part of an order compares in one way of {', '.join(kinds)}"
        raise place.error(msg)
    [(word, value)] = given.items()
    at = place.at(word)
    if word == OrderKind.TIME:
        return OrderPart(OrderKind.TIME, resolution=attempt(at, read_duration, value))
    if word == OrderKind.WEIGHTED:
        items = at.demand(value, list, "a list of { field = ..., scale = ... }")
        if not items:
            msg = "the list is empty"
            raise at.error(msg)
        return OrderPart(
            OrderKind.WEIGHTED, weights=tuple(_weight(reader, one, at) for one in items)
        )
    name = at.demand(value, str, "the name of a field")
    return OrderPart(OrderKind(word), attempt(at, reader.names.resolve, name))


def _weight(reader: TermReader, given: Any, place: Place) -> Weight:
    place.table(given, ["field", "scale"], ["field", "scale"])
    label = place.demand(given["field"], str, "the name of a field")
    at = place.at(label)
    name = attempt(at, reader.names.resolve, label)
    scale = given["scale"]
    if isinstance(scale, dict):
        at.table(scale, ["expr"], ["expr"])
        return Weight(name, reader.expression(at.demand(scale["expr"], str, "a text"), at))
    width = attempt(at, reader.names.tolerance, name, scale)
    if not width:
        msg = "the scale is 0, by which nothing can be divided"
        raise at.error(msg)
    return Weight(name, width)
