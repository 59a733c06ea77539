"""From the tables of a rule file to what depends on the target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from calrecords.selection.branches import Branch, Conditional
from calrecords.selection.fields import OUR_FIELDS
from calrecords.selection.order_reading import read_order
from calrecords.selection.places import Place, shown
from calrecords.selection.spelling import near_names
from calrecords.selection.term_reading import TermReader
from calrecords.selection.terms import Operator
from calrecords.selection.window_reading import read_count, read_direction, read_window

_OPERATORS = [operator.value for operator in Operator if operator is not Operator.EQUAL]
IN_BRANCHES = ("equal", "where", "terms", "prefer", "direction", "window", "count", "order")
"""The keys of a rule that a branch may have too."""

KEY_HINTS: Mapping[str, str] = {
    "else": "the last branch without a when is for all other targets",
    **dict.fromkeys(_OPERATORS, "a comparison stands in terms: terms = [{ field = 'FIELD', ... }]"),
    **{
        name: f"it is a field: write where = {{ {name} = ... }}, or equal = ['{name}']"
        for name in OUR_FIELDS
    },
    **{
        name: f"write {name}s = [...] for whom the rule is, equal = ['{name}'] for what must agree"
        for name in ("site", "camera", "instrument")
    },
}
"""What is said of a key that a rule does not have, where it is a word from elsewhere in it."""


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
    at = place.at("conditional")
    for given in at.tables(document.get("conditional", []), "[[conditional]]"):
        at.table(given, ["name", "branch"], ["name", "branch"])
        name = at.at("name").demand(given["name"], str, "a text in quotes")
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
    for name in _used(table, named, place.at("uses")):
        yield _conditional(reader, named[name], place.at(name))
    at = place.at("conditional")
    given = at.tables(table.get("conditional", []), "[[rule.conditional]]")
    for number, one in enumerate(given, 1):
        at.table(one, ["name", "branch"], ["branch"])
        name = one.get("name", f"conditional {number}")
        at.at("name").demand(name, str, "a text in quotes")
        yield _conditional(reader, one, place.at(name))


def _used(
    table: Mapping[str, Any], named: Mapping[str, Mapping[str, Any]], place: Place
) -> Iterator[str]:
    seen: set[str] = set()
    for name in place.demand(table.get("uses", []), list, "a list of conditionals' names"):
        if not isinstance(name, str) or name not in named:
            hint = near_names(name, named) if isinstance(name, str) else ""
            known = ", ".join(named) or "none; write it as [[conditional]], outside of the rules"
            msg = f"there is no conditional {shown(name)}{hint}; known: {known}"
            raise place.error(msg)
        if name in seen:
            msg = f"{name} is named twice; [defaults] are joined with the rule's own"
            raise place.error(msg)
        seen.add(name)
        yield name


def _conditional(reader: TermReader, given: Mapping[str, Any], place: Place) -> Conditional:
    branches = place.at("branch").tables(given["branch"], "[[...conditional.branch]]")
    if not branches:
        msg = "it has no branch; write one, with what changes and when"
        raise place.error(msg)
    return Conditional(
        place.parts[-1],
        tuple(
            _branch(reader, one, place.at(f"branch {number}"))
            for number, one in enumerate(branches, 1)
        ),
    )


def _branch(reader: TermReader, given: Any, place: Place) -> Branch:
    place.table(given, ["when", "no_result", *IN_BRANCHES], hints=KEY_HINTS)
    no_result = place.at("no_result").demand(given.get("no_result", False), bool, "true or false")
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
