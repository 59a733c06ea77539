"""Which row a version is that somebody holds as a `CalibrationFrame`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calrecords.errors import RecordNotFoundError
from calrecords.frames import CalibrationFrame
from calrecords.records.models import Frame, Version
from calrecords.records.storable import is_storable

_of_frame = (
    sa.select(Version.id, Version.is_current, Version.md5, Version.version_key)
    .join_from(Version, Frame, Version.calibration_frame_id == Frame.id)
    .where(Frame.basename == sa.bindparam("named"))
    .order_by(Version.is_current.desc(), Version.id.desc())
)
_lock_version = (
    sa.select(Version.id)
    .where(Version.id == sa.bindparam("version"))
    .with_for_update(key_share=True, of=Version)
)
_lock_frame = (
    sa.select(Frame.id).where(Frame.basename == sa.bindparam("named")).with_for_update(of=Frame)
)


def version_row(connection: Connection, frame: CalibrationFrame) -> int:
    """Return the number of the row that a version is.

    A version whose checksum was not known when it was read, and is now, is found all the same.

    Raises
    ------
    RecordNotFoundError
        If there is no such record.
    """
    found: Sequence[Any] = ()
    if is_storable(frame.basename):
        found = connection.execute(_of_frame, {"named": frame.basename}).all()
    if not (rows := _named_like(found, frame)):
        msg = (
            f"{frame.filename!r}: no such version is recorded; look at `calrecords show --versions`"
        )
        raise RecordNotFoundError(msg)
    return int(rows[0].id)


def locked_version_row(connection: Connection, frame: CalibrationFrame) -> int:
    """Return the same, and let nobody else change that version until the transaction ends."""
    version = version_row(connection, frame)
    connection.execute(_lock_version, {"version": version})
    return version


def locked_frame_row(connection: Connection, frame: CalibrationFrame) -> int:
    """Return the same, and let nobody else change which version is current, or its facts."""
    if is_storable(frame.basename):
        connection.execute(_lock_frame, {"named": frame.basename})
    return locked_version_row(connection, frame)


def _named_like(rows: Sequence[Any], frame: CalibrationFrame) -> Sequence[Any]:
    version = frame.version
    if version.md5 is not None:
        return [row for row in rows if row.md5 == version.md5]
    if version.version_key is not None:
        return [row for row in rows if row.version_key == version.version_key]
    return [row for row in rows if row.md5 is None] or rows
