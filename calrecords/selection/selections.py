"""What a choice gives: the frame, how far away it is, and by which rule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from calrecords.frames import CalibrationFrame, FrameVersion
from calrecords.selection.rules import Rule
from calrecords.selection.tabulating import age_text, html_lines, html_table, time_text
from calrecords.selection.targets import Target

_SHOWN = ("filename", "frame_id", "age", "verdict")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Selection:
    """A calibration that was chosen for a target.

    It shows itself as one line, and in a notebook as a table with its alternatives.

    Attributes
    ----------
    frame : CalibrationFrame
        The calibration.
    age : timedelta or None
        Its dateobs less the target's; negative when it is from before. None where it has no
        dateobs, which only an override can choose.
    rule : Rule
        The rule that chose it.
    caltype : str
        What was looked for.
    target : Target
        For what.
    alternatives : tuple of Selection
        The next best, in their order.
    as_of : datetime or None
        What was known at this moment counted, UTC; None is what was known at the choice.
    override : str or None
        Why somebody forced it, where an override chose it and not the rule.
    created_before : datetime or None
        Candidates had to be made strictly before, UTC.
    include_bad : bool
        Whether candidates that were called bad were taken too.
    """

    frame: CalibrationFrame
    age: timedelta | None
    rule: Rule
    caltype: str
    target: Target
    alternatives: tuple[Selection, ...] = ()
    as_of: datetime | None = None
    override: str | None = None
    created_before: datetime | None = None
    include_bad: bool = False

    @property
    def version(self) -> FrameVersion:
        """Which stored file of the frame was chosen."""
        return self.frame.version

    def __repr__(self) -> str:
        return f"<Selection {self._said}>"

    def _repr_html_(self) -> str:
        frames = [
            (one.frame.filename, one.frame.frame_id, one.age, one.frame.verdict.value)
            for one in (self, *self.alternatives)
        ]
        return html_lines([self._said]) + html_table(_SHOWN, frames)

    @property
    def _said(self) -> str:
        name = self.target.basename or f"a target of {time_text(self.target.dateobs)}"
        others = len(self.alternatives)
        said = [
            f"{self.caltype} for {name}: {self.frame.filename}",
            "no dateobs" if self.age is None else age_text(self.age),
            f"rule {self.rule.name} (version {self.rule.version})",
            *(() if self.override is None else ("forced by an override",)),
            f"{others} alternative{'' if others == 1 else 's'}",
        ]
        return ", ".join(said)


def make_selection(
    ranked: list[CalibrationFrame],
    rule: Rule,
    target: Target,
    *,
    caltype: str | None = None,
    as_of: datetime | None = None,
    override: str | None = None,
    created_before: datetime | None = None,
    include_bad: bool = False,
) -> Selection:
    """Return the first of ranked candidates as chosen, with the others as alternatives.

    Raises
    ------
    IndexError
        If there is none: the caller has an error with more to say.
    """

    def selected(frame: CalibrationFrame, others: tuple[Selection, ...] = ()) -> Selection:
        return Selection(
            frame=frame,
            age=None if frame.dateobs is None else frame.dateobs - target.dateobs,
            rule=rule,
            caltype=caltype or rule.caltype,
            target=target,
            alternatives=others,
            as_of=as_of,
            override=override,
            created_before=created_before,
            include_bad=include_bad,
        )

    return selected(ranked[0], tuple(selected(frame) for frame in ranked[1:]))
