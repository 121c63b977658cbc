"""A notice may be about a report

Revision ID: 0076
Revises: 0075
"""

import sqlalchemy as sa
from alembic import op

revision = "0076"
down_revision = "0075"
branch_labels = None
depends_on = None

_BEFORE = "'call', 'lead', 'follow_up', 'house'"


def upgrade() -> None:
    op.add_column(
        "notices",
        sa.Column(
            "shown",
            sa.Boolean(),
            nullable=True,
            comment="The person wants it on the pages; null: on_page tells it.",
        ),
    )
    _subjects(f"{_BEFORE}, 'report'")


def downgrade() -> None:
    op.execute("delete from notices where subject = 'report'")
    _subjects(_BEFORE)
    op.drop_column("notices", "shown")


def _subjects(subjects: str) -> None:
    op.drop_constraint(op.f("ck_notices_subject"), "notices", type_="check")
    op.create_check_constraint(op.f("ck_notices_subject"), "notices", f"subject in ({subjects})")
