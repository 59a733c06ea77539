"""What is wrong with the conditions of rules: for whom they are, and what is never reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from calrecords.selection.branches import AllOf, Conditional
from calrecords.selection.findings import Finding
from calrecords.selection.implications import can_hold
from calrecords.selection.rules import Rule
from calrecords.selection.terms import Operator, Term


def targets_of(rule: Rule) -> AllOf:
    """Return for which targets a rule is, as a condition; its dates aside."""
    scopes = (("site", rule.sites), ("camera", rule.cameras), ("instrument", rule.instruments))
    terms = (
        Term(field=name, operator=Operator.ONE_OF, value=tuple(sorted(words)))
        for name, words in scopes
        if words
    )
    return AllOf((*terms, *rule.when.parts))


def mistakes_in_conditions(rule: Rule) -> Iterator[Finding]:
    """Yield branches that are never reached, and conditions that never hold."""
    targets = targets_of(rule)
    if not can_hold([targets]):
        message = "no target satisfies all of its conditions, so the rule is never used"
        yield Finding(rule.name, "when", message)
        return
    for conditional in rule.conditionals:
        yield from _unreachable(rule, targets, conditional)
    required, permitted = rule.required_when, rule.permitted_when
    if required is not None and not can_hold([targets, required]):
        message = "none of its targets satisfies all of these, so it is never required"
        yield Finding(rule.name, "required_when", message)
    if permitted is not None and not can_hold(
        [targets, permitted], [] if required is None else [required]
    ):
        message = "where these hold it is required already, or the rule is only for other targets"
        yield Finding(rule.name, "permitted_when", message)


def _unreachable(rule: Rule, targets: AllOf, conditional: Conditional) -> Iterator[Finding]:
    for number, branch in enumerate(conditional.branches, 1):
        earlier = [one.when for one in conditional.branches[: number - 1]]
        why = _why_never(rule, targets, branch.when, earlier)
        if why:
            where = f"{conditional.name}, branch {number}"
            yield Finding(rule.name, where, f"it is never reached: {why}")


def _why_never(rule: Rule, targets: AllOf, when: AllOf, earlier: Sequence[AllOf]) -> str:
    if not can_hold([when]):
        return "no target satisfies all of its conditions; remove it"
    if not can_hold([targets, when]):
        return f"{rule.name} is only for other targets; remove it"
    for number, one in enumerate(earlier, 1):
        if not can_hold([targets, when], [one]):
            return (
                f"branch {number} holds for every target that this one is for; put the narrower "
                "one first, or remove it"
            )
    if not can_hold([targets, when], earlier):
        return "the branches before hold for every target that this one is for; remove it"
    return ""


def mistakes_between(rules: Sequence[Rule]) -> Iterator[Finding]:
    """Yield rules of one type that are for the same targets, and those that none is left for."""
    for one, other in combinations(rules, 2):
        if _both_apply(one, other):
            message = (
                f"both find {one.caltype} for the same targets, and the first in the file is "
                "always taken; say with sites, cameras, instruments, effective or when which is "
                "for what"
            )
            yield Finding(f"{one.name} and {other.name}", "caltype", message)
    for rule in rules:
        narrower = [
            other
            for other in rules
            if _is_alike(rule, other)
            and other.specificity > rule.specificity
            and other.effective_from is None
            and other.effective_until is None
        ]
        targets = targets_of(rule)
        if can_hold([targets]) and not can_hold([targets], [targets_of(one) for one in narrower]):
            names = ", ".join(one.name for one in narrower)
            message = f"it is never used: what says more narrowly whom it is for ({names}) is taken"
            yield Finding(rule.name, "caltype", message)


def _both_apply(one: Rule, other: Rule) -> bool:
    return (
        _is_alike(one, other)
        and one.specificity == other.specificity
        and not _ends_before(one, other)
        and not _ends_before(other, one)
        and can_hold([targets_of(one), targets_of(other)])
    )


def _is_alike(one: Rule, other: Rule) -> bool:
    return one.caltype.casefold() == other.caltype.casefold()


def _ends_before(one: Rule, other: Rule) -> bool:
    return (
        one.effective_until is not None
        and other.effective_from is not None
        and one.effective_until <= other.effective_from
    )
