"""Everything that is changed by pages and API is in the audit: what was before and after, and by which request

Revision ID: 0055
Revises: 0053
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0055"
down_revision = "0053"
branch_labels = None
depends_on = None

_BEFORE = (
    "'recording_paused', 'recording_resumed', 'original_heard', 'masked_anew', 'hold_set', 'hold_lifted',"
    " 'retention_applied', 'erase_asked', 'erased', 'link_made', 'link_used', 'link_revoked', 'link_key_made',"
    " 'leads_imported', 'leads_exported', 'crm_added', 'crm_secret_made', 'crm_started', 'crm_stopped', 'crm_retried',"
    " 'crm_discarded', 'crm_removed', 'lead_rules_changed', 'do_not_call_set', 'do_not_call_lifted', 'party_renamed',"
    " 'party_number_added', 'crm_granted', 'crm_paired', 'crm_repaired', 'crm_changed', 'calls_exported', 'view_saved',"
    " 'view_removed', 'call_overheard', 'wall_link_made', 'wall_link_revoked'"
)
_SUBJECT = (
    "What it was done to: call ID, hold ID, link ID, erasure ID.",
    "What it was done to, as a kind and an id: call ID, user ID.",
)
_TABLE = (
    "Append-only: a trigger refuses every update and delete.",
    "Who did what by pages, API and commands. Append-only: a trigger refuses every update and delete.",
)


def upgrade() -> None:
    op.drop_constraint(op.f("ck_audit_action"), "audit", type_="check")
    op.create_check_constraint(op.f("ck_audit_action"), "audit", "action ~ '^[a-z][a-z0-9_]{0,59}$'")
    _add("before", postgresql.JSONB(), "What was changed, as it was; no secret, no name of a party.")
    _add("after", postgresql.JSONB(), "The same as it is now; null: it is gone, or details tell it.")
    _add("request", sa.Text(), "The answer's X-Request-Id; null: asked for by no request.")
    _comments(_SUBJECT, _TABLE)
    op.create_index("ix_audit_actor_at", "audit", ["actor", "at"])
    op.create_index("ix_audit_action_at", "audit", ["action", "at"])


def downgrade() -> None:
    op.drop_index("ix_audit_action_at", "audit")
    op.drop_index("ix_audit_actor_at", "audit")
    # The audit is append-only, and what it says of the new actions has no place in the schema before.
    op.execute("alter table audit disable trigger user")
    op.execute(f"delete from audit where action not in ({_BEFORE})")
    op.execute("alter table audit enable trigger user")
    for name in ("request", "after", "before"):
        op.drop_column("audit", name)
    _comments(_SUBJECT[::-1], _TABLE[::-1])
    op.drop_constraint(op.f("ck_audit_action"), "audit", type_="check")
    op.create_check_constraint(op.f("ck_audit_action"), "audit", f"action in ({_BEFORE})")


def _add(name: str, kind: sa.types.TypeEngine[object], comment: str) -> None:
    op.add_column("audit", sa.Column(name, kind, comment=comment))


def _comments(subject: tuple[str, str], table: tuple[str, str]) -> None:
    op.alter_column(
        "audit",
        "subject",
        existing_type=sa.Text(),
        existing_nullable=False,
        comment=subject[1],
        existing_comment=subject[0],
    )
    op.create_table_comment("audit", table[1], existing_comment=table[0])
