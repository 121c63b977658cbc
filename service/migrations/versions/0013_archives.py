"""The archive of a call's audio

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "archives",
        sa.Column("call_id", postgresql.UUID(as_uuid=True), nullable=False),
        sa.Column("path", sa.Text(), nullable=False, comment="In the store: Ogg/Opus, the caller left, staff right."),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("masked", postgresql.JSONB(), nullable=False, comment="[[from, to]], seconds: muted on both sides"),
        sa.Column(
            "parts",
            postgresql.JSONB(),
            nullable=False,
            comment='[{"channel", "offset", "seconds", "sides": {side: sha256 of what was stored}}]: all that is in it',
        ),
        sa.Column(
            "outline",
            postgresql.JSONB(),
            nullable=False,
            comment='{"caller": [loudness, 0 to 1, at equal steps], "staff": [...]}',
        ),
        sa.Column("original_path", sa.Text(), comment="The same without muting, when the policy keeps it."),
        sa.Column("original_sha256", sa.Text()),
        sa.Column("made_at", sa.TIMESTAMP(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint(
            "(original_path is null) = (original_sha256 is null)", name=op.f("ck_archives_original_is_whole")
        ),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name=op.f("fk_archives_call_id_calls"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_archives")),
    )


def downgrade() -> None:
    op.drop_table("archives")
