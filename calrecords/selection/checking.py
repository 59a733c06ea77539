"""What is wrong with rules that can be read: mistakes that would only show at the telescope."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations

from calrecords.matching import canonical_text
from calrecords.selection.expressions import Expression
from calrecords.selection.fields import OUR_FIELDS, Kind, number_of
from calrecords.selection.ordering import CLOSEST_IN_TIME, OrderKind, describe_order
from calrecords.selection.rules import (
    AllOf,
    AnyOf,
    Condition,
    Conditional,
    Direction,
    Rule,
    RuleSet,
)
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


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake in rules.

    Attributes
    ----------
    rule : str
        In which rule, or rules.
    term : str
        Where in it.
    message : str
        What is wrong, and what to do.
    """

    rule: str
    term: str
    message: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What a choice by a rule costs.

    Attributes
    ----------
    rule : str
        Which rule.
    is_two_probes : bool
        Whether it costs two index probes, however many records there are.
    reason : str
        Why it does not.
    """

    rule: str
    is_two_probes: bool
    reason: str


def find_mistakes(rules: RuleSet) -> list[Finding]:
    """Return what is wrong with rules; nothing where they can be used as they are."""
    found: list[Finding] = []
    for rule in rules.rules:
        found.extend(_in_terms(rule))
        found.extend(_in_branches(rule))
        found.extend(_in_time(rule))
        found.extend(_in_order(rule))
        found.extend(_in_bounds(rule))
    for one, other in combinations(rules.rules, 2):
        if _both_apply(one, other):
            message = (
                f"both find {one.caltype} for the same targets, and the first in the file is "
                "always taken; say with sites, cameras, instruments, effective or when which is "
                "for what"
            )
            found.append(Finding(f"{one.name} and {other.name}", "caltype", message))
    return found


def costs(rules: RuleSet) -> list[Cost]:
    """Return what a choice by each rule costs."""
    return [Cost(rule.name, not (why := _why_not_two_probes(rule)), why) for rule in rules.rules]


def _why_not_two_probes(rule: Rule) -> str:
    reasons = []
    if rule.plan.others:
        names = ", ".join(dict.fromkeys(term.name for term in rule.plan.others))
        reasons.append(f"tests each candidate for {names}")
    if any(branch.terms for one in rule.conditionals for branch in one.branches):
        reasons.append("has branches with terms of their own")
    if rule.prefer or any(branch.prefer for one in rule.conditionals for branch in one.branches):
        reasons.append("prefers some before time counts")
    orders = [rule.order, *(b.order for one in rule.conditionals for b in one.branches if b.order)]
    if any(order != (CLOSEST_IN_TIME,) for order in orders):
        reasons.append(f"orders by {describe_order(rule.order, rule.labels)}")
    return "; ".join(reasons)


def window_text(rule: Rule) -> str:
    """Return how far away in time a rule looks, for people."""
    sides = [
        f"{name} {days_text(length)}"
        for name, length in (("before", rule.window.before), ("after", rule.window.after))
        if length is not None
    ]
    if not sides:
        return "all time"
    if len(sides) == 2 and rule.window.before == rule.window.after:
        sides = [sides[0].removeprefix("before ")]
    return f"{' and '.join(sides)}, ends {rule.window.ends.value}"


def days_text(length: timedelta) -> str:
    """Return a length of time, for people."""
    seconds = length.total_seconds()
    return f"{seconds / 86400:g} d" if seconds >= 86400 else f"{seconds:g} s"


def _all_terms(rule: Rule) -> Iterator[tuple[str, Term]]:
    for term in rule.terms:
        yield term.name, term
    for conditional in rule.conditionals:
        for number, branch in enumerate(conditional.branches, 1):
            for term in branch.terms:
                yield f"{conditional.name}, branch {number}: {term.name}", term


def _in_terms(rule: Rule) -> Iterator[Finding]:
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


def _in_bounds(rule: Rule) -> Iterator[Finding]:
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


def _in_time(rule: Rule) -> Iterator[Finding]:
    """Yield windows that nothing can be in, and age limits that nothing can exceed."""
    window = rule.window
    sides = {
        Direction.BEFORE: (window.before,),
        Direction.BEFORE_OR_EQUAL: (window.before,),
        Direction.AFTER: (window.after,),
        Direction.AFTER_OR_EQUAL: (window.after,),
    }.get(rule.direction, (window.before, window.after))
    if all(length == timedelta(0) for length in sides) and window.ends is Ends.OPEN:
        yield Finding(rule.name, "window", "a window of 0 with open ends holds nothing; widen it")
    limit = rule.stale_after
    branches = [one for conditional in rule.conditionals for one in conditional.branches]
    is_fixed = not any(branch.window or branch.direction for branch in branches)
    is_within = all(length is not None and limit and length <= limit for length in sides)
    if limit is not None and is_fixed and is_within:
        message = (
            f"nothing is more than {days_text(limit)} away in this window; shorten stale_after"
        )
        yield Finding(rule.name, "stale_after", message)


def _in_order(rule: Rule) -> Iterator[Finding]:
    exact = next(
        (
            number
            for number, part in enumerate(rule.order)
            if part.kind is OrderKind.TIME and not part.resolution
        ),
        None,
    )
    if exact is not None and exact < len(rule.order) - 2:
        yield Finding(
            rule.name, "order", "several parts come after the exact time, and hardly ever decide"
        )
    keyed = {term.field for term in rule.plan.terms}
    for term in rule.prefer:
        if term.field in keyed and term.value == OfTarget(term.field):
            message = "every candidate must be equal to the target there, so it prefers nothing"
            yield Finding(rule.name, f"prefer: {term.name}", message)


def _in_branches(rule: Rule) -> Iterator[Finding]:
    for conditional in rule.conditionals:
        yield from _unreachable(rule, conditional)


def _unreachable(rule: Rule, conditional: Conditional) -> Iterator[Finding]:
    certain = _certain(rule)
    for number, branch in enumerate(conditional.branches, 1):
        where = f"{conditional.name}, branch {number}"
        if _contradicts(branch.when, certain):
            message = f"it is never reached: {rule.name} is only for other targets; remove it"
            yield Finding(rule.name, where, message)
            continue
        for earlier_number, earlier in enumerate(conditional.branches[: number - 1], 1):
            if _implies(branch.when, earlier.when):
                message = (
                    f"it is never reached: branch {earlier_number} holds for every target that "
                    "this one is for; put the narrower one first, or remove it"
                )
                yield Finding(rule.name, where, message)
                break


def _certain(rule: Rule) -> dict[str, str]:
    """Return what the targets of a rule have for certain."""
    found = {}
    for part in rule.when.parts:
        if isinstance(part, Term) and part.is_equality and not isinstance(part.value, OfTarget):
            found[part.field] = canonical_text(part.value) or ""
    return found


def _contradicts(condition: AllOf, certain: dict[str, str]) -> bool:
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


def _implies(condition: Condition, other: Condition) -> bool:
    """Return whether one condition certainly holds wherever another one does."""
    if condition == other:
        return True
    if isinstance(other, AllOf):
        return all(_implies(condition, part) for part in other.parts)
    if isinstance(other, AnyOf) and any(_implies(condition, part) for part in other.parts):
        return True
    if isinstance(condition, AllOf):
        return any(_implies(part, other) for part in condition.parts)
    if isinstance(condition, AnyOf):
        return all(_implies(part, other) for part in condition.parts)
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


def _both_apply(one: Rule, other: Rule) -> bool:
    if one.caltype.casefold() != other.caltype.casefold():
        return False
    if one.specificity != other.specificity:
        return False
    scopes = (
        (one.cameras, other.cameras),
        (one.instruments, other.instruments),
        (one.sites, other.sites),
    )
    if any(mine and not mine & theirs for mine, theirs in scopes):
        return False
    if _ends_before(one, other) or _ends_before(other, one):
        return False
    return not _contradicts(one.when, _certain(other)) and not _contradicts(
        other.when, _certain(one)
    )


def _ends_before(one: Rule, other: Rule) -> bool:
    return (
        one.effective_until is not None
        and other.effective_from is not None
        and one.effective_until <= other.effective_from
    )
