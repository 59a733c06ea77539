"""The overrides that hold, found in memory for many choices at once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from calrecords.records.overrides import RecordedOverride

_Subject = tuple[str, str | None, str | None, str | None]
"""Calibration type in lower case, the target's basename, and site and camera."""


class StandingOverrides:
    """Overrides that hold, by what they are for.

    Parameters
    ----------
    overrides : iterable of RecordedOverride
        Those that are not withdrawn, in any order.
    """

    def __init__(self, overrides: Iterable[RecordedOverride]) -> None:
        self._by_subject: dict[_Subject, list[RecordedOverride]] = {}
        for one in sorted(overrides, key=lambda one: (one.recorded_at, one.id), reverse=True):
            subject = (one.caltype.lower(), one.target, one.site, one.camera)
            self._by_subject.setdefault(subject, []).append(one)

    def find(
        self,
        caltype: str,
        *,
        basename: str | None,
        site: str | None,
        camera: str | None,
        dateobs: datetime,
    ) -> RecordedOverride | None:
        """Return the override that a choice must obey; see `overrides.find_override`."""
        if not self._by_subject:
            return None
        wanted = caltype.strip().lower()
        subjects: list[_Subject] = []
        if basename is not None:
            subjects.append((wanted, basename, None, None))
        if site is not None and camera is not None:
            subjects.append((wanted, None, site, camera))
        applying = (
            one
            for subject in subjects
            for one in self._by_subject.get(subject, ())
            if (one.applies_after is None or one.applies_after <= dateobs)
            and (one.applies_until is None or dateobs < one.applies_until)
        )
        return next(applying, None)
