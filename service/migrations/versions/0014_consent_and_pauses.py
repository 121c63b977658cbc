"""What callers hear before they are recorded, and who wants a recording paused

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "lines", sa.Column("consent", JSONB, comment='{"prompt", "refuse"}; null: callers hear nothing of it.')
    )
    op.create_table(
        "recording_wishes",
        sa.Column("id", UUID(as_uuid=True), primary_key=True, server_default=sa.func.gen_random_uuid()),
        sa.Column(
            "call_id", UUID(as_uuid=True), sa.ForeignKey("calls.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("paused", sa.Boolean, nullable=False, comment="To pause the recording, or to go on with it."),
        sa.Column("asked_by", sa.Text, nullable=False, comment="Login, or the device on which keys were pressed."),
        sa.Column("asked_at", sa.TIMESTAMP(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()),
        sa.Column(
            "settled_at",
            sa.TIMESTAMP(timezone=True),
            comment="Null: whoever attends the PBX has not done it yet.",
        ),
        sa.Column(
            "outcome",
            sa.Text,
            sa.CheckConstraint("outcome in ('done', 'not_recorded', 'over', 'refused_by_pbx')", name="outcome"),
            comment="What became of it; null with settled_at.",
        ),
        sa.CheckConstraint("(settled_at is null) = (outcome is null)", name="settled_with_outcome"),
        comment="Who wanted a recording paused or resumed; the PBX's own word of it is the event RecordingMuted.",
    )
    op.create_index(
        "ix_recording_wishes_open",
        "recording_wishes",
        ["asked_at"],
        postgresql_where=sa.text("settled_at is null"),
    )


def downgrade() -> None:
    op.drop_table("recording_wishes")
    op.drop_column("lines", "consent")
