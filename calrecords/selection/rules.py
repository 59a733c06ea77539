"""A rule: which calibration a target needs, as frozen data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from calrecords.errors import RuleError
from calrecords.matching import MatchSet
from calrecords.selection.branches import ALWAYS, AllOf, Conditional
from calrecords.selection.fields import is_in_keys
from calrecords.selection.ordering import CLOSEST_IN_TIME, OrderPart
from calrecords.selection.targets import Target
from calrecords.selection.terms import Nulls, OfTarget, Operator, Term
from calrecords.selection.windows import ENDLESS, Count, Direction, Window
from calrecords.vocabulary import Verdict

ACCEPTED = frozenset({Verdict.GOOD, Verdict.UNKNOWN})
ALWAYS_EQUAL = frozenset({"site", "camera", "obstype"})
"""Fields that no other list of equal fields replaces."""

_ONE = Count()
_ONE_OF_EACH = Count(1, 2)


class Requirement(StrEnum):
    """Whether a target cannot do without a calibration."""

    REQUIRED = "required"
    PERMITTED = "permitted"


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """How the key of a rule's match set is made from a target.

    Attributes
    ----------
    match_set : MatchSet
        The fields.
    constants : mapping
        Values that are the same for every target.
    sources : tuple of (str, str, Term)
        Field, the target's field that gives it, and the term.
    terms : tuple of Term
        The terms that the key answers.
    others : tuple of Term
        The unconditional terms that it does not.
    """

    match_set: MatchSet
    constants: Mapping[str, Any]
    sources: tuple[tuple[str, str, bool], ...]
    terms: tuple[Term, ...]
    others: tuple[Term, ...]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Which calibration of one type a target needs.

    Attributes
    ----------
    name, version, description : str
        What it is called, and which state of it this is.
    caltype : str
        What it finds.
    sites, cameras, instruments : frozenset of str
        The targets it is for; empty for all.
    effective_from, effective_until : datetime or None
        Half-open range of the target's time in which it applies, UTC.
    when : AllOf
        What must hold for a target that it is for.
    required_when, permitted_when : AllOf or None
        The targets that cannot, or can, do without; where neither is said, it is required.
    terms : tuple of Term
        What a candidate must be.
    conditionals : tuple of Conditional
        What changes with the target.
    prefer : tuple of Term
        Candidates that satisfy these come first, before time counts.
    order : tuple of OrderPart
        Which of the rest comes first; `tie_break` decides in the end.
    direction : Direction
        Where in time it looks.
    window : Window
        How far away in time.
    verdicts : frozenset of Verdict
        Which are accepted.
    must_be_valid : bool
        Whether the validity range must hold the target's time.
    created_before : str or None
        The target's field that holds the time before which candidates must have been made.
    count : Count or None
        How many; None is one, and one of each side of a bracket.
    exclusive : bool
        Whether no two masters of one configuration may be valid at one time.
    stale_after : timedelta or None
        From which distance in time a calibration is used, but called stale; None is never.
    nulls : Nulls or None
        What a missing value means where a term does not say; None is each operator's own.
    labels : mapping
        Fields as the rule file calls them.
    source : str
        The file that it was read from, for messages.
    """

    name: str
    caltype: str
    version: str = "1"
    description: str = ""
    sites: frozenset[str] = frozenset()
    cameras: frozenset[str] = frozenset()
    instruments: frozenset[str] = frozenset()
    effective_from: datetime | None = None
    effective_until: datetime | None = None
    when: AllOf = ALWAYS
    required_when: AllOf | None = None
    permitted_when: AllOf | None = None
    terms: tuple[Term, ...] = ()
    conditionals: tuple[Conditional, ...] = ()
    prefer: tuple[Term, ...] = ()
    order: tuple[OrderPart, ...] = (CLOSEST_IN_TIME,)
    direction: Direction = Direction.EITHER
    window: Window = ENDLESS
    verdicts: frozenset[Verdict] = ACCEPTED
    must_be_valid: bool = True
    created_before: str | None = None
    count: Count | None = None
    exclusive: bool = False
    stale_after: timedelta | None = None
    nulls: Nulls | None = None
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    source: str = field(default="", compare=False)

    @property
    def specificity(self) -> tuple[bool, bool, bool, bool]:
        """How narrowly it says what it is for; the highest that applies is taken."""
        return (bool(self.cameras), bool(self.instruments), bool(self.sites), bool(self.when.parts))

    @cached_property
    def applies_to_all(self) -> bool:
        """Whether there is no target that it is not for."""
        times = self.effective_from is None and self.effective_until is None
        return times and not any(self.specificity)

    def error(self, error: RuleError) -> RuleError:
        """Return an error of what it says, with its file and its name."""
        return RuleError(f"{self.source}: rule {self.name}: {error}")

    def count_for(self, direction: Direction) -> Count:
        """Return how many are wanted, where no branch says otherwise."""
        return self.count or (_ONE_OF_EACH if direction is Direction.BRACKET else _ONE)

    def applies_to(self, target: Target) -> bool:
        """Return whether it is for a target."""
        try:
            return self._applies_to(target)
        except RuleError as error:
            raise self.error(error) from None

    def _applies_to(self, target: Target) -> bool:
        values = target.values
        scopes = (
            (self.cameras, "camera"),
            (self.instruments, "instrument"),
            (self.sites, "site"),
        )
        return (
            all(not wanted or values.get(name) in wanted for wanted, name in scopes)
            and (self.effective_from is None or self.effective_from <= target.dateobs)
            and (self.effective_until is None or target.dateobs < self.effective_until)
            and self.when.holds_for(values)
        )

    def requirement_for(self, target: Target) -> Requirement | None:
        """Return whether a target cannot, or can, do without; None where it is not asked for."""
        try:
            return self._requirement_for(target)
        except RuleError as error:
            raise self.error(error) from None

    def _requirement_for(self, target: Target) -> Requirement | None:
        if self.required_when is None and self.permitted_when is None:
            return Requirement.REQUIRED
        if self.required_when is not None and self.required_when.holds_for(target.values):
            return Requirement.REQUIRED
        if self.permitted_when is not None and self.permitted_when.holds_for(target.values):
            return Requirement.PERMITTED
        return None

    @cached_property
    def plan(self) -> KeyPlan:
        """How its key is made, and what the key leaves to be tested."""
        keyed: dict[str, Term] = {}
        for term in self.terms:
            if term.is_equality and is_in_keys(term.field):
                keyed.setdefault(term.field, term)
        constants = {
            name: term.value for name, term in keyed.items() if not isinstance(term.value, OfTarget)
        }
        sources = tuple(
            (name, term.value.field, term.nulls is Nulls.NEVER)
            for name, term in keyed.items()
            if isinstance(term.value, OfTarget)
        )
        obstype = str(constants.get("obstype", ""))
        names = sorted(keyed.keys() - ({"obstype"} if obstype else set()))
        taken = set(map(id, keyed.values()))
        return KeyPlan(
            MatchSet(tuple(names), obstype),
            constants,
            sources,
            tuple(term for term in self.terms if id(term) in taken),
            tuple(term for term in self.terms if id(term) not in taken),
        )

    def with_equal_fields(self, names: Iterable[str]) -> Rule:
        """Return it with other fields that must be the target's, beside site, camera and type."""
        own = {term.field: term for term in self.terms if isinstance(term.value, OfTarget)}
        nulls = self.nulls or Nulls.MATCH
        wanted = [name for name in names if name not in ALWAYS_EQUAL]
        kept = tuple(term for term in self.terms if not term.is_equality or not _is_replaced(term))
        new = tuple(
            own[name] if name in own and own[name].is_equality else _same_as_target(name, nulls)
            for name in dict.fromkeys(wanted)
        )
        return replace(self, terms=kept + new)


def _is_replaced(term: Term) -> bool:
    return isinstance(term.value, OfTarget) and term.field not in ALWAYS_EQUAL


def _same_as_target(name: str, nulls: Nulls) -> Term:
    return Term(field=name, operator=Operator.EQUAL, value=OfTarget(name), nulls=nulls)
