"""First tables.

Revision: 0001, after none
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

IDENTIFIER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
DOCUMENT = sa.JSON()
TIME = sa.DateTime(timezone=True)


def _id() -> sa.Column[Any]:
    return sa.Column("id", IDENTIFIER, nullable=False)


def _text(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, TEXT, nullable=null)


def _time(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, TIME, nullable=null)


def _reference(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, IDENTIFIER, nullable=null)


def _refers(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}_{target}")


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=f"uq_{table}_{'_'.join(columns)}")


def _create(table: str, *parts: Any) -> None:
    op.create_table(table, *parts, sa.PrimaryKeyConstraint("id", name=f"pk_{table}"))


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


def upgrade() -> None:
    _identity()
    _versions()
    _histories()
    _provenance()
    _ingestions()


def _identity() -> None:
    _create(
        "archives",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        _text("root"),
        _time("recorded_at"),
        sa.CheckConstraint("id = 1", name=op.f("ck_archives_only_one")),
    )
    _create("sites", _id(), _text("code"), _unique("sites", "code"))
    _create(
        "instruments",
        _id(),
        _reference("site_id"),
        _text("camera"),
        _text("name"),
        _refers("instruments", "site_id", "sites"),
        _unique("instruments", "site_id", "camera", "name"),
    )
    _create(
        "calibration_frames",
        _id(),
        _text("basename"),
        _reference("frame_id", null=True),
        _text("obstype"),
        sa.Column("is_master", sa.Boolean(), nullable=False),
        _reference("instrument_id"),
        _time("recorded_at"),
        _refers("calibration_frames", "instrument_id", "instruments"),
        _unique("calibration_frames", "basename"),
        _unique("calibration_frames", "frame_id"),
    )
    _index("calibration_frames", "obstype", "instrument_id")
    _index("calibration_frames", "instrument_id")


def _versions() -> None:
    _create(
        "frame_versions",
        _id(),
        _reference("calibration_frame_id"),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        *(_text(name, null=True) for name in ("version_key", "md5", "sha256")),
        sa.Column("size", IDENTIFIER, nullable=True),
        _text("extension"),
        *(_text(name, null=True) for name in ("key", "telescope", "filter", "binning")),
        _text("configuration_mode"),
        *(
            sa.Column(name, sa.Double(), nullable=True)
            for name in ("exposure_time", "ccd_temperature", "ccd_measured_temperature")
        ),
        sa.Column("reduction_level", sa.Integer(), nullable=True),
        _time("dateobs", null=True),
        sa.Column("dayobs", sa.Date(), nullable=True),
        _text("dayobs_rule", null=True),
        _time("created", null=True),
        _time("public_date", null=True),
        *(
            _text(name, null=True)
            for name in ("object", "proposal", "pipeline_name", "pipeline_version")
        ),
        _time("good_after", null=True),
        _time("good_until", null=True),
        _text("verdict"),
        sa.Column("attributes", DOCUMENT, nullable=False),
        _time("archived_at", null=True),
        _time("recorded_at"),
        _time("known_from", null=True),
        _refers("frame_versions", "calibration_frame_id", "calibration_frames"),
        _unique("frame_versions", "calibration_frame_id", "md5"),
    )
    op.create_index(
        "uq_frame_versions_current",
        "frame_versions",
        ["calibration_frame_id"],
        unique=True,
        sqlite_where=sa.text("is_current"),
        postgresql_where=sa.text("is_current"),
    )
    for column in ("dateobs", "dayobs", "md5", "version_key"):
        _index("frame_versions", column)


def _histories() -> None:
    for table, what in (
        ("verdicts", [_text("verdict")]),
        ("validity_changes", [_time("good_after", null=True), _time("good_until", null=True)]),
    ):
        _create(
            table,
            _id(),
            _reference("version_id"),
            *what,
            _text("reason"),
            _text("author"),
            _time("recorded_at"),
            _time("known_from", null=True),
            _refers(table, "version_id", "frame_versions"),
        )
        _index(table, "version_id")


def _provenance() -> None:
    _create(
        "frame_inputs",
        _id(),
        _reference("version_id"),
        _text("keyword"),
        _text("basename"),
        _refers("frame_inputs", "version_id", "frame_versions"),
        _unique("frame_inputs", "version_id", "keyword", "basename"),
    )
    _index("frame_inputs", "basename")
    _create(
        "frame_uses",
        _id(),
        _text("target_basename"),
        _reference("version_id"),
        _text("caltype"),
        _text("rule", null=True),
        _time("recorded_at"),
        _refers("frame_uses", "version_id", "frame_versions"),
        _unique("frame_uses", "target_basename", "version_id"),
    )
    _index("frame_uses", "version_id")
    _create(
        "overrides",
        _id(),
        _text("caltype"),
        _reference("version_id"),
        _text("target_basename", null=True),
        _reference("instrument_id", null=True),
        _time("applies_after", null=True),
        _time("applies_until", null=True),
        _text("reason"),
        _text("author"),
        _time("recorded_at"),
        _time("withdrawn_at", null=True),
        sa.CheckConstraint(
            "target_basename IS NOT NULL OR instrument_id IS NOT NULL",
            name=op.f("ck_overrides_has_subject"),
        ),
        _refers("overrides", "version_id", "frame_versions"),
        _refers("overrides", "instrument_id", "instruments"),
    )
    _index("overrides", "target_basename")
    _index("overrides", "instrument_id")


def _ingestions() -> None:
    _create(
        "ingestions",
        _id(),
        *(_text(name) for name in ("state", "path", "basename", "extension", "md5", "sha256")),
        sa.Column("size", IDENTIFIER, nullable=False),
        _text("content_type"),
        _text("key"),
        sa.Column("facts", DOCUMENT, nullable=True),
        sa.Column("archive_record", DOCUMENT, nullable=True),
        _text("version_key", null=True),
        _reference("frame_id", null=True),
        _time("archived_at", null=True),
        _text("error", null=True),
        _text("message", null=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        _time("next_attempt_at", null=True),
        _text("lease_owner", null=True),
        _time("lease_until", null=True),
        _time("created_at"),
        _time("updated_at"),
        _unique("ingestions", "basename", "extension", "md5"),
    )
    _index("ingestions", "state")


def downgrade() -> None:
    for table in (
        "ingestions",
        "overrides",
        "frame_uses",
        "frame_inputs",
        "validity_changes",
        "verdicts",
        "frame_versions",
        "calibration_frames",
        "instruments",
        "sites",
        "archives",
    ):
        op.drop_table(table)
