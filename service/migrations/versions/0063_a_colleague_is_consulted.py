"""A colleague is consulted before a client is handed over to them

Revision ID: 0063
Revises: 0062
"""

from alembic import op

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None

_WHAT_BEFORE = "'hang_up', 'hold', 'resume', 'transfer'"
_OUTCOMES_BEFORE = "'done', 'over', 'too_late', 'nobody_free', 'no_hold', 'refused_by_pbx', 'not_yet'"


def upgrade() -> None:
    _names("what", f"{_WHAT_BEFORE}, 'consult', 'connect'")
    _names("outcome", f"{_OUTCOMES_BEFORE}, 'no_consult', 'on_hold', 'consulting', 'not_answered', 'crowd'")
    _comment("colleague", "Of a transfer or a consultation: key of the person it is with.")
    _comment("number", "Of a transfer or a consultation: the number outside; forgotten when it is settled.")


def downgrade() -> None:
    op.execute("delete from call_controls where what in ('consult', 'connect')")
    refused = "outcome in ('no_consult', 'on_hold', 'consulting', 'not_answered', 'crowd')"
    op.execute(f"update call_controls set outcome = 'refused_by_pbx' where {refused}")
    _names("what", _WHAT_BEFORE)
    _names("outcome", _OUTCOMES_BEFORE)
    _comment("colleague", "Of a transfer: key of the person that the client goes to.")
    _comment("number", "Of a transfer: the number outside; forgotten when it is settled.")


def _names(column: str, names: str) -> None:
    op.drop_constraint(op.f(f"ck_call_controls_{column}"), "call_controls", type_="check")
    op.create_check_constraint(op.f(f"ck_call_controls_{column}"), "call_controls", f"{column} in ({names})")


def _comment(column: str, comment: str) -> None:
    op.alter_column("call_controls", column, comment=comment)
