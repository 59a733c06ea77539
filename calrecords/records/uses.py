"""Which target was reduced with which version, and what was asked when it was chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calrecords.errors import InvalidRecordError
from calrecords.frames import CalibrationFrame
from calrecords.records.affected import AffectedFrame, affected_by
from calrecords.records.database import RecordDatabase
from calrecords.records.models import Frame, FrameInput, FrameUse, Version
from calrecords.records.naming import insert_once
from calrecords.records.pinning import version_row
from calrecords.records.storable import LONGEST_NAME, LONGEST_WORD, document_fault, is_storable

_uses: sa.Table = FrameUse.__table__  # type: ignore[assignment]
_newest_of_target = (
    sa.select(_uses)
    .where(
        _uses.c.target_basename == sa.bindparam("named"),
        _uses.c.caltype == sa.bindparam("type"),
    )
    .order_by(_uses.c.recorded_at.desc(), _uses.c.id.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked when a calibration was chosen, so that it can be asked anew.

    Attributes
    ----------
    rule, rule_version, rule_set : str or None
        Which rule chose it.
    as_of : datetime or None
        What was known at this moment counted, UTC.
    created_before : datetime or None
        The calibration had to be made before, UTC.
    include_bad : bool or None
        Whether bad ones were asked for.
    override : str or None
        Why it was forced, where an override chose it.
    target : mapping or None
        The target's facts, as JSON holds them.
    """

    rule: str | None = None
    rule_version: str | None = None
    rule_set: str | None = None
    as_of: datetime | None = None
    created_before: datetime | None = None
    include_bad: bool | None = None
    override: str | None = None
    target: Mapping[str, Any] | None = None


