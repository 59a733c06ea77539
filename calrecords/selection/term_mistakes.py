"""What is wrong with the terms of a rule: those that nothing fails, and nothing satisfies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from calrecords.selection.expressions import Expression
from calrecords.selection.fields import OUR_FIELDS, Kind, number_of
from calrecords.selection.findings import Finding
from calrecords.selection.implications import can_hold
from calrecords.selection.rules import Rule
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

_WIDEST: Mapping[str, float] = {
    **{"deg": 180.0, "arcmin": 10_800.0, "arcsec": 648_000.0, "rad": 3.141592653589793},
    **{"deg C": 300.0, "K": 300.0, "s": 100_000.0, "min": 1_700.0, "h": 28.0, "d": 1.2},
    **{"Angstrom": 1e6, "nm": 1e5, "um": 100.0, "mm": 1e4, "cm": 1e4, "m": 100.0},
    **{"": 1e9, "pixel": 1e6, "electron": 1e9, "adu": 1e9},
}
"""Tolerances by unit, from which on no two frames differ by more."""

_TIMES = frozenset(name for name, field in OUR_FIELDS.items() if field.kind is Kind.TIME)


def mistakes_in_terms(rule: Rule) -> Iterator[Finding]:
    """Yield terms that reject nothing, or everything, alone or beside the others."""
    yield from _in_terms(rule.name, "", rule.terms)
    yield from _between(rule.name, "", (), rule.terms)
    for conditional in rule.conditionals:
        for number, branch in enumerate(conditional.branches, 1):
            where = f"{conditional.name}, branch {number}: "
            yield from _in_terms(rule.name, where, branch.terms)
            yield from _between(rule.name, where, rule.terms, branch.terms)


def _in_terms(rule: str, where: str, terms: Sequence[Term]) -> Iterator[Finding]:
    for term in terms:
        message = _mistake_in(term)
        if message:
            yield Finding(rule, f"{where}{term.name}", message)


def _mistake_in(term: Term) -> str:
    if term.operator in TOLERANCES:
        return _mistake_in_tolerance(term)
    if term.operator in TEXT_OPERATORS and term.value == "":
        return f"every text {term.operator.value.replace('_', ' ')} '', so it rejects nothing"
    if term.operator in NUMBER_OPERATORS and term.nulls is Nulls.MATCH:
        return "a missing value has no size: nulls is 'skip' or 'never' for a comparison"
    if term.operator is Operator.EQUAL and term.field == "dateobs":
        return "only a frame that began at this very time satisfies it; use window, or within"
    return ""


def _mistake_in_tolerance(term: Term) -> str:
    width = _width(term)
    if width is None:
        return ""
    if width == 0 and term.ends is Ends.OPEN:
        return "a tolerance of 0 with open ends rejects everything; close its ends, or use equal"
    if term.operator is Operator.WITHIN_PERCENT and width >= 100:
        return f"a tolerance of {width:g} percent reaches from 0 on, so it cannot reject; lower it"
    widest = _WIDEST.get(term.unit, 1e9) if term.field not in _TIMES else 1e10
    if term.operator is Operator.WITHIN and width >= widest:
        unit = f" {term.unit}" if term.unit else ""
        return f"a tolerance of {width:g}{unit} cannot reject; is it in the right unit?"
    return ""


def _width(term: Term) -> float | None:
    """Return the width of a tolerance; None where it depends on the target."""
    value = term.value
    if isinstance(value, Expression):
        value = None if value.fields else value.evaluate({})
    return number_of(value)


def _between(
    rule: str, where: str, given: Sequence[Term], terms: Sequence[Term]
) -> Iterator[Finding]:
    """Yield terms that others on their field leave nothing to reject, or nothing to accept."""
    for number, term in enumerate(terms):
        before = [one for one in (*given, *terms[:number]) if one.field == term.field]
        others = [*before, *(one for one in terms[number + 1 :] if one.field == term.field)]
        message = _superfluous(term, before, others)
        if message:
            yield Finding(rule, f"{where}{term.name}", message)


def _superfluous(term: Term, before: Sequence[Term], others: Sequence[Term]) -> str:
    exact = [one for one in others if _is_same_as_target(one)]
    if exact and term.operator in TOLERANCES and _is_around_target(term):
        return "the field must be equal too, so the tolerance cannot reject; remove one"
    if _is_same_as_target(term) and any(_is_same_as_target(one) for one in before):
        return "it must be equal already, so this cannot reject; remove it"
    if _is_wider(term, others):
        return "another tolerance on the field is narrower, so this one cannot reject; remove it"
    if term.target_fields:
        return ""
    fixed = [one for one in others if not one.target_fields]
    earlier = [one for one in before if not one.target_fields]
    if earlier and can_hold(earlier) and not can_hold([*earlier, term]):
        return "no value satisfies all of its terms"
    is_limit = term.operator in TOLERANCES | NUMBER_OPERATORS
    if is_limit and fixed and can_hold([*fixed, term]) and not can_hold(fixed, [term]):
        return "the other terms on the field leave nothing that it could reject; remove it"
    return ""


def _is_same_as_target(term: Term) -> bool:
    return term.operator is Operator.EQUAL and term.value == OfTarget(term.field)


def _is_around_target(term: Term) -> bool:
    return term.around == OfTarget(term.field) and not isinstance(term.value, OfTarget)


def _is_wider(term: Term, others: Sequence[Term]) -> bool:
    width = _width(term)
    return width is not None and any(
        one.operator is term.operator
        and term.operator in TOLERANCES
        and one.around == term.around
        and (other := _width(one)) is not None
        and other < width
        for one in others
    )
