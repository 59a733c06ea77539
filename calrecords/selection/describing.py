"""Rules in words, for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from calrecords.matching import canonical_text
from calrecords.selection.branches import AllOf, AnyOf, Branch, Condition
from calrecords.selection.expressions import Expression
from calrecords.selection.ordering import describe_order
from calrecords.selection.rules import Rule
from calrecords.selection.terms import TOLERANCES, OfTarget, Operator, Term
from calrecords.selection.windows import Count, days_text, window_text


def describe_rule(rule: Rule) -> dict[str, Any]:
    """Return what a rule says, by heading; what it leaves open is left out."""
    scopes = {"sites": rule.sites, "cameras": rule.cameras, "instruments": rule.instruments}
    effective = [
        f"{word} {moment:%Y-%m-%dT%H:%M:%SZ}"
        for word, moment in (("from", rule.effective_from), ("until", rule.effective_until))
        if moment is not None
    ]
    described: dict[str, Any] = {
        "name": rule.name,
        "version": rule.version,
        "description": rule.description,
        "caltype": rule.caltype,
        **{name: sorted(words) for name, words in scopes.items()},
        "effective": " ".join(effective),
        "for targets with": [describe_condition(part) for part in rule.when.parts],
        "required for": _optional(rule.required_when),
        "permitted for": _optional(rule.permitted_when),
        "terms": [describe_term(term) for term in rule.terms],
        "branches": list(_branches(rule)),
        "direction": rule.direction.value.replace("_", " "),
        "window": window_text(rule.window),
        "verdicts": sorted(rule.verdicts),
        "valid": "at the target's time" if rule.must_be_valid else "at any time",
        "created before": ""
        if rule.created_before is None
        else f"the target's {rule.created_before}",
        "prefers": [describe_term(term) for term in rule.prefer],
        "order": describe_order(rule.order, rule.labels),
        "count": _count(rule.count_for(rule.direction)),
        "stale": ""
        if rule.stale_after is None
        else f"more than {days_text(rule.stale_after)} away",
        "exclusive": "validity of one configuration must not overlap" if rule.exclusive else "",
    }
    return {name: value for name, value in described.items() if value not in ("", [], None)}


def describe_term(term: Term) -> str:
    """Return a term in words."""
    word = term.operator.value.replace("_", " ")
    if term.operator is Operator.PRESENT:
        said = f"{term.name} {'present' if term.value else 'absent'}"
    elif term.operator in TOLERANCES:
        unit = f" {term.unit}" if term.unit and term.operator is Operator.WITHIN else ""
        around = "" if term.around == OfTarget(term.field) else f" of {_said(term.around)}"
        said = f"{term.name} {word} {_said(term.value)}{unit}{around}, ends {term.ends.value}"
    elif term.value == OfTarget(term.field):
        said = (
            f"{term.name} {word} to the target's"
            if word == "equal"
            else f"{term.name} {word} the target's"
        )
    else:
        said = f"{term.name} {word} {_said(term.value)}"
    case = ", in any case of letters" if term.ignores_case else ""
    return f"{said}{case} (nulls: {term.nulls.value})"


def describe_condition(condition: Condition) -> str:
    """Return a condition on the target in words."""
    if isinstance(condition, Term):
        return describe_term(condition)
    word = " or " if isinstance(condition, AnyOf) else " and "
    return word.join(describe_condition(part) for part in condition.parts) or "always"


def _optional(condition: AllOf | None) -> str:
    return "" if condition is None else describe_condition(condition)


def _said(value: Any) -> str:
    if isinstance(value, OfTarget):
        return f"the target's {value.field}"
    if isinstance(value, Expression):
        return value.text
    if isinstance(value, tuple):
        return " or ".join(canonical_text(part) or "" for part in value)
    return canonical_text(value) or "''"


def _branches(rule: Rule) -> Iterator[str]:
    for conditional in rule.conditionals:
        for number, branch in enumerate(conditional.branches, 1):
            said = describe_condition(branch.when)
            yield f"{conditional.name}, branch {number}: when {said}: {_consequence(branch, rule)}"


def _consequence(branch: Branch, rule: Rule) -> str:
    parts = [describe_term(term) for term in branch.terms]
    parts += [f"prefers {describe_term(term)}" for term in branch.prefer]
    if branch.direction is not None:
        parts.append(f"direction {branch.direction.value.replace('_', ' ')}")
    if branch.window is not None:
        parts.append(f"window {window_text(branch.window)}")
    if branch.count is not None:
        parts.append(f"count {_count(branch.count)}")
    if branch.order is not None:
        parts.append(f"order {describe_order(branch.order, rule.labels)}")
    if branch.no_result:
        parts.append("no result")
    return "; ".join(parts) or "nothing more"


def _count(count: Count) -> str:
    few, many = count.minimum, count.maximum
    return f"{many}" if few == 1 else f"{few} to {many}"
