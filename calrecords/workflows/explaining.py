"""Why a calibration was chosen, or none: reasons, computed when they are asked for."""

from __future__ import annotations

from calrecords.errors import ConfigurationError, NoCalibrationError
from calrecords.records.rejections import opened_population
from calrecords.selection import Question, Rule, Selection, Target, ask
from calrecords.selection.explaining import Kind, Tally
from calrecords.workflows.choosing import Choosing
from calrecords.workflows.explanations import Explanation


class Explaining(Choosing):
    """The verb that gives reasons."""

    def explain(self, chosen: Selection | NoCalibrationError) -> Explanation:
        """Return why a calibration was chosen, or none, over the whole database.

        The tests of the rule are counted one after the other, and what comes nearest is named
        with what it lacks. What counts is what was known when it was chosen, even if much was
        recorded, marked or corrected since; an error that comes from another process, pickled,
        will do.

        Parameters
        ----------
        chosen : Selection or NoCalibrationError
            What `best` gave, or raised.

        Returns
        -------
        Explanation
            It prints as text, shows itself in a notebook, and gives a table or JSON.

        Raises
        ------
        ConfigurationError
            If it is neither, or does not say for what.
        RuleError
            If these rules do not have the rule that it names.
        """
        rule, target = self._asked_of(chosen)
        question = ask(
            rule,
            target,
            created_before=chosen.created_before,
            include_bad=chosen.include_bad,
            as_of=chosen.as_of,
        )
        tally = self._tallied(question)
        selection = chosen if isinstance(chosen, Selection) else None
        return Explanation(
            caltype=chosen.caltype or rule.caltype,
            target=target,
            rule=rule.name,
            rule_version=rule.version,
            rows=tally.rows,
            nearest=tally.nearest,
            total=tally.total,
            passed=tally.passed,
            wanted=question.count.minimum,
            chosen=None if selection is None else selection.frame.filename,
            override=None if selection is None else selection.override,
            never=question.never,
            as_of=chosen.as_of,
            created_before=question.created_before,
            include_bad=chosen.include_bad,
        )

    def _asked_of(self, chosen: Selection | NoCalibrationError) -> tuple[Rule, Target]:
        if isinstance(chosen, Selection):
            return chosen.rule, chosen.target
        if not isinstance(chosen, NoCalibrationError):
            msg = f"explain a Selection or a NoCalibrationError, not a {type(chosen).__name__}"
            raise ConfigurationError(msg)
        if not isinstance(chosen.target, Target) or chosen.rule is None:
            msg = "this error does not say what was chosen for, and by which rule; ask `best` anew"
            raise ConfigurationError(msg)
        return self.rules.rule(chosen.rule), chosen.target

    def _tallied(self, question: Question) -> Tally:
        tally = Tally(question)
        with opened_population(self._database, question.probe.as_of) as population:
            groups, last_groups = tally.take_groups(population.groups())
            counts = population.kinds(groups)
            kinds = tally.take_kinds([Kind(which, count) for which, count in counts.items()])
            for frame in population.read(groups, kinds):
                tally.take(frame)
            if not kinds:
                for frame in population.around(last_groups, question.target.dateobs):
                    tally.compare(frame)
        return tally