_ASKED = tuple(Asked.__dataclass_fields__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedUse:
    """A target that was reduced with a version.

    Attributes
    ----------
    id : int
        Number of its row.
    target : str
        The target's basename.
    caltype : str
        What the version was to it.
    version_id : int
        Number of the version's row.
    filename : str
        Of the version.
    md5 : str or None
        Of the version.
    recorded_at : datetime
        When it was recorded, UTC.
    asked : Asked
        What was asked when it was chosen, as far as that is known.
    """

    id: int
    target: str
    caltype: str
    version_id: int
    filename: str
    md5: str | None
    recorded_at: datetime
    asked: Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedInput:
    """A version that was made from a frame.

    Attributes
    ----------
    filename : str
        Of the version that was made.
    md5 : str or None
        Of the version that was made.
    keyword : str
        Where its header names the input.
    basename : str
        The input's.
    recorded_at : datetime
        When the version was recorded, UTC.
    """

    filename: str
    md5: str | None
    keyword: str
    basename: str
    recorded_at: datetime


class Uses:
    """The recorded uses of one records database.

    Parameters
    ----------
    database : RecordDatabase
        The records.
    """

    def __init__(self, database: RecordDatabase) -> None:
        self._database = database

    def record(self, target: str, frame: CalibrationFrame, caltype: str, asked: Asked) -> bool:
        """Record that a target was reduced with a version; return whether that is news.

        Where the version was used before and another one since, it is the newest use again.

        Raises
        ------
        RecordNotFoundError
            If there is no such version.
        InvalidRecordError
            If the database cannot hold a value.
        """
        _check(target, caltype, asked)
        values = {name: getattr(asked, name) for name in _ASKED}
        with self._database.write_rows() as connection:
            version = version_row(connection, frame)
            named = {"named": target, "type": caltype}
            newest = connection.execute(_newest_of_target, named).one_or_none()
            now = datetime.now(UTC)
            if newest is not None:
                if newest.version_id == version and _is_same(newest, values):
                    return False
                now = max(now, newest.recorded_at + timedelta(microseconds=1))
            row = {"target_basename": target, "version_id": version, "caltype": caltype}
            if insert_once(connection, _uses, **row, recorded_at=now, **values) is None:
                same = [_uses.c[name] == value for name, value in row.items()]
                connection.execute(sa.update(_uses).where(*same).values(recorded_at=now, **values))
            return True

    def of_version(self, frame: CalibrationFrame) -> list[RecordedUse]:
        """Return the uses of a version, oldest first."""
        with self._database.read() as connection:
            version = version_row(connection, frame)
            statement = select_uses().where(_uses.c.version_id == version)
            rows = connection.execute(statement.order_by(_uses.c.recorded_at, _uses.c.id))
            return [as_use(row) for row in rows]

    def of_target(self, basename: str) -> list[RecordedUse]:
        """Return what a target was reduced with, oldest first; nothing of an unknown one."""
        if not is_storable(basename):
            return []
        statement = select_uses().where(_uses.c.target_basename == basename)
        with self._database.read() as connection:
            rows = connection.execute(statement.order_by(_uses.c.recorded_at, _uses.c.id))
            return [as_use(row) for row in rows]

    def made_from(self, basename: str) -> list[RecordedInput]:
        """Return the versions whose headers name a frame as an input, oldest first."""
        return self._inputs(FrameInput.basename == basename) if is_storable(basename) else []

    def inputs_of(self, frame: CalibrationFrame) -> list[RecordedInput]:
        """Return what a version was made from, as its header names it."""
        with self._database.read() as connection:
            version = version_row(connection, frame)
        return self._inputs(FrameInput.version_id == version)

    def affected_by(self, frame: CalibrationFrame) -> list[AffectedFrame]:
        """Return all that was made with a version; see `affected.affected_by`."""
        with self._database.read() as connection:
            return affected_by(connection, frame)

    def _inputs(self, condition: Any) -> list[RecordedInput]:
        statement = (
            sa.select(
                *(Frame.basename.label("made"), Version.extension, Version.md5),
                *(FrameInput.keyword, FrameInput.basename, Version.recorded_at),
            )
            .join_from(FrameInput, Version, Version.id == FrameInput.version_id)
            .join(Frame, Frame.id == Version.calibration_frame_id)
            .where(condition)
            .order_by(FrameInput.version_id, FrameInput.id)
        )
        with self._database.read() as connection:
            return [
                RecordedInput(
                    filename=row.made + row.extension,
                    md5=row.md5,
                    keyword=row.keyword,
                    basename=row.basename,
                    recorded_at=row.recorded_at,
                )
                for row in connection.execute(statement)
            ]


def select_uses() -> sa.Select[Any]:
    """Return the statement that reads every use, whole."""
    return (
        sa.select(_uses, Frame.basename.label("of_frame"), Version.extension, Version.md5)
        .join_from(_uses, Version, Version.id == _uses.c.version_id)
        .join(Frame, Frame.id == Version.calibration_frame_id)
    )


def as_use(row: Any) -> RecordedUse:
    """Return the use that a row of `select_uses` is."""
    return RecordedUse(
        id=row.id,
        target=row.target_basename,
        caltype=row.caltype,
        version_id=row.version_id,
        filename=row.of_frame + row.extension,
        md5=row.md5,
        recorded_at=row.recorded_at,
        asked=Asked(**{name: getattr(row, name) for name in _ASKED}),
    )


def newest_uses(connection: Connection, targets: Sequence[str] | None = None) -> list[RecordedUse]:
    """Return the newest use of each target and type, which is what it is reduced with now.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    targets : sequence of str, optional
        Only of these, a few hundred; by default of all.
    """
    newest: dict[tuple[str, str], RecordedUse] = {}
    statement = select_uses().order_by(_uses.c.recorded_at, _uses.c.id)
    if targets is not None:
        statement = statement.where(_uses.c.target_basename.in_(targets))
    for row in connection.execute(statement):
        newest[row.target_basename, row.caltype] = as_use(row)
    return list(newest.values())


def used_targets(connection: Connection, after: str, first: int) -> Sequence[str]:
    """Return the first targets after one, in the order of the database, that have a use."""
    statement = (
        sa.select(_uses.c.target_basename)
        .where(_uses.c.target_basename > after)
        .distinct()
        .order_by(_uses.c.target_basename)
        .limit(first)
    )
    return connection.scalars(statement).all()


def _is_same(row: Any, values: Mapping[str, Any]) -> bool:
    return all(getattr(row, name) == value for name, value in values.items())


def _check(target: str, caltype: str, asked: Asked) -> None:
    words = {name: getattr(asked, name) for name in ("rule", "rule_version", "rule_set")}
    named = {"target": (target, LONGEST_NAME), "caltype": (caltype, LONGEST_WORD)}
    for what, (text, longest) in named.items():
        if not text or len(text) > longest or not is_storable(text):
            msg = f"the use of a calibration cannot be recorded: {what} {text!r} is no name"
            raise InvalidRecordError(msg)
    for what, value in {**words, "override": asked.override}.items():
        if not is_storable(value):
            msg = f"the use of a calibration for {target} cannot be recorded: {what} {value!r}"
            raise InvalidRecordError(msg)
    if (fault := document_fault(asked.target or {})) is not None:
        msg = f"the use of a calibration for {target} cannot be recorded: the target's {fault}"
        raise InvalidRecordError(msg)
