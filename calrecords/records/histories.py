"""All that happened to the records of a frame, in the order in which it was known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calrecords.records.models import (
    Correction,
    Frame,
    Override,
    ValidityChange,
    VerdictChange,
    Version,
)
from calrecords.records.overrides import select_overrides
from calrecords.records.storable import is_storable

_verdicts: sa.Table = VerdictChange.__table__  # type: ignore[assignment]
_validities: sa.Table = ValidityChange.__table__  # type: ignore[assignment]
_corrections: sa.Table = Correction.__table__  # type: ignore[assignment]
_overrides_of = select_overrides().where(
    Override.version_id.in_(sa.bindparam("ids", expanding=True))
)
_versions = (
    sa.select(Version)
    .join_from(Version, Frame, Version.calibration_frame_id == Frame.id)
    .where(Frame.basename == sa.bindparam("named"))
)


class EventKind(StrEnum):
    """What happened."""

    RECORDED = "recorded"
    VERDICT = "verdict"
    VALIDITY = "validity"
    CORRECTION = "correction"
    OVERRIDE = "override"
    WITHDRAWN = "override withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEvent:
    """One thing that happened to a version of a frame.

    Attributes
    ----------
    when : datetime
        Since when it is known, UTC: as an importer said, else when it was recorded.
    kind : EventKind
        What happened.
    detail : str
        The verdict, the range, the fact with its old and new value.
    filename : str
        Of the version it happened to.
    md5 : str or None
        Of the version it happened to.
    author, reason : str or None
        By whom, and why; None where nobody in particular did it.
    recorded_at : datetime
        When it was written down, UTC.
    is_imported : bool
        Whether an importer said that it was known before.
    """

    when: datetime
    kind: EventKind
    detail: str
    filename: str
    md5: str | None
    author: str | None
    reason: str | None
    recorded_at: datetime
    is_imported: bool = False


def history_of(connection: Connection, basename: str) -> list[HistoryEvent]:
    """Return what happened to every version of a frame, oldest first; nothing of an unknown one."""
    if not is_storable(basename):
        return []
    rows = connection.execute(_versions.order_by(Version.id), {"named": basename}).all()
    versions = {row.id: row for row in rows}
    found = [
        _event(basename, version, version, EventKind.RECORDED, _file_of(version))
        for version in rows
    ]
    for table, kind, detail in _HISTORIES:
        for row in _of_versions(connection, table, versions):
            found.append(_event(basename, versions[row.version_id], row, kind, detail(row)))
    for row in connection.execute(_overrides_of.order_by(Override.id), {"ids": list(versions)}):
        found += _of_override(basename, versions[row.version_id], row)
    order = list(EventKind)
    return sorted(found, key=lambda event: (event.when, order.index(event.kind)))


def _of_versions(
    connection: Connection, table: sa.Table, versions: Mapping[int, Any]
) -> Iterator[Any]:
    statement = sa.select(table).where(table.c.version_id.in_(versions)).order_by(table.c.id)
    return iter(connection.execute(statement))


def _event(basename: str, version: Any, row: Any, kind: EventKind, detail: str) -> HistoryEvent:
    known_from = getattr(row, "known_from", None)
    return HistoryEvent(
        when=known_from or row.recorded_at,
        kind=kind,
        detail=detail,
        filename=basename + version.extension,
        md5=version.md5,
        author=getattr(row, "author", None),
        reason=getattr(row, "reason", None),
        recorded_at=row.recorded_at,
        is_imported=known_from not in (None, row.recorded_at),
    )


def _of_override(basename: str, version: Any, row: Any) -> Iterator[HistoryEvent]:
    subject = row.target_basename or f"{row.site} {row.camera}"
    detail = f"{row.id}: {row.caltype} for {subject}"
    if (row.applies_after, row.applies_until) != (None, None):
        detail += f", {range_text(row.applies_after, row.applies_until)}"
    forced = _event(basename, version, row, EventKind.OVERRIDE, detail)
    yield forced
    if row.withdrawn_at is not None:
        yield replace(
            forced,
            when=row.withdrawn_at,
            kind=EventKind.WITHDRAWN,
            author=row.withdrawn_by,
            reason=row.withdrawn_reason,
            recorded_at=row.withdrawn_at,
        )


def _file_of(version: Any) -> str:
    size = "" if version.size is None else f", {version.size} bytes"
    current = ", current" if version.is_current else ""
    return f"version {version.version_key or 'without key'}{size}{current}"


def _of_correction(row: Any) -> str:
    old = "absent" if row.old is None else _plain(row.old["value"])
    return f"{row.field}: {old} -> {_plain(row.new['value'])}"


def _plain(value: Any) -> str:
    return "unknown" if value is None else str(value)


def range_text(start: datetime | None, end: datetime | None) -> str:
    """Return a half-open range as people read it."""
    return f"[{_time(start)}, {_time(end)})"


def _time(moment: datetime | None) -> str:
    return "open" if moment is None else moment.isoformat().replace("+00:00", "Z")


_HISTORIES: tuple[tuple[sa.Table, EventKind, Callable[[Any], str]], ...] = (
    (_verdicts, EventKind.VERDICT, lambda row: str(row.verdict)),
    (
        _validities,
        EventKind.VALIDITY,
        lambda row: range_text(row.good_after, row.good_until),
    ),
    (_corrections, EventKind.CORRECTION, _of_correction),
)
