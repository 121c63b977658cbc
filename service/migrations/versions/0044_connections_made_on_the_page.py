"""Connections are made and changed on the page: what the last probe met, and by whose e-mail people are known

Revision ID: 0044
Revises: 0048
"""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0048"
branch_labels = None
depends_on = None

_STOPPED = (
    "hand, or the kind of the error that ended it; null: it is not stopped.",
    "hand, new (never started yet), or the kind of the error that ended it; null: it is not stopped.",
)
_BEFORE = (
    "'recording_paused', 'recording_resumed', 'original_heard', 'masked_anew', 'hold_set', 'hold_lifted',"
    " 'retention_applied', 'erase_asked', 'erased', 'link_made', 'link_used', 'link_revoked', 'link_key_made',"
    " 'leads_imported', 'leads_exported', 'crm_added', 'crm_secret_made', 'crm_started', 'crm_stopped', 'crm_retried',"
    " 'crm_discarded', 'crm_removed', 'lead_rules_changed', 'do_not_call_set', 'do_not_call_lifted', 'party_renamed',"
    " 'party_number_added', 'crm_granted', 'crm_paired', 'crm_repaired'"
)
_NEW = "'crm_changed'"


def upgrade() -> None:
    op.add_column(
        "crm_connections",
        sa.Column(
            "access_ends_at",
            sa.TIMESTAMP(timezone=True),
            comment="When its keys end, as it said then; null: never, or nobody knows.",
        ),
    )
    op.add_column(
        "crm_connections",
        sa.Column(
            "probe_error",
            sa.Text(),
            comment="Why it could not be asked then: the kind of the error and its text; null: it answered.",
        ),
    )
    op.alter_column(
        "crm_connections",
        "stopped_by",
        existing_type=sa.Text(),
        existing_nullable=True,
        comment=_STOPPED[1],
        existing_comment=_STOPPED[0],
    )
    op.add_column("crm_users", sa.Column("email", sa.Text(), comment="Their mailbox, as the CRM has it."))
    _actions(f"{_BEFORE}, {_NEW}")


def downgrade() -> None:
    # The audit is append-only, and what it says of changed settings has no place in the schema before.
    op.execute("alter table audit disable trigger user")
    op.execute(f"delete from audit where action in ({_NEW})")
    op.execute("alter table audit enable trigger user")
    _actions(_BEFORE)
    op.drop_column("crm_users", "email")
    op.execute("update crm_connections set stopped_by = 'hand' where stopped_by = 'new'")
    op.alter_column(
        "crm_connections",
        "stopped_by",
        existing_type=sa.Text(),
        existing_nullable=True,
        comment=_STOPPED[0],
        existing_comment=_STOPPED[1],
    )
    op.drop_column("crm_connections", "probe_error")
    op.drop_column("crm_connections", "access_ends_at")


def _actions(names: str) -> None:
    op.drop_constraint(op.f("ck_audit_action"), "audit", type_="check")
    op.create_check_constraint(op.f("ck_audit_action"), "audit", f"action in ({names})")
