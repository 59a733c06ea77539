"""From the tables of a rule file to rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from calrecords.selection.branches import Branch, Conditional
from calrecords.selection.expressions import Expression, LookupTable
from calrecords.selection.ordering import CLOSEST_IN_TIME, OrderKind, OrderPart, Weight
from calrecords.selection.rule_fields import (
    FieldNames,
    Place,
    quantity,
    read_field_names,
    read_moment,
)
from calrecords.selection.rule_sets import RuleSet
from calrecords.selection.rules import ACCEPTED, Rule
from calrecords.selection.spelling import near_names
from calrecords.selection.term_reading import TermReader, read_word
from calrecords.selection.terms import Ends, Nulls, OfTarget
from calrecords.selection.units import read_duration
from calrecords.selection.windows import Count, Direction, Window
from calrecords.vocabulary import Verdict

_JOINED = ("equal", "terms", "uses", "prefer")
_IN_BRANCHES = ("equal", "where", "terms", "prefer", "direction", "window", "count", "order")
_SHARED = (
    *_IN_BRANCHES,
    *("verdicts", "valid", "created_before", "exclusive", "nulls", "ends", "uses", "values"),
    *("required_when", "permitted_when", "stale_after"),
)
_OF_RULE = (
    *("name", "caltype", "version", "description", "sites", "cameras", "instruments"),
    *("effective", "when", "conditional"),
    *_SHARED,
)
_OF_FILE = (
    *("name", "version", "description", "fields", "attributes", "tables"),
    *("defaults", "conditional", "rule"),
)


def read_rule_set(document: Mapping[str, Any], file: str) -> RuleSet:
    """Return the rules of a file.

    Raises
    ------
    RuleError
        If they are not in the language; it names the file, the rule and the term.
    """
    place = Place(file)
    place.table(document, _OF_FILE, ["name", "rule"])
    names = read_field_names(document, place)
    tables = dict(_tables(document, place))
    named = dict(_named_conditionals(document, place))
    defaults = place.at("[defaults]").table(document.get("defaults", {}), _SHARED)
    version = str(place.at("version").demand(document.get("version", "1"), (str, int), "a text"))
    rules: list[Rule] = []
    used: set[str] = set()
    for number, table in enumerate(place.demand(document["rule"], list, "[[rule]] tables"), 1):
        name = table.get("name") if isinstance(table, dict) else None
        at = place.at(f"rule {name if isinstance(name, str) else number}")
        at.table(table, _OF_RULE, ["name", "caltype"])
        rule = _RuleReader(names, tables, named, at, version).read(_with_defaults(table, defaults))
        if rule.name in {other.name for other in rules}:
            msg = "there is another rule of this name; give each its own"
            raise at.error(msg)
        used.update(one for one in _with_defaults(table, defaults).get("uses", []))
        rules.append(rule)
    for unused in named.keys() - used:
        msg = (
            f"no rule uses it; name it in the `uses` of a rule, or remove it (conditional {unused})"
        )
        raise place.error(msg)
    return RuleSet(
        name=place.at("name").demand(document["name"], str, "a text"),
        version=version,
        rules=tuple(rules),
        description=place.demand(document.get("description", ""), str, "a text as description"),
        fields=dict(names.aliases),
        source=file,
    )


def _with_defaults(table: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule's table with what holds for all: lists are joined, the rest overridden."""
    merged = {**defaults, **table}
    for key in _JOINED:
        lists = [one[key] for one in (defaults, table) if key in one]
        if len(lists) == 2 and all(isinstance(one, list) for one in lists):
            merged[key] = [*lists[0], *lists[1]]
    for key in ("where", "values"):
        both = [one[key] for one in (defaults, table) if key in one]
        if len(both) == 2 and all(isinstance(one, dict) for one in both):
            merged[key] = {**both[0], **both[1]}
    return merged


def _tables(document: Mapping[str, Any], place: Place) -> Iterator[tuple[str, LookupTable]]:
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


def _named_conditionals(
    document: Mapping[str, Any], place: Place
) -> Iterator[tuple[str, Mapping[str, Any]]]:
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


