"""Mending wrong facts of a version: what was recorded before stays in the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calrecords.errors import InvalidRecordError
from calrecords.frames import FrameFacts
from calrecords.records.correction_values import as_kept
from calrecords.records.judging import Statement, check_statement
from calrecords.records.match_fields import ATTRIBUTE_PREFIX, OF_IDENTITY, OF_VERSION
from calrecords.records.models import Correction, Version
from calrecords.records.recording import choose_current
from calrecords.records.selection_index import facts_of, move_version
from calrecords.records.storable import check_storable, plain_json
from calrecords.vocabulary import Binning

MENDABLE = tuple(sorted({*OF_VERSION} - {"extension"}))
"""Facts that can be corrected, besides attributes."""

_RULE = "correction"
"""What gave the night, once somebody corrected it."""

_versions: sa.Table = Version.__table__  # type: ignore[assignment]
_corrections: sa.Table = Correction.__table__  # type: ignore[assignment]
_ELSEWHERE = {
    "verdict": "mark_bad, mark_good or clear_verdict",
    "good_after": "set_validity",
    "good_until": "set_validity",
}


def correct_version(
    connection: Connection, version: int, facts: Mapping[str, Any], said: Statement
) -> bool:
    """Mend facts of a version; return whether anything was wrong.

    A fact that is right already is no correction. The index keeps the version under the old
    facts for the time before, so that a choice as of then is what it was.

    Parameters
    ----------
    connection : Connection
        In a transaction that holds the frame's and the version's rows.
    version : int
        Number of the version's row.
    facts : mapping
        The right values: of `MENDABLE`, or an attribute's as ``attributes.NAME``, or under its
        plain name where the version has such an attribute.
    said : Statement
        Who says so, and why.

    Raises
    ------
    InvalidRecordError
        If a name is no fact that can be corrected, or the database cannot hold a value.
    """
    check_statement(said)
    row = connection.execute(sa.select(_versions).where(_versions.c.id == version)).one()
    before = facts_of(connection, version)
    given = {_field(name, before): value for name, value in facts.items()}
    _demand_storable(before, given)
    after, attributes = _mended(before, given)
    changes = [
        {"field": field, "old": old, "new": new}
        for field, old, new in _differences(before, after, before["attributes"], attributes)
    ]
    if not changes:
        return False
    now = _moment(connection, row, said.recorded_at)
    columns = {name: after[name] for name in OF_VERSION} | {"attributes": attributes}
    if before["dayobs"] != after["dayobs"]:
        columns["dayobs_rule"] = _RULE
        was = as_kept(row.dayobs_rule)
        changes.append({"field": "dayobs_rule", "old": was, "new": as_kept(_RULE)})
    connection.execute(sa.update(_versions).where(_versions.c.id == version).values(**columns))
    who = {"version_id": version, "reason": said.reason, "author": said.author}
    connection.execute(
        sa.insert(_corrections), [{**change, **who, "recorded_at": now} for change in changes]
    )
    if row.is_current:
        move_version(connection, version, before, after | {"attributes": attributes}, now)
    if before["created"] != after["created"]:
        choose_current(connection, row.calibration_frame_id, now)
    return True


def _moment(connection: Connection, row: Any, now: datetime) -> datetime:
    """Return now, but not before what it comes after: another machine's clock may be ahead."""
    last: datetime | None = connection.scalar(
        sa.select(sa.func.max(_corrections.c.recorded_at)).where(
            _corrections.c.version_id == row.id
        )
    )
    recorded_at: datetime = row.recorded_at
    return max(now, recorded_at, last or now)


def _field(name: str, recorded: Mapping[str, Any]) -> str:
    if name in MENDABLE or name.startswith(ATTRIBUTE_PREFIX):
        return name
    frame = f"{recorded['basename']}{recorded['extension']}"
    if name in recorded["attributes"]:
        return ATTRIBUTE_PREFIX + name
    if name in _ELSEWHERE:
        msg = f"{frame}: {name} is no fact of the header; use {_ELSEWHERE[name]}"
    elif name in {*OF_IDENTITY, "frame_id", "extension", "version"}:
        msg = (
            f"{frame}: {name} tells this frame from others, in the archive too, and cannot be "
            "corrected; mark it bad, mend the file, and ingest it under another name"
        )
    else:
        msg = (
            f"{frame}: there is no fact {name!r} to correct; known are {', '.join(MENDABLE)}; "
            f"an attribute that is to be added is {ATTRIBUTE_PREFIX}{name}"
        )
    raise InvalidRecordError(msg)


def _demand_storable(recorded: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    facts = {name: value for name, value in given.items() if name in MENDABLE}
    attributes = {
        name.removeprefix(ATTRIBUTE_PREFIX): value
        for name, value in given.items()
        if name not in facts
    }
    checked = replace(FrameFacts(), **facts, attributes=attributes)
    check_storable(f"{recorded['basename']}{recorded['extension']}", checked)


def _mended(
    before: Mapping[str, Any], given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    after, attributes = dict(before), dict(before["attributes"])
    for field, value in given.items():
        if field.startswith(ATTRIBUTE_PREFIX):
            attributes[field.removeprefix(ATTRIBUTE_PREFIX)] = plain_json(value)
        else:
            after[field] = str(value) if isinstance(value, Binning) else value
    return after, attributes


def _differences(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    attributes_before: Mapping[str, Any],
    attributes: Mapping[str, Any],
) -> list[tuple[str, dict[str, Any] | None, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any] | None, dict[str, Any]]] = [
        (name, as_kept(before[name]), as_kept(after[name]))
        for name in MENDABLE
        if before[name] != after[name]
    ]
    for name, value in attributes.items():
        old = as_kept(attributes_before[name]) if name in attributes_before else None
        if old != as_kept(value):
            found.append((ATTRIBUTE_PREFIX + name, old, as_kept(value)))
    return found
