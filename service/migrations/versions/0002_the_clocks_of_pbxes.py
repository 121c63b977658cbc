"""The clocks of PBXes

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pbx_clocks",
        sa.Column("pbx", sa.Text(), nullable=False, comment="Name of the PBX in the settings."),
        sa.Column("ahead", sa.Interval(), nullable=False, comment="The PBX's clock minus ours."),
        sa.PrimaryKeyConstraint("pbx", name=op.f("pk_pbx_clocks")),
        comment="Measured at every connect and each minute, for whoever counts how long ago a time of the PBX was.",
    )


def downgrade() -> None:
    op.drop_table("pbx_clocks")
