"""When backups were made is kept

Revision ID: 0068
Revises: 0067
"""

import sqlalchemy as sa
from alembic import op

revision = "0068"
down_revision = "0067"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table crm_effects validate constraint ck_crm_effects_step")
    op.create_table(
        "backups",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column(
            "made_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "folder",
            sa.Text(),
            nullable=True,
            comment="Where it was put; null: the server was copied by other means, and that was noted.",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backups")),
        comment="Backups that were finished; of which moment each is.",
    )
    op.create_index(op.f("ix_backups_made_at"), "backups", ["made_at"])


def downgrade() -> None:
    op.drop_table("backups")
