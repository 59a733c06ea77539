"""Which frame a basename names, and which number it has: rows that are written once."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from calrecords.errors import DuplicateRecordError
from calrecords.frames import FrameFacts
from calrecords.records.models import Frame, Instrument, Site
from calrecords.records.prepared import execute
from calrecords.vocabulary import canonical_obstype

_frames: sa.Table = Frame.__table__  # type: ignore[assignment]
_instruments: sa.Table = Instrument.__table__  # type: ignore[assignment]
_sites: sa.Table = Site.__table__  # type: ignore[assignment]

_identity = (
    sa.select(
        *(_frames.c.id, _frames.c.frame_id, _frames.c.obstype, _frames.c.is_master),
        *(_sites.c.code, _instruments.c.camera),
    )
    .join_from(_frames, _instruments, _frames.c.instrument_id == _instruments.c.id)
    .join(_sites, _instruments.c.site_id == _sites.c.id)
    .where(_frames.c.basename == sa.bindparam("named"))
)
_locked_identity = _identity.with_for_update(of=_frames)
_named_by_id = sa.select(_frames.c.basename).where(_frames.c.frame_id == sa.bindparam("number"))
_site = sa.select(_sites.c.id).where(_sites.c.code == sa.bindparam("code"))
_instrument = (
    sa.select(_instruments.c.id)
    .join(_sites, _instruments.c.site_id == _sites.c.id)
    .where(
        _sites.c.code == sa.bindparam("code"),
        _instruments.c.camera == sa.bindparam("camera"),
        _instruments.c.name == sa.bindparam("name"),
    )
)


def demand_identity(connection: Connection, basename: str, facts: FrameFacts) -> None:
    """Make sure that a basename is not another frame's already.

    Raises
    ------
    DuplicateRecordError
        If the basename is recorded for another camera, type or kind of frame.
    """
    row = connection.execute(_identity, {"named": basename}).one_or_none()
    if row is not None:
        _demand_same(row, basename, facts)


def frame_row(
    connection: Connection, basename: str, facts: FrameFacts, frame_id: int | None, now: datetime
) -> tuple[int, bool]:
    """Return the number of a frame's row, and whether it was made for this.

    It is locked until the transaction ends.

    Raises
    ------
    DuplicateRecordError
        If the basename or the frame ID is another frame's already.
    """
    values = {
        "basename": basename,
        "frame_id": frame_id,
        "obstype": canonical_obstype(facts.obstype),
        "is_master": facts.is_master,
        "recorded_at": now,
    }
    of = {"code": facts.site, "camera": facts.camera, "name": facts.instrument or facts.camera}
    made = execute(connection, _insert_of_known(connection.dialect.name), values | of).fetchone()
    if made is not None:
        return int(made[0]), True
    row = connection.execute(_locked_identity, {"named": basename}).one_or_none()
    while row is None:
        _demand_free(connection, basename, frame_id)
        instrument = instrument_row(connection, of)
        made = insert_once(connection, _frames, instrument_id=instrument, **values)
        if made is not None:
            return made, True
        row = connection.execute(_locked_identity, {"named": basename}).one_or_none()
    _demand_same(row, basename, facts)
    if frame_id not in {None, row.frame_id}:
        _give(connection, row, basename, frame_id)
    return int(row.id), False


def insert_once(connection: Connection, table: sa.Table, **values: Any) -> int | None:
    """Insert a row unless it is there, without an error that ends the transaction.

    Returns
    -------
    int or None
        Number of the row that was made; None where a concurrent writer has made it.
    """
    made = connection.scalar(_insert_unless_there(table, connection.dialect.name), values)
    return None if made is None else int(made)


@cache
def _insert_unless_there(table: sa.Table, dialect: str) -> sa.Insert:
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    return insert(table).on_conflict_do_nothing().returning(table.c.id)


@cache
def _insert_of_known(dialect: str) -> sa.Insert:
    """Return the insert of a frame that is new, of an instrument that is known: most are."""
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    names = ("basename", "frame_id", "obstype", "is_master", "recorded_at")
    given = (sa.bindparam(name, type_=_frames.c[name].type) for name in names)
    known = _instrument.with_only_columns(*given, _instruments.c.id)
    return (
        insert(_frames)
        .from_select([*names, "instrument_id"], known)
        .on_conflict_do_nothing()
        .returning(_frames.c.id)
    )


def _demand_same(row: Any, basename: str, facts: FrameFacts) -> None:
    kind = {True: "a master", False: "an individual calibration"}
    for what, recorded, found in (
        ("site", row.code, facts.site),
        ("camera", row.camera, facts.camera),
        ("observation type", row.obstype, canonical_obstype(facts.obstype)),
        ("frame", kind[row.is_master], kind[facts.is_master]),
    ):
        if recorded != found:
            msg = (
                f"{basename}: recorded already with {what} {recorded!r}, and this file has "
                f"{found!r}; a basename names one frame in the whole archive, so rename the file"
            )
            raise DuplicateRecordError(msg)


def _give(connection: Connection, row: Any, basename: str, frame_id: int | None) -> None:
    """Give a recorded frame the archive's number; one that it has already is never changed."""
    if row.frame_id is not None:
        msg = (
            f"{basename}: recorded with frame ID {row.frame_id}, and the archive says "
            f"{frame_id}; is this another archive, or was the frame deleted there?"
        )
        raise DuplicateRecordError(msg)
    _demand_free(connection, basename, frame_id)
    connection.execute(sa.update(_frames).where(_frames.c.id == row.id).values(frame_id=frame_id))


def _demand_free(connection: Connection, basename: str, frame_id: int | None) -> None:
    if frame_id is None:
        return
    other = connection.scalar(_named_by_id, {"number": frame_id})
    if other not in {None, basename}:
        msg = (
            f"{basename}: the archive says frame ID {frame_id}, which is recorded for "
            f"{other}; is this another archive, or was the frame renamed there?"
        )
        raise DuplicateRecordError(msg)


def instrument_row(connection: Connection, wanted: dict[str, str]) -> int:
    """Return the number of an instrument's row, which is made where there is none.

    Parameters
    ----------
    connection : Connection
        In a transaction that may write.
    wanted : dict
        ``code`` of the site, ``camera``, and ``name`` of the instrument.
    """
    found = connection.scalar(_instrument, wanted)
    if found is None:
        insert_once(connection, _sites, code=wanted["code"])
        site = connection.scalar(_site, {"code": wanted["code"]})
        named = {"camera": wanted["camera"], "name": wanted["name"]}
        insert_once(connection, _instruments, site_id=site, **named)
        found = connection.scalar(_instrument, wanted)
    return int(found or 0)
