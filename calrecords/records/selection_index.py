"""The index that choosing walks: which versions were current, with which match keys, and when.

Each registered `MatchSet` gives a version one row, for the time ``[known_from, known_until)``
in which it is its frame's current version with those facts. Whoever changes what is current,
or a fact, closes rows and opens others in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calrecords.matching import MatchSet
from calrecords.records.columns import sqlite_text
from calrecords.records.correction_values import UNDO_ORDER, facts_before
from calrecords.records.match_fields import (
    COLUMNS,
    KeyMaker,
    match_set_of,
)
from calrecords.records.models import (
    Correction,
    Frame,
    IndexRow,
    Instrument,
    RegisteredMatchSet,
    Site,
    Version,
)
from calrecords.records.prepared import execute

Row = tuple[bytes, datetime, int, datetime, datetime | None]
"""Match key, dateobs, version, and ``[known_from, known_until)``; None while it is open."""

_sets: sa.Table = RegisteredMatchSet.__table__  # type: ignore[assignment]
_index: sa.Table = IndexRow.__table__  # type: ignore[assignment]
_all_sets = sa.select(_sets.c.fields, _sets.c.obstype).order_by(_sets.c.id)
_applying_sets = _all_sets.where(_sets.c.obstype.in_(["", sa.bindparam("kind")]))
_let_no_set_come = sa.text("LOCK TABLE match_sets IN ROW SHARE MODE")
_close = (
    sa.update(_index)
    .where(
        _index.c.match_key == sa.bindparam("was_key"),
        _index.c.dateobs == sa.bindparam("was_at"),
        _index.c.version_id == sa.bindparam("version"),
        _index.c.known_until.is_(None),
    )
    .values(known_until=sa.bindparam("until"))
)
_end = (
    sa.update(_index)
    .where(
        _index.c.match_key == sa.bindparam("was_key"),
        _index.c.dateobs == sa.bindparam("was_at"),
        _index.c.version_id == sa.bindparam("version"),
        sa.or_(_index.c.known_until.is_(None), _index.c.known_until > sa.bindparam("until")),
    )
    .values(
        known_until=sa.case(
            (_index.c.known_from < sa.bindparam("until"), sa.bindparam("until")),
            else_=_index.c.known_from,
        )
    )
)
_corrections_of_version = (
    sa.select(Correction.__table__)
    .where(Correction.version_id == sa.bindparam("version"))
    .order_by(*UNDO_ORDER)
)
_facts_of_version = (
    sa.select(*(column.label(name) for name, column in COLUMNS.items()), Version.attributes)
    .join_from(Version, Frame, Version.calibration_frame_id == Frame.id)
    .join(Instrument, Frame.instrument_id == Instrument.id)
    .join(Site, Instrument.site_id == Site.id)
    .where(Version.id == sa.bindparam("version"))
)
_COLUMNS = "(match_key, dateobs, version_id, known_from, known_until)"
_OR_CHANGE = (
    " ON CONFLICT (match_key, dateobs, version_id, known_from)"
    " DO UPDATE SET known_until = excluded.known_until"
)
_INSERT = {
    "sqlite": f"INSERT INTO selection_index {_COLUMNS} VALUES (?, ?, ?, ?, ?)" + _OR_CHANGE,
    "postgresql": (
        f"INSERT INTO selection_index {_COLUMNS} SELECT * FROM unnest("
        "%s::bytea[], %s::timestamptz[], %s::bigint[], %s::timestamptz[], %s::timestamptz[])"
    )
    + _OR_CHANGE,
}


def registered_sets(connection: Connection) -> list[MatchSet]:
    """Return the match sets of this database, in the order in which they were registered."""
    return [match_set_of(*row) for row in connection.execute(_all_sets)]


def sets_to_write(connection: Connection, obstype: str | None = None) -> list[MatchSet]:
    """Return the match sets that a writer must index by; no other comes until it commits.

    Parameters
    ----------
    connection : Connection
        In a transaction that may write.
    obstype : str, optional
        Only the sets that apply to this observation type.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_let_no_set_come)
    if obstype is None:
        return registered_sets(connection)
    rows = execute(connection, _applying_sets, {"kind": obstype}).fetchall()
    return [match_set_of(*row) for row in rows]


