"""The ledger of CRMs finds what it looks for again and again by an index, however long it is

Revision ID: 0042
Revises: 0041
"""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_crm_effects_subject", "crm_effects")
    of_subjects = {"postgresql_where": sa.text("subject is not null")}
    op.create_index("ix_crm_effects_subject", "crm_effects", ["connection", "step", "subject"], **of_subjects)
    waiting = {"postgresql_where": sa.text("waits and ended_at is null")}
    op.create_index("ix_crm_effects_waiting", "crm_effects", ["next_at"], **waiting)


def downgrade() -> None:
    op.drop_index("ix_crm_effects_waiting", "crm_effects")
    op.drop_index("ix_crm_effects_subject", "crm_effects")
    told = {"postgresql_where": sa.text("subject is not null")}
    op.create_index("ix_crm_effects_subject", "crm_effects", ["step", "subject"], **told)
