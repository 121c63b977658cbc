"""What the last comparison with each CRM found, and who had differences repaired

Revision ID: 0041
Revises: 0040
"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

_MOMENT = sa.TIMESTAMP(timezone=True)
_BEFORE = (
    "'recording_paused', 'recording_resumed', 'original_heard', 'masked_anew', 'hold_set', 'hold_lifted',"
    " 'retention_applied', 'erase_asked', 'erased', 'link_made', 'link_used', 'link_revoked', 'link_key_made',"
    " 'leads_imported', 'leads_exported', 'crm_added', 'crm_secret_made', 'crm_started', 'crm_stopped', 'crm_retried',"
    " 'crm_discarded', 'crm_removed', 'lead_rules_changed', 'do_not_call_set', 'do_not_call_lifted', 'party_renamed',"
    " 'party_number_added', 'crm_granted', 'crm_paired'"
)
_NEW = "'crm_repaired'"


def upgrade() -> None:
    op.create_table(
        "crm_comparisons",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column(
            "next_at", _MOMENT, nullable=False, comment="When it is compared again; whoever does so moves it first."
        ),
        sa.Column("since", _MOMENT, comment="The period that was compared last; null: none was yet."),
        sa.Column("until", _MOMENT),
        sa.Column("compared_at", _MOMENT),
        sa.Column("differences", sa.Integer(), comment="How many calls differed; not to know counts as one."),
        sa.Column(
            "failed", sa.Text(), comment="Why what the CRM holds could not be compared; null: it was, or cannot be read."
        ),
        sa.ForeignKeyConstraint(
            ["connection"],
            ["crm_connections.key"],
            name=op.f("fk_crm_comparisons_connection_crm_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("connection", name=op.f("pk_crm_comparisons")),
        comment="What the last comparison of each connection with its CRM found.",
    )
    _actions(f"{_BEFORE}, {_NEW}")


def downgrade() -> None:
    # The audit is append-only, and what it says of repairs has no place in the schema before.
    op.execute("alter table audit disable trigger user")
    op.execute(f"delete from audit where action in ({_NEW})")
    op.execute("alter table audit enable trigger user")
    _actions(_BEFORE)
    op.drop_table("crm_comparisons")


def _actions(names: str) -> None:
    op.drop_constraint(op.f("ck_audit_action"), "audit", type_="check")
    op.create_check_constraint(op.f("ck_audit_action"), "audit", f"action in ({names})")
