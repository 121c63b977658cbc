"""What was stored before a refusal came to light is removed, and that is a cause

Revision ID: 0019
Revises: 0018
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _causes("'policy', 'erasure', 'refusal'")


def downgrade() -> None:
    op.execute("update removals set cause = 'policy' where cause = 'refusal'")
    _causes("'policy', 'erasure'")


def _causes(names: str) -> None:
    op.drop_constraint(op.f("ck_removals_cause"), "removals", type_="check")
    op.create_check_constraint(op.f("ck_removals_cause"), "removals", f"cause in ({names})")
