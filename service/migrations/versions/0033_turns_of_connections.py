"""Connections are paused for longer the more often they fail in a row, and effects have a queue of their own

Revision ID: 0033
Revises: 0031
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0031"
branch_labels = None
depends_on = None

_MOVE = "update procrastinate_jobs set queue_name = '{}' where task_name = 'crm_sync.send_effect' and status <> 'doing'"


def upgrade() -> None:
    op.add_column(
        "crm_connections",
        sa.Column(
            "paused_at",
            sa.TIMESTAMP(timezone=True),
            comment="When it was paused last; what was sent after it and taken ends the pause.",
        ),
    )
    op.add_column(
        "crm_connections",
        sa.Column("failures", sa.Integer(), nullable=False, server_default=sa.text("0"), comment="Pauses in a row."),
    )
    op.execute("update crm_connections set paused_at = clock_timestamp() where paused_until is not null")
    op.execute(_MOVE.format("effects"))


def downgrade() -> None:
    op.execute(_MOVE.format("crm"))
    op.drop_column("crm_connections", "failures")
    op.drop_column("crm_connections", "paused_at")
