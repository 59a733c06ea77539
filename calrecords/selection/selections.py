"""What a choice gives: the frame, how far away it is, and by which rule."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from calrecords.frames import CalibrationFrame, FrameVersion
from calrecords.selection.rules import Rule
from calrecords.selection.targets import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A calibration that was chosen for a target.

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
    target: Target = field(repr=False)
    alternatives: tuple[Selection, ...] = field(default=(), repr=False)
    as_of: datetime | None = None
    override: str | None = None
    created_before: datetime | None = None
    include_bad: bool = False

    @property
    def version(self) -> FrameVersion:
        """Which stored file of the frame was chosen."""
        return self.frame.version


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
