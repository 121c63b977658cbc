"""A control of a call is started once, and not done again where nobody settled it

Revision ID: 0062
Revises: 0061
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None

_COMMENT = "When the PBX was to be asked; it is asked once."
_BEFORE = "'done', 'over', 'too_late', 'nobody_free', 'no_hold', 'refused_by_pbx'"


def upgrade() -> None:
    op.add_column("call_controls", sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), comment=_COMMENT))
    _outcomes(f"{_BEFORE}, 'not_yet'")


def downgrade() -> None:
    op.execute("update call_controls set outcome = 'too_late' where outcome = 'not_yet'")
    _outcomes(_BEFORE)
    op.drop_column("call_controls", "started_at")


def _outcomes(names: str) -> None:
    op.drop_constraint(op.f("ck_call_controls_outcome"), "call_controls", type_="check")
    op.create_check_constraint(op.f("ck_call_controls_outcome"), "call_controls", f"outcome in ({names})")
