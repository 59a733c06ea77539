"""Writing what was ingested: identity, version, facts and inputs, in one transaction.

A second write of the same version changes nothing. It never touches verdict or validity,
and never takes a known frame ID away: those have their own verbs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from calrecords.errors import DuplicateRecordError
from calrecords.frames import ContentDigest, FrameFacts
from calrecords.records.models import Base, Frame, FrameInput, Instrument, Site, Version
from calrecords.records.storable import check_storable, plain_json
from calrecords.vocabulary import canonical_obstype

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


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """A version that is to be recorded.

    Attributes
    ----------
    basename, extension : str
        The frame's name, cut in two.
    facts : FrameFacts
        What its header says.
    digest : ContentDigest
        What its bytes are.
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
    digest: ContentDigest
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
    row = session.execute(
        sa.select(Frame.obstype, Frame.is_master, Site.code, Instrument.camera)
        .join(Instrument, Frame.instrument_id == Instrument.id)
        .join(Site, Instrument.site_id == Site.id)
        .where(Frame.basename == basename)
    ).one_or_none()
    if row is None:
        return
    kind = {True: "a master", False: "an individual calibration"}
    for what, recorded, found in (
        ("site", row.code, facts.site),
        ("camera", row.camera, facts.camera),
        ("observation type", row.obstype, canonical_obstype(facts.obstype)),
        ("frame", kind[row.is_master], kind[facts.is_master]),
    ):
        if recorded != found:
            msg = (
                f"{basename}: recorded already with {what} {recorded!r}, and this file has "
                f"{found!r}; a basename names one frame in the whole archive, so rename the file"
            )
            raise DuplicateRecordError(msg)


def record_version(session: Session, new: NewVersion, now: datetime) -> Version:
    """Write a version, with its frame and inputs; return its row.

    Raises
    ------
    DuplicateRecordError
        If the basename or the frame ID is another frame's already, or another content of this
        frame has the same md5.
    InvalidRecordError
        If the database cannot hold a value.
    """
    _check(new)
    frame = _frame(session, new, now)
    version = session.scalars(
        sa.select(Version).where(
            Version.calibration_frame_id == frame.id, Version.md5 == new.digest.md5
        )
    ).one_or_none()
    if version is None:
        version = _new_version(frame, new, now)
        session.add(version)
        session.flush()
        session.add_all(
            FrameInput(version_id=version.id, keyword=keyword, basename=basename)
            for keyword, basename in dict.fromkeys(new.facts.inputs)
        )
    else:
        _demand_same_content(version, new)
        _complete(version, new)
    session.flush()
    _choose_current(session, frame)
    return version


def _check(new: NewVersion) -> None:
    check_storable(
        new.basename + new.extension,
        new.facts,
        basename=new.basename,
        extension=new.extension,
        size=new.digest.size,
        key=new.key,
        version_key=new.version_key,
        frame_id=new.frame_id,
        archived_at=new.archived_at,
    )


def _choose_current(session: Session, frame: Frame) -> None:
    """Make the newest version the current one; no two are at any time."""
    versions = session.scalars(sa.select(Version).where(Version.calibration_frame_id == frame.id))
    by_age = sorted(versions, key=lambda version: (_stored_at(version), version.id))
    for older in by_age[:-1]:
        older.is_current = False
    session.flush()
    by_age[-1].is_current = True
    session.flush()


def _stored_at(version: Version) -> datetime:
    return version.archived_at or version.recorded_at


def _frame(session: Session, new: NewVersion, now: datetime) -> Frame:
    """Return the frame's row, locked until the transaction ends."""
    check_identity(session, new.basename, new.facts)
    locked = sa.select(Frame).where(Frame.basename == new.basename).with_for_update()
    frame = session.scalars(locked).one_or_none()
    if frame is None:
        insert_once(
            session,
            Frame,
            basename=new.basename,
            obstype=canonical_obstype(new.facts.obstype),
            is_master=new.facts.is_master,
            instrument_id=_instrument(session, new.facts).id,
            recorded_at=now,
        )
        frame = session.scalars(locked).one()
        check_identity(session, new.basename, new.facts)
    _give_frame_id(session, frame, new)
    return frame


def _give_frame_id(session: Session, frame: Frame, new: NewVersion) -> None:
    if new.frame_id in {None, frame.frame_id}:
        return
    if frame.frame_id is not None:
        msg = (
            f"{new.basename}: recorded with frame ID {frame.frame_id}, and the archive says "
            f"{new.frame_id}; is this another archive, or was the frame deleted there?"
        )
        raise DuplicateRecordError(msg)
    other = session.scalar(sa.select(Frame.basename).where(Frame.frame_id == new.frame_id))
    if other is not None:
        msg = (
            f"{new.basename}: the archive says frame ID {new.frame_id}, which is recorded for "
            f"{other}; is this another archive, or was the frame renamed there?"
        )
        raise DuplicateRecordError(msg)
    frame.frame_id = new.frame_id
    session.flush()


def _instrument(session: Session, facts: FrameFacts) -> Instrument:
    insert_once(session, Site, code=facts.site)
    site = session.scalars(sa.select(Site).where(Site.code == facts.site)).one()
    name = facts.instrument or facts.camera
    insert_once(session, Instrument, site_id=site.id, camera=facts.camera, name=name)
    return session.scalars(
        sa.select(Instrument).where(
            Instrument.site_id == site.id,
            Instrument.camera == facts.camera,
            Instrument.name == name,
        )
    ).one()


def insert_once(session: Session, model: type[Base], **values: Any) -> None:
    """Insert a row unless a concurrent writer did, without an error that ends the transaction."""
    on_sqlite = session.get_bind().dialect.name == "sqlite"
    insert = sqlite.insert if on_sqlite else postgresql.insert
    session.execute(insert(model).values(**values).on_conflict_do_nothing())


def _new_version(frame: Frame, new: NewVersion, now: datetime) -> Version:
    facts = new.facts
    return Version(
        calibration_frame_id=frame.id,
        is_current=False,
        version_key=new.version_key,
        md5=new.digest.md5,
        sha256=new.digest.sha256,
        size=new.digest.size,
        extension=new.extension,
        key=new.key,
        binning=None if facts.binning is None else str(facts.binning),
        attributes=plain_json(facts.attributes),
        archived_at=new.archived_at,
        recorded_at=now,
        **{name: getattr(facts, name) for name in _SAME_NAME},
    )


def _demand_same_content(version: Version, new: NewVersion) -> None:
    """Refuse another content with the same md5: whoever makes one wants it taken for this."""
    recorded = (version.sha256 or new.digest.sha256, version.size or new.digest.size)
    if recorded != (new.digest.sha256, new.digest.size):
        msg = (
            f"{new.basename}: a version with md5 {new.digest.md5} is recorded, and this file has "
            "the same md5 but other bytes; find out where it comes from"
        )
        raise DuplicateRecordError(msg)


def _complete(version: Version, new: NewVersion) -> None:
    """Fill what a record came without; what it has stays."""
    version.sha256 = version.sha256 or new.digest.sha256
    version.size = new.digest.size if version.size is None else version.size
    version.key = version.key or new.key
    version.version_key = version.version_key or new.version_key
    version.archived_at = version.archived_at or new.archived_at
