"""Calls to the outside: who may call where, whom nobody calls, and what was asked for

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

PURPOSES = ("click", "callback", "dialled")
STATES = ("refused", "dialled", "wanted", "placing", "placed", "connected", "failed")
UNDER_WAY = ("wanted", "placing", "placed")


def upgrade() -> None:
    op.add_column(
        "company",
        sa.Column(
            "outgoing",
            postgresql.JSONB(),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="Who may call where, how much.",
        ),
    )
    op.add_column("people", sa.Column("line", sa.Text(), comment="The line that they call out as."))
    op.add_column("teams", sa.Column("line", sa.Text(), comment="The line that its people call out as."))
    op.add_column("lines", sa.Column("shows", sa.Text(), comment="What calls out show; null: the line's number."))
    op.add_column(
        "lines",
        sa.Column(
            "callback",
            postgresql.JSONB(none_as_null=True),
            comment="How missed callers are called back by itself; null: they are not.",
        ),
    )
    op.create_table(
        "do_not_call",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_do_not_call")),
        comment="Numbers that nobody calls, by hand or by itself.",
    )
    op.add_column(
        "parties",
        sa.Column(
            "do_not_call_at",
            sa.TIMESTAMP(timezone=True),
            comment="Since when they do not want to be called; null: they may be.",
        ),
    )
    op.create_table(
        "outgoing_calls",
        sa.Column("id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column(
            "asked_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), comment="Key of why it was refused or failed."),
        sa.Column("number", sa.Text(), nullable=False, comment="E.164 digits; as it was told where it is no such number."),
        sa.Column("person", sa.Text(), comment="Key of who calls; null: a device that is nobody's."),
        sa.Column("asked_by", sa.Text(), comment="Login, or the device, that asked."),
        sa.Column("line", sa.Text(), comment="The line that it goes out as."),
        sa.Column("idempotency_key", sa.Text(), comment="Whoever asks again with the same key is told of this one."),
        sa.Column("per_minute", sa.Numeric(), server_default=sa.text("0"), nullable=False),
        sa.Column("follow_up", sa.BigInteger(), comment="The follow-up that is called back."),
        sa.Column("pbx", sa.Text(), comment="Name of the PBX in the settings; null: whichever takes it."),
        sa.Column("channel", sa.Text(), comment="Uniqueid of its first channel, by which its call is found."),
        sa.Column("device", sa.Text(), comment="What was called first."),
        sa.Column(
            "changed_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint(f"purpose in {PURPOSES!r}", name=op.f("ck_outgoing_calls_purpose")),
        sa.CheckConstraint(f"state in {STATES!r}", name=op.f("ck_outgoing_calls_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_calls")),
        sa.UniqueConstraint(
            "asked_by", "idempotency_key", name=op.f("uq_outgoing_calls_asked_by_idempotency_key")
        ),
        comment="Append-only but for its state: also the audit of what was refused.",
    )
    op.create_index("ix_outgoing_calls_asked_at", "outgoing_calls", ["asked_at"])
    op.create_index("ix_outgoing_calls_channel", "outgoing_calls", ["channel"])
    op.create_index(
        "ix_outgoing_calls_refused", "outgoing_calls", ["reason"], postgresql_where=sa.text("state = 'refused'")
    )
    op.create_index(
        "ix_outgoing_calls_under_way",
        "outgoing_calls",
        ["state"],
        postgresql_where=sa.text(f"state in {UNDER_WAY!r}"),
    )
    op.create_index(
        "ix_outgoing_calls_one_callback_each",
        "outgoing_calls",
        ["number"],
        unique=True,
        postgresql_where=sa.text(f"purpose = 'callback' and state in {UNDER_WAY!r}"),
    )


def downgrade() -> None:
    op.drop_table("outgoing_calls")
    op.drop_column("parties", "do_not_call_at")
    op.drop_table("do_not_call")
    op.drop_column("lines", "callback")
    op.drop_column("lines", "shows")
    op.drop_column("teams", "line")
    op.drop_column("people", "line")
    op.drop_column("company", "outgoing")
