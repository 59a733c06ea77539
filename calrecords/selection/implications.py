"""What follows from a condition on a target: what it certainly has, what else must hold."""

from __future__ import annotations

from collections.abc import Mapping

from calrecords.matching import canonical_text
from calrecords.selection.branches import AllOf, AnyOf, Condition
from calrecords.selection.fields import number_of
from calrecords.selection.terms import NUMBER_OPERATORS, Nulls, OfTarget, Operator, Term


def certain_values(condition: AllOf) -> dict[str, str]:
    """Return what the targets that a condition holds for have for certain."""
    found = {}
    for part in condition.parts:
        if isinstance(part, Term) and part.is_equality and not isinstance(part.value, OfTarget):
            found[part.field] = canonical_text(part.value) or ""
    return found


def contradicts(condition: AllOf, certain: Mapping[str, str]) -> bool:
    """Return whether a condition holds for no target that has certain values."""
    values: dict[str, str] = dict(certain)
    for part in condition.parts:
        if not isinstance(part, Term) or part.target_fields:
            continue
        if part.operator is Operator.PRESENT and part.value is False and part.field in values:
            return True
        if part.field in certain and not _holds_for_text(part, certain[part.field]):
            return True
        if part.is_equality:
            text = canonical_text(part.value) or ""
            if values.setdefault(part.field, text) != text:
                return True
    return False


def _holds_for_text(term: Term, text: str) -> bool:
    if term.operator is Operator.PRESENT:
        return bool(term.value)
    if term.operator in {Operator.EQUAL, Operator.NOT_EQUAL, Operator.ONE_OF, Operator.NOT_ONE_OF}:
        return term.holds_for({term.field: text})
    return True


def implies(condition: Condition, other: Condition) -> bool:
    """Return whether one condition certainly holds wherever another one does."""
    if condition == other:
        return True
    if isinstance(other, AllOf):
        return all(implies(condition, part) for part in other.parts)
    if isinstance(other, AnyOf) and any(implies(condition, part) for part in other.parts):
        return True
    if isinstance(condition, AllOf):
        return any(implies(part, other) for part in condition.parts)
    if isinstance(condition, AnyOf):
        return all(implies(part, other) for part in condition.parts)
    return isinstance(other, Term) and _term_implies(condition, other)


def _term_implies(term: Term | AnyOf, other: Term) -> bool:
    if not isinstance(term, Term) or term.field != other.field:
        return False
    if term.target_fields or other.target_fields or term.ignores_case != other.ignores_case:
        return False
    needs_value = term.nulls is Nulls.NEVER and term.operator is not Operator.PRESENT
    if other.operator is Operator.PRESENT and other.value is True:
        return needs_value
    if term.operator in {Operator.EQUAL, Operator.ONE_OF} and needs_value:
        parts = term.value if isinstance(term.value, tuple) else (term.value,)
        return all(other.holds_for({term.field: part}) for part in parts)
    if term.operator is other.operator and term.operator in NUMBER_OPERATORS and needs_value:
        one, two = number_of(term.value), number_of(other.value)
        upward = term.operator in {Operator.ABOVE, Operator.AT_LEAST}
        return one is not None and two is not None and (one >= two if upward else one <= two)
    return False
