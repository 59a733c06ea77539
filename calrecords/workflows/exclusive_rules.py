"""Which rules allow one version of a configuration at a time, of what a frame is."""

from __future__ import annotations

from calrecords.errors import RuleError
from calrecords.frames import CalibrationFrame
from calrecords.matching import MatchSet, canonical_text
from calrecords.selection import Rule, RuleSet, make_target
from calrecords.selection.fields import value_of


def exclusive_rules(rules: RuleSet, frame: CalibrationFrame) -> dict[str, MatchSet]:
    """Return the exclusive rules that a frame is a candidate of, by name.

    Of the rules of one type, the one counts that is for a target of the frame's own camera
    and time.

    Returns
    -------
    dict of str to MatchSet
        For each rule what makes versions ones of the same configuration.
    """
    if frame.dateobs is None:
        return {}
    caltypes = {rule.caltype for rule in rules.rules if rule.exclusive}
    found = [_rule_for(rules, caltype, frame) for caltype in sorted(caltypes)]
    return {rule.name: rule.plan.match_set for rule in found if rule is not None}


def _rule_for(rules: RuleSet, caltype: str, frame: CalibrationFrame) -> Rule | None:
    try:
        rule = rules.rule_for(caltype, make_target(frame))
    except RuleError:  # none is for this camera
        return None
    is_candidate = all(
        canonical_text(value_of(frame, name)) == canonical_text(wanted)
        for name, wanted in rule.plan.constants.items()
    )
    return rule if rule.exclusive and is_candidate else None
