"""From the tables of a rule file to what depends on the target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from calrecords.selection.branches import Branch, Conditional
from calrecords.selection.order_reading import read_order
from calrecords.selection.rule_fields import Place
from calrecords.selection.spelling import near_names
from calrecords.selection.term_reading import TermReader
from calrecords.selection.window_reading import read_count, read_direction, read_window

IN_BRANCHES = ("equal", "where", "terms", "prefer", "direction", "window", "count", "order")
"""The keys of a rule that a branch may have too."""


def named_conditionals(
    document: Mapping[str, Any], place: Place
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the conditionals that rules may use by name.

    Raises
    ------
    RuleError
        If one has no name, or another's.
    """
    seen = set()
    for given in place.demand(document.get("conditional", []), list, "[[conditional]] tables"):
        at = place.at("conditional")
        at.table(given, ["name", "branch"], ["name", "branch"])
        name = at.demand(given["name"], str, "a name")
        if name in seen:
            msg = f"there is another conditional {name!r}; give each its own name"
            raise at.error(msg)
        seen.add(name)
        yield name, given


def read_conditionals(
    reader: TermReader,
    table: Mapping[str, Any],
    named: Mapping[str, Mapping[str, Any]],
    place: Place,
) -> Iterator[Conditional]:
    """Yield the conditionals of a rule: those that it uses by name, then its own.

    Raises
    ------
    RuleError
        If there is none of a name, or one has no branches.
    """
    at = place.at("uses")
    for name in at.demand(table.get("uses", []), list, "a list of conditionals' names"):
        if name not in named:
            hint = near_names(str(name), named)
            msg = f"there is no conditional {name!r}{hint}; known: {', '.join(named)}"
            raise at.error(msg)
        yield _conditional(reader, named[name], place.at(name))
    given = table.get("conditional", [])
    at = place.at("conditional")
    for number, one in enumerate(at.demand(given, list, "[[rule.conditional]] tables"), 1):
        at.table(one, ["name", "branch"], ["branch"])
        name = str(one.get("name", f"conditional {number}"))
        yield _conditional(reader, one, place.at(name))


def _conditional(reader: TermReader, given: Mapping[str, Any], place: Place) -> Conditional:
    branches = place.demand(given["branch"], list, "[[...branch]] tables")
    if not branches:
        msg = "it has no branch"
        raise place.error(msg)
    return Conditional(
        place.parts[-1],
        tuple(
            _branch(reader, one, place.at(f"branch {number}"))
            for number, one in enumerate(branches, 1)
        ),
    )


def _branch(reader: TermReader, given: Any, place: Place) -> Branch:
    place.table(given, ["when", "no_result", *IN_BRANCHES])
    no_result = place.at("no_result").demand(given.get("no_result", False), bool, "true")
    return Branch(
        when=reader.condition(given.get("when", []), place.at("when")),
        terms=reader.terms(given, place),
        prefer=reader.preferences(given, place),
        direction=read_direction(given, place),
        window=read_window(given, place, reader.ends),
        count=read_count(given, place),
        order=read_order(reader, given, place),
        no_result=no_result,
    )
