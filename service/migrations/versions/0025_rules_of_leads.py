"""Callers who are never blocked; a call gives a lead another owner once at most

Revision ID: 0025
Revises: 0024
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_REASON = "A reason of the policy's, or the lead rule that decided, and the owner rule: missed/round_robin."
_REASON_BEFORE = "A reason of the policy's, or the key of the rule that decided."


def upgrade() -> None:
    op.create_table(
        "allowed_numbers",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_allowed_numbers")),
        comment="Callers who are never blocked.",
    )
    op.create_index(
        "ix_lead_events_one_owner_a_call",
        "lead_events",
        ["call_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'owner' and by = 'switchhook'"),
    )
    op.alter_column(
        "lead_events",
        "reason",
        comment=_REASON,
        existing_comment=_REASON_BEFORE,
        existing_type=sa.Text(),
        existing_nullable=True,
    )


def downgrade() -> None:
    op.alter_column(
        "lead_events",
        "reason",
        comment=_REASON_BEFORE,
        existing_comment=_REASON,
        existing_type=sa.Text(),
        existing_nullable=True,
    )
    op.drop_index("ix_lead_events_one_owner_a_call", table_name="lead_events")
    op.drop_table("allowed_numbers")
