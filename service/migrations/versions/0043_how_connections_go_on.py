"""A connection that stopped itself goes on as it was, also in shadow

Revision ID: 0043
Revises: 0042
"""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

_MOMENT = sa.TIMESTAMP(timezone=True)
_SENT, _DOUBTED = "The last attempt.", "The last attempt; of a doubt when it arose."


def upgrade() -> None:
    op.add_column(
        "crm_connections",
        sa.Column(
            "goes_on_as",
            sa.Text(),
            server_default=sa.text("'active'"),
            nullable=False,
            comment="What it was before it was stopped, and is again when it is let in again.",
        ),
    )
    op.create_check_constraint(
        op.f("ck_crm_connections_goes_on_as"), "crm_connections", "goes_on_as in ('active', 'shadow')"
    )
    op.execute("update crm_connections set goes_on_as = state where state <> 'stopped'")
    op.alter_column("crm_effects", "sent_at", existing_type=_MOMENT, comment=_DOUBTED, existing_comment=_SENT)


def downgrade() -> None:
    op.alter_column("crm_effects", "sent_at", existing_type=_MOMENT, comment=_SENT, existing_comment=_DOUBTED)
    op.drop_constraint(op.f("ck_crm_connections_goes_on_as"), "crm_connections", type_="check")
    op.drop_column("crm_connections", "goes_on_as")
