"""What is wrong with the terms of a rule: those that nothing fails, and nothing satisfies."""

from __future__ import annotations

from collections.abc import Iterator

from calrecords.matching import canonical_text
from calrecords.selection.expressions import Expression
from calrecords.selection.fields import OUR_FIELDS, Kind, number_of
from calrecords.selection.findings import Finding
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

_WIDEST = {
    **{"deg": 180.0, "arcmin": 10_800.0, "arcsec": 648_000.0, "rad": 3.141592653589793},
    **{"deg C": 300.0, "K": 300.0, "s": 100_000.0, "min": 1_700.0, "h": 28.0, "d": 1.2},
    **{"Angstrom": 1e6, "nm": 1e5, "um": 100.0, "mm": 1e4, "cm": 1e4, "m": 100.0},
    **{"": 1e9, "pixel": 1e6, "electron": 1e9, "adu": 1e9},
}
"""Tolerances by unit, from which on no two frames differ by more."""


_TIMES = frozenset(name for name, field in OUR_FIELDS.items() if field.kind is Kind.TIME)


def _all_terms(rule: Rule) -> Iterator[tuple[str, Term]]:
    for term in rule.terms:
        yield term.name, term
    for conditional in rule.conditionals:
        for number, branch in enumerate(conditional.branches, 1):
            for term in branch.terms:
                yield f"{conditional.name}, branch {number}: {term.name}", term


def mistakes_in_terms(rule: Rule) -> Iterator[Finding]:
    """Yield terms that reject nothing, or everything, by themselves."""
    for name, term in _all_terms(rule):
        message = _mistake_in(term)
        if message:
            yield Finding(rule.name, name, message)
    seen: dict[str, set[str]] = {}
    for term in rule.terms:
        if term.is_equality and not isinstance(term.value, OfTarget):
            seen.setdefault(term.field, set()).add(canonical_text(term.value) or "")
        if term.operator is Operator.ONE_OF and term.field in seen:
            allowed = {canonical_text(part) or "" for part in term.value}
            if not seen[term.field] & allowed:
                yield Finding(rule.name, term.name, "no value satisfies all of its terms")


def _mistake_in(term: Term) -> str:
    if term.operator in TOLERANCES:
        return _mistake_in_tolerance(term)
    if term.operator in TEXT_OPERATORS and term.value == "":
        return f"every text {term.operator.value.replace('_', ' ')} '', so it rejects nothing"
    if term.operator in NUMBER_OPERATORS and term.nulls is Nulls.MATCH:
        return "a missing value has no size: nulls is 'skip' or 'never' for a comparison"
    return ""


def _mistake_in_tolerance(term: Term) -> str:
    value = term.value
    if isinstance(value, Expression) and not value.fields:
        value = value.evaluate({})
    width = number_of(value)
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


def mistakes_in_bounds(rule: Rule) -> Iterator[Finding]:
    """Yield tolerances on a field that another term of the rule keeps narrower already."""
    lows: dict[str, float] = {}
    highs: dict[str, float] = {}
    for term in rule.terms:
        limit = number_of(term.value)
        if limit is None or isinstance(term.value, OfTarget):
            continue
        if term.operator in {Operator.ABOVE, Operator.AT_LEAST}:
            lows[term.field] = limit
        if term.operator in {Operator.BELOW, Operator.AT_MOST}:
            highs[term.field] = limit
    for name in lows.keys() & highs.keys():
        if lows[name] > highs[name]:
            yield Finding(rule.name, name, "no number is above the one and below the other limit")
    for term in rule.terms:
        is_own = term.around == OfTarget(term.field) and not isinstance(term.value, OfTarget)
        exact = any(
            other.value == OfTarget(term.field) and other.field == term.field
            for other in rule.terms
            if other.operator is Operator.EQUAL
        )
        if term.operator in TOLERANCES and is_own and exact:
            message = "the field must be equal too, so the tolerance cannot reject; remove one"
            yield Finding(rule.name, term.name, message)
