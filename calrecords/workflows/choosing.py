"""Choosing the best calibration for a target, from our own records."""

from __future__ import annotations

import operator
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from calrecords.datafiles import DataFile, HeaderMapping
from calrecords.errors import ConfigurationError, NoCalibrationError, SelectionError
from calrecords.records import Candidates, Choices
from calrecords.selection import (
    Direction,
    Question,
    Rule,
    RuleSet,
    Selection,
    Target,
    ask,
    load_rules,
    make_selection,
    rank,
)
from calrecords.selection.windows import Count
from calrecords.workflows.known_frames import KnowsFrames, moment
from calrecords.workflows.settings import Settings
from calrecords.workflows.targets import target_of

if TYPE_CHECKING:
    from pathlib import Path

MOST_RESULTS = 1_000_000
"""How many calibrations a choice may be asked for, as many as a rule may want."""


TESTED_AT_FIRST = 8
"""How many candidates of each side are read at once, where a rule tests more than its key."""


class Choosing(KnowsFrames):
    """The verbs that choose."""

    settings: Settings
    _mapping: HeaderMapping

    @abstractmethod
    def open_file(self, path: str | Path) -> DataFile:
        """Return the data file at a path."""

    @cached_property
    def rules(self) -> RuleSet:
        """The rules that choose, read once; those of the setting ``CALRECORDS_RULES``."""
        return load_rules(self.settings["rules"])

    def best(
        self,
        target: Any,
        caltype: str,
        *,
        as_of: Any = None,
        created_before: Any = None,
        max_results: int | None = None,
        include_bad: bool = False,
    ) -> Selection:
        """Return the best calibration for a target, from the records alone.

        The same records, rules and `as_of` give the same answer on every database. Of equal
        distance in time the earlier dateobs comes first, then the newest creation, then the
        basename.

        Parameters
        ----------
        target : path, Header, mapping, DataFile, CalibrationFrame or str
            The frame that needs a calibration; it need not be recorded. A mapping is in our
            words (``site``, ``camera``, ``dateobs``, ``binning``, ...), other names are
            attributes. Text is a path if it holds a separator or a known extension, else the
            basename of a recorded frame.
        caltype : str
            What is looked for, for example ``"BIAS"``.
        as_of : time, optional
            What was known at this moment counts, UTC; by default what is known now, which the
            selection then names. Records that are written at this very moment by others may
            still be left out: the clocks of writers and a transaction in progress decide.
        created_before : time, optional
            Calibrations must have been made strictly before, UTC.
        max_results : int, optional
            How many are ranked; by default as the rule says.
        include_bad : bool, optional
            Whether calibrations that were called bad are taken too.

        Returns
        -------
        Selection
            The best, with the next best as its ``alternatives``.

        Raises
        ------
        NoCalibrationError
            If none is what the rule asks for.
        RuleError
            If no rule finds such a calibration for this target.
        InvalidTargetError
            If the target is not described well enough.
        ConfigurationError
            If `as_of` is in the future, or an argument is no time or number.
        """
        described, then = self._target(target), past(as_of)
        rule = self._indexed_rules.rule_for(caltype, described)
        now = then or datetime.now(UTC)
        created = moment("created_before", created_before)
        forced = partial(
            self._forced,
            caltype,
            rule,
            described,
            then,
            as_of=now,
            created_before=created,
            include_bad=include_bad,
        )
        try:
            question = ask(
                rule,
                described,
                created_before=created,
                include_bad=include_bad,
                as_of=then,
                max_results=_positive(max_results),
            )
        except SelectionError:
            if (selection := forced()) is None:
                raise
            return selection
        candidates = self._candidates(question)
        if candidates.has_overrides and (selection := forced()) is not None:
            return selection
        return self._chosen(question, candidates, now)

    def bracket(
        self, target: Any, caltype: str, *, as_of: Any = None
    ) -> tuple[Selection | None, Selection | None]:
        """Return the nearest calibration before a target, and the nearest after it.

        Both sides are asked, whichever way the rule, or its branch for this target, looks;
        what else they say, counts.

        Parameters
        ----------
        target, caltype, as_of
            As for `best`. Overrides do not count here.

        Returns
        -------
        tuple of Selection or None
            The one before or at the target's time, and the one after; None where there is none.

        Raises
        ------
        RuleError, InvalidTargetError, ConfigurationError
            As for `best`.
        """
        described, then = self._target(target), past(as_of)
        rule = self._indexed_rules.rule_for(caltype, described)
        now = then or datetime.now(UTC)
        before, after = (
            self._nearest(ask(_on_side(rule, side), described, as_of=then), now)
            for side in (Direction.BEFORE_OR_EQUAL, Direction.AFTER)
        )
        return before, after

    def _nearest(self, question: Question, now: datetime) -> Selection | None:
        try:
            return self._chosen(question, self._candidates(question), now)
        except NoCalibrationError:
            return None

    def _candidates(self, question: Question) -> Candidates:
        if question.never is not None:
            return Candidates(iter(()), has_overrides=self._choices.has_overrides())
        wanted = max(question.max_results, question.count.minimum)
        likely = wanted if question.is_two_probes else max(wanted, TESTED_AT_FIRST)
        return self._choices.candidates(question.probe, first=likely)

    def _chosen(self, question: Question, candidates: Candidates, now: datetime) -> Selection:
        rule, target = question.rule, question.target
        ranked = rank(question, candidates)
        if not ranked:
            raise _none(question, now)
        return make_selection(
            ranked,
            rule,
            target,
            caltype=rule.caltype,
            as_of=now,
            created_before=question.created_before,
            include_bad=question.include_bad,
        )

    def _forced(
        self, caltype: str, rule: Rule, target: Target, then: datetime | None, **asked: Any
    ) -> Selection | None:
        values = target.values
        forced = self._choices.forced(
            caltype,
            basename=target.basename,
            site=values.get("site"),
            camera=values.get("camera"),
            dateobs=target.dateobs,
            as_of=then,
        )
        if forced is None:
            return None
        frame, reason = forced
        return make_selection([frame], rule, target, caltype=rule.caltype, override=reason, **asked)

    @cached_property
    def _choices(self) -> Choices:
        return Choices(self._database)

    @cached_property
    def _indexed_rules(self) -> RuleSet:
        """The rules, once the records are indexed by what they demand to be equal."""
        self._database.ensure_match_sets(self.rules.match_sets())
        return self.rules

    def _target(self, target: Any) -> Target:
        if isinstance(target, Target):
            return target
        fields: Mapping[str, str] = self.rules.fields
        return target_of(target, fields, self._mapping, self._frame, self.open_file)


