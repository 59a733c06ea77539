"""What choosing needs: match sets with their index, corrections, and uses that can be repeated.

Revision: 0002, after 0001
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

IDENTIFIER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
DOCUMENT = sa.JSON()
TIME = sa.DateTime(timezone=True)

OLD_USE = "uq_frame_uses_target_basename_version_id"
NEW_USE = "uq_frame_uses_target_basename_version_id_caltype"


def _column(name: str, kind: Any, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=null)


def upgrade() -> None:
    _index()
    _corrections()
    _uses()
    op.add_column("overrides", _column("withdrawn_by", TEXT, null=True))
    op.add_column("overrides", _column("withdrawn_reason", TEXT, null=True))


def _index() -> None:
    op.create_table(
        "match_sets",
        _column("id", IDENTIFIER),
        _column("fields", TEXT),
        _column("obstype", TEXT),
        _column("recorded_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_match_sets"),
        sa.UniqueConstraint("fields", "obstype", name="uq_match_sets_fields_obstype"),
    )
    op.create_table(
        "selection_index",
        _column("match_key", sa.LargeBinary()),
        _column("dateobs", TIME),
        sa.Column("version_id", IDENTIFIER, nullable=False, autoincrement=False),
        _column("known_from", TIME),
        _column("known_until", TIME, null=True),
        sa.PrimaryKeyConstraint(
            "match_key", "dateobs", "version_id", "known_from", name="pk_selection_index"
        ),
        sqlite_with_rowid=False,
    )


def _corrections() -> None:
    op.create_table(
        "corrections",
        _column("id", IDENTIFIER),
        _column("version_id", IDENTIFIER),
        _column("field", TEXT),
        _column("old", DOCUMENT, null=True),
        _column("new", DOCUMENT, null=True),
        _column("reason", TEXT),
        _column("author", TEXT),
        _column("recorded_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_corrections"),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["frame_versions.id"],
            name="fk_corrections_version_id_frame_versions",
        ),
    )
    op.create_index("ix_corrections_version_id", "corrections", ["version_id"])


def _uses() -> None:
    """One calibration may serve a target as two types; and what was asked is kept with it."""
    with op.batch_alter_table("frame_uses") as table:
        for name, kind in (
            ("rule_version", TEXT),
            ("rule_set", TEXT),
            ("as_of", TIME),
            ("created_before", TIME),
            ("include_bad", sa.Boolean()),
            ("override", TEXT),
            ("target", DOCUMENT),
        ):
            table.add_column(_column(name, kind, null=True))
        table.drop_constraint(OLD_USE, type_="unique")
        table.create_unique_constraint(NEW_USE, ["target_basename", "version_id", "caltype"])


def downgrade() -> None:
    op.drop_column("overrides", "withdrawn_reason")
    op.drop_column("overrides", "withdrawn_by")
    op.execute(
        "DELETE FROM frame_uses WHERE id NOT IN "
        "(SELECT min(id) FROM frame_uses GROUP BY target_basename, version_id)"
    )
    with op.batch_alter_table("frame_uses") as table:
        table.drop_constraint(NEW_USE, type_="unique")
        table.create_unique_constraint(OLD_USE, ["target_basename", "version_id"])
        for name in (
            "target",
            "override",
            "include_bad",
            "created_before",
            "as_of",
            "rule_set",
            "rule_version",
        ):
            table.drop_column(name)
    op.drop_table("corrections")
    op.drop_table("selection_index")
    op.drop_table("match_sets")
