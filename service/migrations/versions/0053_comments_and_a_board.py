"""Comments on moments of calls; leads are read by the columns of their board

Revision ID: 0053
Revises: 0051
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0053"
down_revision = "0051"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "comments",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("call_id", postgresql.UUID(as_uuid=True), nullable=False),
        sa.Column("at", sa.Float(), nullable=False, comment="Second of the call's line."),
        sa.Column(
            "made_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "by", sa.Text(), nullable=False, comment="Key of a person, or a login; kept when the login is gone."
        ),
        sa.Column("text", sa.Text(), nullable=True, comment="Null: it was deleted, and is nowhere any more."),
        sa.Column("deleted_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("deleted_by", sa.Text(), nullable=True, comment="As `by`."),
        sa.CheckConstraint("at >= 0", name=op.f("ck_comments_at")),
        sa.CheckConstraint("(text is null) = (deleted_at is not null)", name=op.f("ck_comments_deleted_when")),
        sa.CheckConstraint("(text is null) = (deleted_by is not null)", name=op.f("ck_comments_deleted_by_whom")),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name=op.f("fk_comments_call_id_calls"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_comments_user_id_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comments")),
        comment="What colleagues wrote of a moment of a call.",
    )
    op.create_index(op.f("ix_comments_call_id"), "comments", ["call_id"])
    is_open = sa.text("stage in ('new', 'qualifying', 'qualified', 'in_work')")
    op.create_index("ix_leads_board", "leads", ["stage", "step", "deadline_at", "id"], postgresql_where=is_open)
    op.create_index("ix_leads_stage_stage_at", "leads", ["stage", "stage_at"])


def downgrade() -> None:
    op.drop_index("ix_leads_stage_stage_at", "leads")
    op.drop_index("ix_leads_board", "leads")
    op.drop_table("comments")
