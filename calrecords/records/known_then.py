"""What was known of versions at a moment: verdicts, validity and facts, many at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calrecords.frames import CalibrationFrame
from calrecords.records.correction_values import UNDO_ORDER, facts_before
from calrecords.records.judging import known_at
from calrecords.records.models import Correction, ValidityChange, VerdictChange
from calrecords.records.numbered import IDS, is_listed
from calrecords.vocabulary import Binning, Verdict

AT_A_TIME = 500
"""Versions in one query, below what any SQLite takes."""

Range = tuple[datetime | None, datetime | None]
"""``[good_after, good_until)``, UTC; None is open."""

_verdicts: sa.Table = VerdictChange.__table__  # type: ignore[assignment]
_validities: sa.Table = ValidityChange.__table__  # type: ignore[assignment]
_corrections: sa.Table = Correction.__table__  # type: ignore[assignment]


@cache
def _history(table: sa.Table, *, is_server: bool) -> sa.Select[Any]:
    since = known_at(table)
    return (
        sa.select(table)
        .where(is_listed(table.c.version_id, is_server=is_server))
        .where(since <= sa.bindparam("moment", type_=table.c.recorded_at.type))
        .order_by(since, table.c.id)
    )


@cache
def _corrections_after(table: sa.Table, *, is_server: bool) -> sa.Select[Any]:
    return (
        sa.select(table)
        .where(is_listed(table.c.version_id, is_server=is_server))
        .where(table.c.recorded_at > sa.bindparam("moment"))
        .order_by(*UNDO_ORDER)
    )


def verdicts_at(
    connection: Connection, versions: Collection[int], moment: datetime
) -> dict[int, Verdict]:
    """Return the verdict of each version as it was known; one that nobody marked is left out."""
    rows = _asked(connection, _history, _verdicts, versions, moment)
    return {row.version_id: Verdict(row.verdict) for row in rows}


def validities_at(
    connection: Connection, versions: Collection[int], moment: datetime
) -> dict[int, Range]:
    """Return when each version was known to be valid; one that nobody restricted is left out."""
    rows = _asked(connection, _history, _validities, versions, moment)
    return {row.version_id: (row.good_after, row.good_until) for row in rows}


def corrections_after(
    connection: Connection, versions: Collection[int], moment: datetime
) -> dict[int, list[Any]]:
    """Return the later corrections of each version, in the order in which they are undone."""
    found: dict[int, list[Any]] = {}
    for row in _asked(connection, _corrections_after, _corrections, versions, moment):
        found.setdefault(row.version_id, []).append(row)
    return found


def as_known_at(
    connection: Connection, frames: Mapping[int, CalibrationFrame], moment: datetime
) -> dict[int, CalibrationFrame]:
    """Return frames with the verdict, validity and facts that were known at a moment.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    frames : mapping of int to CalibrationFrame
        What is known now, by the number of the version's row.
    moment : datetime
        UTC. What was known at this very moment counts.
    """
    verdicts = verdicts_at(connection, frames.keys(), moment)
    ranges = validities_at(connection, frames.keys(), moment)
    corrections = corrections_after(connection, frames.keys(), moment)
    return {
        version: _as_known(
            frame,
            verdicts.get(version, Verdict.UNKNOWN),
            ranges.get(version, _ALWAYS),
            corrections.get(version, ()),
        )
        for version, frame in frames.items()
    }


_ALWAYS: Range = (None, None)


def _as_known(
    frame: CalibrationFrame, verdict: Verdict, valid: Range, corrections: Sequence[Any]
) -> CalibrationFrame:
    """Return a frame as it was known; the same where nothing was said of it since."""
    if not corrections and (frame.verdict, frame.good_after, frame.good_until) == (verdict, *valid):
        return frame
    return replace(
        frame,
        verdict=verdict,
        good_after=valid[0],
        good_until=valid[1],
        **_facts_then(frame, corrections),
    )


def _facts_then(frame: CalibrationFrame, corrections: Sequence[Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    attributes: Mapping[str, Any] = frame.attributes
    for change in corrections:
        facts, attributes = facts_before(change, facts, attributes)
    if facts.get("binning") is not None:
        facts["binning"] = Binning.parse(facts["binning"])
    known = {name: value for name, value in facts.items() if name in _OF_FRAME}
    return known | ({"attributes": attributes} if corrections else {})


_OF_FRAME = frozenset(CalibrationFrame.__dataclass_fields__)


def _asked(
    connection: Connection,
    asking: Callable[..., sa.Select[Any]],
    table: sa.Table,
    versions: Collection[int],
    moment: datetime,
) -> Iterator[Any]:
    statement = asking(table, is_server=connection.dialect.name != "sqlite")
    ids = list(versions)
    for start in range(0, len(ids), AT_A_TIME):
        asked = {IDS: ids[start : start + AT_A_TIME], "moment": moment}
        yield from connection.execute(statement, asked)
