"""Connections are owed what happens since they were made, and what needs no proof is found to be removed

Revision ID: 0038
Revises: 0037
"""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "crm_connections",
        sa.Column(
            "since",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            server_default=sa.func.clock_timestamp(),
            comment="What was over before is not owed to it.",
        ),
    )
    op.execute("update crm_connections set since = created_at")
    op.create_index(
        "ix_crm_effects_passing",
        "crm_effects",
        ["ended_at"],
        postgresql_where=sa.text(
            "step in ('call_started', 'call_answered', 'task', 'lead', 'message') and remote_id is null"
        ),
    )


def downgrade() -> None:
    op.drop_index("ix_crm_effects_passing", "crm_effects")
    op.drop_column("crm_connections", "since")
