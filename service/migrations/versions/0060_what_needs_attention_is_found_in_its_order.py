"""What needs attention is found in its order

Revision ID: 0060
Revises: 0054
"""

import sqlalchemy as sa
from alembic import op

revision = "0060"
down_revision = "0054"
branch_labels = None
depends_on = None

_OPEN = sa.text("stage in ('new', 'qualifying', 'qualified', 'in_work')")


def upgrade() -> None:
    op.create_index("ix_leads_open_stage_at", "leads", ["stage_at"], postgresql_where=_OPEN)
    talk = sa.literal_column("coalesce(contact_at, opened_at)")
    op.create_index("ix_leads_open_last_talk", "leads", [talk], postgresql_where=_OPEN)


def downgrade() -> None:
    op.drop_index("ix_leads_open_last_talk", "leads")
    op.drop_index("ix_leads_open_stage_at", "leads")
