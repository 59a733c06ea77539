"""The rules of an observatory, and which of them is for a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from calrecords.errors import RuleError
from calrecords.matching import MatchSet
from calrecords.selection.rules import Requirement, Rule
from calrecords.selection.spelling import near_names
from calrecords.selection.targets import Target


@dataclass(frozen=True, kw_only=True)
class RuleSet:
    """The rules of an observatory.

    Attributes
    ----------
    name, version, description : str
        What they are called, and which state of them this is.
    fields : mapping
        An observatory's names, and ours for them.
    rules : tuple of Rule
        In the order of the file.
    source : str
        Where they were read.
    """

    name: str
    version: str
    rules: tuple[Rule, ...]
    description: str = ""
    fields: Mapping[str, str] = field(default_factory=dict, hash=False)
    source: str = ""

    @cached_property
    def caltypes(self) -> tuple[str, ...]:
        """The calibration types that it has rules for, in the order of the file."""
        return tuple({rule.caltype.casefold(): rule.caltype for rule in self.rules}.values())

    @cached_property
    def _by_caltype(self) -> Mapping[str, tuple[Rule, ...]]:
        found: dict[str, list[Rule]] = {}
        for rule in self.rules:
            found.setdefault(rule.caltype.casefold(), []).append(rule)
        return {
            caltype: tuple(sorted(rules, key=lambda rule: rule.specificity, reverse=True))
            for caltype, rules in found.items()
        }

    @property
    def _said(self) -> str:
        """What messages call them: by their file, unless it has their name."""
        is_told = self.source in {"", f"{self.name}.toml"}
        return self.name if is_told else f"{self.name} ({self.source})"

    def rule(self, name: str) -> Rule:
        """Return the rule of a name.

        Raises
        ------
        RuleError
            If there is none.
        """
        for rule in self.rules:
            if rule.name == name:
                return rule
        hint = near_names(name, [rule.name for rule in self.rules])
        msg = f"the rules {self._said} have no rule {name!r}{hint}"
        raise RuleError(msg)

    def rule_for(self, caltype: str, target: Target) -> Rule:
        """Return the rule that says which calibration of a type a target needs.

        A rule for the target's camera is taken before one for its instrument, its site and
        one for all; then one with a condition before one without, then the first in the file.

        Raises
        ------
        RuleError
            If there is none.
        """
        rules = self._by_caltype.get(caltype.casefold(), ())
        for rule in rules:
            if rule.applies_to_all or rule.applies_to(target):
                return rule
        if not rules:
            known = ", ".join(self.caltypes) or "none"
            hint = near_names(caltype, self.caltypes)
            msg = (
                f"the rules {self._said} have no calibration type {caltype!r}{hint}; known: {known}"
            )
            raise RuleError(msg)
        where = ", ".join(
            f"{name} {target.values.get(name)}" for name in ("site", "camera", "instrument")
        )
        msg = (
            f"no rule of {self._said} for {caltype} is for {where} at "
            f"{target.dateobs:%Y-%m-%dT%H:%M:%S}; its rules: {', '.join(r.name for r in rules)}"
        )
        raise RuleError(msg)

    def caltypes_for(self, target: Target) -> dict[str, Requirement]:
        """Return the calibration types that a target's rules require or permit."""
        found: dict[str, Requirement] = {}
        for caltype in self.caltypes:
            rules = self._by_caltype[caltype.casefold()]
            rule = next((rule for rule in rules if rule.applies_to(target)), None)
            requirement = None if rule is None else rule.requirement_for(target)
            if requirement is not None:
                found[caltype] = requirement
        return found

    def match_sets(self) -> tuple[MatchSet, ...]:
        """Return what the records must be indexed by, so that each rule is an index probe."""
        return tuple(sorted({rule.plan.match_set for rule in self.rules}))

    def in_our_words(self, mapping: Mapping[str, Any]) -> dict[str, Any]:
        """Return a mapping in an observatory's words with our names."""
        return {self.fields.get(name, name): value for name, value in mapping.items()}
