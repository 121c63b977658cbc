"""Calls out by their number, for who is called back

Revision ID: 0009
Revises: 0008
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_outgoing_calls_number_asked_at", "outgoing_calls", ["number", "asked_at"])


def downgrade() -> None:
    op.drop_index("ix_outgoing_calls_number_asked_at", "outgoing_calls")