def index_version(
    connection: Connection,
    version: int,
    facts: Mapping[str, Any],
    attributes: Mapping[str, Any],
    since: datetime,
) -> None:
    """Open the rows of a version that has become current.

    Parameters
    ----------
    connection : Connection
        In the transaction that writes the version.
    version : int
        Number of its row.
    facts : mapping
        Its facts by field name, those of its identity among them.
    attributes : mapping
        Its further header facts.
    since : datetime
        From when on it is known: its known_from, else when it was recorded, UTC.
    """
    if facts["dateobs"] is None:
        return
    maker = KeyMaker(sets_to_write(connection, facts["obstype"]))
    keys = maker.keys(facts["obstype"], facts, attributes)
    insert_rows(connection, [(key, facts["dateobs"], version, since, None) for key in keys])


def open_version(connection: Connection, version: int, since: datetime) -> None:
    """Open the rows of a recorded version that has become current, with the facts it has."""
    facts = facts_of(connection, version)
    index_version(connection, version, facts, facts["attributes"], since)


def close_version(connection: Connection, version: int, until: datetime) -> None:
    """Close the rows of a version, before its facts change or since another is current."""
    facts = facts_of(connection, version)
    if facts["dateobs"] is None:
        return
    maker = KeyMaker(sets_to_write(connection, facts["obstype"]))
    same = {"was_at": facts["dateobs"], "version": version, "until": until}
    rows = [
        {"was_key": key, **same} for key in maker.keys(facts["obstype"], facts, facts["attributes"])
    ]
    if rows:
        connection.execute(_close, rows)


def end_version(connection: Connection, version: int, until: datetime) -> None:
    """End the time of a version at a moment that may be past, under every key that it had."""
    facts = facts_of(connection, version)
    maker = KeyMaker(sets_to_write(connection, facts["obstype"]))
    places = _places(maker, facts)
    for change in connection.execute(_corrections_of_version, {"version": version}):
        columns, attributes = facts_before(change, facts, facts["attributes"])
        facts = columns | {"attributes": attributes}
        places |= _places(maker, facts)
    rows = [
        {"was_key": key, "was_at": at, "version": version, "until": until}
        for key, at in sorted(places)
    ]
    if rows:
        connection.execute(_end, rows)


def move_version(
    connection: Connection,
    version: int,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    now: datetime,
) -> None:
    """Move a current version whose facts were corrected to the keys that it has now.

    Parameters
    ----------
    connection : Connection
        In the transaction that corrects it.
    version : int
        Number of its row.
    before, after : mapping
        Its facts as `facts_of` gives them.
    now : datetime
        From when on the correction is known, UTC.
    """
    maker = KeyMaker(sets_to_write(connection, before["obstype"]))
    left, reached = _places(maker, before), _places(maker, after)
    closed = [
        {"was_key": key, "was_at": at, "version": version, "until": now}
        for key, at in sorted(left - reached)
    ]
    if closed:
        connection.execute(_close, closed)
    came = sorted(reached - left)
    insert_rows(connection, [(key, at, version, now, None) for key, at in came])


def _places(maker: KeyMaker, facts: Mapping[str, Any]) -> set[tuple[bytes, datetime]]:
    """Return where a version is in the index: its keys, each with its dateobs."""
    at = facts["dateobs"]
    if at is None:
        return set()
    return {(key, at) for key in maker.keys(facts["obstype"], facts, facts["attributes"])}


def insert_rows(connection: Connection, rows: Sequence[Row]) -> None:
    """Write rows; one that is there already gets its end, so that all of this can be repeated.

    No row may be given twice.
    """
    if not rows:
        return
    dialect = connection.dialect.name
    given: Any = (
        [
            (key, sqlite_text(at), version, sqlite_text(since), until and sqlite_text(until))
            for key, at, version, since, until in rows
        ]
        if dialect == "sqlite"
        else tuple(map(list, zip(*rows, strict=True)))
    )
    connection.exec_driver_sql(_INSERT[dialect], given)


def facts_of(connection: Connection, version: int) -> dict[str, Any]:
    """Return the facts of a version by field name, those of its identity and ``attributes``."""
    return dict(connection.execute(_facts_of_version, {"version": version}).mappings().one())
