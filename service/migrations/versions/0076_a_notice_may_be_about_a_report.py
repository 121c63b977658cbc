"""A notice may be about a report

Revision ID: 0076
Revises: 0075
"""

from alembic import op

revision = "0076"
down_revision = "0075"
branch_labels = None
depends_on = None

_BEFORE = "'call', 'lead', 'follow_up', 'house'"


def upgrade() -> None:
    _subjects(f"{_BEFORE}, 'report'")


def downgrade() -> None:
    op.execute("delete from notices where subject = 'report'")
    _subjects(_BEFORE)


def _subjects(subjects: str) -> None:
    op.drop_constraint(op.f("ck_notices_subject"), "notices", type_="check")
    op.create_check_constraint(op.f("ck_notices_subject"), "notices", f"subject in ({subjects})")
