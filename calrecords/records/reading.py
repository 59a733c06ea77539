"""Reading what is recorded: one frame by its name or number, or many by their facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from calrecords.errors import ConfigurationError, DuplicateRecordError, RecordNotFoundError
from calrecords.frames import CalibrationFrame, FrameVersion
from calrecords.records.models import Frame, Instrument, Site, Version
from calrecords.records.storable import is_storable
from calrecords.records.version_order import DATING, place_of
from calrecords.vocabulary import Binning, Verdict, canonical_obstype

_COLUMNS = (
    Frame.frame_id,
    Frame.basename,
    Frame.obstype,
    Frame.is_master,
    Version.reduction_level,
    Site.code.label("site"),
    Instrument.camera,
    Instrument.name.label("instrument"),
    Version.filter,
    Version.binning,
    Version.configuration_mode,
    Version.exposure_time,
    Version.ccd_temperature,
    Version.dateobs,
    Version.dayobs,
    Version.created,
    Version.verdict,
    Version.good_after,
    Version.good_until,
    Version.attributes,
    Version.telescope,
    Version.ccd_measured_temperature,
    Version.public_date,
    Version.object,
    Version.proposal,
    Version.pipeline_name,
    Version.pipeline_version,
    Version.version_key,
    Version.md5,
    Version.sha256,
    Version.size,
    Version.extension,
    Version.key,
)
_END = 27
_FACTS = tuple(column.key for column in _COLUMNS[:_END])
_TEXTS = ("telescope", "object", "proposal", "pipeline_name", "pipeline_version")
_binning = lru_cache(256)(Binning.parse)

_ASKED_BY: dict[str, Any] = {
    "basename": Frame.basename,
    "frame ID": Frame.frame_id,
    "md5": Version.md5,
    "version key": Version.version_key,
}
_OF_FRAME = (
    sa.select(Version.archived_at)
    .join(Frame, Version.calibration_frame_id == Frame.id)
    .where(Frame.basename == sa.bindparam("named"), Version.archived_at.is_not(None))
)
_NEWEST_ARCHIVED_AT = _OF_FRAME.order_by(Version.archived_at.desc()).limit(1)
RECORDED = (
    "SELECT 1 FROM calibration_frames f JOIN frame_versions v ON v.calibration_frame_id = f.id"
    " WHERE f.basename = {basename} AND v.md5 = {md5}"
)
"""Says whether a version is recorded, for the driver itself."""

_ARCHIVED = _OF_FRAME.where(Frame.frame_id.is_not(None), Version.md5 == sa.bindparam("content"))


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFilter:
    """Which frames are wanted; what is None does not matter.

    Attributes
    ----------
    obstype, site, camera, instrument, filter, configuration_mode, basename : str or None
        Must be equal; the observation type in any case of letters.
    telescope, object, proposal, pipeline_name, pipeline_version : str or None
        Must be equal.
    binning : Binning or None
        Must be equal.
    is_master : bool or None
        Whether masters or individual calibrations are wanted.
    reduction_level : int or None
        Must be equal.
    verdict : Verdict or None
        Must be equal.
    dayobs : date or None
        The night.
    start, end : datetime or None
        Half-open range of dateobs ``[start, end)``, UTC.
    all_versions : bool
        Whether older versions are wanted too.
    """

    obstype: str | None = None
    site: str | None = None
    camera: str | None = None
    instrument: str | None = None
    filter: str | None = None
    configuration_mode: str | None = None
    basename: str | None = None
    telescope: str | None = None
    object: str | None = None
    proposal: str | None = None
    pipeline_name: str | None = None
    pipeline_version: str | None = None
    binning: Binning | None = None
    is_master: bool | None = None
    reduction_level: int | None = None
    verdict: Verdict | None = None
    dayobs: date | None = None
    start: datetime | None = None
    end: datetime | None = None
    all_versions: bool = False


def find_frames(
    connection: Connection, wanted: FrameFilter, row_limit: int | None = None
) -> list[CalibrationFrame]:
    """Return the frames that are wanted, newest observation first, at most `row_limit`.

    Frames without dateobs come last, and of equal times the basename decides. No limit, or
    one below zero, gives all.
    """
    equal = _equal(wanted)
    if not all(is_storable(value, column.key) for column, value in equal):
        return []
    order = (Version.dateobs.desc().nulls_last(), Frame.basename, Version.id.desc())
    statement = select_frames().where(*_conditions(wanted, equal)).order_by(*order)
    if row_limit is not None and row_limit >= 0:
        statement = statement.limit(row_limit)
    return [frame_of(row) for row in connection.execute(statement)]


def get_frame(
    connection: Connection,
    *,
    basename: str | None = None,
    frame_id: int | None = None,
    md5: str | None = None,
    version_key: str | None = None,
) -> CalibrationFrame:
    """Return one frame, by its name or number; of its versions the current one, or the one named.

    Raises
    ------
    ConfigurationError
        If nothing is asked for.
    DuplicateRecordError
        If frames of several names have this file, and no name is given.
    RecordNotFoundError
        If no such frame, or no such version of it, is recorded.
    """
    values = dict(zip(_ASKED_BY, (basename, frame_id, md5, version_key), strict=True))
    asked = {name: value for name, value in values.items() if value is not None}
    if not asked:
        msg = "say which frame: basename=, frame_id=, md5= or version_key="
        raise ConfigurationError(msg)
    rows: Sequence[Row[Any]] = ()
    if all(map(is_storable, asked.values())):
        rows = connection.execute(_asking_by(tuple(asked)), asked).all()
    if len(found := sorted({row.basename for row in rows})) > 1:
        msg = f"several frames have this file: {', '.join(found[:5])}; add basename="
        raise DuplicateRecordError(msg)
    if not rows:
        said = ", ".join(f"{name} {value}" for name, value in asked.items())
        msg = f"no frame is recorded with {said}; ingest it, or look at `calrecords query`"
        raise RecordNotFoundError(msg)
    return frame_of(rows[0])


@cache
def _asking_by(names: tuple[str, ...]) -> sa.Select[Any]:
    """Return the statement that finds frames by these; made once, since it is asked so often."""
    statement = select_frames().where(*(_ASKED_BY[name] == sa.bindparam(name) for name in names))
    if not {"md5", "version key"} & set(names):
        statement = statement.where(Version.is_current)
    return statement.order_by(Version.id.desc())


def get_version(connection: Connection, version: int) -> CalibrationFrame:
    """Return a version by the number of its row, which there must be."""
    return frame_of(connection.execute(select_frames().where(Version.id == version)).one())


def versions_of(connection: Connection, basename: str) -> list[CalibrationFrame]:
    """Return every recorded version of a frame, newest first; none of an unknown frame."""
    if not is_storable(basename):
        return []
    dating = (Version.id, *(getattr(Version, name) for name in DATING))
    statement = select_frames().where(Frame.basename == basename)
    rows = connection.execute(statement.add_columns(*dating)).all()
    return [frame_of(row) for row in sorted(rows, key=place_of, reverse=True)]


def versions_with_md5(connection: Connection, md5: str) -> list[CalibrationFrame]:
    """Return every recorded version with this content, whatever its name; oldest record first."""
    if not is_storable(md5):
        return []
    statement = select_frames().where(Version.md5 == md5).order_by(Version.id)
    return [frame_of(row) for row in connection.execute(statement)]


def newest_archived_at(connection: Connection, basename: str) -> datetime | None:
    """Return when the archive stored the newest recorded version of a frame, UTC."""
    return connection.scalar(_NEWEST_ARCHIVED_AT, {"named": basename})


def is_archived(connection: Connection, basename: str, md5: str) -> bool:
    """Return whether a version is recorded as one that the archive has."""
    return connection.scalar(_ARCHIVED, {"named": basename, "content": md5}) is not None


def count_frames(connection: Connection) -> int:
    """Return how many frames are recorded."""
    return connection.scalar(sa.select(sa.func.count()).select_from(Frame)) or 0


def select_frames() -> sa.Select[Any]:
    """Return the statement that reads frames, with every version of each."""
    return (
        sa.select(*_COLUMNS)
        .join_from(Version, Frame, Version.calibration_frame_id == Frame.id)
        .join(Instrument, Frame.instrument_id == Instrument.id)
        .join(Site, Instrument.site_id == Site.id)
    )


def _equal(wanted: FrameFilter) -> list[tuple[Any, Any]]:
    """Return the columns that must be equal to something, with what."""
    equal = [
        (Frame.obstype, None if wanted.obstype is None else canonical_obstype(wanted.obstype)),
        (Frame.basename, wanted.basename),
        (Frame.is_master, wanted.is_master),
        (Site.code, wanted.site),
        (Instrument.camera, wanted.camera),
        (Instrument.name, wanted.instrument),
        (Version.filter, wanted.filter),
        (Version.configuration_mode, wanted.configuration_mode),
        *((getattr(Version, name), getattr(wanted, name)) for name in _TEXTS),
        (Version.binning, None if wanted.binning is None else str(wanted.binning)),
        (Version.reduction_level, wanted.reduction_level),
        (Version.verdict, wanted.verdict),
        (Version.dayobs, wanted.dayobs),
    ]
    return [(column, value) for column, value in equal if value is not None]


def _conditions(wanted: FrameFilter, equal: Sequence[tuple[Any, Any]]) -> list[Any]:
    conditions: list[Any] = [column == value for column, value in equal]
    if wanted.start is not None:
        conditions.append(Version.dateobs >= wanted.start)
    if wanted.end is not None:
        conditions.append(Version.dateobs < wanted.end)
    if not wanted.all_versions:
        conditions.append(Version.is_current)
    return conditions


def frame_of(row: Row[Any]) -> CalibrationFrame:
    """Return the frame that a row of `select_frames` is."""
    facts: dict[str, Any] = dict(zip(_FACTS, row[:_END], strict=True))
    facts["binning"] = None if facts["binning"] is None else _binning(facts["binning"])
    facts["verdict"] = Verdict(facts["verdict"])
    version = FrameVersion(*row[_END : len(_COLUMNS)])  # its fields are in this order
    return CalibrationFrame(version=version, **facts)
