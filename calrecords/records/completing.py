"""Versions that were recorded without their bytes: what is learned of them later."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calrecords.errors import RecordNotFoundError
from calrecords.frames import CalibrationFrame, ContentDigest
from calrecords.records.models import Frame, Version
from calrecords.records.recording import missing_in

_versions: sa.Table = Version.__table__  # type: ignore[assignment]
_frames: sa.Table = Frame.__table__  # type: ignore[assignment]


def complete_version(
    connection: Connection, frame: CalibrationFrame, digest: ContentDigest, key: str | None = None
) -> None:
    """Fill in what the record of a version came without; what it has stays.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    frame : CalibrationFrame
        The version, by its basename, and its md5 or else its version key.
    digest : ContentDigest
        What its bytes are.
    key : str, optional
        Where the file store has it.

    Raises
    ------
    DuplicateRecordError
        If other bytes with the same md5 are recorded.
    RecordNotFoundError
        If there is no such record.
    """
    version = frame.version
    of_version = (
        _versions.c.version_key == version.version_key
        if version.md5 is None
        else _versions.c.md5 == version.md5
    )
    row = connection.execute(
        sa.select(_versions)
        .join_from(_versions, _frames, _versions.c.calibration_frame_id == _frames.c.id)
        .where(_frames.c.basename == frame.basename, of_version)
        .with_for_update(of=_versions)
    ).one_or_none()
    if row is None:
        msg = f"{frame.filename}: no such version is recorded any more"
        raise RecordNotFoundError(msg)
    if missing := missing_in(row, frame.basename, digest, key=key):
        connection.execute(sa.update(_versions).where(_versions.c.id == row.id).values(**missing))
