"""What is wrong with rules that can be read: mistakes that would only show at the telescope."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import combinations

from calrecords.selection.branches import Conditional
from calrecords.selection.findings import Finding
from calrecords.selection.implications import certain_values, contradicts, implies
from calrecords.selection.ordering import OrderKind
from calrecords.selection.rule_sets import RuleSet
from calrecords.selection.rules import Rule
from calrecords.selection.term_mistakes import mistakes_in_bounds, mistakes_in_terms
from calrecords.selection.terms import Ends, OfTarget
from calrecords.selection.windows import Direction, days_text


def find_mistakes(rules: RuleSet) -> list[Finding]:
    """Return what is wrong with rules; nothing where they can be used as they are."""
    found: list[Finding] = []
    for rule in rules.rules:
        found.extend(mistakes_in_terms(rule))
        found.extend(_in_branches(rule))
        found.extend(_in_time(rule))
        found.extend(_in_order(rule))
        found.extend(mistakes_in_bounds(rule))
    for one, other in combinations(rules.rules, 2):
        if _both_apply(one, other):
            message = (
                f"both find {one.caltype} for the same targets, and the first in the file is "
                "always taken; say with sites, cameras, instruments, effective or when which is "
                "for what"
            )
            found.append(Finding(f"{one.name} and {other.name}", "caltype", message))
    return found


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
    certain = certain_values(rule.when)
    for number, branch in enumerate(conditional.branches, 1):
        where = f"{conditional.name}, branch {number}"
        if contradicts(branch.when, certain):
            message = f"it is never reached: {rule.name} is only for other targets; remove it"
            yield Finding(rule.name, where, message)
            continue
        for earlier_number, earlier in enumerate(conditional.branches[: number - 1], 1):
            if implies(branch.when, earlier.when):
                message = (
                    f"it is never reached: branch {earlier_number} holds for every target that "
                    "this one is for; put the narrower one first, or remove it"
                )
                yield Finding(rule.name, where, message)
                break


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
    return not contradicts(one.when, certain_values(other.when)) and not contradicts(
        other.when, certain_values(one.when)
    )


def _ends_before(one: Rule, other: Rule) -> bool:
    return (
        one.effective_until is not None
        and other.effective_from is not None
        and one.effective_until <= other.effective_from
    )
