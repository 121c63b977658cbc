"""Synthetic calls: what each was begun for, how far it came, and how long each step took

Revision ID: 0069
Revises: 0068
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0069"
down_revision = "0068"
branch_labels = None
depends_on = None

_MOMENT = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "synthetic_calls",
        sa.Column("id", postgresql.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("pbx", sa.Text(), nullable=False, comment="Name of the PBX in the settings."),
        sa.Column("line", sa.Text(), nullable=False, comment="Which line is called."),
        sa.Column("language", sa.Text(), nullable=False, comment="What is said: ru or en."),
        sa.Column("asked_at", _MOMENT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("began_at", _MOMENT, comment="When the PBX was asked for it; null: not yet."),
        sa.Column("ended_at", _MOMENT, comment="When the last step was done, or one was not in time."),
        sa.Column("result", sa.Text(), comment="ok, or the step that failed; null: it goes on."),
        sa.Column("why", sa.Text(), server_default=sa.text("''"), nullable=False, comment="Why it failed, in words."),
        sa.Column(
            "steps",
            postgresql.JSONB(),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="Steps that were done, each with seconds since it began.",
        ),
        sa.Column("call_id", postgresql.UUID(), comment="The call, as long as it is kept."),
        sa.CheckConstraint("(ended_at is null) = (result is null)", name=op.f("ck_synthetic_calls_ended")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_synthetic_calls")),
        comment="Calls that the service makes to see that everything works.",
    )
    op.create_index("ix_synthetic_calls_asked_at", "synthetic_calls", ["asked_at"])
    op.create_index(
        "ix_synthetic_calls_open", "synthetic_calls", ["pbx"], postgresql_where=sa.text("ended_at is null")
    )


def downgrade() -> None:
    op.drop_table("synthetic_calls")
