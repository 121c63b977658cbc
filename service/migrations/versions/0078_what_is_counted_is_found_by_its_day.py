"""What is counted is found by its day

Revision ID: 0078
Revises: 0077
"""

import sqlalchemy as sa
from alembic import op

revision = "0078"
down_revision = "0077"
branch_labels = None
depends_on = None

# All before any is held for long: whoever writes one and then another waits for all, and nobody in a ring.
_LOCK = "lock table leads, follow_ups, desk_cards in share mode"


def upgrade() -> None:
    op.execute(_LOCK)
    op.create_index("ix_leads_open_until", "leads", [sa.text("coalesce(closed_at, 'infinity'::timestamptz)")])
    op.create_index("ix_follow_ups_closed_at", "follow_ups", ["closed_at"])
    op.create_index("ix_desk_cards_told_at", "desk_cards", ["told_at"], postgresql_where=sa.text("told_at is not null"))


def downgrade() -> None:
    op.drop_index("ix_desk_cards_told_at", table_name="desk_cards")
    op.drop_index("ix_follow_ups_closed_at", table_name="follow_ups")
    op.drop_index("ix_leads_open_until", table_name="leads")
