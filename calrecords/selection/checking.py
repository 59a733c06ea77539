"""What is wrong with rules that can be read: mistakes that would only show at the telescope."""

from __future__ import annotations

from calrecords.selection.branch_mistakes import mistakes_between, mistakes_in_conditions
from calrecords.selection.findings import Finding
from calrecords.selection.rule_sets import RuleSet
from calrecords.selection.term_mistakes import mistakes_in_terms
from calrecords.selection.time_mistakes import (
    mistakes_in_count,
    mistakes_in_order,
    mistakes_in_time,
)

_IN_A_RULE = (
    mistakes_in_terms,
    mistakes_in_conditions,
    mistakes_in_time,
    mistakes_in_count,
    mistakes_in_order,
)


def find_mistakes(rules: RuleSet) -> list[Finding]:
    """Return what is wrong with rules; nothing where they can be used as they are."""
    found = [one for rule in rules.rules for look in _IN_A_RULE for one in look(rule)]
    return [*found, *mistakes_between(rules.rules)]
