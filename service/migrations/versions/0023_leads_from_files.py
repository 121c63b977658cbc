"""Files that wait to be imported, and who imports and exports leads

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_BEFORE = (
    "'recording_paused', 'recording_resumed', 'original_heard', 'masked_anew', 'hold_set', 'hold_lifted',"
    " 'retention_applied', 'erase_asked', 'erased', 'link_made', 'link_used', 'link_revoked', 'link_key_made'"
)


def upgrade() -> None:
    _actions(f"{_BEFORE}, 'leads_imported', 'leads_exported'")
    op.create_table(
        "import_drafts",
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the token that the form holds."),
        sa.Column("session", sa.LargeBinary(), nullable=False, comment="Whose form it is; a session has one."),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="The file as it was sent."),
        sa.Column("mapping", postgresql.JSONB(), nullable=False, comment="What its columns were told to be."),
        sa.Column("expires_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["session"], ["sessions.digest"], name=op.f("fk_import_drafts_session_sessions"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_import_drafts")),
        sa.UniqueConstraint("session", name=op.f("uq_import_drafts_session")),
        comment="Files that were looked at and are not imported yet; they go within the hour, and with any erasure.",
    )


def downgrade() -> None:
    op.drop_table("import_drafts")
    # The audit is append-only, and what it says of leads has no place in the schema before.
    op.execute("alter table audit disable trigger user")
    op.execute("delete from audit where action in ('leads_imported', 'leads_exported')")
    op.execute("alter table audit enable trigger user")
    _actions(_BEFORE)


def _actions(names: str) -> None:
    op.drop_constraint(op.f("ck_audit_action"), "audit", type_="check")
    op.create_check_constraint(op.f("ck_audit_action"), "audit", f"action in ({names})")
