"""From the tables of a rule file to what fields are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from calrecords.selection.expressions import Expression, LookupTable, parse_expression
from calrecords.selection.fields import NUMERIC, WORDED, Field, Kind, number_of
from calrecords.selection.places import Place, shown
from calrecords.selection.rule_fields import FieldNames, quantity
from calrecords.selection.terms import (
    NUMBER_OPERATORS,
    TEXT_OPERATORS,
    TOLERANCES,
    OfTarget,
    Operator,
)

_LISTS = frozenset({Operator.ONE_OF, Operator.NOT_ONE_OF})
_EQUALITIES = frozenset({Operator.EQUAL, Operator.NOT_EQUAL})


@dataclass(frozen=True, slots=True)
class ValueReader:
    """Reads constants, and what is computed from the target.

    Attributes
    ----------
    names : FieldNames
        What names mean.
    tables : mapping
        Tables that expressions may look up in.
    values : mapping
        The rule's own values, by name.
    """

    names: FieldNames
    tables: Mapping[str, LookupTable] = field(default_factory=dict)
    values: Mapping[str, Expression] = field(default_factory=dict)

    def value(self, name: str, operator: Operator, given: Any, place: Place) -> Any:
        """Return with what an operator compares a field.

        Raises
        ------
        RuleError
            If it cannot be compared so.
        """
        self._demand_kind(name, operator, place)
        at = place.at(operator.value)
        if operator is Operator.PRESENT:
            return at.demand(given, bool, "true or false")
        if isinstance(given, dict):
            return self._computed(name, operator, given, at)
        if operator in _EQUALITIES and self.names.of(name).kind is Kind.LIST:
            msg = f"a list is not one value; to ask whether it has {shown(given)} in it, use has"
            raise at.error(msg)
        if operator in _LISTS:
            parts = at.demand(given, list, "a list of values")
            if not parts:
                msg = "the list is empty, so nothing can satisfy it"
                raise at.error(msg)
            return tuple(at.attempt(self.names.constant, name, part) for part in parts)
        if isinstance(given, list):
            several = ", or use one_of for several" if operator in _EQUALITIES else ""
            msg = f"write one value{several}, not {shown(given)}"
            raise at.error(msg)
        if operator is Operator.WITHIN:
            return at.attempt(self.names.tolerance, name, given)
        if operator is Operator.WITHIN_PERCENT:
            return at.attempt(_percent, given)
        if operator in TEXT_OPERATORS | {Operator.HAS}:
            return at.demand(given, str, "a text in quotes")
        return at.attempt(self.names.constant, name, given)

    def _computed(
        self, name: str, operator: Operator, given: Mapping[str, Any], place: Place
    ) -> OfTarget | Expression:
        """Return a value that comes from the target, and can be compared as the operator does."""
        value = self._of_target(given, place)
        wanted = self.names.of(name)
        if operator in TOLERANCES | NUMBER_OPERATORS:
            if operator is Operator.WITHIN_PERCENT:
                wanted = Field(Kind.NUMBER)
            elif operator is Operator.WITHIN and wanted.kind is Kind.TIME:
                wanted = Field(Kind.NUMBER, "s")
            self._demand_number(value, wanted, place)
        if isinstance(value, Expression) and not value.fields and operator in TOLERANCES:
            width = number_of(value.evaluate({}))
            if width is not None and width < 0:
                msg = f"a tolerance is 0 or more, not {shown(value.text)}"
                raise place.error(msg)
        return value

    def _demand_number(self, value: OfTarget | Expression, wanted: Field, place: Place) -> None:
        """Check that what comes from the target has a size, and in the wanted unit."""
        if isinstance(value, OfTarget):
            found = self.names.of(value.field)
            if found.kind is not wanted.kind:
                msg = f"the target's {value.field} is of kind {found.kind.value}"
                raise place.error(f"{msg}, and a {wanted.kind.value} is needed")
            if found.unit and wanted.unit and found.unit != wanted.unit:
                msg = f"the target's {value.field} is in {found.unit}, and {wanted.unit} is needed"
                raise place.error(msg)
        elif not value.fields and number_of(result := place.attempt(value.evaluate, {})) is None:
            msg = f"{shown(value.text)} must give a finite number, not {shown(result)}"
            raise place.error(msg)

    def _of_target(self, given: Mapping[str, Any], place: Place) -> OfTarget | Expression:
        place.table(given, ["target", "expr"])
        if len(given) != 1:
            msg = "write { target = 'FIELD' } or { expr = '...' }"
            raise place.error(msg)
        if "target" in given:
            name = place.demand(given["target"], str, "the name of a field")
            return OfTarget(place.attempt(self.names.resolve, name))
        text = place.demand(given["expr"], str, "an expression in quotes")
        read = self.expression(text, place)
        if not read.fields:
            place.attempt(read.evaluate, {})
        return read

    def expression(self, text: str, place: Place) -> Expression:
        """Return an expression on the target."""

        def parsed(one: str) -> Expression:
            return parse_expression(
                one, resolve=self.names.resolve, tables=self.tables, values=self.values
            )

        read: Expression = place.attempt(parsed, text)
        return read

    def around(
        self,
        name: str,
        operator: Operator,
        table: Mapping[str, Any],
        place: Place,
        is_condition: bool,
    ) -> Any:
        """Return the middle of a tolerance; None of what is none.

        Raises
        ------
        RuleError
            If it has no size, or there should be one and is none.
        """
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
            value = self._of_target(given, place.at("around"))
            self._demand_number(value, self.names.of(name), place.at("around"))
            return value
        return place.at("around").attempt(self.names.constant, name, given)

    def _demand_kind(self, name: str, operator: Operator, place: Place) -> None:
        kind = self.names.of(name).kind
        if not _fits(operator, kind):
            msg = (
                f"{operator.value} cannot compare a field of kind {kind.value}; use {_usable(kind)}"
            )
            raise place.error(msg)


def _percent(value: Any) -> float:
    if isinstance(value, str):
        msg = f"write a number of percent without quotes, not {shown(value)}"
        raise TypeError(msg)
    number = quantity(value, "")
    if number < 0:
        msg = f"a tolerance is 0 or more, not {shown(value)}"
        raise ValueError(msg)
    return number


def _fits(operator: Operator, kind: Kind) -> bool:
    """Return whether fields of a kind can be compared by an operator."""
    if operator in TEXT_OPERATORS | {Operator.HAS}:
        return kind in WORDED
    if operator is Operator.WITHIN_PERCENT:
        return kind is Kind.NUMBER
    return operator not in TOLERANCES | NUMBER_OPERATORS or kind in NUMERIC


def _usable(kind: Kind) -> str:
    return ", ".join(operator.value for operator in Operator if _fits(operator, kind))
