"""The calls that became part of a call are found at once

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    joined = sa.text("joined_into is not null")
    op.create_index("ix_calls_joined_into", "calls", ["joined_into"], postgresql_where=joined)


def downgrade() -> None:
    op.drop_index("ix_calls_joined_into", "calls")
