"""Leads are found in the order of the pages, and counted without a look at their rows

Revision ID: 0064
Revises: 0063
"""

import sqlalchemy as sa
from alembic import op

revision = "0064"
down_revision = "0063"
branch_labels = None
depends_on = None

_OPEN = sa.text("stage in ('new', 'qualifying', 'qualified', 'in_work')")


def upgrade() -> None:
    op.create_index("ix_leads_open_deadline_at_id", "leads", ["deadline_at", "id"], postgresql_where=_OPEN)
    op.create_index(
        "ix_leads_open_owner_deadline_at_id", "leads", ["owner", "deadline_at", "id"], postgresql_where=_OPEN
    )
    op.create_index(
        "ix_leads_counted",
        "leads",
        ["stage", "owner", "source_line"],
        postgresql_include=["step", "stage_at", "closed_at"],
    )
    op.drop_index("ix_leads_deadline_at", "leads")


def downgrade() -> None:
    op.create_index("ix_leads_deadline_at", "leads", ["deadline_at"], postgresql_where=_OPEN)
    op.drop_index("ix_leads_counted", "leads")
    op.drop_index("ix_leads_open_owner_deadline_at_id", "leads")
    op.drop_index("ix_leads_open_deadline_at_id", "leads")
