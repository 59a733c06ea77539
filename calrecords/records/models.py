"""The tables of the records database, as typed models.

`calibration_frames` is identity, `frame_versions` is content and facts, and the histories
(`verdicts`, `validity_changes`, `corrections`) are only ever added to.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column

from calrecords.records.columns import Characters, Document, Identifier, UTCDateTime

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(MappedAsDataclass, DeclarativeBase, kw_only=True):
    """What all tables share."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it once
        str: Characters,
        datetime: UTCDateTime,
        dict[str, Any]: Document,
    }


class Archive(Base):
    """The one archive that the frame IDs of this database belong to."""

    __tablename__ = "archives"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)

    root: Mapped[str]
    recorded_at: Mapped[datetime]
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, default=1)


class Site(Base):
    """A place with telescopes."""

    __tablename__ = "sites"

    id: Mapped[int] = mapped_column(Identifier, primary_key=True, init=False)
    code: Mapped[str] = mapped_column(unique=True)


class Instrument(Base):
    """A camera at a site, under an instrument's name."""

    __tablename__ = "instruments"
    __table_args__ = (UniqueConstraint("site_id", "camera", "name"),)

    id: Mapped[int] = mapped_column(Identifier, primary_key=True, init=False)
    site_id: Mapped[int] = mapped_column(ForeignKey("sites.id"))
    camera: Mapped[str]
    name: Mapped[str]


class Frame(Base):
    """The identity of a frame; its basename is unique, as in the archive."""

    __tablename__ = "calibration_frames"
    __table_args__ = (Index(None, "obstype", "instrument_id"),)

    id: Mapped[int] = mapped_column(Identifier, primary_key=True, init=False)
    basename: Mapped[str] = mapped_column(unique=True)
    frame_id: Mapped[int | None] = mapped_column(Identifier, unique=True)
    obstype: Mapped[str]
    is_master: Mapped[bool]
    instrument_id: Mapped[int] = mapped_column(ForeignKey("instruments.id"), index=True)
    recorded_at: Mapped[datetime]


class Version(Base):
    """One stored file of a frame, and every fact that a rule can match."""

    __tablename__ = "frame_versions"
    __table_args__ = (
        UniqueConstraint("calibration_frame_id", "md5"),
        Index(
            "uq_frame_versions_current",
            "calibration_frame_id",
            unique=True,
            sqlite_where=sa.text("is_current"),
            postgresql_where=sa.text("is_current"),
        ),
        Index(None, "dateobs"),
        Index(None, "dayobs"),
        Index(None, "md5"),
        Index(None, "version_key"),
    )

    id: Mapped[int] = mapped_column(Identifier, primary_key=True, init=False)
    calibration_frame_id: Mapped[int] = mapped_column(ForeignKey("calibration_frames.id"))
    is_current: Mapped[bool]
    version_key: Mapped[str | None]
    md5: Mapped[str | None]
    sha256: Mapped[str | None]
    size: Mapped[int | None] = mapped_column(Identifier)
    extension: Mapped[str]
    key: Mapped[str | None]
    telescope: Mapped[str | None]
    filter: Mapped[str | None]
    binning: Mapped[str | None]
    configuration_mode: Mapped[str]
    exposure_time: Mapped[float | None]
    ccd_temperature: Mapped[float | None]
    ccd_measured_temperature: Mapped[float | None]
    reduction_level: Mapped[int | None]
    dateobs: Mapped[datetime | None]
    dayobs: Mapped[date | None]
    dayobs_rule: Mapped[str | None]
    created: Mapped[datetime | None]
    public_date: Mapped[datetime | None]
    object: Mapped[str | None]
    proposal: Mapped[str | None]
    pipeline_name: Mapped[str | None]
    pipeline_version: Mapped[str | None]
    recorded_at: Mapped[datetime]
    good_after: Mapped[datetime | None] = mapped_column(default=None)
    good_until: Mapped[datetime | None] = mapped_column(default=None)
    verdict: Mapped[str] = mapped_column(default="unknown")
    attributes: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)
    archived_at: Mapped[datetime | None] = mapped_column(default=None)
    known_from: Mapped[datetime | None] = mapped_column(default=None)


