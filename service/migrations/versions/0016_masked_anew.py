"""Listening to what is not masked, and masking anew

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_BEFORE = (
    "'recording_paused', 'recording_resumed', 'original_heard', 'hold_set', 'hold_lifted', 'retention_applied',"
    " 'erase_asked', 'erased', 'link_made', 'link_used', 'link_revoked', 'link_key_made'"
)
_WHAT = "caller, staff, both, transcript, search or export."
_WHAT_NOW = "caller, staff, both, transcript, search, export or original."


def upgrade() -> None:
    _actions(f"{_BEFORE}, 'masked_anew'")
    op.alter_column("listens", "what", existing_type=sa.Text(), comment=_WHAT_NOW, existing_comment=_WHAT)


def downgrade() -> None:
    op.alter_column("listens", "what", existing_type=sa.Text(), comment=_WHAT, existing_comment=_WHAT_NOW)
    _actions(_BEFORE)


def _actions(names: str) -> None:
    op.drop_constraint(op.f("ck_audit_action"), "audit", type_="check")
    op.create_check_constraint(op.f("ck_audit_action"), "audit", f"action in ({names})")
