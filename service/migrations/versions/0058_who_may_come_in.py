"""Sessions have names, tokens a scope, passwords a link, logins a provider; when a PBX was heard last is kept

Revision ID: 0058
Revises: 0055
"""

import sqlalchemy as sa
from alembic import op

revision = "0058"
down_revision = "0055"
branch_labels = None
depends_on = None

_TOKENS = (
    "API tokens; they act with their user's role.",
    "API tokens; they act with their user's role, those of the scope read by GET alone.",
)


def upgrade() -> None:
    op.add_column(
        "users",
        sa.Column(
            "oidc_issuer",
            sa.Text(),
            comment="By which provider they logged in; from then on only as that subject.",
        ),
    )
    op.add_column(
        "users", sa.Column("oidc_subject", sa.Text(), comment="Who they are there, in the provider's own words.")
    )
    op.create_unique_constraint(op.f("uq_users_oidc_issuer_oidc_subject"), "users", ["oidc_issuer", "oidc_subject"])
    op.create_check_constraint(op.f("ck_users_oidc"), "users", "(oidc_issuer is null) = (oidc_subject is null)")
    op.add_column(
        "sessions",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False, comment="By what a page names it."),
    )
    op.create_unique_constraint(op.f("uq_sessions_id"), "sessions", ["id"])
    op.add_column("tokens", sa.Column("scope", sa.Text(), nullable=False, server_default=sa.text("'all'")))
    op.create_check_constraint(op.f("ck_tokens_scope"), "tokens", "scope in ('all', 'read')")
    op.create_table_comment("tokens", _TOKENS[1], existing_comment=_TOKENS[0])
    _password_links()
    op.add_column("pbx_clocks", _moment("measured_at", "By our clock."))


def downgrade() -> None:
    op.drop_column("pbx_clocks", "measured_at")
    op.drop_table("password_links")
    op.create_table_comment("tokens", _TOKENS[0], existing_comment=_TOKENS[1])
    # A token that may only read has no place in the schema before, where it would open all that its login may do.
    op.execute("update tokens set revoked_at = coalesce(revoked_at, now()) where scope = 'read'")
    op.drop_column("tokens", "scope")
    op.drop_column("sessions", "id")
    op.drop_constraint(op.f("ck_users_oidc"), "users", type_="check")
    op.drop_column("users", "oidc_subject")
    op.drop_column("users", "oidc_issuer")


def _moment(name: str, comment: str | None = None) -> sa.Column[object]:
    return sa.Column(
        name, sa.TIMESTAMP(timezone=True), nullable=False, server_default=sa.text("now()"), comment=comment
    )


def _password_links() -> None:
    op.create_table(
        "password_links",
        sa.Column(
            "digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of what the address holds; shown once."
        ),
        sa.Column(
            "user_id", sa.BigInteger(), nullable=False, comment="Whose password it sets; a newer link takes its place."
        ),
        _moment("made_at"),
        sa.Column("expires_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_password_links_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_password_links")),
        sa.UniqueConstraint("user_id", name=op.f("uq_password_links_user_id")),
        comment="Addresses at which a login chooses its password without the old one, once.",
    )