def past(as_of: Any) -> datetime | None:
    """Return the moment that is meant, UTC; None where what is known now counts.

    Raises
    ------
    ConfigurationError
        If it is no time, or in the future.
    """
    if as_of is None:
        return None
    then = moment("as_of", as_of)
    if then is not None and then > datetime.now(UTC):
        msg = f"as_of={as_of!s}: is in the future, of which nothing is known yet; leave it out"
        raise ConfigurationError(msg)
    return then


def _positive(max_results: int | None) -> int | None:
    if max_results is None:
        return None
    try:
        number = operator.index(max_results)
    except TypeError:
        number = 0
    if not 1 <= number <= MOST_RESULTS:
        msg = f"max_results={max_results!r}: write a whole number from 1 to {MOST_RESULTS}"
        raise ConfigurationError(msg)
    return number


def _on_side(rule: Rule, side: Direction) -> Rule:
    """Return a rule that looks to one side alone, and is content with one calibration."""
    conditionals = tuple(
        replace(
            one,
            branches=tuple(replace(branch, direction=None, count=None) for branch in one.branches),
        )
        for one in rule.conditionals
    )
    return replace(rule, direction=side, count=Count(), conditionals=conditionals)


def _none(question: Question, now: datetime) -> NoCalibrationError:
    rule, target = question.rule, question.target
    named = target.basename or f"a target of {target.dateobs.isoformat(timespec='seconds')}"
    why = question.never or "none that is recorded is what the rule asks for"
    msg = (
        f"no {rule.caltype} for {named}: {why}; the reasons: cal.explain(error), or "
        "calrecords best --explain"
    )
    return NoCalibrationError(
        msg,
        target=target,
        rule=rule.name,
        caltype=rule.caltype,
        as_of=now,
        created_before=question.created_before,
        include_bad=question.include_bad,
    )
