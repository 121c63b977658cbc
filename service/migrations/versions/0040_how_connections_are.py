"""Connections are asked how they are, and what they lack is kept

Revision ID: 0040
Revises: 0039
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "crm_connections",
        sa.Column("probed_at", sa.TIMESTAMP(timezone=True), comment="When it was asked last how it is; null: never."),
    )
    op.add_column(
        "crm_connections",
        sa.Column(
            "missing",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'::text[]"),
            nullable=False,
            comment="What it lacked then.",
        ),
    )


def downgrade() -> None:
    op.drop_column("crm_connections", "missing")
    op.drop_column("crm_connections", "probed_at")
