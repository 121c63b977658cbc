"""What CRMs tell us is stored before it is acted on

Revision ID: 0039
Revises: 0038
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

_BEFORE = (
    "'recording_paused', 'recording_resumed', 'original_heard', 'masked_anew', 'hold_set', 'hold_lifted',"
    " 'retention_applied', 'erase_asked', 'erased', 'link_made', 'link_used', 'link_revoked', 'link_key_made',"
    " 'leads_imported', 'leads_exported', 'crm_added', 'crm_secret_made', 'crm_started', 'crm_stopped', 'crm_retried',"
    " 'crm_discarded', 'crm_removed', 'lead_rules_changed', 'do_not_call_set', 'do_not_call_lifted', 'party_renamed',"
    " 'party_number_added'"
)
_NEW = "'crm_granted', 'crm_paired'"


def upgrade() -> None:
    _actions(f"{_BEFORE}, {_NEW}")
    op.create_table(
        "crm_heard",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="As crm_sync.crm.Heard names it."),
        sa.Column("told", postgresql.JSONB(), comment="What it told; null: it was acted on."),
        sa.Column("remote_id", sa.Text(), comment="What the CRM calls the call that somebody asked for there."),
        sa.Column("wish", sa.UUID(), comment="The call out that was asked for, as outgoing_calls.id."),
        sa.Column(
            "heard_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["connection"],
            ["crm_connections.key"],
            name="fk_crm_heard_connection_crm_connections",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_crm_heard"),
        comment="What CRMs told us, until it is acted on; of clicks which call came of them, for a week.",
    )
    op.create_index(
        "ix_crm_heard_remote",
        "crm_heard",
        ["connection", "remote_id"],
        postgresql_where=sa.text("remote_id is not null"),
    )
    op.create_index("ix_crm_heard_wish", "crm_heard", ["wish"], postgresql_where=sa.text("wish is not null"))
    op.create_index("ix_crm_heard_at", "crm_heard", ["heard_at"])


def downgrade() -> None:
    op.drop_table("crm_heard")
    # The audit is append-only, and what it says of connections has no place in the schema before.
    op.execute("alter table audit disable trigger user")
    op.execute(f"delete from audit where action in ({_NEW})")
    op.execute("alter table audit enable trigger user")
    _actions(_BEFORE)


def _actions(names: str) -> None:
    op.drop_constraint(op.f("ck_audit_action"), "audit", type_="check")
    op.create_check_constraint(op.f("ck_audit_action"), "audit", f"action in ({names})")
