"""Choosing for many targets at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from calrecords.errors import ConfigurationError, NoCalibrationError, SelectionError
from calrecords.frames import CalibrationFrame
from calrecords.garbage import no_garbage_search
from calrecords.matching import Probe
from calrecords.records import BriefFrame
from calrecords.selection import Question, Target, ask
from calrecords.workflows.choosing import Choosing, past
from calrecords.workflows.known_frames import moment
from calrecords.workflows.tables import Column, make_table, plain_value

if TYPE_CHECKING:
    from astropy.table import Table

_COLUMNS: tuple[Column, ...] = (
    ("target", str, None),
    ("caltype", str, None),
    ("frame_id", int, None),
    ("filename", str, None),
    ("md5", str, None),
    ("version_key", str, None),
    ("dateobs", str, None),
    ("age", float, "d"),
    ("rule", str, None),
    ("reason", str, None),
)
_AT_ONCE = 500
_NONE_MATCHES = "none that is recorded is what the rule asks for"


@dataclass(slots=True)
class _Wanted:
    """One row of the answer, before and after it is known."""

    target: str
    caltype: str
    rule: str | None = None
    at: datetime | None = None
    frame: CalibrationFrame | BriefFrame | None = None
    reason: str | None = None


class ChoosingMany(Choosing):
    """The verb that chooses in bulk."""

    def best_many(
        self,
        targets: Iterable[Any],
        caltypes: str | Sequence[str],
        *,
        as_of: Any = None,
        created_before: Any = None,
        include_bad: bool = False,
    ) -> Table:
        """Return the best calibration of each type for each of many targets.

        Each answer is what `best` gives. A target that cannot be described, a type without
        rule and a missing calibration are rows with a reason, and touch no other row.

        Parameters
        ----------
        targets : iterable
            As for `best`.
        caltypes : str or sequence of str
            What is looked for.
        as_of, created_before, include_bad : optional
            As for `best`.

        Returns
        -------
        astropy.table.Table
            One row for each target and type, in their order: the target's basename or its
            number in the order given, what was chosen, its age in days (negative is before),
            and where nothing was chosen, why. What does not apply is masked.

        Raises
        ------
        ConfigurationError
            If an argument is no time, or `as_of` is in the future.
        """
        kinds = [caltypes] if isinstance(caltypes, str) else list(caltypes)
        if not all(isinstance(kind, str) for kind in kinds):
            msg = f"caltypes={caltypes!r}: write calibration types, for example ['BIAS', 'DARK']"
            raise ConfigurationError(msg)
        then = past(as_of)
        how = {
            "created_before": moment("created_before", created_before),
            "include_bad": include_bad,
        }
        one_by_one = then is not None or self._choices.has_overrides()
        rows: list[_Wanted] = []
        quick: list[_Wanted] = []
        probes: list[Probe] = []  # not the questions: so much that lives is slow to live with
        pending = self._described(targets, kinds)
        while some := _taken(pending):
            with no_garbage_search():
                for row, target in some:
                    rows.append(row)
                    if target is None:
                        continue
                    if one_by_one:
                        self._choose(row, target, {**how, "as_of": then})
                    elif (question := self._asked(row, target, how)) is not None:
                        quick.append(row)
                        probes.append(question.probe)
        with no_garbage_search():
            for row, frame in zip(quick, self._choices.nearest_briefly(probes), strict=True):
                row.frame, row.reason = frame, None if frame is not None else _NONE_MATCHES
            return make_table(_COLUMNS, [_plain(row) for row in rows])

    def _described(
        self, targets: Iterable[Any], kinds: Sequence[str]
    ) -> Iterator[tuple[_Wanted, Target | None]]:
        for number, given in enumerate(targets):
            try:
                target = self._target(given)
            except SelectionError as error:
                for kind in kinds:
                    yield _Wanted(str(number), kind, reason=str(error)), None
                continue
            name = target.basename or str(number)
            for kind in kinds:
                yield _Wanted(name, kind, at=target.dateobs), target

    def _asked(self, row: _Wanted, target: Target, how: dict[str, Any]) -> Question | None:
        """Return the question of a row if it can be answered with many; else answer it."""
        try:
            rule = self._indexed_rules.rule_for(row.caltype, target)
            row.rule, row.caltype = rule.name, rule.caltype
            question = ask(rule, target, max_results=1, **how)
        except SelectionError as error:
            row.reason = str(error)
            return None
        if question.never is not None:
            row.reason = question.never
            return None
        is_quick = question.is_two_probes and question.count.minimum <= 1
        if is_quick and question.direction.value != "bracket":
            return question
        self._choose(row, target, how)
        return None

    def _choose(self, row: _Wanted, target: Target, how: dict[str, Any]) -> None:
        try:
            chosen = self.best(target, row.caltype, max_results=1, **how)
        except NoCalibrationError as error:
            row.rule, row.caltype = error.rule, str(error.caltype)
            rule = self._indexed_rules.rule_for(row.caltype, target)
            row.reason = ask(rule, target).never or _NONE_MATCHES
        except SelectionError as error:
            row.reason = str(error)
        else:
            row.rule, row.caltype, row.frame = chosen.rule.name, chosen.caltype, chosen.frame


def _taken(
    described: Iterator[tuple[_Wanted, Target | None]],
) -> list[tuple[_Wanted, Target | None]]:
    """Return the next few: what is read of a file may leave cycles, of which few can wait."""
    with no_garbage_search():
        return list(islice(described, _AT_ONCE))


def _plain(row: _Wanted) -> dict[str, Any]:
    frame, at = row.frame, row.at
    plain: dict[str, Any] = {
        "target": row.target,
        "caltype": row.caltype,
        "rule": row.rule,
        "reason": row.reason,
    }
    if frame is None or at is None:
        return {**_NOTHING, **plain}
    file = frame.version if isinstance(frame, CalibrationFrame) else frame
    return {
        **plain,
        "frame_id": frame.frame_id,
        "filename": frame.filename,
        "md5": file.md5,
        "version_key": file.version_key,
        "dateobs": plain_value(frame.dateobs, str),
        "age": _days(frame.dateobs, at),
    }


_NOTHING = dict.fromkeys(("frame_id", "filename", "md5", "version_key", "dateobs", "age"))


def _days(at: datetime | None, of: datetime) -> float | None:
    return None if at is None else (at - of).total_seconds() / 86400
