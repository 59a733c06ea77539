"""What audits saw, and how far they have come.

Revision: 0003, after 0002
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

IDENTIFIER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
DOCUMENT = sa.JSON()
TIME = sa.DateTime(timezone=True)


def _column(name: str, kind: Any, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=null)


def upgrade() -> None:
    op.create_table(
        "audits",
        _column("id", IDENTIFIER),
        _column("question", TEXT),
        _column("progress", DOCUMENT),
        _column("started_at", TIME),
        _column("updated_at", TIME),
        _column("finished_at", TIME, null=True),
        _column("lease_owner", TEXT, null=True),
        _column("lease_until", TIME, null=True),
        sa.PrimaryKeyConstraint("id", name="pk_audits"),
    )
    op.create_table(
        "audit_findings",
        _column("id", IDENTIFIER),
        _column("audit_id", IDENTIFIER),
        _column("fingerprint", TEXT),
        _column("kind", TEXT),
        _column("name", TEXT),
        _column("found", TEXT),
        _column("what", DOCUMENT),
        _column("seen_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_audit_findings"),
        sa.ForeignKeyConstraint(
            ["audit_id"], ["audits.id"], name="fk_audit_findings_audit_id_audits"
        ),
        sa.UniqueConstraint(
            "audit_id", "fingerprint", name="uq_audit_findings_audit_id_fingerprint"
        ),
    )
    op.create_index("ix_audit_findings_fingerprint", "audit_findings", ["fingerprint"])


def downgrade() -> None:
    op.drop_table("audit_findings")
    op.drop_table("audits")
