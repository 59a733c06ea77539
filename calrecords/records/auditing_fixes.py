"""Mending what records say of the archive and the store, where an audit found them wrong.

Each change is made only where the record still says what the audit saw.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import sqlalchemy as sa

from calrecords.frames import ContentDigest
from calrecords.records.database import RecordDatabase
from calrecords.records.models import Frame, Version
from calrecords.records.recording import choose_current
from calrecords.records.version_order import DATING, place_of

_frames: sa.Table = Frame.__table__  # type: ignore[assignment]
_versions: sa.Table = Version.__table__  # type: ignore[assignment]
_of_frame = sa.select(
    *(_versions.c.id, _versions.c.is_current, *(_versions.c[name] for name in DATING))
).where(_versions.c.calibration_frame_id == sa.bindparam("frame"))


class RecordFixes:
    """What a repair may change in the records.

    Parameters
    ----------
    database : RecordDatabase
        Where they are.
    """

    def __init__(self, database: RecordDatabase) -> None:
        self._database = database

    def frame_id(
        self,
        basename: str,
        was: int | None,
        frame_id: int,
        archived: Mapping[str, datetime | None],
    ) -> bool:
        """Give a frame the archive's number; return whether it was as it was seen.

        Another record that has this number is wrong, as the archive gives it to one frame only,
        and has none then.

        Parameters
        ----------
        basename : str
            The frame.
        was : int or None
            The number that the record has.
        frame_id : int
            The archive's.
        archived : mapping
            When the archive stored each of its versions, by md5.
        """
        with self._database.write_rows() as connection:
            same = (_frames.c.basename == basename, _frames.c.frame_id.is_not_distinct_from(was))
            number = connection.scalar(sa.select(_frames.c.id).where(*same).with_for_update())
            if number is None:
                return False
            wrong = (_frames.c.frame_id == frame_id, _frames.c.basename != basename)
            connection.execute(sa.update(_frames).where(*wrong).values(frame_id=None))
            connection.execute(sa.update(_frames).where(*same).values(frame_id=frame_id))
            of_frame = _versions.c.calibration_frame_id == number
            for md5, moment in archived.items():
                change = sa.update(_versions).where(of_frame, _versions.c.md5 == md5)
                connection.execute(change.values(archived_at=moment))
            choose_current(connection, number, datetime.now(UTC))
        return True

    def current(self, basename: str, was: int | None, newest: int) -> bool:
        """Make the newest version of a frame the current one; return whether it was as seen.

        Parameters
        ----------
        basename : str
            The frame.
        was : int or None
            Number of the version that is the current one; None where none is.
        newest : int
            Number of the version that should be.
        """
        with self._database.write_rows() as connection:
            named = sa.select(_frames.c.id).where(_frames.c.basename == basename)
            number = connection.scalar(named.with_for_update())
            versions = connection.execute(_of_frame, {"frame": number}).all()
            if number is None or not versions:
                return False
            current = next((one.id for one in versions if one.is_current), None)
            if current != was or current == newest or max(versions, key=place_of).id != newest:
                return False
            choose_current(connection, number, datetime.now(UTC))
        return True

    def version_key(self, version: int, was: str | None, version_key: str) -> bool:
        """Give a version the store's name for it; return whether it was as it was seen."""
        same = _versions.c.version_key.is_not_distinct_from(was)
        return self._change(version, same, version_key=version_key)

    def content(self, version: int, was: str | None, digest: ContentDigest) -> bool:
        """Give a version the checksums that its bytes have; return whether it was as seen.

        Raises
        ------
        DuplicateRecordError
            If another version of the frame has these bytes.
        """
        same = _versions.c.md5.is_not_distinct_from(was)
        return self._change(version, same, md5=digest.md5, sha256=digest.sha256, size=digest.size)

    def _change(
        self, version: int, same: sa.ColumnElement[bool], **values: str | int | None
    ) -> bool:
        change = sa.update(_versions).where(_versions.c.id == version, same).values(**values)
        with self._database.write_rows() as connection:
            return connection.execute(change).rowcount == 1
