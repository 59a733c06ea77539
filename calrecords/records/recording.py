"""Writing what was ingested: identity, version, facts and inputs, in one transaction.

A second write of the same version changes nothing. It never touches verdict or validity,
and never takes a known frame ID away: those have their own verbs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from calrecords.errors import DuplicateRecordError
from calrecords.frames import CalibrationFrame, ContentDigest, FrameFacts, FrameVersion
from calrecords.records.match_fields import identity_of
from calrecords.records.models import FrameInput, Version
from calrecords.records.naming import demand_identity, frame_row
from calrecords.records.prepared import execute
from calrecords.records.reading import get_frame
from calrecords.records.selection_index import (
    close_version,
    end_version,
    index_version,
    open_version,
)
from calrecords.records.storable import check_storable, check_values, plain_json
from calrecords.records.version_order import DATING, dated, place_of
from calrecords.vocabulary import Verdict, canonical_obstype

_SAME_NAME = (
    "telescope",
    "filter",
    "configuration_mode",
    "exposure_time",
    "ccd_temperature",
    "ccd_measured_temperature",
    "reduction_level",
    "dateobs",
    "dayobs",
    "dayobs_rule",
    "created",
    "public_date",
    "object",
    "proposal",
    "pipeline_name",
    "pipeline_version",
)
_SHOWN_ALIKE = (
    *("is_master", "reduction_level", "site", "camera", "filter", "binning", "configuration_mode"),
    *("exposure_time", "ccd_temperature", "dateobs", "dayobs", "created", "telescope"),
    *("ccd_measured_temperature", "public_date", "object", "proposal"),
    *("pipeline_name", "pipeline_version"),
)

_versions: sa.Table = Version.__table__  # type: ignore[assignment]
_inputs: sa.Table = FrameInput.__table__  # type: ignore[assignment]
_versions_of_frame = sa.select(
    *(_versions.c.id, _versions.c.is_current, *(_versions.c[name] for name in DATING)),
    *(_versions.c.md5, _versions.c.sha256, _versions.c.size),
    *(_versions.c.key, _versions.c.version_key, _versions.c.extension),
).where(_versions.c.calibration_frame_id == sa.bindparam("frame"))
_insert_version = sa.insert(_versions).returning(_versions.c.id)
_insert_input = sa.insert(_inputs)
_no_longer_current = (
    sa.update(_versions)
    .where(_versions.c.calibration_frame_id == sa.bindparam("frame"), _versions.c.is_current)
    .values(is_current=False)
)


@dataclass(frozen=True, slots=True)
class PartialDigest:
    """What is known of bytes that were not read here.

    Attributes
    ----------
    md5 : str
        Lower-case hexadecimal digest of the whole file.
    sha256 : str or None
        The same, where it is known.
    size : int or None
        Length in bytes, where it is known.
    """

    md5: str
    sha256: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """A version that is to be recorded.

    Attributes
    ----------
    basename, extension : str
        The frame's name, cut in two.
    facts : FrameFacts
        What its header says.
    digest : ContentDigest or PartialDigest
        What its bytes are, as far as that is known.
    key, version_key : str or None
        Where the file store has it, and what it calls this version.
    frame_id : int or None
        The archive's number of the frame.
    archived_at : datetime or None
        When the archive stored this version, UTC.
    """

    basename: str
    extension: str
    facts: FrameFacts
    digest: ContentDigest | PartialDigest
    key: str | None = None
    version_key: str | None = None
    frame_id: int | None = None
    archived_at: datetime | None = None


def check_identity(session: Session, basename: str, facts: FrameFacts) -> None:
    """Make sure that a basename is not another frame's already.

    Raises
    ------
    DuplicateRecordError
        If the basename is recorded for another camera, type or kind of frame.
    """
    demand_identity(session.connection(), basename, facts)


def record_version(writer: Session | Connection, new: NewVersion, now: datetime) -> bool:
    """Write a version, with its frame and inputs; return whether the frame is new.

    Raises
    ------
    DuplicateRecordError
        If the basename or the frame ID is another frame's already, or another content of this
        frame has the same md5.
    InvalidRecordError
        If the database cannot hold a value.
    """
    check_storable(
        new.basename + new.extension,
        new.facts,
        basename=new.basename,
        extension=new.extension,
        **_learned(new),
    )
    connection = writer.connection() if isinstance(writer, Session) else writer
    return _record(connection, new, now)


def record_intended(connection: Connection, new: NewVersion, now: datetime) -> CalibrationFrame:
    """Write a version whose facts were checked when it was intended; return its frame.

    Raises
    ------
    DuplicateRecordError, InvalidRecordError
        As for `record_version`.
    """
    check_values(new.basename + new.extension, **_learned(new))
    if _record(connection, new, now):
        return _as_recorded(new)
    return get_frame(connection, basename=new.basename, md5=new.digest.md5)


def _record(connection: Connection, new: NewVersion, now: datetime) -> bool:
    frame, is_new = frame_row(connection, new.basename, new.facts, new.frame_id, now)
    if is_new:
        _write(connection, frame, new, now, ())
        return True
    recorded = connection.execute(_versions_of_frame, {"frame": frame}).all()
    version = _recorded_as(new, recorded)
    if version is None:
        _write(connection, frame, new, now, recorded)
        return False
    learned = {"version_key": new.version_key, "archived_at": new.archived_at}
    if missing := missing_in(version, new.basename, new.digest, key=new.key, **learned):
        _change(connection, version.id, missing)
        choose_current(connection, frame, now)
    return False


def _recorded_as(new: NewVersion, recorded: Sequence[Any]) -> Any | None:
    """Return the row of a version; one without md5 is it where nothing tells them apart.

    So a frame that was imported without a checksum keeps its verdict when its file comes.
    """
    for row in recorded:
        if row.md5 == new.digest.md5:
            return row
    said = (new.version_key, new.extension, new.facts.created)
    for row in recorded:
        known = (row.version_key, row.extension, row.created)
        if row.md5 is None and all(
            one in (None, "", other) or other in (None, "")
            for one, other in zip(known, said, strict=True)
        ):
            return row
    return None


def _learned(new: NewVersion) -> dict[str, Any]:
    return {
        "size": new.digest.size,
        "key": new.key,
        "version_key": new.version_key,
        "frame_id": new.frame_id,
        "archived_at": new.archived_at,
    }


def _as_recorded(new: NewVersion) -> CalibrationFrame:
    """Return what the records say of a frame that was new just now."""
    facts, digest = new.facts, new.digest
    stored = (digest.md5, digest.sha256, digest.size, new.extension, new.key)
    return CalibrationFrame(
        frame_id=new.frame_id,
        basename=new.basename,
        obstype=canonical_obstype(facts.obstype),
        instrument=facts.instrument or facts.camera,
        verdict=Verdict.UNKNOWN,
        good_after=None,
        good_until=None,
        attributes=plain_json(facts.attributes),
        version=FrameVersion(new.version_key, *stored),
        **{name: getattr(facts, name) for name in _SHOWN_ALIKE},
    )


def _write(
    connection: Connection, frame: int, new: NewVersion, now: datetime, others: Sequence[Any]
) -> None:
    """Insert a version; it is the current one unless another one is newer."""
    date = dated(new.archived_at, new.facts.created, None, now)
    is_newest = all(place_of(other)[:2] <= (date, now) for other in others)
    if is_newest and others:
        _end_current(connection, frame, others, now)
    columns = _columns(new, now)
    whole = columns | {"calibration_frame_id": frame, "is_current": is_newest}
    version = execute(connection, _insert_version, whole).fetchone()[0]
    if is_newest and others:
        open_version(connection, version, now)
    elif is_newest:
        facts = columns | identity_of(new.basename, new.facts)
        index_version(connection, version, facts, columns["attributes"], now)
    for keyword, basename in dict.fromkeys(new.facts.inputs):
        made_from = {"version_id": version, "keyword": keyword, "basename": basename}
        execute(connection, _insert_input, made_from)


def choose_current(connection: Connection, frame: int, now: datetime) -> None:
    """Make the newest version of a frame the current one; no two are at any time."""
    recorded = connection.execute(_versions_of_frame, {"frame": frame}).all()
    newest = max(recorded, key=place_of)
    if not newest.is_current:
        _end_current(connection, frame, recorded, now)
        _change(connection, newest.id, {"is_current": True})
        open_version(connection, newest.id, now)


def _end_current(
    connection: Connection, frame: int, recorded: Sequence[Any], now: datetime
) -> None:
    newest = max(recorded, key=place_of)
    if newest.is_current:
        close_version(connection, newest.id, now)
    else:  # whichever was marked as current, another one may be offered as such
        for version in recorded:
            end_version(connection, version.id, now)
    connection.execute(_no_longer_current, {"frame": frame})


def _change(connection: Connection, version: int, values: dict[str, Any]) -> None:
    connection.execute(sa.update(_versions).where(_versions.c.id == version).values(**values))


def _columns(new: NewVersion, now: datetime) -> dict[str, Any]:
    facts = new.facts
    return {
        "version_key": new.version_key,
        "md5": new.digest.md5,
        "sha256": new.digest.sha256,
        "size": new.digest.size,
        "extension": new.extension,
        "key": new.key,
        "binning": None if facts.binning is None else str(facts.binning),
        "attributes": plain_json(facts.attributes),
        "archived_at": new.archived_at,
        "recorded_at": now,
        "verdict": Verdict.UNKNOWN.value,
        **{name: getattr(facts, name) for name in _SAME_NAME},
    }


def missing_in(
    version: Any, basename: str, digest: ContentDigest | PartialDigest, **known: Any
) -> dict[str, Any]:
    """Return what the row of a version came without and is known now; what it has stays.

    Raises
    ------
    DuplicateRecordError
        If other bytes with the same md5 are recorded: whoever makes some wants them taken for
        these.
    """
    known |= {"md5": digest.md5, "sha256": digest.sha256, "size": digest.size}
    for name in ("md5", "sha256", "size"):
        recorded = getattr(version, name)
        if None not in {recorded, known[name]} and recorded != known[name]:
            msg = (
                f"{basename}: a version with md5 {version.md5} is recorded, and this file "
                "has the same md5 but other bytes; find out where it comes from"
            )
            raise DuplicateRecordError(msg)
    return {
        name: value
        for name, value in known.items()
        if value is not None and getattr(version, name) is None
    }
