"""How long things are kept, what the law holds, who was erased, links, and who did what

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_RETENTION = '{"audio_days": 90, "missed": {"party_days": 365}}, what is told only.'
_ACTIONS = (
    "'recording_paused', 'recording_resumed', 'original_heard', 'hold_set', 'hold_lifted', 'retention_applied',"
    " 'erase_asked', 'erased', 'link_made', 'link_used', 'link_revoked', 'link_key_made'"
)
_NOW = sa.text("now()")


def upgrade() -> None:
    for table in ("company", "lines"):
        op.add_column(
            table,
            sa.Column(
                "retention", _json(), server_default=sa.text("'{}'::jsonb"), nullable=False, comment=_RETENTION
            ),
        )
    op.add_column(
        "calls",
        sa.Column(
            "erased",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Who it was with is forgotten.",
        ),
    )
    _keys()
    _audit()
    _removals()
    _holds()
    _erasures()
    _links()
    op.create_table(
        "unwanted_digests",
        sa.Column(
            "digest", sa.LargeBinary(), nullable=False, comment="HMAC-SHA256 of E.164 digits with the key of wishes."
        ),
        sa.Column("since", _moment(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_unwanted_digests")),
        comment="Numbers of erased people who did not want to be called: still not called, and not to be read here.",
    )


def downgrade() -> None:
    for table in ("unwanted_digests", "links", "erasures", "holds", "removals", "audit", "keys"):
        op.drop_table(table)
    op.execute("drop function switchhook_append_only()")
    op.drop_column("calls", "erased")
    for table in ("lines", "company"):
        op.drop_column(table, "retention")


def _keys() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", _moment(), server_default=_NOW, nullable=False),
        sa.CheckConstraint("purpose in ('links', 'wishes')", name=op.f("ck_keys_purpose")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keys")),
        comment="What signs links and hides numbers; the newest of a purpose signs, an older one still proves.",
    )
    op.create_index("ix_keys_purpose_id", "keys", ["purpose", "id"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("at", _moment(), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column(
            "actor", sa.Text(), nullable=False, comment="A login, kept when it is gone; or switchhook, or command line."
        ),
        sa.Column(
            "user_id", sa.BigInteger(), comment="Refers to no row: a login that is removed changes nothing here."
        ),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column(
            "subject", sa.Text(), nullable=False, comment="What it was done to: call ID, hold ID, link ID, erasure ID."
        ),
        sa.Column(
            "details",
            _json(),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="No number, no name of a party.",
        ),
        sa.Column("address", postgresql.INET(), comment="Whence it was asked; null: not by the network."),
        sa.CheckConstraint(f"action in ({_ACTIONS})", name=op.f("ck_audit_action")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        comment="Append-only: a trigger refuses every update and delete.",
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_subject_at", "audit", ["subject", "at"])
    op.execute(
        """
        create function switchhook_append_only() returns trigger language plpgsql as $$
        begin
            raise exception 'the table % takes new rows only', tg_table_name using errcode = 'insufficient_privilege';
        end $$
        """
    )
    op.execute(
        "create trigger audit_append_only before update or delete or truncate on audit"
        " for each statement execute function switchhook_append_only()"
    )


def _removals() -> None:
    op.create_table(
        "removals",
        sa.Column("call_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", _moment(), server_default=_NOW, nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.CheckConstraint("kind in ('audio', 'transcript', 'party')", name=op.f("ck_removals_kind")),
        sa.CheckConstraint("cause in ('policy', 'erasure')", name=op.f("ck_removals_cause")),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_removals_call_id_calls"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("call_id", "kind", name=op.f("pk_removals")),
        comment="What was removed of a call, so that nobody misses it as lost.",
    )
    op.create_index("ix_removals_at", "removals", ["at"])


def _holds() -> None:
    op.create_table(
        "holds",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("call_id", sa.UUID()),
        sa.Column("number", sa.Text(), comment="E.164 digits: every call and fact of whoever has it."),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False, comment="A login, or command line."),
        sa.Column("set_at", _moment(), server_default=_NOW, nullable=False),
        sa.CheckConstraint("num_nonnulls(call_id, number) = 1", name=op.f("ck_holds_one_subject")),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_holds_call_id_calls"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
        comment="Kept by law, whatever policy and erasure say; lifting removes the row, the audit keeps both.",
    )
    op.create_index("ix_holds_call_id", "holds", ["call_id"])
    op.create_index(
        "ix_holds_number", "holds", ["number"], unique=True, postgresql_where=sa.text("number is not null")
    )


def _erasures() -> None:
    op.create_table(
        "erasures",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("asked_at", _moment(), server_default=_NOW, nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False, comment="A login, or command line."),
        sa.Column("numbers", postgresql.ARRAY(sa.Text()), comment="Whom to erase, while it goes on."),
        sa.Column(
            "pseudonym",
            sa.Text(),
            nullable=False,
            comment="Random; stands for the numbers in the calls that stay.",
        ),
        sa.Column(
            "report", _json(), server_default=sa.text("'{}'"), nullable=False, comment="What went and what stayed."
        ),
        sa.Column("finished_at", _moment()),
        sa.CheckConstraint("(finished_at is null) = (numbers is not null)", name=op.f("ck_erasures_forgets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
        comment="Persons erased on request; of who they were nothing is left here.",
    )


def _links() -> None:
    op.create_table(
        "links",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("call_id", sa.UUID(), nullable=False),
        sa.Column("key_id", sa.BigInteger(), nullable=False, comment="What signed it."),
        sa.Column("made_by", sa.Text(), nullable=False, comment="A login."),
        sa.Column("made_at", _moment(), server_default=_NOW, nullable=False),
        sa.Column("expires_at", _moment(), nullable=False),
        sa.Column("revoked_at", _moment()),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_links_call_id_calls"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["key_id"], ["keys.id"], name=op.f("fk_links_key_id_keys")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
        comment="Addresses at which a recording is heard without a login, until they expire or are revoked.",
    )
    op.create_index("ix_links_call_id", "links", ["call_id"])


def _moment() -> sa.types.TypeEngine[object]:
    return sa.TIMESTAMP(timezone=True)


def _json() -> sa.types.TypeEngine[object]:
    return postgresql.JSONB(astext_type=sa.Text())
