"""A rule asked for one target: the probe of the records, and the tests that it leaves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from calrecords.errors import InvalidTargetError, RuleError
from calrecords.frames import CalibrationFrame
from calrecords.matching import Probe
from calrecords.selection.bound_tests import BoundTest, probe_tests, term_test
from calrecords.selection.branches import Branch
from calrecords.selection.fields import value_of
from calrecords.selection.ordering import CLOSEST_IN_TIME, OrderPart
from calrecords.selection.rules import Rule
from calrecords.selection.targets import Target
from calrecords.selection.terms import Bound, Term
from calrecords.selection.windows import ENDLESS, SIDES, Count, Direction, Window, limits
from calrecords.vocabulary import Verdict, parse_time

_ONLY_TIME = (CLOSEST_IN_TIME,)
_ALL_VERDICTS = frozenset(Verdict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """Which calibration is wanted for a target.

    Attributes
    ----------
    rule : Rule
        By which rule.
    target : Target
        For what.
    probe : Probe
        What the records are asked.
    created_before : datetime or None
        Candidates must have been made strictly before, UTC.
    order : tuple of OrderPart
        Which candidate comes first.
    prefer : tuple of (str, Term)
        Name and term of what comes first, before time counts.
    direction : Direction
        Where in time.
    window : Window
        How far away in time.
    count : Count
        How many are wanted.
    max_results : int
        How many are given.
    never : str or None
        Why nothing can be chosen for this target, whatever is recorded.
    """

    rule: Rule
    target: Target
    probe: Probe
    created_before: datetime | None
    order: tuple[OrderPart, ...]
    prefer: tuple[tuple[str, Term], ...]
    direction: Direction
    window: Window
    count: Count
    max_results: int
    never: str | None
    _left: tuple[tuple[str, Term, Bound], ...]

    @property
    def is_two_probes(self) -> bool:
        """Whether the first rows of the probe, on both sides, are the answer."""
        return not self._left and not self.prefer and self.order == _ONLY_TIME

    @property
    def include_bad(self) -> bool:
        """Whether candidates are taken whose verdict the rule alone would refuse."""
        return self.probe.verdicts != self.rule.verdicts

    @cached_property
    def residual(self) -> tuple[BoundTest, ...]:
        """The tests that the probe has not answered already."""
        return tuple(term_test(name, term, bound) for name, term, bound in self._left)

    @cached_property
    def tests(self) -> tuple[BoundTest, ...]:
        """Every test that a candidate must pass, in their order."""
        others = probe_tests(self.probe, self.direction, self.window)
        return (*self._keyed(), *self.residual, *others)

    def _keyed(self) -> Iterable[BoundTest]:
        for term in self.rule.plan.terms:
            bound = term.bind(self.target.values)
            if bound is not None:
                yield term_test(term.name, term, bound)

    def passes(self, frame: CalibrationFrame) -> bool:
        """Return whether a candidate passes every test."""
        return self.never is None and all(test.passes(frame) for test in self.tests)

    def passes_residual(self, frame: CalibrationFrame) -> bool:
        """Return whether a candidate that the probe gave passes what is left."""
        return all(bound.holds(value_of(frame, term.field)) for _, term, bound in self._left)


def ask(
    rule: Rule,
    target: Target,
    *,
    created_before: datetime | None = None,
    include_bad: bool = False,
    as_of: datetime | None = None,
    max_results: int | None = None,
) -> Question:
    """Return the question that a rule is for a target.

    Parameters
    ----------
    rule : Rule
        Says what is wanted.
    target : Target
        For what.
    created_before : datetime, optional
        Candidates must have been made strictly before, UTC; by default as the rule says, and
        no condition where the target does not have what the rule names.
    include_bad : bool
        Whether candidates that were called bad are taken too.
    as_of : datetime, optional
        What was known at this moment counts, UTC.
    max_results : int, optional
        How many are given; by default the rule's own. More than a branch of the rule says
        for this target are never given.

    Raises
    ------
    RuleError
        If an expression of the rule cannot be computed for this target.
    """
    try:
        return _ask(rule, target, created_before, include_bad, as_of, max_results)
    except RuleError as error:
        raise rule.error(error) from None


def _ask(
    rule: Rule,
    target: Target,
    created_before: datetime | None,
    include_bad: bool,
    as_of: datetime | None,
    max_results: int | None,
) -> Question:
    values = target.values
    plan = rule.plan
    wanted = dict(plan.constants)
    never = None
    for name, source, is_needed in plan.sources:
        value = values.get(source)
        if value is None and is_needed and never is None:
            never = f"the target has no {rule.labels.get(source, source)}, which {rule.name} needs"
        wanted[name] = value
    branches = _branches(rule, target) if rule.conditionals else ()
    left: tuple[tuple[str, Term, Bound], ...] = ()
    if branches or plan.others:
        left = tuple(_left(rule, target, branches))
        never = never or next((b.impossible for _, _, b in left if b.impossible), None)
    direction, window, order = rule.direction, rule.window, rule.order
    count = rule.count
    limit = None
    for name, branch in branches:
        direction = branch.direction or direction
        window = branch.window or window
        if branch.count is not None:
            count, limit = branch.count, branch.count.maximum
        order = branch.order or order
        if branch.no_result and never is None:
            never = f"{rule.name} has no result for this target ({name})"
    count = count or rule.count_for(direction)
    if created_before is None and rule.created_before is not None:
        created_before = _moment(rule, target)
    verdicts = _ALL_VERDICTS if include_bad else rule.verdicts
    before, after, same = SIDES[direction]
    start, end = (None, None) if window == ENDLESS else limits(target.dateobs, window)
    probe = Probe(
        key=plan.match_set.key(wanted),
        dateobs=target.dateobs,
        looks_before=before,
        looks_after=after,
        takes_same_time=same,
        start=start,
        end=end,
        verdicts=verdicts,
        valid_at=target.dateobs if rule.must_be_valid else None,
        created_before=created_before,
        as_of=as_of,
    )
    return Question(
        rule=rule,
        target=target,
        probe=probe,
        created_before=created_before,
        order=order,
        prefer=_prefer(rule, branches) if rule.prefer or branches else (),
        direction=direction,
        window=window,
        count=count,
        max_results=_given_at_most(max_results, count, limit),
        never=never,
        _left=left,
    )


def _given_at_most(wanted: int | None, count: Count, limit: int | None) -> int:
    """Return how many are given: what the caller wants, but no more than a branch allows."""
    if wanted is None:
        return count.maximum
    return wanted if limit is None else min(wanted, limit)


def _branches(rule: Rule, target: Target) -> tuple[tuple[str, Branch], ...]:
    found = []
    for conditional in rule.conditionals:
        chosen = conditional.branch_for(target.values)
        if chosen is not None:
            found.append((f"{conditional.name}, branch {chosen[0]}", chosen[1]))
    return tuple(found)


def _left(
    rule: Rule, target: Target, branches: tuple[tuple[str, Branch], ...]
) -> Iterable[tuple[str, Term, Bound]]:
    named = [(term.name, term) for term in rule.plan.others]
    named += [(f"{term.name} ({name})", term) for name, branch in branches for term in branch.terms]
    for name, term in named:
        bound = term.bind(target.values)
        if bound is not None:
            yield name, term, bound


def _prefer(rule: Rule, branches: tuple[tuple[str, Branch], ...]) -> tuple[tuple[str, Term], ...]:
    own = [(term.name, term) for term in rule.prefer]
    added = [(f"{term.name} ({name})", term) for name, branch in branches for term in branch.prefer]
    return (*own, *added)


def _moment(rule: Rule, target: Target) -> datetime | None:
    value = target.values.get(rule.created_before or "")
    if value is None:
        return None
    try:
        return parse_time(value)
    except ValueError as error:
        msg = f"the target's {rule.created_before}: {error}"
        raise InvalidTargetError(msg) from None
