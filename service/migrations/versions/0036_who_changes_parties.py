"""Who changes what is known of a party

Revision ID: 0036
Revises: 0035
"""

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

_BEFORE = (
    "'recording_paused', 'recording_resumed', 'original_heard', 'masked_anew', 'hold_set', 'hold_lifted',"
    " 'retention_applied', 'erase_asked', 'erased', 'link_made', 'link_used', 'link_revoked', 'link_key_made',"
    " 'leads_imported', 'leads_exported', 'crm_added', 'crm_secret_made', 'crm_started', 'crm_stopped', 'crm_retried',"
    " 'crm_discarded', 'crm_removed', 'lead_rules_changed'"
)
_NEW = "'do_not_call_set', 'do_not_call_lifted', 'party_renamed', 'party_number_added'"


def upgrade() -> None:
    _actions(f"{_BEFORE}, {_NEW}")


def downgrade() -> None:
    # The audit is append-only, and what it says of parties has no place in the schema before.
    op.execute("alter table audit disable trigger user")
    op.execute(f"delete from audit where action in ({_NEW})")
    op.execute("alter table audit enable trigger user")
    _actions(_BEFORE)


def _actions(names: str) -> None:
    op.drop_constraint(op.f("ck_audit_action"), "audit", type_="check")
    op.create_check_constraint(op.f("ck_audit_action"), "audit", f"action in ({names})")
