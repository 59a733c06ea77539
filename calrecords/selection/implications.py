"""Whether conditions can hold together, told by trying the values that they speak of.

A condition looks at a value in few ways: it compares it with constants. So of each field it
is enough to try the constants, what lies between and beyond them, a value of which nothing
is said, and none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise, product
from typing import Any

from calrecords.selection.branches import AllOf, AnyOf, Condition
from calrecords.selection.expressions import Expression
from calrecords.selection.terms import TEXT_OPERATORS, TOLERANCES, Operator, Term, limits

_MOST = 20_000
"""Combinations that are tried; of more it is not told."""

_OTHER = "\x00"
"""A text of which no rule speaks."""

_Facts = Mapping[int, bool]


def can_hold(wanted: Sequence[Condition], unwanted: Sequence[Condition] = ()) -> bool:
    """Return whether all of some conditions can hold where none of others does.

    What a condition compares with another field, or computes, may have any result. Where
    there is too much to try the answer is True.
    """
    terms_of: dict[str, list[Term]] = {}
    for term in _terms([*wanted, *unwanted]):
        if not term.target_fields:
            terms_of.setdefault(term.field, []).append(term)
    facts = [list(_facts(terms)) for terms in terms_of.values()]
    if math.prod(map(len, facts)) > _MOST:
        return True
    for combination in product(*facts):
        known = {name: holds for one in combination for name, holds in one.items()}
        if all(_holds(one, known, unknown=True) for one in wanted) and not any(
            _holds(one, known, unknown=False) for one in unwanted
        ):
            return True
    return False


def _terms(conditions: Iterable[Condition]) -> Iterator[Term]:
    for condition in conditions:
        if isinstance(condition, Term):
            yield condition
        else:
            yield from _terms(condition.parts)


def _facts(terms: Sequence[Term]) -> Iterator[_Facts]:
    """Yield which of the terms on one field hold, for each value that makes a difference."""
    seen = set()
    for value in _values(terms):
        fact = {id(term): term.holds_for({term.field: value}) for term in terms}
        key = tuple(fact.values())
        if key not in seen:
            seen.add(key)
            yield fact


def _holds(condition: Condition, known: _Facts, *, unknown: bool) -> bool:
    if isinstance(condition, AnyOf):
        return any(_holds(part, known, unknown=unknown) for part in condition.parts)
    if isinstance(condition, AllOf):
        return all(_holds(part, known, unknown=unknown) for part in condition.parts)
    return known.get(id(condition), unknown)


def _values(terms: Sequence[Term]) -> Iterator[Any]:
    """Yield no value, and values of the kind that the terms speak of."""
    yield None
    constants = [part for term in terms for part in _constants(term)]
    yield from constants
    kinds = {type(one) for one in constants} or {str}
    if bool in kinds:
        yield from (True, False)
    if kinds & {int, float}:
        yield from _around_numbers(sorted({float(one) for one in constants if _is_number(one)}))
    if datetime in kinds:
        moments = [one for one in constants if type(one) is datetime and 1 < one.year < 9999]
        yield from (one + timedelta(seconds=by) for one in moments for by in (-1, 1))
    if date in kinds:
        yield date.min
    if str in kinds:
        yield _OTHER
        yield from _texts(terms, sorted(one for one in constants if type(one) is str))


def _is_number(value: Any) -> bool:
    return type(value) in {int, float}


def _around_numbers(numbers: Sequence[float]) -> Iterator[float]:
    yield from (one + by for one in numbers for by in (-1.0, 1.0))
    yield from ((low + high) / 2 for low, high in pairwise(numbers))


def _constants(term: Term) -> Iterator[Any]:
    value, around = (
        part.evaluate({}) if isinstance(part, Expression) else part
        for part in (term.value, term.around)
    )
    if term.operator in TOLERANCES:
        yield from limits(term, value, around)
    elif term.operator is not Operator.PRESENT:
        yield from value if isinstance(value, tuple) else (value,)


def _texts(terms: Sequence[Term], constants: list[str]) -> Iterator[str | list[str]]:
    """Yield lists, and texts that begin, go on and end as the terms ask for."""
    operators = {term.operator for term in terms}
    if Operator.HAS in operators:
        yield from (*([one] for one in constants), constants, [_OTHER])
    if not operators & TEXT_OPERATORS:
        return
    starts, insides, ends = (
        {"", *(str(term.value) for term in terms if term.operator is operator)}
        for operator in (Operator.STARTS_WITH, Operator.CONTAINS, Operator.ENDS_WITH)
    )
    inside = _OTHER.join(sorted(insides))
    yield from (start + middle + end for start in starts for middle in insides for end in ends)
    yield from (start + _OTHER + inside + _OTHER + end for start in starts for end in ends)
