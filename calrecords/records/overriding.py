"""Setting and withdrawing overrides; see `overrides` for what they are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calrecords.errors import InvalidRecordError, RecordNotFoundError
from calrecords.frames import CalibrationFrame
from calrecords.records.database import RecordDatabase
from calrecords.records.judging import Statement, check_statement
from calrecords.records.models import Instrument, Override, Site
from calrecords.records.overrides import (
    RecordedOverride,
    Subject,
    as_override,
    override_by_number,
    select_overrides,
)
from calrecords.records.pinning import locked_version_row
from calrecords.records.storable import LONGEST_NAME, LONGEST_WORD, is_storable

_overrides: sa.Table = Override.__table__  # type: ignore[assignment]


class Overrides:
    """The overrides of one records database.

    Parameters
    ----------
    database : RecordDatabase
        The records.
    """

    def __init__(self, database: RecordDatabase) -> None:
        self._database = database

    def set(
        self, caltype: str, frame: CalibrationFrame, subject: Subject, *, reason: str, author: str
    ) -> RecordedOverride:
        """Force a version; the very same override, where it holds already, is returned.

        Raises
        ------
        InvalidRecordError
            If it is for nothing, or for two things, or the database cannot hold a text.
        RecordNotFoundError
            If there is no such version, or no such camera is recorded.
        """
        subject.check()
        caltype = caltype.strip()
        _demand_storable(caltype, subject)
        with self._database.write_rows() as connection:
            said = Statement(reason=reason, author=author, recorded_at=datetime.now(UTC))
            check_statement(said)
            values = {
                "caltype": caltype,
                "version_id": locked_version_row(connection, frame),
                "target_basename": subject.target,
                "instrument_id": _camera_row(connection, subject),
                "applies_after": subject.applies_after,
                "applies_until": subject.applies_until,
                "reason": reason,
            }
            number = _same(connection, values)
            if number is None:
                values |= {"author": author, "recorded_at": said.recorded_at}
                inserted = connection.execute(sa.insert(_overrides), values).inserted_primary_key
                assert inserted is not None
                number = inserted[0]
            return override_by_number(connection, number)

    def withdraw(self, number: int, *, reason: str, author: str) -> RecordedOverride:
        """Let an override hold no longer; one that was withdrawn already is returned as it is.

        Raises
        ------
        RecordNotFoundError
            If there is none with this number.
        """
        with self._database.write_rows() as connection:
            now = datetime.now(UTC)
            check_statement(Statement(reason=reason, author=author, recorded_at=now))
            override = override_by_number(connection, number)
            connection.execute(
                sa.update(_overrides)
                .where(_overrides.c.id == number, _overrides.c.withdrawn_at.is_(None))
                .values(
                    withdrawn_at=max(now, override.recorded_at),
                    withdrawn_by=author,
                    withdrawn_reason=reason,
                )
            )
            return override_by_number(connection, number)

    def all(self, *, withdrawn: bool = True) -> list[RecordedOverride]:
        """Return the overrides, oldest first; on request only those that hold."""
        statement = select_overrides().order_by(_overrides.c.id)
        if not withdrawn:
            statement = statement.where(_overrides.c.withdrawn_at.is_(None))
        with self._database.read() as connection:
            return [as_override(row) for row in connection.execute(statement)]


def _demand_storable(caltype: str, subject: Subject) -> None:
    for what, value, longest in (
        ("caltype", caltype, LONGEST_WORD),
        ("target", subject.target, LONGEST_NAME),
    ):
        if value is not None and not (value and len(value) <= longest and is_storable(value)):
            msg = f"the {what} {value!r} of an override cannot be recorded; is it a name?"
            raise InvalidRecordError(msg)


def _camera_row(connection: Connection, subject: Subject) -> int | None:
    if subject.camera is None:
        return None
    cameras = (
        sa.select(Instrument.id, Instrument.camera)
        .join(Site, Site.id == Instrument.site_id)
        .where(Site.code == subject.site)
        .order_by(Instrument.id)
    )
    rows = connection.execute(cameras).all() if is_storable(subject.site) else []
    found = next((row.id for row in rows if row.camera == subject.camera), None)
    if found is None:
        known = sorted({row.camera for row in rows})
        msg = (
            f"no frame of camera {subject.camera!r} at site {subject.site!r} is recorded; "
            f"known there: {', '.join(known) or 'none'}"
        )
        raise RecordNotFoundError(msg)
    return int(found)


def _same(connection: Connection, values: Mapping[str, Any]) -> int | None:
    return connection.scalar(
        sa.select(_overrides.c.id)
        .where(
            _overrides.c.withdrawn_at.is_(None),
            *(
                _overrides.c[name].is_(None) if value is None else _overrides.c[name] == value
                for name, value in values.items()
            ),
        )
        .order_by(_overrides.c.id)
        .limit(1)
    )
