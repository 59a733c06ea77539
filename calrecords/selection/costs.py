"""What a choice by a rule costs: two index probes, or what lies in its time window."""

from __future__ import annotations

from dataclasses import dataclass

from calrecords.selection.ordering import CLOSEST_IN_TIME, describe_order
from calrecords.selection.rule_sets import RuleSet
from calrecords.selection.rules import Rule


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
