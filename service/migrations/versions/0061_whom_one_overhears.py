"""Who overhears a call hears the telephone of a colleague who is named when it is asked for

Revision ID: 0061
Revises: 0060
"""

import sqlalchemy as sa
from alembic import op

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None

_COMMENT = "Key of the colleague whose telephone is heard."


def upgrade() -> None:
    # Of what was overheard before, nobody wrote it down.
    op.add_column("overhearings", sa.Column("heard", sa.Text(), server_default="", nullable=False, comment=_COMMENT))
    op.alter_column("overhearings", "heard", server_default=None)


def downgrade() -> None:
    op.drop_column("overhearings", "heard")
