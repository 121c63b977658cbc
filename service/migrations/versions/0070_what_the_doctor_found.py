"""What the doctor found when it looked by itself

Revision ID: 0070
Revises: 0069
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0070"
down_revision = "0069"
branch_labels = None
depends_on = None

_MOMENT = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "doctor_checks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False, comment="Its place in the list."),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.Column("since", _MOMENT, nullable=False, comment="When it began to stand so."),
        sa.Column("examined_at", _MOMENT, nullable=False, comment="The same for all that were looked at together."),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_doctor_checks")),
        sa.CheckConstraint("state in ('ok', 'warn', 'fail')", name=op.f("ck_doctor_checks_state")),
        comment="The doctor's daily look, a row a check; one not looked at this time keeps its last word.",
    )


def downgrade() -> None:
    op.drop_table("doctor_checks")
