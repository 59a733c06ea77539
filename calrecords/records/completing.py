"""Versions that were recorded without their bytes: what is learned of them later."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calrecords.errors import RecordNotFoundError
from calrecords.frames import CalibrationFrame, ContentDigest
from calrecords.records.models import Frame, Version
from calrecords.records.recording import PartialDigest, choose_current, missing_in
from calrecords.records.selection_index import facts_of, move_version

_versions: sa.Table = Version.__table__  # type: ignore[assignment]
_frames: sa.Table = Frame.__table__  # type: ignore[assignment]
_lock_frame = (
    sa.select(_frames.c.id).where(_frames.c.basename == sa.bindparam("named")).with_for_update()
)
_of_frame = (
    sa.select(_versions)
    .join_from(_versions, _frames, _versions.c.calibration_frame_id == _frames.c.id)
    .where(_frames.c.basename == sa.bindparam("named"))
    .order_by(_versions.c.id)
    .with_for_update(of=_versions)
)


def complete_version(
    connection: Connection,
    frame: CalibrationFrame,
    digest: ContentDigest | PartialDigest,
    key: str | None = None,
    *,
    extension: str = "",
    **learned: Any,
) -> None:
    """Fill in what the record of a version came without; what it has stays.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    frame : CalibrationFrame
        The version, by its basename, and its md5 or else by what is known of it.
    digest : ContentDigest or PartialDigest
        What its bytes are, as far as that is known.
    key : str, optional
        Where the file store has it.
    extension : str, optional
        With its dot.
    **learned
        ``version_key`` and ``archived_at``, where they are known now.

    Raises
    ------
    DuplicateRecordError
        If other bytes with the same md5 are recorded.
    RecordNotFoundError
        If there is no such record.
    """
    connection.execute(_lock_frame, {"named": frame.basename})
    rows = connection.execute(_of_frame, {"named": frame.basename}).all()
    md5 = frame.version.md5 or digest.md5
    row = next((row for row in rows if row.md5 == md5), None)
    if row is None and frame.version.md5 is None:
        row = next((row for row in rows if _is_same(row, frame)), None)
    if row is None:
        msg = f"{frame.filename}: no such version is recorded any more"
        raise RecordNotFoundError(msg)
    missing = missing_in(row, frame.basename, digest, key=key, **learned)
    if extension and not row.extension:
        missing["extension"] = extension
    if missing:
        _fill(connection, row, missing)


def _is_same(row: Any, frame: CalibrationFrame) -> bool:
    version = frame.version
    recorded = (row.md5, row.version_key, row.extension, row.created)
    return recorded == (None, version.version_key, version.extension, frame.created)


def _fill(connection: Connection, row: Any, missing: Mapping[str, Any]) -> None:
    change = sa.update(_versions).where(_versions.c.id == row.id).values(**missing)
    now = datetime.now(UTC)
    if "extension" in missing and row.is_current:
        before = facts_of(connection, row.id)
        connection.execute(change)
        move_version(connection, row.id, before, facts_of(connection, row.id), now)
    else:
        connection.execute(change)
    if "archived_at" in missing:
        choose_current(connection, row.calibration_frame_id, now)
