"""Forcing a calibration, for a target or for a camera in a period."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from calrecords.records import Overrides, RecordedOverride, Subject
from calrecords.workflows.authors import author_of
from calrecords.workflows.caltypes import known_caltype
from calrecords.workflows.known_frames import (
    KnowsFrames,
    basename_of,
    moment,
    needed_reason,
    number_of,
    optional_reason,
)
from calrecords.workflows.tables import Column, make_table, plain_value

if TYPE_CHECKING:
    from astropy.table import Table

    from calrecords.workflows.facade import FrameLike

_COLUMNS: tuple[Column, ...] = (
    ("id", int, None),
    ("caltype", str, None),
    ("filename", str, None),
    ("target", str, None),
    ("site", str, None),
    ("camera", str, None),
    ("applies_after", str, None),
    ("applies_until", str, None),
    ("reason", str, None),
    ("author", str, None),
    ("recorded_at", str, None),
    ("withdrawn_at", str, None),
    ("withdrawn_by", str, None),
    ("withdrawn_reason", str, None),
    ("md5", str, None),
)


class Overriding(KnowsFrames):
    """The verbs that force a calibration."""

    def set_override(
        self,
        caltype: str,
        frame: FrameLike,
        *,
        reason: str,
        target: Any = None,
        site: str | None = None,
        camera: str | None = None,
        applies_after: Any = None,
        applies_until: Any = None,
        author: str | None = None,
    ) -> RecordedOverride:
        """Force a calibration for one target, or for a camera in a period.

        A choice that it decides says so. One for the target itself comes before one for its
        camera, and of several the newest counts. To set the very same again changes nothing.

        Parameters
        ----------
        caltype : str
            The type that it is forced for, for example ``"BIAS"``; one that the rules in use
            know, in any case of letters. One of other rules needs these named: `connect`
            takes ``rules=``.
        frame : CalibrationFrame, Selection, IngestResult, int or str
            The version that is to be taken; later versions of its frame are not.
        reason : str
            Why.
        target : str, Path, or anything with a basename, optional
            The one target that it is for.
        site, camera : str, optional
            The camera whose targets it is for.
        applies_after, applies_until : Time, datetime or str, optional
            Half-open range of the targets' dateobs ``[applies_after, applies_until)``, UTC.
        author : str, optional
            Who says so; by default the user of this machine.

        Raises
        ------
        ConfigurationError
            If there is no reason, or a time or a name cannot be read.
        InvalidRecordError
            If it is neither for one target nor for one camera, or the range is empty.
        RecordNotFoundError
            If there is no such frame or camera.
        RuleError
            If the rules in use do not know the type, or cannot be read.
        """
        wanted = known_caltype(self.rules, caltype)
        subject = Subject(
            target=None if target is None else basename_of(target),
            site=site,
            camera=camera,
            applies_after=moment("applies_after", applies_after),
            applies_until=moment("applies_until", applies_until),
        )
        why, who = needed_reason(reason), author_of(author)
        overrides = Overrides(self._database)
        return overrides.set(wanted, self._frame(frame), subject, reason=why, author=who)

    def withdraw_override(
        self, override: RecordedOverride | int, *, reason: str = "", author: str | None = None
    ) -> RecordedOverride:
        """Let an override hold no longer; a choice as of a moment before still obeys it.

        Parameters
        ----------
        override : RecordedOverride or int
            The override, or its number.
        reason : str, optional
            Why.
        author : str, optional
            Who says so; by default the user of this machine.

        Raises
        ------
        RecordNotFoundError
            If there is none with this number.
        """
        number = override.id if isinstance(override, RecordedOverride) else override
        return Overrides(self._database).withdraw(
            number_of("override", number),
            reason=optional_reason(reason),
            author=author_of(author),
        )

    def overrides(self, *, withdrawn: bool = False) -> Table:
        """Return the overrides that hold, oldest first; on request the withdrawn ones too.

        Returns
        -------
        astropy.table.Table
            One row for each; times are ISO 8601 text in UTC.
        """
        found = Overrides(self._database).all(withdrawn=withdrawn)
        rows = [
            {name: plain_value(getattr(one, name), kind) for name, kind, _ in _COLUMNS}
            for one in found
        ]
        return make_table(_COLUMNS, rows)
