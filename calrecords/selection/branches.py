"""What of a rule depends on the target: conditions, and the branches that they choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from calrecords.selection.ordering import OrderPart
from calrecords.selection.terms import Term
from calrecords.selection.windows import Count, Direction, Window


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Conditions of which one must hold."""

    parts: tuple[Condition, ...]

    def holds_for(self, values: Mapping[str, Any]) -> bool:
        """Return whether one of them holds for a target."""
        return any(part.holds_for(values) for part in self.parts)


@dataclass(frozen=True, slots=True)
class AllOf:
    """Conditions that must all hold; of none they do."""

    parts: tuple[Condition, ...] = ()

    def holds_for(self, values: Mapping[str, Any]) -> bool:
        """Return whether all of them hold for a target."""
        return all(part.holds_for(values) for part in self.parts)


Condition = Term | AnyOf | AllOf
ALWAYS = AllOf()
"""The condition that holds for every target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """What a rule adds or changes for the targets that a condition holds for.

    Attributes
    ----------
    when : AllOf
        The condition.
    terms : tuple of Term
        Further terms.
    prefer : tuple of Term
        Further preferences.
    direction, window, count, order : optional
        In place of the rule's own; None leaves it.
    no_result : bool
        Whether there is nothing to choose.
    """

    when: AllOf = ALWAYS
    terms: tuple[Term, ...] = ()
    prefer: tuple[Term, ...] = ()
    direction: Direction | None = None
    window: Window | None = None
    count: Count | None = None
    order: tuple[OrderPart, ...] | None = None
    no_result: bool = False


@dataclass(frozen=True, slots=True)
class Conditional:
    """Branches, of which the first whose condition holds counts.

    Attributes
    ----------
    name : str
        For messages.
    branches : tuple of Branch
        In their order.
    """

    name: str
    branches: tuple[Branch, ...]

    def branch_for(self, values: Mapping[str, Any]) -> tuple[int, Branch] | None:
        """Return the number, from 1, and the branch that counts for a target."""
        for number, branch in enumerate(self.branches, start=1):
            if branch.when.holds_for(values):
                return number, branch
        return None
