"""How many leads needed attention each day

Revision ID: 0026
Revises: 0025
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_NONE = sa.text("0")


def upgrade() -> None:
    op.create_table(
        "attention_days",
        sa.Column("day", sa.Date(), nullable=False, comment="Of the company's time zone."),
        sa.Column("overdue", sa.Integer(), nullable=False, server_default=_NONE),
        sa.Column("forgotten", sa.Integer(), nullable=False, server_default=_NONE),
        sa.Column(
            "long", sa.Integer(), nullable=False, server_default=_NONE, comment="Longer at their stage than its target."
        ),
        sa.Column("overloaded", sa.Integer(), nullable=False, server_default=_NONE, comment="People, not leads."),
        sa.Column(
            "made_at", sa.TIMESTAMP(timezone=True), nullable=False, server_default=sa.text("clock_timestamp()")
        ),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_attention_days")),
        comment="How many leads needed attention each day, when the heads were told.",
    )


def downgrade() -> None:
    op.drop_table("attention_days")
