"""From the tables of a rule file to terms and conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from calrecords.selection.branches import AllOf, AnyOf, Condition
from calrecords.selection.expressions import Expression, LookupTable, parse_expression
from calrecords.selection.fields import Kind
from calrecords.selection.rule_fields import FieldNames, Place, quantity
from calrecords.selection.spelling import near_names
from calrecords.selection.terms import (
    NUMBER_OPERATORS,
    TEXT_OPERATORS,
    TOLERANCES,
    Ends,
    Nulls,
    OfTarget,
    Operator,
    Term,
)

_Word = TypeVar("_Word", bound=StrEnum)
_OPERATORS = [operator.value for operator in Operator]
_OPTIONS = ["nulls", "case", "ends", "around", "unit"]
_LISTS = frozenset({Operator.ONE_OF, Operator.NOT_ONE_OF})
_NUMERIC = frozenset({Kind.NUMBER, Kind.TIME})
_WORDED = frozenset({Kind.TEXT, Kind.LIST, Kind.BINNING, Kind.OBSTYPE, Kind.MODE})


def read_word(words: type[_Word], value: Any, place: Place) -> _Word:
    """Return one of a closed set of words.

    Raises
    ------
    RuleError
        If it is none of them.
    """
    known = [word.value for word in words]
    if value not in known:
        hint = near_names(str(value), known)
        msg = f"{value!r} is none of {', '.join(known)}{hint}"
        raise place.error(msg)
    return words(value)


def attempt(place: Place, function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function gives.

    Raises
    ------
    RuleError
        If it refuses, at this place.
    """
    try:
        return function(*arguments)
    except (ValueError, TypeError) as error:
        raise place.error(error) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class TermReader:
    """Reads the terms of one rule.

    Attributes
    ----------
    names : FieldNames
        What names mean.
    tables : mapping
        Tables that expressions may look up in.
    values : mapping
        The rule's own values, by name.
    nulls : Nulls or None
        What a missing value means where a term does not say.
    ends : Ends or None
        Whether ends belong to a range where a term does not say.
    """

    names: FieldNames
    tables: Mapping[str, LookupTable] = field(default_factory=dict)
    values: Mapping[str, Expression] = field(default_factory=dict)
    nulls: Nulls | None = None
    ends: Ends | None = None

    def terms(self, table: Mapping[str, Any], place: Place) -> tuple[Term, ...]:
        """Return all terms of a rule or a branch: `where`, `equal`, `terms`."""
        return (*self._where(table, place), *self._equal(table, place), *self._terms(table, place))

    def _where(self, table: Mapping[str, Any], place: Place) -> Iterator[Term]:
        at = place.at("where")
        for name, value in at.demand(table.get("where", {}), dict, "a table").items():
            word = Operator.ONE_OF if isinstance(value, list) else Operator.EQUAL
            yield self.term({"field": name, word.value: value}, at)

    def _equal(self, table: Mapping[str, Any], place: Place) -> Iterator[Term]:
        at = place.at("equal")
        given = at.demand(table.get("equal", []), list, "a list of fields, ['site', 'camera']")
        for item in given:
            if isinstance(item, str):
                yield self.term({"field": item, "equal": {"target": item}}, at)
                continue
            at.table(item, ["field", "target", "nulls", "case"], ["field"])
            wanted = {"target": item.get("target", item["field"])}
            options = {key: item[key] for key in ("nulls", "case") if key in item}
            yield self.term({"field": item["field"], "equal": wanted, **options}, at)

    def _terms(self, table: Mapping[str, Any], place: Place) -> Iterator[Term]:
        at = place.at("terms")
        for item in at.demand(table.get("terms", []), list, "a list of tables"):
            yield self.term(item, at)

    def preferences(self, table: Mapping[str, Any], place: Place) -> tuple[Term, ...]:
        """Return the terms of `prefer`."""
        at = place.at("prefer")
        given = at.demand(table.get("prefer", []), list, "a list of fields or terms")
        return tuple(
            self.term(
                {"field": item, "equal": {"target": item}} if isinstance(item, str) else item, at
            )
            for item in given
        )

    def condition(self, given: Any, place: Place) -> AllOf:
        """Return the condition that a list of terms on the target is; all must hold."""
        return AllOf(tuple(self._conditions(given, place)))

    def _conditions(self, given: Any, place: Place) -> Iterator[Condition]:
        for item in place.demand(given, list, "a list of conditions, [{ field = ... }]"):
            place.demand(item, dict, "a condition, { field = ... }")
            if item.keys() == {"any"}:
                yield AnyOf(tuple(self._conditions(item["any"], place.at("any"))))
            elif item.keys() == {"all"}:
                yield AllOf(tuple(self._conditions(item["all"], place.at("all"))))
            else:
                yield self.term(item, place, is_condition=True)

    def term(self, table: Any, place: Place, *, is_condition: bool = False) -> Term:
        """Return one term.

        Raises
        ------
        RuleError
            If it is not in the language.
        """
        place.table(table, ["field", *_OPERATORS, *_OPTIONS], ["field"])
        label = place.demand(table["field"], str, "the name of a field")
        at = place.at(label)
        name = attempt(at, self.names.resolve, label)
        given = [word for word in _OPERATORS if word in table]
        if len(given) != 1:
            said = "none" if not given else " and ".join(given)
            msg = f"a term compares in one way, this one in {said}; known: {', '.join(_OPERATORS)}"
            raise at.error(msg)
        operator = Operator(given[0])
        self._demand_kind(name, operator, at)
        value = self._value(name, operator, table[operator.value], at)
        around = self._around(name, operator, table, at, is_condition)
        return Term(
            field=name,
            operator=operator,
            value=value,
            around=around,
            nulls=self._nulls(operator, value, table, at),
            ignores_case=self._case(name, operator, table, at),
            ends=self._ends(operator, table, at),
            unit=self._unit(name, value, table, at),
            label=label,
        )

    def _demand_kind(self, name: str, operator: Operator, place: Place) -> None:
        kind = self.names.of(name).kind
        wrong = (
            (operator in TEXT_OPERATORS | {Operator.HAS} and kind not in _WORDED)
            or (operator in TOLERANCES | NUMBER_OPERATORS and kind not in _NUMERIC)
            or (operator is Operator.WITHIN_PERCENT and kind is Kind.TIME)
        )
        if wrong:
            msg = f"{operator.value} cannot compare a field of kind {kind.value}"
            raise place.error(msg)

    def _value(self, name: str, operator: Operator, given: Any, place: Place) -> Any:
        at = place.at(operator.value)
        if operator is Operator.PRESENT:
            return at.demand(given, bool, "true or false")
        if isinstance(given, dict):
            return self.computed(given, at)
        if operator in _LISTS:
            parts = at.demand(given, list, "a list of values")
            if not parts:
                msg = "the list is empty, so nothing can satisfy it"
                raise at.error(msg)
            return tuple(attempt(at, self.names.constant, name, part) for part in parts)
        if isinstance(given, list):
            msg = "write one value, or use one_of for several"
            raise at.error(msg)
        if operator is Operator.WITHIN:
            return attempt(at, self.names.tolerance, name, given)
        if operator is Operator.WITHIN_PERCENT:
            return attempt(at, _percent, given)
        if operator in TEXT_OPERATORS | {Operator.HAS}:
            return at.demand(given, str, "a text")
        return attempt(at, self.names.constant, name, given)

    def computed(self, given: Mapping[str, Any], place: Place) -> OfTarget | Expression:
        """Return a value that comes from the target: ``{ target = ... }`` or ``{ expr = ... }``."""
        place.table(given, ["target", "expr"])
        if len(given) != 1:
            msg = "write { target = 'FIELD' } or { expr = '...' }"
            raise place.error(msg)
        if "target" in given:
            name = place.demand(given["target"], str, "the name of a field")
            return OfTarget(attempt(place, self.names.resolve, name))
        text = place.demand(given["expr"], str, "an expression in quotes")
        return self.expression(text, place)

    def expression(self, text: str, place: Place) -> Expression:
        """Return an expression on the target."""

        def parsed(one: str) -> Expression:
            return parse_expression(
                one, resolve=self.names.resolve, tables=self.tables, values=self.values
            )

        read: Expression = attempt(place, parsed, text)
        return read

    def _around(
        self,
        name: str,
        operator: Operator,
        table: Mapping[str, Any],
        place: Place,
        is_condition: bool,
    ) -> Any:
        if operator not in TOLERANCES:
            if "around" in table:
                msg = "around is the middle of a tolerance: it goes with within"
                raise place.error(msg)
            return None
        given = table.get("around")
        if given is None:
            if is_condition:
                msg = "a condition looks at the target, so its tolerance needs around = ..."
                raise place.error(msg)
            return OfTarget(name)
        if isinstance(given, dict):
            return self.computed(given, place.at("around"))
        return attempt(place.at("around"), self.names.constant, name, given)

    def _nulls(
        self, operator: Operator, value: Any, table: Mapping[str, Any], place: Place
    ) -> Nulls:
        if "nulls" in table:
            return read_word(Nulls, table["nulls"], place.at("nulls"))
        if self.nulls is not None and operator is not Operator.PRESENT:
            return self.nulls
        is_same = operator is Operator.EQUAL and isinstance(value, OfTarget)
        return Nulls.MATCH if is_same else Nulls.NEVER

    def _case(self, name: str, operator: Operator, table: Mapping[str, Any], place: Place) -> bool:
        case = table.get("case", "exact")
        if case not in {"exact", "ignore"}:
            msg = f"case is 'exact' or 'ignore', not {case!r}"
            raise place.error(msg)
        is_text = self.names.of(name).kind in _WORDED and operator is not Operator.PRESENT
        if "case" in table and not is_text:
            msg = "only texts have a case of letters"
            raise place.error(msg)
        return bool(case == "ignore")

    def _ends(self, operator: Operator, table: Mapping[str, Any], place: Place) -> Ends:
        if "ends" in table:
            if operator not in TOLERANCES:
                msg = "only a tolerance has ends"
                raise place.error(msg)
            return read_word(Ends, table["ends"], place.at("ends"))
        if operator in TOLERANCES and self.ends is None:
            msg = "say whether its ends belong to the tolerance: ends = 'open' or 'closed'"
            raise place.error(msg)
        return self.ends or Ends.CLOSED

    def _unit(self, name: str, value: Any, table: Mapping[str, Any], place: Place) -> str:
        unit = self.names.of(name).unit
        given = table.get("unit")
        if given is not None and (given != unit or not isinstance(value, Expression)):
            msg = (
                f"unit says in what an expression is, which must be the field's "
                f"({unit or 'none'}); other numbers carry theirs: '0.5 deg'"
            )
            raise place.error(msg)
        return unit


def _percent(value: Any) -> float:
    number = quantity(value, "")
    if number < 0:
        msg = f"a tolerance is 0 or more, not {value!r}"
        raise ValueError(msg)
    return number
