"""The region of a line's callers

Revision ID: 0031
Revises: 0029
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "lines",
        sa.Column(
            "region",
            sa.Text(),
            nullable=True,
            comment="ISO 3166, of its callers' national numbers; null: the company's.",
        ),
    )


def downgrade() -> None:
    op.drop_column("lines", "region")
