"""What becomes of a recorded use: the same, another calibration, none, or nobody can say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from calrecords.frames import CalibrationFrame
from calrecords.records import RecordedUse
from calrecords.selection import Question
from calrecords.selection.reasons import value_text
from calrecords.workflows.choosing_anew import Answer, Marked

_NOTHING = Answer()
_Identity = tuple[str, str | None, str | None]


class Change(StrEnum):
    """What becomes of a use; in the order in which they are listed."""

    CHANGED = "changed"
    LOST = "lost"
    GAINED = "gained"
    KEPT = "kept"
    DIFFERS = "differs already"
    UNCHANGED = "unchanged"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedUse:
    """A recorded use, with what would be chosen for it now, and what after an edit.

    Attributes
    ----------
    use : RecordedUse
        The use.
    change : Change
        What becomes of it.
    before, after : Answer
        What would be chosen now, and after the edit.
    reason : str
        Why.
    """

    use: RecordedUse
    change: Change
    before: Answer = _NOTHING
    after: Answer = _NOTHING
    reason: str = ""


def not_judged(use: RecordedUse, reason: str) -> JudgedUse:
    """Return a use that cannot be asked anew."""
    return JudgedUse(use=use, change=Change.NOT_JUDGED, reason=reason)


def judge(
    use: RecordedUse,
    before: Answer,
    after: Answer,
    *,
    marked: Marked | None = None,
    is_spoiled: bool = False,
) -> JudgedUse:
    """Return what becomes of a use.

    Parameters
    ----------
    use : RecordedUse
        The use.
    before, after : Answer
        What would be chosen now, and after the edit.
    marked : Marked, optional
        The version whose verdict the edit is.
    is_spoiled : bool
        Whether the edit calls bad what was used.
    """
    change, reason = _compared(use, before, after, marked, is_spoiled=is_spoiled)
    return JudgedUse(use=use, change=change, before=before, after=after, reason=reason)


def _compared(
    use: RecordedUse, before: Answer, after: Answer, marked: Marked | None, *, is_spoiled: bool
) -> tuple[Change, str]:
    if before.fault and after.fault:
        return Change.NOT_JUDGED, before.fault
    if list(map(_identity, before.frames)) != list(map(_identity, after.frames)):
        change = Change.CHANGED
        if not (before.frames and after.frames):
            change = Change.LOST if before.frames else Change.GAINED
        return change, _why(before, after, marked)
    if not any(_is_used(frame, use) for frame in before.frames):
        chosen = before.frames[0].filename if before.frames else "none"
        return Change.DIFFERS, f"{chosen} would be chosen now, whatever is edited"
    if is_spoiled:
        return Change.KEPT, _why_kept(after)
    return Change.UNCHANGED, "" if after.override is None else _forced(after)


def _identity(frame: CalibrationFrame) -> _Identity:
    return frame.basename, frame.version.md5, frame.version.version_key


def _is_used(frame: CalibrationFrame, use: RecordedUse) -> bool:
    unknown = use.md5 is None or frame.version.md5 is None
    return frame.filename == use.filename and (unknown or frame.version.md5 == use.md5)


def _why(before: Answer, after: Answer, marked: Marked | None) -> str:
    """Return why two answers differ."""
    if before.fault or after.fault:
        return after.fault or before.fault
    gone = _only_in(before, after)
    came = _only_in(after, before)
    now = {} if marked is None else {_identity(marked.before): marked.before}
    then = {} if marked is None else {_identity(marked.after): marked.after}
    if after.question is not None and after.question.never is not None:
        return after.question.never
    said = _shortfall([then.get(_identity(one), one) for one in gone], after.question)
    said = said or _shortfall([now.get(_identity(one), one) for one in came], before.question)
    if said:
        return said
    if gone and not came and after.question is not None:
        return f"fewer than {after.question.count.minimum} are what the rule asks for"
    return "another one comes first"


def _only_in(these: Answer, those: Answer) -> list[CalibrationFrame]:
    others = set(map(_identity, those.frames))
    return [frame for frame in these.frames if _identity(frame) not in others]


def _shortfall(frames: Sequence[CalibrationFrame], question: Question | None) -> str:
    """Return the first test that the first of some frames fails; empty where none fails any."""
    tests = () if question is None else question.tests
    for frame in frames:
        for test in tests:
            if not test.passes(frame):
                has = value_text(test.actual(frame)) or "no value"
                return f"{frame.filename}: {test.name}: {has}, wanted {test.allowed}"
    return ""


def _why_kept(after: Answer) -> str:
    if after.override is not None:
        return _forced(after)
    if after.question is not None and after.question.include_bad:
        return "bad ones were asked for when it was chosen"
    return "the rule takes bad ones"


def _forced(answer: Answer) -> str:
    return f"forced by an override: {answer.override}"
