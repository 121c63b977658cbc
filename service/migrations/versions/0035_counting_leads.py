"""What is asked of calls and leads again and again is not read whole

Revision ID: 0035
Revises: 0034
"""

from alembic import op
import sqlalchemy as sa

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_REVIVED = "kind = 'stage' and before in ('lost', 'reviving') and after ~ '^in_work'"


def upgrade() -> None:
    op.create_index("ix_calls_lead_id", "calls", ["lead_id"], postgresql_where=sa.text("lead_id is not null"))
    op.create_index("ix_lead_events_revived", "lead_events", ["id"], postgresql_where=sa.text(_REVIVED))
    op.create_index(
        "ix_lead_events_revival",
        "lead_events",
        ["reason"],
        postgresql_where=sa.text("kind in ('revival', 'message')"),
    )


def downgrade() -> None:
    op.drop_index("ix_lead_events_revival", "lead_events")
    op.drop_index("ix_lead_events_revived", "lead_events")
    op.drop_index("ix_calls_lead_id", "calls")
