"""Registering match sets: from then on writers index by them, and what is recorded already is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calrecords.errors import InvalidRecordError
from calrecords.matching import MatchSet
from calrecords.records.correction_values import UNDO_ORDER, facts_before
from calrecords.records.match_fields import COLUMNS, KeyMaker, columns_for, fields_text
from calrecords.records.models import (
    Correction,
    Frame,
    Instrument,
    RegisteredMatchSet,
    Site,
    Version,
)
from calrecords.records.naming import insert_once
from calrecords.records.selection_index import Row, insert_rows, registered_sets
from calrecords.records.version_order import DATING, when_current

LONGEST_FIELDS = 2000
"""Characters of the JSON list of a set's fields, which is an entry of a unique index."""

_FRAMES_AT_A_TIME = 10_000
_sets: sa.Table = RegisteredMatchSet.__table__  # type: ignore[assignment]
_corrections: sa.Table = Correction.__table__  # type: ignore[assignment]
_wait_for_writers = sa.text("LOCK TABLE match_sets IN EXCLUSIVE MODE")


def missing_sets(connection: Connection, sets: Iterable[MatchSet]) -> list[MatchSet]:
    """Return those of the match sets that are not registered."""
    registered = set(registered_sets(connection))
    return [match_set for match_set in dict.fromkeys(sets) if match_set not in registered]


def register_match_sets(connection: Connection, sets: Iterable[MatchSet], now: datetime) -> None:
    """Register match sets, and index by them what is recorded; known ones are left alone.

    Versions that are no longer current, and facts that were corrected, are indexed for the
    time in which they held, so that `as_of` a moment before the registration is answered too.

    Parameters
    ----------
    connection : Connection
        In a transaction that may write. Writers wait until it ends, and it waits for theirs.
    sets : iterable of MatchSet
        The sets.
    now : datetime
        UTC.

    Raises
    ------
    InvalidRecordError
        If the names of a set's fields are too long to be recorded.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_wait_for_writers)
    missing = missing_sets(connection, sets)
    for match_set in missing:
        text = fields_text(match_set)
        if len(text) > LONGEST_FIELDS:
            msg = (
                f"a rule demands {len(match_set.fields)} fields to be equal, whose names have "
                f"{len(text)} characters; use fewer or shorter ones, {LONGEST_FIELDS} at most"
            )
            raise InvalidRecordError(msg)
        kind = match_set.obstype
        insert_once(connection, _sets, fields=text, obstype=kind, recorded_at=now)
    if missing:
        _back_fill(connection, missing, now)


def _back_fill(connection: Connection, sets: Sequence[MatchSet], now: datetime) -> None:
    statement = _versions_to_index(sets)
    corrected = _corrections_by_version(connection)
    maker = KeyMaker(sets)
    names = sorted({name for match_set in sets for name in match_set.fields} & COLUMNS.keys())
    last = connection.scalar(sa.select(sa.func.max(Frame.id))) or 0
    for start in range(0, last, _FRAMES_AT_A_TIME):
        page = {"after": start, "upto": start + _FRAMES_AT_A_TIME}
        versions = connection.execute(statement, page).all()
        rows: list[Row] = []
        for _, of_frame in groupby(versions, attrgetter("frame")):
            for version, since, until in when_current(list(of_frame), now):
                changes = corrected.get(version.id, ())
                rows += _rows_of(maker, names, version, since, until, changes)
        insert_rows(connection, rows)


def _versions_to_index(sets: Sequence[MatchSet]) -> sa.Select[Any]:
    statement = (
        sa.select(
            *(Version.id, Version.calibration_frame_id.label("frame"), Version.is_current),
            *(Version.dateobs, *(getattr(Version, name) for name in DATING)),
            *(Frame.obstype, *columns_for(sets)),
        )
        .join_from(Version, Frame, Version.calibration_frame_id == Frame.id)
        .join(Instrument, Frame.instrument_id == Instrument.id)
        .join(Site, Instrument.site_id == Site.id)
        .where(Version.calibration_frame_id > sa.bindparam("after"))
        .where(Version.calibration_frame_id <= sa.bindparam("upto"))
        .order_by(Version.calibration_frame_id)
    )
    obstypes = {match_set.obstype for match_set in sets}
    if "" in obstypes:
        return statement
    # not the bare column, whose index SQLite would read whole for each page
    return statement.where(Frame.obstype.concat("").in_(obstypes))


def _corrections_by_version(connection: Connection) -> Mapping[int, Sequence[Any]]:
    """Return the corrections of each version, in the order in which they are undone."""
    found: dict[int, list[Any]] = {}
    for row in connection.execute(sa.select(_corrections).order_by(*UNDO_ORDER)):
        found.setdefault(row.version_id, []).append(row)
    return found


def _rows_of(
    maker: KeyMaker,
    names: Sequence[str],
    version: Any,
    since: datetime,
    until: datetime | None,
    changes: Sequence[Any],
) -> Iterator[Row]:
    """Give the rows of one turn of a version, one for each key that it had in it."""
    facts = {name: getattr(version, f"the_{name}") for name in names}
    facts["dateobs"] = version.dateobs
    attributes = version.attributes or {}
    end = until
    for change in changes:
        begin = max(change.recorded_at, since)
        if end is None or begin < end:
            yield from _open_between(maker, version, facts, attributes, begin, end)
            end = begin
        facts, attributes = facts_before(change, facts, attributes)
    if end is None or since < end:
        yield from _open_between(maker, version, facts, attributes, since, end)


def _open_between(
    maker: KeyMaker,
    version: Any,
    facts: Mapping[str, Any],
    attributes: Mapping[str, Any],
    since: datetime,
    until: datetime | None,
) -> Iterator[Row]:
    if facts["dateobs"] is not None:
        for key in maker.keys(version.obstype, facts, attributes):
            yield key, facts["dateobs"], version.id, since, until
