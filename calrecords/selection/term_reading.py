"""From the tables of a rule file to terms and conditions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from calrecords.selection.branches import AllOf, AnyOf, Condition
from calrecords.selection.expressions import Expression
from calrecords.selection.fields import WORDED
from calrecords.selection.places import Place, shown
from calrecords.selection.terms import TOLERANCES, Ends, Nulls, OfTarget, Operator, Term
from calrecords.selection.value_reading import ValueReader

_OPERATORS = [operator.value for operator in Operator]
_OPTIONS = ["nulls", "case", "ends", "around", "unit"]
_DEEPEST = 20
"""Conditions that may stand inside of each other."""
_JOINS: Mapping[str, type[AnyOf] | type[AllOf]] = {"any": AnyOf, "all": AllOf}
_FIELD = "the name of a field, or { field = 'FIELD', target = 'FIELD' }"
_EXAMPLE = "{ field = 'FIELD', equal = ... }"


@dataclass(frozen=True, slots=True, kw_only=True)
class TermReader:
    """Reads the terms of one rule.

    Attributes
    ----------
    values : ValueReader
        Reads what fields are compared with.
    nulls : Nulls or None
        What a missing value means where a term does not say.
    ends : Ends or None
        Whether ends belong to a range where a term does not say.
    """

    values: ValueReader
    nulls: Nulls | None = None
    ends: Ends | None = None

    def terms(self, table: Mapping[str, Any], place: Place) -> tuple[Term, ...]:
        """Return all terms of a rule or a branch: `where`, `equal`, `terms`."""
        return (*self._where(table, place), *self._equal(table, place), *self._terms(table, place))

    def _where(self, table: Mapping[str, Any], place: Place) -> Iterator[Term]:
        at = place.at("where")
        given = at.demand(table.get("where", {}), dict, "a table, { FIELD = 'value' }")
        for name, value in given.items():
            word = Operator.ONE_OF if isinstance(value, list) else Operator.EQUAL
            yield self.term({"field": name, word.value: value}, at)

    def _equal(self, table: Mapping[str, Any], place: Place) -> Iterator[Term]:
        at = place.at("equal")
        given = at.demand(table.get("equal", []), list, "a list of fields, ['site', 'camera']")
        for number, item in enumerate(given, 1):
            if isinstance(item, str):
                yield self.term({"field": item, "equal": {"target": item}}, at)
                continue
            keys = ["field", "target", "nulls", "case"]
            _named(at, item, number).table(item, keys, ["field"], said=_FIELD)
            wanted = {"target": item.get("target", item["field"])}
            options = {key: item[key] for key in ("nulls", "case") if key in item}
            yield self.term({"field": item["field"], "equal": wanted, **options}, at)

    def _terms(self, table: Mapping[str, Any], place: Place) -> Iterator[Term]:
        at = place.at("terms")
        given = at.demand(table.get("terms", []), list, f"a list of terms, [{_EXAMPLE}]")
        for number, item in enumerate(given, 1):
            yield self.term(item, at, number)

    def preferences(self, table: Mapping[str, Any], place: Place) -> tuple[Term, ...]:
        """Return the terms of `prefer`."""
        at = place.at("prefer")
        given = at.demand(table.get("prefer", []), list, "a list of fields or terms")
        return tuple(
            self.term(
                {"field": item, "equal": {"target": item}} if isinstance(item, str) else item,
                at,
                number,
            )
            for number, item in enumerate(given, 1)
        )

    def condition(self, given: Any, place: Place) -> AllOf:
        """Return the condition that a list of terms on the target is; all must hold."""
        return AllOf(tuple(self._conditions(given, place, 1)))

    def _conditions(self, given: Any, place: Place, depth: int) -> Iterator[Condition]:
        if depth > _DEEPEST:
            msg = f"conditions are nested more than {_DEEPEST} deep; simplify them"
            raise Place(place.file, place.parts[: 1 - depth]).error(msg)
        said = "a list of conditions, [{ field = ... }], in which [] holds for every target"
        for number, item in enumerate(place.demand(given, list, said), 1):
            word = next((word for word in _JOINS if isinstance(item, dict) and word in item), None)
            if word is None:
                yield self.term(item, place, number, is_condition=True)
                continue
            at = place.at(word)
            if len(item) > 1:
                msg = f"it stands alone, {{ {word} = [...] }}; put the rest into its list"
                raise at.error(msg)
            if item[word] == []:
                msg = "the list is empty; name the conditions that it joins"
                raise at.error(msg)
            yield _JOINS[word](tuple(self._conditions(item[word], at, depth + 1)))

    def term(
        self, table: Any, place: Place, number: int = 1, *, is_condition: bool = False
    ) -> Term:
        """Return one term.

        Parameters
        ----------
        table : Any
            What stands in the file.
        place : Place
            Where.
        number : int
            Which it is in its list, for messages where it has no field.
        is_condition : bool
            Whether it looks at the target.

        Raises
        ------
        RuleError
            If it is not in the language.
        """
        known = ["field", *_OPERATORS, *_OPTIONS, *(_JOINS if is_condition else ())]
        _named(place, table, number).table(table, known, ["field"], said=f"a term, {_EXAMPLE}")
        label = place.demand(table["field"], str, "the name of a field")
        at = place.at(label or "''")
        name = at.attempt(self.values.names.resolve, label)
        given = [word for word in _OPERATORS if word in table]
        if len(given) != 1:
            said = "none" if not given else " and ".join(given)
            msg = f"a term compares in one way, this one in {said}; known: {', '.join(_OPERATORS)}"
            raise at.error(msg)
        operator = Operator(given[0])
        value = self.values.value(name, operator, table[operator.value], at)
        around = self.values.around(name, operator, table, at, is_condition)
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

    def _nulls(
        self, operator: Operator, value: Any, table: Mapping[str, Any], place: Place
    ) -> Nulls:
        if "nulls" in table:
            return place.at("nulls").word(Nulls, table["nulls"])
        if self.nulls is not None and operator is not Operator.PRESENT:
            return self.nulls
        is_same = operator is Operator.EQUAL and isinstance(value, OfTarget)
        return Nulls.MATCH if is_same else Nulls.NEVER

    def _case(self, name: str, operator: Operator, table: Mapping[str, Any], place: Place) -> bool:
        case = table.get("case", "exact")
        if case not in ("exact", "ignore"):
            msg = f"case is 'exact' or 'ignore', not {shown(case)}"
            raise place.error(msg)
        is_text = self.values.names.of(name).kind in WORDED and operator is not Operator.PRESENT
        if "case" in table and not is_text:
            msg = "only texts have a case of letters"
            raise place.error(msg)
        return bool(case == "ignore")

    def _ends(self, operator: Operator, table: Mapping[str, Any], place: Place) -> Ends:
        if "ends" in table:
            if operator not in TOLERANCES:
                msg = "only a tolerance has ends"
                raise place.error(msg)
            return place.at("ends").word(Ends, table["ends"])
        if operator in TOLERANCES and self.ends is None:
            msg = "say whether its ends belong to the tolerance: ends = 'open' or 'closed'"
            raise place.error(msg)
        return self.ends or Ends.CLOSED

    def _unit(self, name: str, value: Any, table: Mapping[str, Any], place: Place) -> str:
        unit = self.values.names.of(name).unit
        given = table.get("unit")
        if given is not None and (given != unit or not isinstance(value, Expression)):
            msg = (
                f"unit says in what an expression is, which must be the field's "
                f"({unit or 'none'}); other numbers carry theirs: '0.5 deg'"
            )
            raise place.error(msg)
        return unit


def _named(place: Place, table: Any, number: int) -> Place:
    """Return the place of a term by its field, or where it has none by its number."""
    label = table.get("field") if isinstance(table, dict) else None
    return place.at(label if isinstance(label, str) else f"number {number}")
