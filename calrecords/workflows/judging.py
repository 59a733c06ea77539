"""What people say of recorded frames: verdicts, validity, corrections, and their history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from calrecords.frames import CalibrationFrame
from calrecords.records import Judgements
from calrecords.vocabulary import Verdict
from calrecords.workflows.authors import author_of
from calrecords.workflows.exclusive_rules import exclusive_rules
from calrecords.workflows.known_frames import (
    KnowsFrames,
    moment,
    needed_reason,
    optional_reason,
)
from calrecords.workflows.mending import read_facts
from calrecords.workflows.tables import Column, make_table, plain_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from astropy.table import Table

    from calrecords.matching import MatchSet
    from calrecords.workflows.facade import FrameLike

_EVENTS: tuple[Column, ...] = (
    ("when", str, None),
    ("kind", str, None),
    ("detail", str, None),
    ("author", str, None),
    ("reason", str, None),
    ("filename", str, None),
    ("md5", str, None),
    ("recorded_at", str, None),
    ("is_imported", bool, None),
)


class Judging(KnowsFrames):
    """The verbs by which people judge recorded frames.

    Each is about one version: that of a `CalibrationFrame`, or the current one of the frame
    that a frame ID or a basename names. It is written with who said it, when and why, and
    nothing that was said before is ever overwritten. To say the same again changes nothing.
    """

    def mark_bad(
        self, frame: FrameLike, *, reason: str, author: str | None = None
    ) -> CalibrationFrame:
        """Call a version bad: no rule chooses it any more, unless bad ones are asked for.

        Parameters
        ----------
        frame : CalibrationFrame, Selection, IngestResult, int or str
            The version.
        reason : str
            What is wrong with it.
        author : str, optional
            Who says so; by default the user of this machine.

        Returns
        -------
        CalibrationFrame
            The version as it is recorded then.

        Raises
        ------
        ConfigurationError
            If there is no reason.
        RecordNotFoundError
            If there is no such record.
        InvalidRecordError
            If a text cannot be recorded.
        """
        return self._mark(frame, Verdict.BAD, needed_reason(reason), author)

    def mark_good(
        self, frame: FrameLike, *, reason: str = "", author: str | None = None
    ) -> CalibrationFrame:
        """Call a version good; see `mark_bad`, but a reason is not needed."""
        return self._mark(frame, Verdict.GOOD, optional_reason(reason), author)

    def clear_verdict(
        self, frame: FrameLike, *, reason: str = "", author: str | None = None
    ) -> CalibrationFrame:
        """Take a verdict back: the version is unknown again; see `mark_good`."""
        return self._mark(frame, Verdict.UNKNOWN, optional_reason(reason), author)

    def set_validity(
        self,
        frame: FrameLike,
        good_after: Any = None,
        good_until: Any = None,
        *,
        reason: str,
        author: str | None = None,
    ) -> CalibrationFrame:
        """Say for which targets' times a version may be used: ``[good_after, good_until)``.

        Parameters
        ----------
        frame : CalibrationFrame, Selection, IngestResult, int or str
            The version.
        good_after, good_until : Time, datetime, str or None
            The half-open range, UTC; None is open.
        reason : str
            Why.
        author : str, optional
            Who says so; by default the user of this machine.

        Returns
        -------
        CalibrationFrame
            The version as it is recorded then.

        Raises
        ------
        ConfigurationError
            If there is no reason, or a time cannot be read.
        RecordNotFoundError
            If there is no such record.
        RuleError
            If the rules cannot be read.
        InvalidRecordError
            If the range is empty, or a rule allows one version of a configuration at a time
            and another one is valid then.
        """
        recorded = self._frame(frame)
        return Judgements(self._database).set_validity(
            recorded,
            moment("good_after", good_after),
            moment("good_until", good_until),
            reason=needed_reason(reason),
            author=author_of(author),
            exclusive=self._exclusive_rules(recorded),
        )

    def correct(
        self, frame: FrameLike, *, reason: str, author: str | None = None, **facts: Any
    ) -> CalibrationFrame:
        """Mend wrong facts of a version; what was recorded before is kept in the history.

        A choice as of a moment before the correction sees what was recorded then.

        Parameters
        ----------
        frame : CalibrationFrame, Selection, IngestResult, int or str
            The version.
        reason : str
            Why.
        author : str, optional
            Who says so; by default the user of this machine.
        **facts
            The right values, as headers or `CalibrationFrame` have them: ``filter="rp"``,
            ``dateobs="2026-01-02T03:04:05"``. None means that it is not known. Attributes are
            in a mapping, ``attributes={"GAIN": 1.5}``, and those that are not in it stay.

        Returns
        -------
        CalibrationFrame
            The version as it is recorded then.

        Raises
        ------
        ConfigurationError
            If there is no reason.
        RecordNotFoundError
            If there is no such record.
        InvalidRecordError
            If a name is no fact that can be corrected, or a value cannot be used.
        """
        why, who = needed_reason(reason), author_of(author)
        mended = read_facts(facts)
        return Judgements(self._database).correct(
            self._frame(frame), mended, reason=why, author=who
        )

    def history(self, frame: FrameLike) -> Table:
        """Return all that happened to the records of a frame, oldest first, of every version.

        Returns
        -------
        astropy.table.Table
            One row for each event: since when it is known, of what kind it is, what it says, who
            said it and why, of which version, and when it was recorded. ``is_imported`` says
            that an importer gave the time; times are ISO 8601 text in UTC.

        Raises
        ------
        RecordNotFoundError
            If there is no such record.
        """
        events = Judgements(self._database).history(self._frame(frame).basename)
        rows = [
            {name: plain_value(getattr(event, name), kind) for name, kind, _ in _EVENTS}
            for event in events
        ]
        return make_table(_EVENTS, rows)

    def _mark(
        self, frame: FrameLike, verdict: Verdict, reason: str, author: str | None
    ) -> CalibrationFrame:
        who = author_of(author)
        judgements = Judgements(self._database)
        return judgements.mark(self._frame(frame), verdict, reason=reason, author=who)

    def _exclusive_rules(self, frame: CalibrationFrame) -> Mapping[str, MatchSet]:
        """Return the rules that allow one version at a time of what a frame is, if any do."""
        found = exclusive_rules(self.rules, frame)
        self._database.ensure_match_sets(list(found.values()))
        return found
