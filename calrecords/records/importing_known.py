"""What is recorded already of the frames in one chunk of an import."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.engine import Connection

from calrecords.records.importing_rows import ImportRow
from calrecords.records.importing_words import AT, COLUMNS
from calrecords.records.version_order import dated

Identity = tuple[str, bool, str, str]
"""Observation type, whether it is a master, site and camera."""

_IN = {
    "sqlite": "IN (SELECT value FROM json_each(?))",
    "postgresql": "= ANY(%s)",
}
_FRAMES = (
    "SELECT f.id, f.basename, f.frame_id, f.obstype, f.is_master, s.code, i.camera"
    " FROM calibration_frames f JOIN instruments i ON f.instrument_id = i.id"
    " JOIN sites s ON i.site_id = s.id WHERE f.basename {some} ORDER BY f.id"
)
_OWNERS = "SELECT frame_id, basename FROM calibration_frames WHERE frame_id {some}"
_VERSIONS = (
    "SELECT id, calibration_frame_id, is_current, recorded_at, {columns} FROM frame_versions"
    " WHERE calibration_frame_id {some} ORDER BY id"
)
_DATING = (AT["archived_at"], AT["created"], AT["known_from"])
_MARKED = "SELECT version_id FROM {table} WHERE version_id {some}"


class KnownVersion:
    """A version that is recorded, or is about to be.

    Attributes
    ----------
    id : int or None
        Number of its row; None until it has one.
    row : ImportRow or None
        What it is recorded from; None where it was recorded before.
    values : list
        One for each of `COLUMNS`, as the database spells it.
    is_current : bool
        Whether it is its frame's current version in the database.
    since : datetime
        From when on it is known, UTC.
    """

    __slots__ = ("_recorded_at", "id", "is_current", "row", "since", "values")

    def __init__(
        self,
        values: list[Any],
        recorded_at: Any,
        since: datetime,
        row: ImportRow | None = None,
        *,
        id: int | None = None,
        is_current: bool = False,
    ) -> None:
        self.id = id
        self.row = row
        self.values = values
        self.is_current = is_current
        self.since = since
        self._recorded_at = recorded_at

    @property
    def place(self) -> tuple[Any, datetime]:
        """What orders the versions of a frame, as `version_order.place_of` does, less the number.

        Its time is as the database spells it, since it is only compared.
        """
        archived_at, created, known_from = (self.values[at] for at in _DATING)
        return dated(archived_at, created, known_from, self._recorded_at), self.since


class KnownFrame:
    """A frame that is recorded, or is about to be.

    Attributes
    ----------
    id : int or None
        Number of its row; None until it has one.
    basename : str
        Its name.
    identity : tuple
        What no other frame of this name may differ in.
    frame_id : int or None
        The archive's number.
    instrument : str
        Name of the instrument; only of a new frame.
    versions : list of KnownVersion
        In the order in which they were recorded.
    """

    __slots__ = ("basename", "frame_id", "id", "identity", "instrument", "versions")

    def __init__(
        self,
        basename: str,
        identity: Identity,
        frame_id: int | None,
        *,
        id: int | None = None,
        instrument: str = "",
    ) -> None:
        self.id = id
        self.basename = basename
        self.identity = identity
        self.frame_id = frame_id
        self.instrument = instrument
        self.versions: list[KnownVersion] = []


class Recorded:
    """Looks up, for a whole chunk at a time, what is recorded.

    Parameters
    ----------
    connection : Connection
        In the transaction that writes the chunk.
    locks : bool
        Whether frames are locked until it ends.
    """

    def __init__(self, connection: Connection, *, locks: bool = True) -> None:
        self._connection = connection
        self._locks = locks and connection.dialect.name == "postgresql"
        self._dialect = connection.dialect.name

    def frames(self, basenames: Collection[str]) -> dict[str, KnownFrame]:
        """Return the frames with these names, with all their versions."""
        by_id: dict[int, KnownFrame] = {}
        for number, basename, frame_id, obstype, is_master, site, camera in self._some(
            _FRAMES + " FOR UPDATE OF f" * self._locks, basenames
        ):
            identity = (obstype, bool(is_master), site, camera)
            by_id[number] = KnownFrame(basename, identity, frame_id, id=number)
        columns = ", ".join(COLUMNS)
        if self._dialect == "postgresql":
            columns = columns.replace("attributes", "attributes::text")
        for row in self._some(_VERSIONS.replace("{columns}", columns), by_id) if by_id else ():
            number, frame, is_current, recorded_at, *values = row
            by_id[frame].versions.append(
                KnownVersion(
                    values,
                    id=number,
                    is_current=bool(is_current),
                    recorded_at=recorded_at,
                    since=_as_time(values[AT["known_from"]] or recorded_at),
                )
            )
        return {frame.basename: frame for frame in by_id.values()}

    def owners(self, frame_ids: Collection[int]) -> dict[int, str]:
        """Return the basenames that have these frame IDs."""
        return dict(self._some(_OWNERS, frame_ids)) if frame_ids else {}

    def marked(self, table: str, versions: Collection[int]) -> set[int]:
        """Return those of these versions that have a row in a history."""
        statement = _MARKED.replace("{table}", table)
        return {number for (number,) in self._some(statement, versions)} if versions else set()

    def _some(self, statement: str, keys: Collection[Any]) -> Iterator[Any]:
        given = json.dumps(list(keys)) if self._dialect == "sqlite" else list(keys)
        text = statement.replace("{some}", _IN[self._dialect])
        yield from self._connection.exec_driver_sql(text, (given,))


def _as_time(value: Any) -> datetime:
    """Return a time that was read without SQLAlchemy's types, aware UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime.fromisoformat(value).replace(tzinfo=UTC)