class VerdictChange(Base):
    """Somebody called a version good or bad, or took that back."""

    __tablename__ = "verdicts"

    id: Mapped[int] = mapped_column(Identifier, primary_key=True, init=False)
    version_id: Mapped[int] = mapped_column(ForeignKey("frame_versions.id"), index=True)
    verdict: Mapped[str]
    reason: Mapped[str]
    author: Mapped[str]
    recorded_at: Mapped[datetime]
    known_from: Mapped[datetime | None] = mapped_column(default=None)


class ValidityChange(Base):
    """Somebody said when a version may be used: ``[good_after, good_until)``."""

    __tablename__ = "validity_changes"

    id: Mapped[int] = mapped_column(Identifier, primary_key=True, init=False)
    version_id: Mapped[int] = mapped_column(ForeignKey("frame_versions.id"), index=True)
    good_after: Mapped[datetime | None]
    good_until: Mapped[datetime | None]
    reason: Mapped[str]
    author: Mapped[str]
    recorded_at: Mapped[datetime]
    known_from: Mapped[datetime | None] = mapped_column(default=None)


class Correction(Base):
    """Somebody mended a fact of a version; values are in ``{"value": ...}``, NULL where none."""

    __tablename__ = "corrections"

    id: Mapped[int] = mapped_column(Identifier, primary_key=True, init=False)
    version_id: Mapped[int] = mapped_column(ForeignKey("frame_versions.id"), index=True)
    field: Mapped[str]
    old: Mapped[dict[str, Any] | None] = mapped_column(Document)
    new: Mapped[dict[str, Any] | None] = mapped_column(Document)
    reason: Mapped[str]
    author: Mapped[str]
    recorded_at: Mapped[datetime]


class RegisteredMatchSet(Base):
    """A set of fields that versions are indexed by; `fields` is a JSON list."""

    __tablename__ = "match_sets"
    __table_args__ = (UniqueConstraint("fields", "obstype"),)

    id: Mapped[int] = mapped_column(Identifier, primary_key=True, init=False)
    fields: Mapped[str]
    obstype: Mapped[str]
    recorded_at: Mapped[datetime]


class IndexRow(Base):
    """A version under one match key, while it is the current one with those facts.

    It is no record but can be made anew from them, so it refers to no table: a check of each
    row would lock versions that a writer is waiting with.
    """

    __tablename__ = "selection_index"
    __table_args__ = ({"sqlite_with_rowid": False},)

    match_key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    dateobs: Mapped[datetime] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(Identifier, primary_key=True, autoincrement=False)
    known_from: Mapped[datetime] = mapped_column(primary_key=True)
    known_until: Mapped[datetime | None] = mapped_column(default=None)


class FrameInput(Base):
    """A frame that a version was made from, by name: it need not be recorded itself."""

    __tablename__ = "frame_inputs"
    __table_args__ = (UniqueConstraint("version_id", "keyword", "basename"),)

    id: Mapped[int] = mapped_column(Identifier, primary_key=True, init=False)
    version_id: Mapped[int] = mapped_column(ForeignKey("frame_versions.id"))
    keyword: Mapped[str]
    basename: Mapped[str] = mapped_column(index=True)


class FrameUse(Base):
    """A target was reduced with a version; with what was asked, so that it can be asked anew."""

    __tablename__ = "frame_uses"
    __table_args__ = (UniqueConstraint("target_basename", "version_id", "caltype"),)

    id: Mapped[int] = mapped_column(Identifier, primary_key=True, init=False)
    target_basename: Mapped[str]
    version_id: Mapped[int] = mapped_column(ForeignKey("frame_versions.id"), index=True)
    caltype: Mapped[str]
    recorded_at: Mapped[datetime]
    rule: Mapped[str | None] = mapped_column(default=None)
    rule_version: Mapped[str | None] = mapped_column(default=None)
    rule_set: Mapped[str | None] = mapped_column(default=None)
    as_of: Mapped[datetime | None] = mapped_column(default=None)
    created_before: Mapped[datetime | None] = mapped_column(default=None)
    include_bad: Mapped[bool | None] = mapped_column(default=None)
    override: Mapped[str | None] = mapped_column(default=None)
    target: Mapped[dict[str, Any] | None] = mapped_column(default=None)