class _RuleReader:
    """Reads one rule."""

    def __init__(
        self,
        names: FieldNames,
        tables: Mapping[str, LookupTable],
        named: Mapping[str, Mapping[str, Any]],
        place: Place,
        version: str,
    ) -> None:
        self._names = names
        self._tables = tables
        self._named = named
        self._place = place
        self._version = version

    def read(self, table: Mapping[str, Any]) -> Rule:
        """Return the rule of a table."""
        reader = self._reader(table)
        direction = self._direction(table, self._place) or Direction.EITHER
        rule = Rule(
            name=self._text(table, "name"),
            caltype=self._text(table, "caltype"),
            version=str(self._given(table, "version", (str, int), "a text", self._version)),
            description=self._given(table, "description", str, "a text", ""),
            sites=self._words(table, "sites"),
            cameras=self._words(table, "cameras"),
            instruments=self._words(table, "instruments"),
            when=reader.condition(table.get("when", []), self._place.at("when")),
            required_when=self._optional_condition(reader, table, "required_when"),
            permitted_when=self._optional_condition(reader, table, "permitted_when"),
            terms=reader.terms(table, self._place),
            conditionals=tuple(self._conditionals(reader, table)),
            prefer=reader.preferences(table, self._place),
            order=self._order(reader, table, self._place) or (CLOSEST_IN_TIME,),
            direction=direction,
            window=self._window(table, self._place, reader.ends) or Window(),
            verdicts=self._verdicts(table),
            must_be_valid=self._given(table, "valid", bool, "true or false", True),
            created_before=self._created_before(table),
            count=self._count(table, self._place),
            exclusive=self._given(table, "exclusive", bool, "true or false", False),
            stale_after=self._duration(table, "stale_after", self._place),
            nulls=reader.nulls,
            labels=self._names.labels,
        )
        self._demand_distinct(rule)
        return self._effective(rule, table)

    def _reader(self, table: Mapping[str, Any]) -> TermReader:
        nulls, ends = table.get("nulls"), table.get("ends")
        reader = TermReader(
            names=self._names,
            tables=self._tables,
            nulls=None if nulls is None else read_word(Nulls, nulls, self._place.at("nulls")),
            ends=None if ends is None else read_word(Ends, ends, self._place.at("ends")),
        )
        at = self._place.at("values")
        values: dict[str, Expression] = {}
        for name, given in at.demand(table.get("values", {}), dict, "a table").items():
            text = at.at(name).demand(given, (str, int, float), "an expression in quotes")
            known = replace(reader, values=dict(values))
            values[name] = known.expression(str(text), at.at(name))
        return replace(reader, values=values)

    def _given(
        self,
        table: Mapping[str, Any],
        key: str,
        kind: type | tuple[type, ...],
        said: str,
        default: Any,
    ) -> Any:
        return self._place.at(key).demand(table.get(key, default), kind, said)

    def _text(self, table: Mapping[str, Any], key: str) -> str:
        text: str = self._given(table, key, str, "a text", "")
        if not text.strip():
            msg = f"{key} is empty"
            raise self._place.error(msg)
        return text.strip()

    def _words(self, table: Mapping[str, Any], key: str) -> frozenset[str]:
        at = self._place.at(key)
        given = at.demand(table.get(key, []), list, "a list of names")
        if key in table and not given:
            msg = "the list is empty, so the rule is for nothing; leave it out to mean all"
            raise at.error(msg)
        return frozenset(at.demand(word, str, "a name in quotes") for word in given)

    def _optional_condition(self, reader: TermReader, table: Mapping[str, Any], key: str) -> Any:
        return None if key not in table else reader.condition(table[key], self._place.at(key))

    def _conditionals(self, reader: TermReader, table: Mapping[str, Any]) -> Iterator[Conditional]:
        at = self._place.at("uses")
        for name in at.demand(table.get("uses", []), list, "a list of conditionals' names"):
            if name not in self._named:
                hint = near_names(str(name), self._named)
                msg = f"there is no conditional {name!r}{hint}; known: {', '.join(self._named)}"
                raise at.error(msg)
            yield self._conditional(reader, self._named[name], name)
        given = table.get("conditional", [])
        at = self._place.at("conditional")
        for number, one in enumerate(at.demand(given, list, "[[rule.conditional]] tables"), 1):
            at.table(one, ["name", "branch"], ["branch"])
            yield self._conditional(reader, one, str(one.get("name", f"conditional {number}")))

    def _conditional(self, reader: TermReader, given: Mapping[str, Any], name: str) -> Conditional:
        place = self._place.at(name)
        branches = place.demand(given["branch"], list, "[[...branch]] tables")
        if not branches:
            msg = "it has no branch"
            raise place.error(msg)
        return Conditional(
            name,
            tuple(
                self._branch(reader, one, place.at(f"branch {number}"))
                for number, one in enumerate(branches, 1)
            ),
        )

    def _branch(self, reader: TermReader, given: Any, place: Place) -> Branch:
        place.table(given, ["when", "no_result", *_IN_BRANCHES])
        no_result = place.at("no_result").demand(given.get("no_result", False), bool, "true")
        return Branch(
            when=reader.condition(given.get("when", []), place.at("when")),
            terms=reader.terms(given, place),
            prefer=reader.preferences(given, place),
            direction=self._direction(given, place),
            window=self._window(given, place, reader.ends),
            count=self._count(given, place),
            order=self._order(reader, given, place),
            no_result=no_result,
        )

    def _direction(self, table: Mapping[str, Any], place: Place) -> Direction | None:
        given = table.get("direction")
        return None if given is None else read_word(Direction, given, place.at("direction"))

    def _window(self, table: Mapping[str, Any], place: Place, ends: Ends | None) -> Window | None:
        given = table.get("window")
        if given is None:
            return None
        at = place.at("window")
        if isinstance(given, dict):
            at.table(given, ["within", "before", "after", "ends"])
            if "ends" in given:
                ends = read_word(Ends, given["ends"], at.at("ends"))
        else:
            given = {"within": given}
        if given.keys() <= {"ends"}:
            msg = "say how far: '90 d', or { before = '90 d', after = '1 d' }"
            raise at.error(msg)
        if ends is None:
            msg = "say whether its ends belong to the window: ends = 'open' or 'closed'"
            raise at.error(msg)
        both = self._duration(given, "within", at)
        before = self._duration(given, "before", at)
        after = self._duration(given, "after", at)
        return Window(both if before is None else before, both if after is None else after, ends)

    def _duration(self, table: Mapping[str, Any], key: str, place: Place) -> timedelta | None:
        if key not in table:
            return None
        found: timedelta = _read(place.at(key), read_duration, table[key])
        return found

    def _count(self, table: Mapping[str, Any], place: Place) -> Count | None:
        given = table.get("count")
        if given is None:
            return None
        at = place.at("count")
        if isinstance(given, int) and not isinstance(given, bool):
            given = {"max": given}
        at.table(given, ["min", "max"])
        numbers = [
            at.at(key).demand(given.get(key, default), int, "a whole number")
            for key, default in (("min", 1), ("max", max(1, given.get("min", 1))))
        ]
        if not 1 <= numbers[0] <= numbers[1]:
            msg = f"write numbers of which 1 <= min <= max, not {numbers[0]} and {numbers[1]}"
            raise at.error(msg)
        return Count(*numbers)

    def _verdicts(self, table: Mapping[str, Any]) -> frozenset[Verdict]:
        if "verdicts" not in table:
            return ACCEPTED
        at = self._place.at("verdicts")
        given = at.demand(table["verdicts"], list, "a list, ['good', 'unknown']")
        if not given:
            msg = "the list is empty, so nothing can be chosen"
            raise at.error(msg)
        return frozenset(read_word(Verdict, one, at) for one in given)

    def _created_before(self, table: Mapping[str, Any]) -> str | None:
        given = table.get("created_before")
        if given is None:
            return None
        at = self._place.at("created_before")
        name = at.demand(given, str, "the target's field that holds the time, 'block_start'")
        resolved: str = _read(at, self._names.resolve, name)
        return resolved

    def _order(
        self, reader: TermReader, table: Mapping[str, Any], place: Place
    ) -> tuple[OrderPart, ...] | None:
        given = table.get("order")
        if given is None:
            return None
        at = place.at("order")
        parts = given if isinstance(given, list) else [given]
        if not parts:
            msg = "the list is empty; leave it out to mean closest_in_time"
            raise at.error(msg)
        return tuple(self._order_part(reader, part, at) for part in parts)

    def _order_part(self, reader: TermReader, given: Any, place: Place) -> OrderPart:
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
            return OrderPart(OrderKind.TIME, resolution=_read(at, read_duration, value))
        if word == OrderKind.WEIGHTED:
            items = at.demand(value, list, "a list of { field = ..., scale = ... }")
            if not items:
                msg = "the list is empty"
                raise at.error(msg)
            return OrderPart(
                OrderKind.WEIGHTED, weights=tuple(self._weight(reader, one, at) for one in items)
            )
        name = at.demand(value, str, "the name of a field")
        return OrderPart(OrderKind(word), _read(at, self._names.resolve, name))

    def _weight(self, reader: TermReader, given: Any, place: Place) -> Weight:
        place.table(given, ["field", "scale"], ["field", "scale"])
        label = place.demand(given["field"], str, "the name of a field")
        at = place.at(label)
        name = _read(at, self._names.resolve, label)
        scale = given["scale"]
        if isinstance(scale, dict):
            at.table(scale, ["expr"], ["expr"])
            return Weight(name, reader.expression(at.demand(scale["expr"], str, "a text"), at))
        width = _read(at, self._names.tolerance, name, scale)
        if not width:
            msg = "the scale is 0, by which nothing can be divided"
            raise at.error(msg)
        return Weight(name, width)

    def _effective(self, rule: Rule, table: Mapping[str, Any]) -> Rule:
        if "effective" not in table:
            return rule
        at = self._place.at("effective")
        given = at.table(table["effective"], ["from", "until"])
        start, end = (
            None if key not in given else _read(at.at(key), read_moment, given[key])
            for key in ("from", "until")
        )
        if start is not None and end is not None and start >= end:
            msg = "it ends before it starts, so the rule never applies"
            raise at.error(msg)
        return replace(rule, effective_from=start, effective_until=end)

    def _demand_distinct(self, rule: Rule) -> None:
        seen = set()
        for term in rule.terms:
            if term.is_equality:
                key = term.field, isinstance(term.value, OfTarget)
                if key in seen:
                    msg = "it must be equal to two things at once; remove one"
                    raise self._place.at(term.name).error(msg)
                seen.add(key)


def _read(place: Place, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except (ValueError, TypeError) as error:
        raise place.error(error) from None
