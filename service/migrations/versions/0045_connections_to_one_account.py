"""Connections to one account share its limits; one that was asked too much is asked nothing for a while

Revision ID: 0045
Revises: 0043
"""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0043"
branch_labels = None
depends_on = None

_MOMENT = sa.TIMESTAMP(timezone=True)
_TOGETHER = "How much was sent to CRMs that limit it, by all processes together."
_BY_ACCOUNT = "How much was sent to CRMs that limit it, by all processes and connections to one account together."
_HOST = r"""
    lower(regexp_replace(
        coalesce(nullif(settings->>'origin', ''), nullif(settings->>'url', ''), nullif(settings->>'address', ''),
                 nullif(settings->>'account', ''), nullif(settings->>'portal', '')),
        '^([a-z]+://)?([^/@]*@)?([^/]*).*$', '\3', 'i'))
"""


def upgrade() -> None:
    op.add_column(
        "crm_connections",
        sa.Column("account", sa.Text(), comment="What shares the limits of the CRM: its kind and host, else the key."),
    )
    op.execute(f"update crm_connections set account = coalesce(kind || ' ' || nullif({_HOST}, ''), key)")
    op.alter_column("crm_connections", "account", nullable=False)
    op.add_column(
        "crm_connections",
        sa.Column(
            "quiet_until", _MOMENT, comment="It is asked nothing before, but told what happens: it was asked too much."
        ),
    )
    # Of seconds and minutes: the CRM's own count is heard again with its next answers.
    op.execute("delete from crm_paces")
    op.drop_constraint("fk_crm_paces_connection_crm_connections", "crm_paces", type_="foreignkey")
    op.alter_column("crm_paces", "connection", new_column_name="account", comment="As crm_connections.account.")
    op.create_table_comment("crm_paces", _BY_ACCOUNT, existing_comment=_TOGETHER)
    waits = sa.text("told is not null")
    op.create_index("ix_crm_heard_waits", "crm_heard", ["connection", "kind"], postgresql_where=waits)


def downgrade() -> None:
    op.drop_index("ix_crm_heard_waits", table_name="crm_heard")
    op.execute("delete from crm_paces")
    op.create_table_comment("crm_paces", _TOGETHER, existing_comment=_BY_ACCOUNT)
    op.alter_column("crm_paces", "account", new_column_name="connection", comment=None)
    op.create_foreign_key(
        "fk_crm_paces_connection_crm_connections",
        "crm_paces",
        "crm_connections",
        ["connection"],
        ["key"],
        ondelete="CASCADE",
    )
    op.drop_column("crm_connections", "quiet_until")
    op.drop_column("crm_connections", "account")
