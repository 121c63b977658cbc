"""What is to be reached in a month is kept

Revision ID: 0074
Revises: 0073
"""

import sqlalchemy as sa
from alembic import op

revision = "0074"
down_revision = "0073"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "plans",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "key",
            sa.Text(),
            nullable=False,
            comment="Of a team, person or line, the name of a source; of the house ''.",
        ),
        sa.Column(
            "measure",
            sa.Text(),
            nullable=False,
            comment="Of reports.registry; step.KEY: leads that reached that step.",
        ),
        sa.Column("value", sa.Double(), nullable=False, comment="A share is 0 to 1."),
        sa.Column("set_by", sa.Text(), nullable=False, comment="A login, or command line."),
        sa.Column("set_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("extract(day from month) = 1", name=op.f("ck_plans_month")),
        sa.CheckConstraint("kind in ('house', 'team', 'person', 'line', 'source')", name=op.f("ck_plans_kind")),
        sa.CheckConstraint("value > '-infinity' and value < 'infinity'", name=op.f("ck_plans_finite")),
        sa.CheckConstraint("(kind = 'house') = (key = '')", name=op.f("ck_plans_house")),
        sa.PrimaryKeyConstraint("month", "kind", "key", "measure", name=op.f("pk_plans")),
        comment="What is to be reached in a month (its first day), by whom, of which measure.",
    )


def downgrade() -> None:
    op.drop_table("plans")
