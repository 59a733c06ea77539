"""Records as an audit reads them: page by page, each frame with all its versions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calrecords.frames import FrameVersion
from calrecords.records.auditing import batched
from calrecords.records.database import RecordDatabase
from calrecords.records.models import Archive, Frame, Instrument, JournalEntry, Site, Version
from calrecords.records.version_order import DATING, place_of

_FILE = (
    *(Version.version_key, Version.md5, Version.sha256, Version.size, Version.extension),
    Version.key,
)
_STATE = (
    *(Version.is_current, Version.dateobs, Version.archived_at, Version.recorded_at),
    *(Version.created, Version.known_from),
)
_IDENTITY = (
    *(Frame.basename, Frame.frame_id, Frame.obstype, Frame.is_master),
    *(Site.code.label("site"), Instrument.camera),
)
_DATING = tuple(getattr(Version, name) for name in DATING)
_ALL: tuple[Any, ...] = (Frame.id, Version.id, *_IDENTITY, *_STATE, *_FILE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditScope:
    """Which frames are audited; what is None does not matter.

    Attributes
    ----------
    site, camera, obstype : str or None
        Must be equal.
    since, until : datetime or None
        Half-open range of dateobs ``[since, until)``, UTC.
    """

    site: str | None = None
    camera: str | None = None
    obstype: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stratum:
    """Frames of one camera and reduction level, as the archive can be asked for them.

    Attributes
    ----------
    site, camera : str
        Where they are from.
    reduction_level : int or None
        0 is raw; None where the records do not know it.
    obstypes : tuple of str
        What they are.
    """

    site: str
    camera: str
    reduction_level: int | None
    obstypes: tuple[str, ...]

    @property
    def place(self) -> tuple[str, str, int]:
        """What tells it from others, and the order in which they come."""
        level = -1 if self.reduction_level is None else self.reduction_level
        return self.site, self.camera, level


@dataclass(frozen=True, slots=True)
class AuditedVersion:
    """A recorded version, with what an audit needs to know of it.

    Attributes
    ----------
    id : int
        Number of its row.
    version : FrameVersion
        What it is.
    is_current : bool
        Whether it is marked as the newest.
    dateobs : datetime or None
        Start of the exposure, UTC.
    archived_at : datetime or None
        When the archive stored it, UTC; None where it is not known that it did.
    recorded_at : datetime
        When it was recorded, UTC.
    created : datetime or None
        When its file was made, UTC.
    known_from : datetime or None
        From when on an importer says that it was known, UTC.
    """

    id: int
    version: FrameVersion
    is_current: bool
    dateobs: datetime | None
    archived_at: datetime | None
    recorded_at: datetime
    created: datetime | None
    known_from: datetime | None


@dataclass(frozen=True, slots=True)
class AuditedFrame:
    """A recorded frame with versions of it.

    Attributes
    ----------
    id : int
        Number of its row.
    basename : str
        Its name.
    frame_id : int or None
        The archive's number.
    obstype : str
        What it is.
    is_master : bool
        Whether it was made by combining several frames.
    site, camera : str
        Where it is from.
    versions : tuple of AuditedVersion
        All of them, or the one that is asked about.
    """

    id: int
    basename: str
    frame_id: int | None
    obstype: str
    is_master: bool
    site: str
    camera: str
    versions: tuple[AuditedVersion, ...]

    @property
    def current(self) -> AuditedVersion:
        """The current version."""
        return next((one for one in self.versions if one.is_current), self.versions[-1])

    @property
    def newest(self) -> AuditedVersion:
        """The version that should be the current one, by the order that all versions have."""
        return max(self.versions, key=place_of)

    @property
    def filename(self) -> str:
        """File name of the current version."""
        return self.basename + self.current.version.extension


class AuditReads:
    """What an audit asks the records.

    Parameters
    ----------
    database : RecordDatabase
        Where they are.
    scope : AuditScope
        Which frames it is about.
    """

    def __init__(self, database: RecordDatabase, scope: AuditScope) -> None:
        self._database = database
        self._scope = scope

    def count(self) -> int:
        """Return how many frames are in the scope."""
        counted = _joined(sa.select(sa.func.count())).where(Version.is_current, *self._within())
        with self._database.read() as connection:
            return connection.scalar(counted) or 0

    def archive_root(self) -> str | None:
        """Return the root of the archive that the frame IDs are of; None where there is none."""
        with self._database.read() as connection:
            return connection.scalar(sa.select(Archive.root))

    def strata(self) -> list[Stratum]:
        """Return the strata that the frames in the scope are of, sorted."""
        columns: Any = (Site.code, Instrument.camera, Version.reduction_level, Frame.obstype)
        asked = _joined(sa.select(*columns).distinct()).where(Version.is_current, *self._within())
        with self._database.read() as connection:
            rows = connection.execute(asked).all()
        found: dict[tuple[str, str, int | None], list[str]] = {}
        for site, camera, level, obstype in rows:
            found.setdefault((site, camera, level), []).append(obstype)
        strata = [Stratum(*place, tuple(sorted(types))) for place, types in found.items()]
        return sorted(strata, key=lambda stratum: stratum.place)

    def dated(
        self,
        stratum: Stratum,
        start: datetime | None,
        end: datetime | None,
        after: tuple[datetime, int] | None,
        limit: int,
    ) -> list[AuditedFrame]:
        """Return frames of a stratum whose dateobs is in ``[start, end)``, in its order.

        Parameters
        ----------
        stratum : Stratum
            Which frames.
        start, end : datetime or None
            None is open.
        after : tuple or None
            Dateobs and number of the frame behind which to begin.
        limit : int
            Most frames to return.
        """
        conditions = [
            Site.code == stratum.site,
            Instrument.camera == stratum.camera,
            Version.reduction_level.is_not_distinct_from(stratum.reduction_level),
            Frame.obstype.in_(stratum.obstypes),
            Version.dateobs.is_not(None),
        ]
        if start is not None:
            conditions.append(Version.dateobs >= start)
        if end is not None:
            conditions.append(Version.dateobs < end)
        if after is not None:
            moment, number = after
            later = sa.and_(Version.dateobs == moment, Frame.id > number)
            conditions += [Version.dateobs >= moment, sa.or_(Version.dateobs > moment, later)]
        order = (Version.dateobs, Frame.id)
        return self._frames([*conditions, *self._within()], order, limit)

    def undated(self, after: int, limit: int) -> list[AuditedFrame]:
        """Return frames without dateobs behind one, by their numbers."""
        conditions = [Frame.id > after, Version.dateobs.is_(None), *self._within()]
        return self._frames(conditions, (Frame.id,), limit)

    def named(self, basenames: Collection[str]) -> dict[str, AuditedFrame]:
        """Return the recorded frames with these names, whatever the scope is."""
        found: dict[str, AuditedFrame] = {}
        for some in batched(sorted(basenames)):
            frames = self._frames([Frame.basename.in_(some)], (Frame.id,), len(some))
            found |= {frame.basename: frame for frame in frames}
        return found

    def known(self, basenames: Collection[str]) -> set[str]:
        """Return which of these names are recorded with any version, whatever the scope is."""
        found: set[str] = set()
        for some in batched(sorted(basenames)):
            asked = _joined(sa.select(Frame.basename)).where(Frame.basename.in_(some))
            with self._database.read() as connection:
                found.update(connection.scalars(asked))
        return found

    def last(self) -> int:
        """Return the greatest number of a frame; 0 where there is none."""
        with self._database.read() as connection:
            return connection.scalar(sa.select(sa.func.max(Frame.id))) or 0

    def displaced(self, after: int, upto: int) -> list[AuditedFrame]:
        """Return frames in the scope whose newest version is not the current one.

        Parameters
        ----------
        after, upto : int
            Of the frames with these numbers, ``(after, upto]``.
        """
        number, within = Version.calibration_frame_id, self._within()
        page = (number > after, number <= upto)
        others = sa.select(number) if not within else _joined(sa.select(number))
        asked = (
            sa.select(number.label("frame"), Version.id, Version.is_current, *_DATING)
            .where(*page, number.in_(others.where(*page, ~Version.is_current, *within)))
            .order_by(number)
        )
        with self._database.read() as connection:
            by_frame = groupby(connection.execute(asked), attrgetter("frame"))
            wrong = [one for one, rows in by_frame if not max(rows, key=place_of).is_current]
            found = _with_versions(connection, wrong)
        return [frame for frame in found.values() if not frame.newest.is_current]

    def versions(self, after: int, limit: int) -> list[AuditedFrame]:
        """Return versions in the scope behind one, by their numbers, each with its frame."""
        asked = (
            _joined(sa.select(*_ALL))
            .where(Version.id > after, *self._within())
            .order_by(Version.id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [_frame_of([row]) for row in connection.execute(asked)]

    def folders(self, depth: int) -> set[str]:
        """Return how the keys begin that versions in the scope, or ingestions, are stored under.

        Parameters
        ----------
        depth : int
            How many parts of a key to return, of those before its last one.
        """
        asked: list[Any] = [_joined(sa.select(Version.key)).where(*self._within())]
        if self._scope == AuditScope():
            asked.append(sa.select(JournalEntry.key))
        found: set[str] = set()
        with self._database.read() as connection:
            for statement in asked:
                for key in connection.scalars(statement):
                    parts = (key or "").split("/")[:-1][:depth]
                    found.add("".join(f"{part}/" for part in parts) or key or "")
        return found - {""}

    def _frames(
        self, conditions: Sequence[Any], order: Sequence[Any], limit: int
    ) -> list[AuditedFrame]:
        numbers = (
            _joined(sa.select(Frame.id))
            .where(Version.is_current, *conditions)
            .order_by(*order)
            .limit(limit)
        )
        with self._database.read() as connection:
            wanted = list(connection.scalars(numbers))
            found = _with_versions(connection, wanted)
        return [found[number] for number in wanted]

    def _within(self) -> list[Any]:
        scope = self._scope
        equal = ((Site.code, scope.site), (Instrument.camera, scope.camera))
        conditions: list[Any] = [column == value for column, value in equal if value is not None]
        if scope.obstype is not None:
            conditions.append(Frame.obstype == scope.obstype)
        if scope.since is not None:
            conditions.append(Version.dateobs >= scope.since)
        if scope.until is not None:
            conditions.append(Version.dateobs < scope.until)
        return conditions


def _joined(asked: sa.Select[Any]) -> sa.Select[Any]:
    return (
        asked.select_from(Version)
        .join(Frame, Version.calibration_frame_id == Frame.id)
        .join(Instrument, Frame.instrument_id == Instrument.id)
        .join(Site, Instrument.site_id == Site.id)
    )


def _with_versions(connection: Connection, numbers: Sequence[int]) -> dict[int, AuditedFrame]:
    found: dict[int, AuditedFrame] = {}
    for some in batched(sorted(numbers)):
        asked = _joined(sa.select(*_ALL)).where(Frame.id.in_(some)).order_by(Frame.id, Version.id)
        rows = connection.execute(asked).all()
        for number, same in groupby(rows, key=lambda row: row[0]):
            found[number] = _frame_of(list(same))
    return found


def _frame_of(rows: Sequence[Any]) -> AuditedFrame:
    """Return a frame with the versions that rows of it are."""
    at = 2 + len(_IDENTITY)
    end = at + len(_STATE)
    versions = tuple(
        AuditedVersion(row[1], FrameVersion(*row[end : end + len(_FILE)]), *row[at:end])
        for row in rows
    )
    return AuditedFrame(*(rows[0][0], *rows[0][2:at], versions))
