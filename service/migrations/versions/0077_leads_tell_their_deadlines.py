"""Events of leads tell their deadlines

Revision ID: 0077
Revises: 0076
"""

import sqlalchemy as sa
from alembic import op

revision = "0077"
down_revision = "0076"
branch_labels = None
depends_on = None

# Of the other events of before the lead tells it, while it is where they brought it.
_DEADLINES = """
update lead_events set deadline_at = cast(after as timestamptz) where kind = 'deadline' and after is not null
"""


def upgrade() -> None:
    op.add_column(
        "lead_events",
        sa.Column(
            "deadline_at",
            sa.TIMESTAMP(timezone=True),
            nullable=True,
            comment="Since an opening, a move or a new deadline: to go on by then.",
        ),
    )
    op.create_index(
        "ix_lead_events_told_at", "lead_events", ["at"], postgresql_where=sa.text("kind in ('opened', 'stage', 'owner', 'deadline')")
    )
    op.execute(_DEADLINES)


def downgrade() -> None:
    op.drop_index("ix_lead_events_told_at", table_name="lead_events")
    op.drop_column("lead_events", "deadline_at")
