"""From the tables of a rule file to rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from calrecords.selection.branch_reading import (
    IN_BRANCHES,
    named_conditionals,
    read_conditionals,
)
from calrecords.selection.expressions import Expression, LookupTable
from calrecords.selection.order_reading import read_order
from calrecords.selection.ordering import CLOSEST_IN_TIME
from calrecords.selection.rule_fields import FieldNames, Place, read_field_names, read_moment
from calrecords.selection.rule_sets import RuleSet
from calrecords.selection.rules import ACCEPTED, Rule
from calrecords.selection.table_reading import read_tables
from calrecords.selection.term_reading import TermReader, attempt, read_word
from calrecords.selection.terms import Ends, Nulls, OfTarget
from calrecords.selection.window_reading import (
    read_count,
    read_direction,
    read_length,
    read_window,
)
from calrecords.selection.windows import ENDLESS, Direction
from calrecords.vocabulary import Verdict

_JOINED = ("equal", "terms", "uses", "prefer")
_SHARED = (
    *IN_BRANCHES,
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
    tables = dict(read_tables(document, place))
    named = dict(named_conditionals(document, place))
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
        direction = read_direction(table, self._place) or Direction.EITHER
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
            conditionals=tuple(read_conditionals(reader, table, self._named, self._place)),
            prefer=reader.preferences(table, self._place),
            order=read_order(reader, table, self._place) or (CLOSEST_IN_TIME,),
            direction=direction,
            window=read_window(table, self._place, reader.ends) or ENDLESS,
            verdicts=self._verdicts(table),
            must_be_valid=self._given(table, "valid", bool, "true or false", True),
            created_before=self._created_before(table),
            count=read_count(table, self._place),
            exclusive=self._given(table, "exclusive", bool, "true or false", False),
            stale_after=read_length(table, "stale_after", self._place),
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
        resolved: str = attempt(at, self._names.resolve, name)
        return resolved

    def _effective(self, rule: Rule, table: Mapping[str, Any]) -> Rule:
        if "effective" not in table:
            return rule
        at = self._place.at("effective")
        given = at.table(table["effective"], ["from", "until"])
        start, end = (
            None if key not in given else attempt(at.at(key), read_moment, given[key])
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
