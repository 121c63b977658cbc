"""Connections keep what lets them in, how much they have sent, and who is who there; a kind is the program's to know

Revision ID: 0034
Revises: 0033
"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def _whose() -> sa.Column[str]:
    return sa.Column("connection", sa.Text(), nullable=False)


def _belongs(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["connection"],
        ["crm_connections.key"],
        name=f"fk_{table}_connection_crm_connections",
        ondelete="CASCADE",
    )


def upgrade() -> None:
    op.drop_constraint(op.f("ck_crm_connections_kind"), "crm_connections", type_="check")
    op.alter_column("crm_connections", "kind", comment="As crm_sync.kinds names it.")
    op.create_table(
        "crm_grants",
        _whose(),
        sa.Column(
            "sealed",
            sa.LargeBinary(),
            nullable=False,
            comment="The tokens: AES-256-GCM of JSON, as crm_connections.secrets.",
        ),
        sa.Column("number", sa.Integer(), server_default=sa.text("1"), nullable=False, comment="How many there were."),
        sa.Column("expires_at", sa.TIMESTAMP(timezone=True), comment="When the access ends and is renewed; null: never."),
        sa.Column(
            "refresh_expires_at",
            sa.TIMESTAMP(timezone=True),
            comment="When it cannot be renewed any more; null: never.",
        ),
        sa.Column(
            "granted_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        _belongs("crm_grants"),
        sa.PrimaryKeyConstraint("connection", name="pk_crm_grants"),
        comment="What lets us into CRMs that give access by OAuth.",
    )
    op.create_table(
        "crm_paces",
        _whose(),
        sa.Column("bucket", sa.Text(), nullable=False, comment="What is limited together: all requests, or one method."),
        sa.Column(
            "level", sa.Double(), server_default=sa.text("0"), nullable=False, comment="How full it was at `level_at`."
        ),
        sa.Column("level_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("used", sa.Double(), comment="What the CRM says that we used of `most`; null: it does not say."),
        sa.Column("most", sa.Double()),
        sa.Column("resets_at", sa.TIMESTAMP(timezone=True), comment="When what was used is forgotten there."),
        _belongs("crm_paces"),
        sa.PrimaryKeyConstraint("connection", "bucket", name="pk_crm_paces"),
        comment="How much was sent to CRMs that limit it, by all processes together.",
    )
    op.create_table(
        "crm_users",
        _whose(),
        sa.Column("user", sa.Text(), nullable=False, comment="What the CRM calls them."),
        sa.Column("name", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("extension", sa.Text(), comment="Their internal number, as the CRM has it."),
        sa.Column("person", sa.Text(), comment="Who it is, said by hand."),
        sa.Column("seen_at", sa.TIMESTAMP(timezone=True), comment="When the CRM named them last; null: it never did."),
        _belongs("crm_users"),
        sa.ForeignKeyConstraint(
            ["person"], ["people.key"], name="fk_crm_users_person_people", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("connection", "user", name="pk_crm_users"),
        comment="Who is who in a CRM: what it said last, and what was said by hand.",
    )
    op.create_index(
        "uq_crm_users_person",
        "crm_users",
        ["connection", "person"],
        unique=True,
        postgresql_where=sa.text("person is not null"),
    )


def downgrade() -> None:
    op.drop_table("crm_users")
    op.drop_table("crm_paces")
    op.drop_table("crm_grants")
    op.alter_column("crm_connections", "kind", comment=None, existing_comment="As crm_sync.kinds names it.")
    op.create_check_constraint(op.f("ck_crm_connections_kind"), "crm_connections", "kind in ('webhook')")
