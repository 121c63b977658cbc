"""Emergency numbers

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    told = "E.164 digits of a number outside that rings when nothing else is left."
    op.add_column("lines", sa.Column("emergency", sa.Text(), nullable=True, comment=told))


def downgrade() -> None:
    op.drop_column("lines", "emergency")
