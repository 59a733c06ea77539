"""Choosing anew for many past uses at once, by rules that may be others; nothing is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import merge

from calrecords.errors import SelectionError
from calrecords.frames import CalibrationFrame
from calrecords.matching import MatchSet
from calrecords.records import Choices
from calrecords.records.past_uses import PastUses
from calrecords.records.standing_overrides import StandingOverrides
from calrecords.selection import Direction, Question, Rule, RuleSet, Target, ask, rank
from calrecords.selection.fields import value_of
from calrecords.selection.ordering import tie_break
from calrecords.workflows.unindexed import UnindexedCandidates


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is chosen anew.

    Attributes
    ----------
    name : str
        The target's basename, as the use has it.
    caltype : str
        What is looked for.
    target : Target
        For what.
    created_before : datetime or None
        Candidates must have been made strictly before, UTC; None is as the rule says.
    include_bad : bool
        Whether candidates that were called bad are taken too.
    """

    name: str
    caltype: str
    target: Target
    created_before: datetime | None = None
    include_bad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What would be chosen, or why it cannot be asked.

    Attributes
    ----------
    frames : tuple of CalibrationFrame
        What would be chosen, best first: as many as the rule gives.
    rule : Rule or None
        By which rule; None where there is none.
    question : Question or None
        What was asked; None of what is forced, or cannot be asked.
    override : str or None
        Why it is forced.
    fault : str
        Why it cannot be asked; else empty.
    """

    frames: tuple[CalibrationFrame, ...] = ()
    rule: Rule | None = None
    question: Question | None = None
    override: str | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Marked:
    """A current version as it is recorded, and as it would be with another verdict.

    Attributes
    ----------
    before, after : CalibrationFrame
        The version.
    """

    before: CalibrationFrame
    after: CalibrationFrame

    def matters_to(self, question: Question) -> bool:
        """Return whether it is a candidate of a question, with either verdict."""
        match_set = question.rule.plan.match_set
        has = {name: value_of(self.before, name) for name in match_set.fields}
        return match_set.key(has) == question.probe.key and (
            question.passes(self.before) or question.passes(self.after)
        )


class ChoosingAnew:
    """Chooses by some rules for many targets, in bulk where that can be.

    Parameters
    ----------
    rules : RuleSet
        The rules; the records need not be indexed by them.
    choices : Choices
        The candidates of the records.
    unindexed : UnindexedCandidates
        The same, for rules that the records are not indexed by.
    past : PastUses
        What else is asked of the records.
    overrides : StandingOverrides
        What is forced.
    """

    def __init__(
        self,
        rules: RuleSet,
        choices: Choices,
        unindexed: UnindexedCandidates,
        past: PastUses,
        overrides: StandingOverrides,
    ) -> None:
        self.rules = rules
        self._choices = choices
        self._unindexed = unindexed
        self._past = past
        self._overrides = overrides
        self._missing: frozenset[MatchSet] = past.missing_sets(rules.match_sets())
        self._forced: dict[int, CalibrationFrame] = {}
        self._alike: dict[tuple[str, str], bool] = {}

    def answers(
        self, wanted: Sequence[Wanted], known: Sequence[Answer] | None = None
    ) -> list[Answer]:
        """Return what would be chosen for each.

        Parameters
        ----------
        wanted : sequence of Wanted
            What is chosen.
        known : sequence of Answer, optional
            What other rules choose for each; it is taken where the rule says the same.
        """
        answers: list[Answer] = []
        open_questions: list[tuple[int, Question]] = []
        for number, one in enumerate(wanted):
            answer = self._asked(one)
            old = None if known is None else known[number]
            if old is not None and self._says_the_same(answer, old):
                answer = replace(old, rule=answer.rule)
            elif answer.question is not None and answer.question.never is None:
                open_questions.append((number, answer.question))
            answers.append(answer)
        quick = [one for one in open_questions if self._is_quick(one[1])]
        found = self._choices.nearest([question.probe for _, question in quick])
        for (number, _), frame in zip(quick, found, strict=True):
            if frame is not None:
                answers[number] = replace(answers[number], frames=(frame,))
        slow = [one for one in open_questions if not self._is_quick(one[1])]
        for number, question in self._in_order(slow):
            ranked = rank(question, self._candidates(question))
            answers[number] = replace(answers[number], frames=tuple(ranked))
        return answers

    def again(self, known: Answer, marked: Marked) -> Answer:
        """Return what would be chosen if a version had another verdict."""
        question = known.question
        if question is None or question.never is not None or not marked.matters_to(question):
            return known
        others = (
            frame
            for frame in self._candidates(question)
            if frame.basename != marked.before.basename
        )
        candidates: Iterator[CalibrationFrame] = others
        if question.passes(marked.after):
            target = question.target
            candidates = merge(others, [marked.after], key=lambda frame: tie_break(frame, target))
        return replace(known, frames=tuple(rank(question, candidates)))

    def _asked(self, wanted: Wanted) -> Answer:
        """Return what is forced, or the question."""
        target = wanted.target
        try:
            rule = self.rules.rule_for(wanted.caltype, target)
            override = self._overrides.find(
                wanted.caltype,
                basename=wanted.name,
                site=target.values.get("site"),
                camera=target.values.get("camera"),
                dateobs=target.dateobs,
            )
            if override is not None:
                frame = self._version(override.version_id)
                return Answer(frames=(frame,), rule=rule, override=override.reason)
            question = ask(
                rule, target, created_before=wanted.created_before, include_bad=wanted.include_bad
            )
        except SelectionError as error:
            return Answer(fault=str(error))
        return Answer(rule=rule, question=question)

    def _version(self, number: int) -> CalibrationFrame:
        if number not in self._forced:
            self._forced[number] = self._past.version_numbered(number)
        return self._forced[number]

    def _says_the_same(self, new: Answer, old: Answer) -> bool:
        """Return whether two rules choose the same, whatever they are called."""
        if new.rule is None or old.rule is None or new.question is None:
            return False
        named = (new.rule.name, old.rule.name)
        if named not in self._alike:
            self._alike[named] = _without_words(new.rule) == _without_words(old.rule)
        return self._alike[named]

    def _is_quick(self, question: Question) -> bool:
        """Return whether it can be answered with many: the nearest candidate is the answer."""
        return (
            question.is_two_probes
            and question.max_results == 1
            and question.count.minimum <= 1
            and question.direction is not Direction.BRACKET
            and self._is_indexed(question)
        )

    def _is_indexed(self, question: Question) -> bool:
        return question.rule.plan.match_set not in self._missing

    def _in_order(self, asked: list[tuple[int, Question]]) -> list[tuple[int, Question]]:
        """Return questions, those that need the same frames in memory one after the other."""
        indexed = [one for one in asked if self._is_indexed(one[1])]
        others = [one for one in asked if not self._is_indexed(one[1])]
        return indexed + sorted(others, key=lambda one: self._unindexed.order(one[1]))

    def _candidates(self, question: Question) -> Iterable[CalibrationFrame]:
        if not self._is_indexed(question):
            return self._unindexed.candidates(question)
        first = max(question.max_results, question.count.minimum)
        return self._choices.candidates(question.probe, first=first)


def _without_words(rule: Rule) -> Rule:
    """Return a rule without what chooses nothing: how it is called, and where it was read."""
    return replace(rule, name="", version="", description="", source="", labels={})
