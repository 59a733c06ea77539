"""What is wrong with when, how many and in which order: windows, ages, counts, orders."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from calrecords.selection.findings import Finding
from calrecords.selection.ordering import OrderKind
from calrecords.selection.rules import Rule
from calrecords.selection.terms import Ends, OfTarget, Operator, Term
from calrecords.selection.windows import SIDES, Direction, days_text

_ZERO = timedelta(0)


def mistakes_in_time(rule: Rule) -> Iterator[Finding]:
    """Yield windows that hold nothing or too much, and age limits that nothing can exceed."""
    window = rule.window
    looks_before, looks_after, _ = SIDES[rule.direction]
    sides = [
        length
        for looks, length in ((looks_before, window.before), (looks_after, window.after))
        if looks
    ]
    if all(length == _ZERO for length in sides) and window.ends is Ends.OPEN:
        yield Finding(rule.name, "window", "a window of 0 with open ends holds nothing; widen it")
    if rule.stale_after == _ZERO:
        message = "every calibration of another time would be stale; leave it out to mean none"
        yield Finding(rule.name, "stale_after", message)
    if _is_fixed(rule):
        yield from _one_sided(rule)
        yield from _within(rule, sides)


def _is_fixed(rule: Rule) -> bool:
    """Return whether no branch looks elsewhere in time than the rule."""
    branches = (branch for one in rule.conditionals for branch in one.branches)
    return not any(branch.window or branch.direction for branch in branches)


def _one_sided(rule: Rule) -> Iterator[Finding]:
    looks_before, looks_after, _ = SIDES[rule.direction]
    window = rule.window
    said = rule.direction.value.replace("_", " ")
    for name, looks, length, other in (
        ("before", looks_before, window.before, window.after),
        ("after", looks_after, window.after, window.before),
    ):
        if not looks and length is not None and length != other:
            message = f"it says how far {name} the target, and the direction is {said}; remove it"
            yield Finding(rule.name, "window", message)


def _within(rule: Rule, sides: list[timedelta | None]) -> Iterator[Finding]:
    """Yield limits that nothing inside of the window exceeds."""
    lengths = [length for length in sides if length is not None]
    if len(lengths) < len(sides):
        return
    farthest = max(lengths)
    limit = rule.stale_after
    if limit and farthest <= limit:
        message = (
            f"nothing is more than {days_text(limit)} away in this window; shorten stale_after"
        )
        yield Finding(rule.name, "stale_after", message)
    for term in rule.terms:
        if _is_distance(term) and farthest.total_seconds() < term.value:
            message = "nothing is so far away in this window, so it cannot reject; remove one"
            yield Finding(rule.name, term.name, message)


def _is_distance(term: Term) -> bool:
    is_fixed = isinstance(term.value, int | float)
    return term.operator is Operator.WITHIN and is_fixed and term.around == OfTarget("dateobs")


def mistakes_in_count(rule: Rule) -> Iterator[Finding]:
    """Yield counts that a direction cannot give, and validity that nothing looks at."""
    count = rule.count_for(rule.direction)
    if rule.direction is Direction.BRACKET and count.maximum < 2:
        message = "a bracket wants one on each side, which are 2; raise it"
        yield Finding(rule.name, "count", message)
    if rule.exclusive and not rule.must_be_valid:
        message = "it guards validity, which valid = false does not look at; remove one"
        yield Finding(rule.name, "exclusive", message)


def mistakes_in_order(rule: Rule) -> Iterator[Finding]:
    """Yield parts of an order that hardly ever decide, and preferences that prefer nothing."""
    exact = next(
        (
            number
            for number, part in enumerate(rule.order)
            if part.kind is OrderKind.TIME and not part.resolution
        ),
        None,
    )
    if exact is not None and exact < len(rule.order) - 1:
        message = "what comes after the exact time hardly ever decides; cut the time into steps"
        yield Finding(rule.name, "order", message)
    demanded = [term for term in rule.terms if _is_same_as_target(term)]
    for term in rule.prefer:
        if _is_same_as_target(term) and term.field in {one.field for one in demanded}:
            message = "every candidate must be equal to the target there, so it prefers nothing"
            yield Finding(rule.name, f"prefer: {term.name}", message)


def _is_same_as_target(term: Term) -> bool:
    return term.operator is Operator.EQUAL and term.value == OfTarget(term.field)
