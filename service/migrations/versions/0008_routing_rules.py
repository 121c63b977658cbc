"""Routing rules

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_STRATEGIES = "'ring_all', 'hunt', 'round_robin', 'longest_idle', 'fewest_calls', 'weighted'"


def upgrade() -> None:
    op.create_table(
        "rule_versions",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "rules",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="The list as a directory file writes it, in its order.",
        ),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_rule_versions")),
        comment="Append-only: every set of routing rules there ever was; the last one is in force.",
    )
    op.create_table(
        "vip_numbers",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_vip_numbers")),
    )
    for name in ("languages", "skills"):
        column = sa.Column(
            name, postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False
        )
        op.add_column("people", column)
    op.add_column(
        "people",
        sa.Column(
            "plan",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Share of new work beside others'.",
        ),
    )
    op.add_column("lines", sa.Column("campaign", sa.Text(), nullable=True, comment="What advertises this number."))
    op.create_check_constraint(op.f("ck_teams_strategy"), "teams", f"strategy in ({_STRATEGIES})")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_teams_strategy"), "teams", type_="check")
    op.drop_column("lines", "campaign")
    for name in ("plan", "skills", "languages"):
        op.drop_column("people", name)
    op.drop_table("vip_numbers")
    op.drop_table("rule_versions")
