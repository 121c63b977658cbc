"""Who changed the house's rules of leads is in the audit

Revision ID: 0029
Revises: 0028
"""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_BEFORE = (
    "'recording_paused', 'recording_resumed', 'original_heard', 'masked_anew', 'hold_set', 'hold_lifted',"
    " 'retention_applied', 'erase_asked', 'erased', 'link_made', 'link_used', 'link_revoked', 'link_key_made',"
    " 'leads_imported', 'leads_exported', 'crm_added', 'crm_secret_made', 'crm_started', 'crm_stopped', 'crm_retried',"
    " 'crm_discarded', 'crm_removed'"
)


def upgrade() -> None:
    _actions(f"{_BEFORE}, 'lead_rules_changed'")


def downgrade() -> None:
    # The audit is append-only, and what it says of rules has no place in the schema before.
    op.execute("alter table audit disable trigger user")
    op.execute("delete from audit where action = 'lead_rules_changed'")
    op.execute("alter table audit enable trigger user")
    _actions(_BEFORE)


def _actions(names: str) -> None:
    op.drop_constraint(op.f("ck_audit_action"), "audit", type_="check")
    op.create_check_constraint(op.f("ck_audit_action"), "audit", f"action in ({names})")
