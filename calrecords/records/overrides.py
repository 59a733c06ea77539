"""Calibrations that somebody forced: for one target, or for a camera in a period.

None is ever deleted: one that is withdrawn says when, by whom and why, so that a choice as of
a moment before is what it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calrecords.errors import InvalidRecordError, RecordNotFoundError
from calrecords.records.models import Frame, Instrument, Override, Site, Version
from calrecords.records.storable import is_storable

ANY_OVERRIDE = "SELECT 1 FROM overrides LIMIT 1"
"""Says at the least cost that there is none: nearly always there is not."""

_overrides: sa.Table = Override.__table__  # type: ignore[assignment]
_COLUMNS = (
    *(_overrides, Frame.basename.label("of_frame"), Version.extension, Version.md5),
    *(Site.code.label("site"), Instrument.camera),
)


def select_overrides() -> sa.Select[Any]:
    """Return the statement that reads every override, whole."""
    return (
        sa.select(*_COLUMNS)
        .join_from(_overrides, Version, Version.id == _overrides.c.version_id)
        .join(Frame, Frame.id == Version.calibration_frame_id)
        .join(Instrument, Instrument.id == _overrides.c.instrument_id, isouter=True)
        .join(Site, Site.id == Instrument.site_id, isouter=True)
    )


def _at(column: Any, after: bool, moment: str) -> sa.ColumnElement[bool]:
    bound = sa.bindparam(moment, type_=column.type)
    return sa.or_(column.is_(None), column > bound if after else column <= bound)


_applying = (
    select_overrides()
    .where(
        sa.func.lower(_overrides.c.caltype) == sa.bindparam("wanted"),
        sa.or_(
            _overrides.c.target_basename == sa.bindparam("named"),
            sa.and_(
                _overrides.c.target_basename.is_(None),
                Site.code == sa.bindparam("code"),
                Instrument.camera == sa.bindparam("unit"),
            ),
        ),
        _at(_overrides.c.applies_after, False, "dateobs"),
        _at(_overrides.c.applies_until, True, "dateobs"),
    )
    .order_by(
        _overrides.c.target_basename.is_(None),
        _overrides.c.recorded_at.desc(),
        _overrides.c.id.desc(),
    )
    .limit(1)
)
_applying_now = _applying.where(_overrides.c.withdrawn_at.is_(None))
_applying_then = _applying.where(
    _overrides.c.recorded_at <= sa.bindparam("moment"),
    _at(_overrides.c.withdrawn_at, True, "moment"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedOverride:
    """A calibration that somebody forced.

    Attributes
    ----------
    id : int
        Its number.
    caltype : str
        The type that it is forced for.
    version_id : int
        Number of the version's row.
    filename : str
        Of the version.
    md5 : str or None
        Of the version.
    target : str or None
        The target's basename; None where it is for a camera.
    site, camera : str or None
        The camera; None where it is for a target.
    applies_after, applies_until : datetime or None
        Half-open range of the targets' dateobs, UTC; None is open.
    reason, author : str
        Why, and by whom.
    recorded_at : datetime
        When it was set, UTC.
    withdrawn_at : datetime or None
        When it was withdrawn, UTC; None while it holds.
    withdrawn_by, withdrawn_reason : str or None
        By whom, and why.
    """

    id: int
    caltype: str
    version_id: int
    filename: str
    md5: str | None
    target: str | None
    site: str | None
    camera: str | None
    applies_after: datetime | None
    applies_until: datetime | None
    reason: str
    author: str
    recorded_at: datetime
    withdrawn_at: datetime | None = None
    withdrawn_by: str | None = None
    withdrawn_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What an override is for: one target, or a camera in a period.

    Attributes
    ----------
    target : str or None
        The target's basename.
    site, camera : str or None
        The camera; both, or neither.
    applies_after, applies_until : datetime or None
        Half-open range of the targets' dateobs, UTC; None is open.
    """

    target: str | None = None
    site: str | None = None
    camera: str | None = None
    applies_after: datetime | None = None
    applies_until: datetime | None = None

    def check(self) -> None:
        """Make sure that it is one thing, and that its range holds a moment.

        Raises
        ------
        InvalidRecordError
            If it is not.
        """
        is_camera = self.site is not None and self.camera is not None
        if (self.target is not None) == is_camera or (self.site is None) != (self.camera is None):
            msg = "an override is for one target, or for a site and a camera; give either"
            raise InvalidRecordError(msg)
        start, end = self.applies_after, self.applies_until
        if start is not None and end is not None and start >= end:
            msg = (
                f"an override cannot apply from {start.isoformat()} until {end.isoformat()}, "
                "which is not later"
            )
            raise InvalidRecordError(msg)


def find_override(
    connection: Connection,
    caltype: str,
    *,
    basename: str | None,
    site: str | None,
    camera: str | None,
    dateobs: datetime,
    as_of: datetime | None = None,
) -> RecordedOverride | None:
    """Return the override that a choice must obey; one for the target itself comes first.

    Of several the newest counts.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    caltype : str
        What is looked for, in any case of letters.
    basename, site, camera : str or None
        The target's.
    dateobs : datetime
        The target's, UTC.
    as_of : datetime, optional
        What was set, and not withdrawn, at this moment counts, UTC; by default now.
    """
    asked: dict[str, Any] = {"wanted": caltype.strip().lower(), "dateobs": dateobs}
    asked |= {"named": basename, "code": site, "unit": camera}
    statement = _applying_now
    if as_of is not None:
        statement, asked["moment"] = _applying_then, as_of
    row = connection.execute(statement, asked).one_or_none()
    return None if row is None else as_override(row)


def override_by_number(connection: Connection, number: int) -> RecordedOverride:
    """Return an override.

    Raises
    ------
    RecordNotFoundError
        If there is none with this number.
    """
    row = None
    if is_storable(number):
        row = connection.execute(select_overrides().where(_overrides.c.id == number)).one_or_none()
    if row is None:
        msg = f"there is no override {number}; look at: calrecords override list"
        raise RecordNotFoundError(msg)
    return as_override(row)


def as_override(row: Any) -> RecordedOverride:
    """Return the override that a row of `select_overrides` is."""
    return RecordedOverride(
        filename=row.of_frame + row.extension,
        target=row.target_basename,
        **{name: getattr(row, name) for name in _SAME_NAME},
    )


_SAME_NAME = tuple(
    name for name in RecordedOverride.__dataclass_fields__ if name not in {"filename", "target"}
)
