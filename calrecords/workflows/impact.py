"""What an edit would change, before it is applied: of the rules, or of a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calrecords.errors import ConfigurationError, InvalidTargetError, SelectionError
from calrecords.frames import CalibrationFrame
from calrecords.records import Overrides, RecordedUse
from calrecords.records.past_uses import PastUses, RecordedVersion
from calrecords.records.standing_overrides import StandingOverrides
from calrecords.selection import RuleSet, Target, ask, load_rules, make_target
from calrecords.vocabulary import Verdict
from calrecords.workflows.changes import Change, JudgedUse, judge, not_judged
from calrecords.workflows.choosing import Choosing
from calrecords.workflows.choosing_anew import Answer, ChoosingAnew, Marked, Wanted
from calrecords.workflows.tables import Column, make_table, plain_value
from calrecords.workflows.unindexed import UnindexedCandidates

if TYPE_CHECKING:
    from astropy.table import Table

    from calrecords.workflows.facade import FrameLike

_COLUMNS: tuple[Column, ...] = (
    ("target", str, None),
    ("caltype", str, None),
    ("change", str, None),
    ("used", str, None),
    ("before", str, None),
    ("after", str, None),
    ("affected", int, None),
    ("reason", str, None),
    ("rule_before", str, None),
    ("rule_after", str, None),
    ("used_md5", str, None),
    ("before_md5", str, None),
    ("after_md5", str, None),
    ("recorded_at", str, None),
)
_OF_THE_EDIT = (Change.CHANGED, Change.LOST, Change.GAINED)
_ALWAYS_LISTED = (*_OF_THE_EDIT, Change.KEPT, Change.NOT_JUDGED)
_ORDER = {change.value: number for number, change in enumerate(Change)}


@dataclass(frozen=True, slots=True)
class _Edit:
    """What would be edited: either the rules, or a verdict."""

    said: str
    rules: RuleSet | None = None
    version: RecordedVersion | None = None
    verdict: Verdict | None = None

    @property
    def marked(self) -> Marked | None:
        """The version with its new verdict, if it is one that can be chosen."""
        if self.version is None or self.verdict is None or not self.version.is_current:
            return None
        frame = self.version.frame
        return Marked(frame, replace(frame, verdict=self.verdict))

    def spoils(self, use: RecordedUse) -> bool:
        """Return whether it calls bad what was used."""
        is_bad = self.version is not None and self.verdict is Verdict.BAD
        return is_bad and self.version is not None and use.version_id == self.version.id


class Impacting(Choosing):
    """The verb that says what an edit would change."""

    def impact(
        self,
        *,
        rules: str | Path | RuleSet | None = None,
        verdict: str | None = None,
        frame: FrameLike | None = None,
        unchanged: bool = False,
    ) -> Table:
        """Return which recorded uses an edit would change, before it is applied.

        For the newest use of each target and type it is chosen anew, as it was asked then, by
        what is recorded now: by the rules in use, and by the edited ones or with the other
        verdict. Nothing is written. What others record meanwhile may be seen by one of the two.

        Parameters
        ----------
        rules : str or Path, optional
            Edited rules: the path of a TOML file, or a shipped name.
        verdict : {"bad", "good", "unknown"}, optional
            A verdict on `frame`, in place of `rules`.
        frame : CalibrationFrame, Selection, IngestResult, int or str, optional
            The version that the verdict would be on.
        unchanged : bool, optional
            List the uses that the edit does not change, too.

        Returns
        -------
        astropy.table.Table
            One row for each use, with what was ``used`` then, what would be chosen now
            (``before``) and with the edit (``after``), masked where it is none; and the
            ``reason``. ``change`` is ``changed``, ``lost`` (none any more), ``gained`` (none
            before), ``kept`` (still chosen although it was called bad, for example because an
            override forces it) or ``not judged`` (it cannot be asked anew). On request also
            ``differs already`` (what would be chosen now is not what was used, whatever is
            edited) and ``unchanged``. ``affected`` counts what was made with the target itself,
            through others. Of several calibrations that a rule gives, the first is named, and
            a change of any counts. ``meta`` has the counts, and the ``summary`` in words.

        Raises
        ------
        ConfigurationError
            If it is not either rules, or a verdict and a frame.
        RuleError
            If the rules cannot be read.
        RecordNotFoundError
            If the frame is not recorded.
        """
        past = PastUses(self._database)
        edit = self._edit(past, rules, verdict, frame)
        counts: Counter[Change] = Counter()
        rows = []
        for judged in self._judged(past, edit):
            counts[judged.change] += 1
            if unchanged or _is_listed(judged, edit):
                rows.append(_row(judged))
        affected = past.affected_counts({row["target"] for row in rows})
        for row in rows:
            row["affected"] = affected[row["target"]]
        rows.sort(key=lambda row: (_ORDER[row["change"]], row["target"], row["caltype"]))
        table = make_table(_COLUMNS, rows)
        table.meta.update(_summary(edit, counts, _made_with(past, edit)))
        return table

    def _edit(self, past: PastUses, rules: Any, verdict: Any, frame: FrameLike | None) -> _Edit:
        is_verdict = verdict is not None and frame is not None
        if (rules is not None) == is_verdict or (verdict is None) != (frame is None):
            msg = "say what is edited: rules=, or verdict= and frame="
            raise ConfigurationError(msg)
        if rules is not None:
            if not isinstance(rules, str | Path | RuleSet):
                msg = f"rules={rules!r}: write a shipped name, or the path of a TOML file"
                raise ConfigurationError(msg)
            edited = load_rules(rules)
            return _Edit(f"the rules {edited.source or edited.name}", rules=edited)
        if verdict not in list(Verdict):
            msg = f"verdict={verdict!r}: write {', '.join(Verdict)}"
            raise ConfigurationError(msg)
        assert frame is not None
        version = past.version(self._frame(frame))
        said = f"{version.frame.filename} called {verdict}"
        return _Edit(said, version=version, verdict=Verdict(verdict))

    def _judged(self, past: PastUses, edit: _Edit) -> Iterator[JudgedUse]:
        overrides = StandingOverrides(Overrides(self._database).all(withdrawn=False))
        choices, unindexed = self._choices, UnindexedCandidates(self._database)
        now = ChoosingAnew(self.rules, choices, unindexed, past, overrides)
        then = None
        if edit.rules is not None:
            then = ChoosingAnew(edit.rules, choices, unindexed, past, overrides)
        marked = edit.marked
        for page in past.pages():
            uses: list[RecordedUse] = []
            wanted: list[Wanted] = []
            for use, one in self._wanted(past, page):
                if isinstance(one, str):
                    yield not_judged(use, one)
                else:
                    uses.append(use)
                    wanted.append(one)
            before = now.answers(wanted)
            after = before
            if then is not None:
                after = then.answers(wanted, known=before)
            elif marked is not None:
                after = [now.again(one, marked) for one in before]
            for use, old, new in zip(uses, before, after, strict=True):
                yield judge(use, old, new, marked=marked, is_spoiled=edit.spoils(use))

    def _wanted(
        self, past: PastUses, page: Sequence[RecordedUse]
    ) -> Iterator[tuple[RecordedUse, Wanted | str]]:
        """Yield each use with what is chosen anew for it, or why it cannot be."""
        unknown = {use.target for use in page if use.asked.target is None}
        described = past.described(unknown)
        for use in page:
            facts = use.asked.target or described.get(use.target)
            if facts is None:
                yield use, _NO_FACTS
                continue
            try:
                yield use, self._as_asked(use, make_target(facts))
            except InvalidTargetError as error:
                yield use, str(error)

    def _as_asked(self, use: RecordedUse, target: Target) -> Wanted:
        """Return what is chosen anew for a use, under the conditions that were asked for."""
        before = use.asked.created_before
        if before is not None and before == self._created_before(use.caltype, target):
            before = None  # the rule said so, which may be what is edited
        return Wanted(
            name=use.target,
            caltype=use.caltype,
            target=target,
            created_before=before,
            include_bad=bool(use.asked.include_bad),
        )

    def _created_before(self, caltype: str, target: Target) -> Any:
        """Return what the rules in use themselves say of when candidates were made."""
        try:
            return ask(self.rules.rule_for(caltype, target), target).created_before
        except SelectionError:
            return None  # choosing says why


_NO_FACTS = (
    "what its target is like was not recorded with the use, and no frame of this name is "
    "recorded; record the use with a selection, a mapping or a file"
)


def _is_listed(judged: JudgedUse, edit: _Edit) -> bool:
    return judged.change in _ALWAYS_LISTED or edit.spoils(judged.use)


def _made_with(past: PastUses, edit: _Edit) -> int | None:
    """Return how many frames were made with a version that is called bad."""
    if edit.version is None or edit.verdict is not Verdict.BAD:
        return None
    return past.count_affected(edit.version.frame)


def _summary(edit: _Edit, counts: Mapping[Change, int], made_with: int | None) -> dict[str, Any]:
    total, changed = sum(counts.values()), sum(counts[one] for one in _OF_THE_EDIT)
    said = [f"with {edit.said}, {changed} of {total} recorded uses would change"]
    if counts[Change.LOST]:
        said.append(f"{counts[Change.LOST]} of them find none any more")
    if counts[Change.KEPT]:
        said.append(f"{counts[Change.KEPT]} keep it all the same")
    if counts[Change.NOT_JUDGED]:
        said.append(f"{counts[Change.NOT_JUDGED]} cannot be judged")
    if counts[Change.DIFFERS]:
        said.append(f"{counts[Change.DIFFERS]} differ already from what would be chosen now")
    if edit.version is not None and not edit.version.is_current:
        said.append("this version is not current, and is chosen by no rule")
    document: dict[str, Any] = {"summary": "; ".join(said), "uses": total, "would_change": changed}
    document |= {change.value.replace(" ", "_"): counts[change] for change in Change}
    if made_with is not None:
        document["summary"] += f"; {made_with} frames were made with it"
        document["made_with"] = made_with
    return document


def _row(judged: JudgedUse) -> dict[str, Any]:
    use, before, after = judged.use, judged.before, judged.after
    old, new = _first(before), _first(after)
    return {
        "target": use.target,
        "caltype": use.caltype,
        "change": judged.change.value,
        "used": use.filename,
        "before": None if old is None else old.filename,
        "after": None if new is None else new.filename,
        "reason": judged.reason or None,
        "rule_before": None if before.rule is None else before.rule.name,
        "rule_after": None if after.rule is None else after.rule.name,
        "used_md5": use.md5,
        "before_md5": None if old is None else old.version.md5,
        "after_md5": None if new is None else new.version.md5,
        "recorded_at": plain_value(use.recorded_at, str),
    }


def _first(answer: Answer) -> CalibrationFrame | None:
    return answer.frames[0] if answer.frames else None
