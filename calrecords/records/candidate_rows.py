"""How candidates are read from either database without the layers of a database library.

A choice is made thousands of times a night, and costs less than one query through them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from calrecords.frames import CalibrationFrame, FrameVersion
from calrecords.records.columns import sqlite_text
from calrecords.vocabulary import Binning, Verdict

_SOURCES = {
    "dateobs": "k.dateobs",
    "version_id": "k.version_id",
    "frame_id": "f.frame_id",
    "basename": "f.basename",
    "obstype": "f.obstype",
    "is_master": "f.is_master",
    "reduction_level": "v.reduction_level",
    "site": "s.code",
    "camera": "i.camera",
    "instrument": "i.name",
    "filter": "v.filter",
    "binning": "v.binning",
    "configuration_mode": "v.configuration_mode",
    "exposure_time": "v.exposure_time",
    "ccd_temperature": "v.ccd_temperature",
    "dayobs": "v.dayobs",
    "created": "v.created",
    "verdict": "v.verdict",
    "good_after": "v.good_after",
    "good_until": "v.good_until",
    "attributes": "v.attributes",
    "version_key": "v.version_key",
    "md5": "v.md5",
    "sha256": "v.sha256",
    "size": "v.size",
    "extension": "v.extension",
    "key": "v.key",
    "telescope": "v.telescope",
    "ccd_measured_temperature": "v.ccd_measured_temperature",
    "public_date": "v.public_date",
    "object": "v.object",
    "proposal": "v.proposal",
    "pipeline_name": "v.pipeline_name",
    "pipeline_version": "v.pipeline_version",
}
COLUMNS = {name: at for at, name in enumerate(_SOURCES, 1)}
"""Where each value is in a row; first comes the number of the side."""

_WIDTH = len(COLUMNS) + 1
DATEOBS, CREATED = COLUMNS["dateobs"], COLUMNS["created"]
_NAMED = re.compile(r"\{(\w+)\}")
_binning = lru_cache(256)(Binning.parse)
_verdicts = {str(one): one for one in Verdict}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of database is spoken to.

    Attributes
    ----------
    is_sqlite : bool
        SQLite, which holds times as text; else PostgreSQL.
    """

    is_sqlite: bool

    @property
    def columns(self) -> str:
        """What is selected, after the number of the side."""
        attributes = "v.attributes" if self.is_sqlite else "v.attributes::text"
        sources = {**_SOURCES, "attributes": attributes}
        return ", ".join(f"{source} AS {name}" for name, source in sources.items())

    def with_marks(self, text: str) -> str:
        """Return a statement whose ``{name}`` are as the driver wants them."""
        return _NAMED.sub(r":\1" if self.is_sqlite else r"%(\1)s", text)

    def as_given(self, moment: datetime) -> Any:
        """Return a time as the driver is given it."""
        return sqlite_text(moment) if self.is_sqlite else moment

    def as_read(self, moment: datetime) -> datetime:
        """Return a time in UTC."""
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)

    def time(self, value: Any) -> datetime:
        """Return a time of a row, UTC."""
        if self.is_sqlite:
            return datetime.fromisoformat(value + "+00:00")
        moment: datetime = value
        return moment.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class BriefFrame:
    """What of a version says that it is the one, and which it is; see `CalibrationFrame`."""

    frame_id: int | None
    basename: str
    extension: str
    md5: str | None
    version_key: str | None
    dateobs: datetime
    created: datetime | None
    verdict: Verdict
    good_after: datetime | None
    good_until: datetime | None

    @property
    def filename(self) -> str:
        """Basename and extension."""
        return self.basename + self.extension


BRIEF_COLUMNS = ", ".join(
    [
        *("k.dateobs", "f.frame_id", "f.basename", "v.extension", "v.md5", "v.version_key"),
        *("v.created", "v.verdict", "v.good_after", "v.good_until"),
    ]
)


def read_brief(row: Sequence[Any], dialect: Dialect) -> BriefFrame:
    """Return the frame that a row of `BRIEF_COLUMNS` is, after the number of the side."""
    _, dateobs, frame_id, basename, extension, md5, version_key, *rest = row[:11]
    created, verdict, good_after, good_until = rest
    time = dialect.time
    return BriefFrame(
        frame_id,
        basename,
        extension,
        md5,
        version_key,
        time(dateobs),
        None if created is None else time(created),
        _verdicts[verdict],
        None if good_after is None else time(good_after),
        None if good_until is None else time(good_until),
    )


def read_candidate(row: Sequence[Any], dialect: Dialect) -> CalibrationFrame:
    """Return the frame that a row is."""
    # fmt: off
    (
        _side, dateobs, _version_id, frame_id, basename, obstype, is_master, level,
        site, camera, instrument, band, binning, mode, exposure_time, ccd_temperature,
        dayobs, created, verdict, good_after, good_until, attributes,
        version_key, md5, sha256, size, extension, key,
        telescope, measured_temperature, public_date, sky_object, proposal,
        pipeline_name, pipeline_version,
    ) = row[:_WIDTH]
    # fmt: on
    time = dialect.time
    if type(dayobs) is str:
        dayobs = date.fromisoformat(dayobs)
    return CalibrationFrame(
        frame_id=frame_id,
        basename=basename,
        obstype=obstype,
        is_master=bool(is_master),
        reduction_level=level,
        site=site,
        camera=camera,
        instrument=instrument,
        filter=band,
        binning=None if binning is None else _binning(binning),
        configuration_mode=mode,
        exposure_time=exposure_time,
        ccd_temperature=ccd_temperature,
        dateobs=time(dateobs),
        dayobs=dayobs,
        created=None if created is None else time(created),
        verdict=_verdicts[verdict],
        good_after=None if good_after is None else time(good_after),
        good_until=None if good_until is None else time(good_until),
        attributes={} if attributes == "{}" else json.loads(attributes),
        version=FrameVersion(version_key, md5, sha256, size, extension, key),
        telescope=telescope,
        ccd_measured_temperature=measured_temperature,
        public_date=None if public_date is None else time(public_date),
        object=sky_object,
        proposal=proposal,
        pipeline_name=pipeline_name,
        pipeline_version=pipeline_version,
    )