class Override(Base):
    """A calibration that is forced for a target, or for a camera in a period."""

    __tablename__ = "overrides"
    __table_args__ = (
        CheckConstraint(
            "target_basename IS NOT NULL OR instrument_id IS NOT NULL", name="has_subject"
        ),
        Index(None, "target_basename"),
        Index(None, "instrument_id"),
    )

    id: Mapped[int] = mapped_column(Identifier, primary_key=True, init=False)
    caltype: Mapped[str]
    version_id: Mapped[int] = mapped_column(ForeignKey("frame_versions.id"))
    reason: Mapped[str]
    author: Mapped[str]
    recorded_at: Mapped[datetime]
    target_basename: Mapped[str | None] = mapped_column(default=None)
    instrument_id: Mapped[int | None] = mapped_column(ForeignKey("instruments.id"), default=None)
    applies_after: Mapped[datetime | None] = mapped_column(default=None)
    applies_until: Mapped[datetime | None] = mapped_column(default=None)
    withdrawn_at: Mapped[datetime | None] = mapped_column(default=None)
    withdrawn_by: Mapped[str | None] = mapped_column(default=None)
    withdrawn_reason: Mapped[str | None] = mapped_column(default=None)


class JournalEntry(Base):
    """One ingestion, from its intent to its end."""

    __tablename__ = "ingestions"
    __table_args__ = (
        UniqueConstraint("basename", "extension", "md5"),
        Index(None, "state"),
    )

    id: Mapped[int] = mapped_column(Identifier, primary_key=True, init=False)
    state: Mapped[str]
    path: Mapped[str]
    basename: Mapped[str]
    extension: Mapped[str]
    md5: Mapped[str]
    sha256: Mapped[str]
    size: Mapped[int] = mapped_column(Identifier)
    content_type: Mapped[str]
    key: Mapped[str]
    facts: Mapped[dict[str, Any] | None] = mapped_column(Document)
    archive_record: Mapped[dict[str, Any] | None] = mapped_column(Document)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version_key: Mapped[str | None] = mapped_column(default=None)
    frame_id: Mapped[int | None] = mapped_column(Identifier, default=None)
    archived_at: Mapped[datetime | None] = mapped_column(default=None)
    error: Mapped[str | None] = mapped_column(default=None)
    message: Mapped[str | None] = mapped_column(default=None)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime | None] = mapped_column(default=None)
    lease_owner: Mapped[str | None] = mapped_column(default=None)
    lease_until: Mapped[datetime | None] = mapped_column(default=None)


class Audit(Base):
    """One comparison of records, archive, file store and cache, and how far it has come."""

    __tablename__ = "audits"

    id: Mapped[int] = mapped_column(Identifier, primary_key=True, init=False)
    question: Mapped[str]
    progress: Mapped[dict[str, Any]]
    started_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    finished_at: Mapped[datetime | None] = mapped_column(default=None)
    lease_owner: Mapped[str | None] = mapped_column(default=None)
    lease_until: Mapped[datetime | None] = mapped_column(default=None)


class AuditFinding(Base):
    """A fault that an audit saw; the same fault has the same fingerprint in every audit."""

    __tablename__ = "audit_findings"
    __table_args__ = (UniqueConstraint("audit_id", "fingerprint"), Index(None, "fingerprint"))

    id: Mapped[int] = mapped_column(Identifier, primary_key=True, init=False)
    audit_id: Mapped[int] = mapped_column(ForeignKey("audits.id"))
    fingerprint: Mapped[str]
    kind: Mapped[str]
    name: Mapped[str]
    found: Mapped[str]
    what: Mapped[dict[str, Any]]
    seen_at: Mapped[datetime]
