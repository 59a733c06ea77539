"""Everything that could have been chosen, as it was known at a moment: counted, then read.

Frames are counted by observation type and instrument from an index alone; only what is left of
that is read, a few hundred frames at a time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import groupby, islice
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calrecords.frames import CalibrationFrame
from calrecords.records.columns import UTCDateTime
from calrecords.records.database import RecordDatabase
from calrecords.records.known_then import as_known_at
from calrecords.records.models import Frame, Instrument, Site, Version
from calrecords.records.numbered import IDS, for_each, is_listed
from calrecords.records.reading import frame_of, select_frames
from calrecords.records.version_order import DATING, when_current

FRAMES_AT_A_TIME = 400
"""Frames in one query, each named twice, below what any SQLite takes."""

AROUND = 100
"""How many frames on each side of a time are compared where nothing is of the right kind."""

FEW = 10_000
"""So many frames are looked at one by one; of more, an index is gone through."""


@dataclass(frozen=True, slots=True)
class FrameGroup:
    """The frames of one observation type that one instrument took.

    Attributes
    ----------
    obstype, site, camera, instrument : str
        What they share.
    count : int
        How many there are.
    instrument_id : int
        Number of the instrument's row.
    """

    obstype: str
    site: str
    camera: str
    instrument: str
    count: int
    instrument_id: int


class Population:
    """The frames that were known at a moment.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    as_of : datetime, optional
        The moment, UTC; by default now.
    few : int, optional
        So many frames are looked at one by one.
    """

    def __init__(
        self, connection: Connection, as_of: datetime | None = None, *, few: int = FEW
    ) -> None:
        self._connection = connection
        self._as_of = as_of
        self._few = few

    def groups(self) -> list[FrameGroup]:
        """Return all frames, by observation type and instrument."""
        counts = {row[:2]: row[2] for row in self._connection.execute(_COUNTS)}
        for of_unknown, count in self._unknown().items():
            counts[of_unknown] -= count
        named = {row.id: row for row in self._connection.execute(_INSTRUMENTS)}
        return [
            FrameGroup(obstype, of.site, of.camera, of.instrument, count, of.id)
            for (obstype, number), count in sorted(counts.items())
            if count and (of := named[number])
        ]

    def _unknown(self) -> Mapping[tuple[str, int], int]:
        """Return how many frames of each type and instrument were not known yet.

        A moment is nearly always a short while ago: few frames came since, and these are found
        faster than all are counted.
        """
        if self._as_of is None:
            return {}
        few = self._connection.execute(_UNKNOWN.limit(self._few + 1), self._moment).all()
        if len(few) <= self._few:
            return Counter((obstype, instrument) for obstype, instrument in few)
        return {row[:2]: row[2] for row in self._connection.execute(_UNKNOWN_COUNTS, self._moment)}

    def kinds(self, groups: Collection[FrameGroup]) -> dict[bool, int]:
        """Return how many masters (true) and individual calibrations (false) groups hold."""
        if not groups:
            return {True: 0, False: 0}
        statement = sa.select(sa.func.count(), sa.func.count(sa.case((Frame.is_master, 1)))).where(
            _in(groups), *self._is_known()
        )
        total, masters = self._connection.execute(statement, self._moment).one()
        return {True: masters, False: total - masters}

    def read(
        self, groups: Collection[FrameGroup], kinds: Collection[bool]
    ) -> Iterator[CalibrationFrame]:
        """Yield the frames of groups, each with the version that was current.

        Parameters
        ----------
        groups : collection of FrameGroup
            Of which groups.
        kinds : collection of bool
            Whether masters, individual calibrations or both are wanted.
        """
        if not groups or not kinds:
            return
        statement = sa.select(Frame.id).where(_in(groups), *self._is_known())
        if len(set(kinds)) == 1:
            statement = statement.where(Frame.is_master == next(iter(kinds)))
        found = self._connection.scalars(statement.order_by(Frame.id), self._moment).all()
        yield from self._read(found)

    def around(
        self, groups: Collection[FrameGroup], dateobs: datetime
    ) -> Iterator[CalibrationFrame]:
        """Yield the frames of groups that are nearest to a time, `AROUND` on each side of it."""
        if not groups:
            return
        at, wanted = Version.dateobs, _in(groups)
        if sum(group.count for group in groups) > self._few:
            wanted = sa.func.coalesce(wanted, sa.false())
        for side, order in ((at <= dateobs, at.desc()), (at > dateobs, at.asc())):
            statement = (
                sa.select(Frame.id)
                .join_from(Version, Frame, Version.calibration_frame_id == Frame.id)
                .where(side, Version.is_current, wanted, *self._is_known())
                .order_by(order, Frame.id)
                .limit(AROUND)
            )
            found = self._connection.scalars(statement, self._moment).all()
            yield from self._read(found)

    @property
    def _moment(self) -> dict[str, Any]:
        return {} if self._as_of is None else {"moment": self._as_of}

    def _is_known(self) -> tuple[sa.ColumnElement[bool], ...]:
        return () if self._as_of is None else (sa.not_(_IS_UNKNOWN),)

    def _read(self, frames: Iterable[int]) -> Iterator[CalibrationFrame]:
        is_server = self._connection.dialect.name != "sqlite"
        statement = _versions(is_server=is_server, is_now=self._as_of is None)
        left = iter(frames)
        while page := list(islice(left, FRAMES_AT_A_TIME)):
            yield from self._as_known(self._connection.execute(statement, {IDS: page}).all())

    def _as_known(self, rows: Sequence[Any]) -> Iterable[CalibrationFrame]:
        if self._as_of is None:
            return [frame_of(row) for row in rows]
        now = datetime.now(UTC)
        then: dict[int, CalibrationFrame] = {}
        for _, versions in groupby(rows, attrgetter("frame")):
            for version, since, until in when_current(list(versions), now):
                if since <= self._as_of and (until is None or self._as_of < until):
                    then[version.id] = frame_of(version)
        return as_known_at(self._connection, then, self._as_of).values()


@contextmanager
def opened_population(
    database: RecordDatabase, as_of: datetime | None = None
) -> Iterator[Population]:
    """Give the population of a database, while its connection is open."""
    with database.read() as connection:
        yield Population(connection, as_of)


_COUNTS = sa.select(Frame.obstype, Frame.instrument_id, sa.func.count()).group_by(
    Frame.obstype, Frame.instrument_id
)
_moment = sa.bindparam("moment", type_=UTCDateTime())
_IS_UNKNOWN = sa.and_(
    Frame.recorded_at > _moment,
    ~sa.exists()
    .where(Version.calibration_frame_id == Frame.id, Version.known_from <= _moment)
    .correlate(Frame),
)
_UNKNOWN = sa.select(Frame.obstype, Frame.instrument_id).where(_IS_UNKNOWN)
_UNKNOWN_COUNTS = _COUNTS.where(_IS_UNKNOWN)
_INSTRUMENTS = sa.select(
    *(Instrument.id, Site.code.label("site"), Instrument.camera),
    Instrument.name.label("instrument"),
).join_from(Instrument, Site, Instrument.site_id == Site.id)


@cache
def _versions(*, is_server: bool, is_now: bool) -> sa.Select[Any]:
    """Return the statement that reads versions of frames, those of one frame together."""
    ids = (Version.calibration_frame_id, Frame.id)
    statement = select_frames().add_columns(
        *(Version.id, Version.calibration_frame_id.label("frame"), Version.is_current),
        *(getattr(Version, name) for name in DATING),
    )
    if is_now:
        statement = statement.where(Version.is_current)
    if is_server:
        return for_each(statement, *ids).order_by("frame", "id")
    listed = (is_listed(column, is_server=False) for column in ids)
    return statement.where(*listed).order_by("frame", Version.id)


def _in(groups: Collection[FrameGroup]) -> sa.ColumnElement[bool]:
    by_type: dict[str, list[int]] = defaultdict(list)
    for group in groups:
        by_type[group.obstype].append(group.instrument_id)
    return sa.or_(
        *(
            sa.and_(Frame.obstype == obstype, Frame.instrument_id.in_(instruments))
            for obstype, instruments in by_type.items()
        )
    )
