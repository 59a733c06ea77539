"""From a table of a rule file to one rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from calrecords.selection.branch_reading import IN_BRANCHES, read_conditionals
from calrecords.selection.expressions import FUNCTIONS, Expression, LookupTable, demand_name
from calrecords.selection.fields import Kind
from calrecords.selection.order_reading import read_order
from calrecords.selection.ordering import CLOSEST_IN_TIME
from calrecords.selection.places import Place, shown
from calrecords.selection.rule_fields import FieldNames, read_moment
from calrecords.selection.rules import ACCEPTED, Rule
from calrecords.selection.term_reading import TermReader
from calrecords.selection.terms import Ends, Nulls, OfTarget
from calrecords.selection.value_reading import ValueReader
from calrecords.selection.window_reading import (
    read_count,
    read_direction,
    read_length,
    read_window,
)
from calrecords.selection.windows import ENDLESS, Direction
from calrecords.vocabulary import Verdict

IN_DEFAULTS = (
    *IN_BRANCHES,
    *("verdicts", "valid", "created_before", "exclusive", "nulls", "ends", "uses", "values"),
    *("required_when", "permitted_when", "stale_after"),
)
"""The keys that may hold for all rules of a file."""

IN_RULES = (
    *("name", "caltype", "version", "description", "sites", "cameras", "instruments"),
    *("effective", "when", "conditional"),
    *IN_DEFAULTS,
)
"""The keys of a rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleReader:
    """Reads one rule.

    Attributes
    ----------
    names : FieldNames
        What names mean.
    tables : mapping
        Tables that expressions may look up in.
    named : mapping
        The conditionals that rules may use by name.
    place : Place
        Where the rule stands.
    version : str
        Of the file; of a rule that does not say.
    """

    names: FieldNames
    tables: Mapping[str, LookupTable]
    named: Mapping[str, Mapping[str, Any]]
    place: Place
    version: str

    def read(self, table: Mapping[str, Any]) -> Rule:
        """Return the rule of a table."""
        reader = self._reader(table)
        direction = read_direction(table, self.place) or Direction.EITHER
        rule = Rule(
            name=line_of_text(table["name"], self.place.at("name")),
            caltype=line_of_text(table["caltype"], self.place.at("caltype")),
            version=version_text(table.get("version", self.version), self.place),
            description=self._given(table, "description", str, "a text in quotes", ""),
            sites=self._words(table, "sites"),
            cameras=self._words(table, "cameras"),
            instruments=self._words(table, "instruments"),
            when=reader.condition(table.get("when", []), self.place.at("when")),
            required_when=self._optional_condition(reader, table, "required_when"),
            permitted_when=self._optional_condition(reader, table, "permitted_when"),
            terms=reader.terms(table, self.place),
            conditionals=tuple(read_conditionals(reader, table, self.named, self.place)),
            prefer=reader.preferences(table, self.place),
            order=read_order(reader, table, self.place) or (CLOSEST_IN_TIME,),
            direction=direction,
            window=read_window(table, self.place, reader.ends) or ENDLESS,
            verdicts=self._verdicts(table),
            must_be_valid=self._given(table, "valid", bool, "true or false", True),
            created_before=self._created_before(table),
            count=read_count(table, self.place),
            exclusive=self._given(table, "exclusive", bool, "true or false", False),
            stale_after=read_length(table, "stale_after", self.place),
            nulls=reader.nulls,
            labels=self.names.labels,
            source=self.place.file,
        )
        self._demand_distinct(rule)
        return self._effective(rule, table)

    def _reader(self, table: Mapping[str, Any]) -> TermReader:
        nulls, ends = table.get("nulls"), table.get("ends")
        reader = TermReader(
            values=ValueReader(self.names, self.tables),
            nulls=None if nulls is None else self.place.at("nulls").word(Nulls, nulls),
            ends=None if ends is None else self.place.at("ends").word(Ends, ends),
        )
        at = self.place.at("values")
        values: dict[str, Expression] = {}
        given = at.demand(table.get("values", {}), dict, "a table, { NAME = 'expression' }")
        for name, expression in given.items():
            at.attempt(demand_name, name, [*FUNCTIONS, *self.tables])
            text = at.at(name).demand(expression, (str, int, float), "an expression in quotes")
            known = replace(reader.values, values=dict(values))
            values[name] = known.expression(str(text), at.at(name))
        return replace(reader, values=replace(reader.values, values=values))

    def _given(
        self,
        table: Mapping[str, Any],
        key: str,
        kind: type | tuple[type, ...],
        said: str,
        default: Any,
    ) -> Any:
        return self.place.at(key).demand(table.get(key, default), kind, said)

    def _words(self, table: Mapping[str, Any], key: str) -> frozenset[str]:
        at = self.place.at(key)
        given = at.demand(table.get(key, []), list, "a list of names")
        if key in table and not given:
            msg = "the list is empty, so the rule is for nothing; leave it out to mean all"
            raise at.error(msg)
        return frozenset(line_of_text(word, at) for word in given)

    def _optional_condition(self, reader: TermReader, table: Mapping[str, Any], key: str) -> Any:
        return None if key not in table else reader.condition(table[key], self.place.at(key))

    def _verdicts(self, table: Mapping[str, Any]) -> frozenset[Verdict]:
        if "verdicts" not in table:
            return ACCEPTED
        at = self.place.at("verdicts")
        given = at.demand(table["verdicts"], list, "a list, ['good', 'unknown']")
        if not given:
            msg = "the list is empty, so nothing can be chosen"
            raise at.error(msg)
        return frozenset(at.word(Verdict, one) for one in given)

    def _created_before(self, table: Mapping[str, Any]) -> str | None:
        given = table.get("created_before")
        if given is None:
            return None
        at = self.place.at("created_before")
        name = at.demand(given, str, "the target's field that holds the time, 'block_start'")
        resolved: str = at.attempt(self.names.resolve, name)
        kind = self.names.of(resolved).kind
        if kind is not Kind.TIME:
            msg = f"it names a time, and {name} is of kind {kind.value}; declare it as 'time'"
            raise at.error(msg)
        return resolved

    def _effective(self, rule: Rule, table: Mapping[str, Any]) -> Rule:
        if "effective" not in table:
            return rule
        at = self.place.at("effective")
        said = "{ from = 2026-01-01, until = 2027-01-01 }, or one of both"
        given = at.table(table["effective"], ["from", "until"], said=said)
        if not given:
            msg = f"it is empty; write {said}"
            raise at.error(msg)
        start, end = (
            None if key not in given else at.at(key).attempt(read_moment, given[key])
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
                    msg = (
                        "it must be equal to two things at once; remove one (what [defaults] say "
                        "is joined with the rule's own)"
                    )
                    raise self.place.at(term.name).error(msg)
                seen.add(key)


def line_of_text(value: Any, place: Place) -> str:
    """Return a name that stands in one line.

    Raises
    ------
    RuleError
        If it is no text, or empty, or more than a line.
    """
    text: str = place.demand(value, str, "a name in quotes")
    if not text.strip() or not text.isprintable():
        msg = f"write one line of text, not {shown(value)}"
        raise place.error(msg)
    return text.strip()


def version_text(value: Any, place: Place) -> str:
    """Return a version, which may be written as a whole number.

    Raises
    ------
    RuleError
        If it is something else.
    """
    return str(place.at("version").demand(value, (str, int), "a text in quotes, '1.0'"))
