"""Every state of the directory is kept with who brought it about

Revision ID: 0054
Revises: 0058
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0054"
down_revision = "0058"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "directory_versions",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.TIMESTAMP(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column(
            "by", sa.Text(), nullable=False, comment="A login, command line, or switchhook for what changed besides."
        ),
        sa.Column(
            "changes",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="What it changed of the version before, line by line.",
        ),
        sa.Column(
            "file",
            postgresql.JSON(astext_type=sa.Text()),
            nullable=False,
            comment="The whole directory as its file holds it, in its order.",
        ),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_directory_versions")),
        comment="Every state that the directory was brought to; an erasure takes numbers out of them.",
    )


def downgrade() -> None:
    op.drop_table("directory_versions")
