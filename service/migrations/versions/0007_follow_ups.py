"""Follow-ups

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MOMENT = sa.TIMESTAMP(timezone=True)
POLICY = '{"owners": [...], "minutes": 60, "person": key}, what is told only.'


def upgrade() -> None:
    least = sa.Column("ring_seconds_least", sa.Integer(), server_default=sa.text("10"), nullable=False)
    op.add_column("company", least)
    op.add_column("lines", sa.Column("ring_seconds_least", sa.Integer(), comment="Null: the company's."))
    for table in ("company", "lines"):
        policy = sa.Column(
            "follow_up",
            postgresql.JSONB(),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment=POLICY,
        )
        op.add_column(table, policy)
    op.create_table(
        "follow_ups",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "number", sa.Text(), nullable=False, comment="Whom to call back: E.164 digits where that can be told."
        ),
        sa.Column(
            "line",
            sa.Text(),
            server_default=sa.text("''"),
            nullable=False,
            comment="Empty: a line that nobody knows.",
        ),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), comment="The last call's missed cause; null: it was not missed."),
        sa.Column("call_id", sa.UUID(), nullable=False, comment="The first call."),
        sa.Column(
            "attempt_count",
            sa.Integer(),
            nullable=False,
            comment="Calls that nobody talked on, this promise's all.",
        ),
        sa.Column("priority", sa.Integer(), nullable=False, comment="Greater is sooner."),
        sa.Column("owner", sa.Text(), comment="Key of a person; null: nobody."),
        sa.Column("owner_by", sa.Text(), comment="What made them the owner: a key of the policy, or hand."),
        sa.Column("opened_at", MOMENT, nullable=False, comment="When the first call ended, by our clock."),
        sa.Column(
            "last_missed_at", MOMENT, nullable=False, comment="When the last of the calls ended, by our clock."
        ),
        sa.Column("due_at", MOMENT, comment="In working time; null: these hours never come."),
        sa.Column("escalated_at", MOMENT, comment="Since when it is overdue and the head's business."),
        sa.Column("escalated_to", sa.Text(), comment="Key of the head; null: there is none."),
        sa.Column("closed_at", MOMENT, comment="When they talked, or a person closed it."),
        sa.Column("closed_by", sa.Text(), comment="talk, answered_after_all, or hand."),
        sa.Column("closed_by_call", sa.UUID(), comment="The talk that closed it."),
        sa.CheckConstraint("origin in ('missed', 'voicemail', 'requested')", name=op.f("ck_follow_ups_origin")),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name=op.f("fk_follow_ups_call_id_calls"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["closed_by_call"], ["calls.id"], name=op.f("fk_follow_ups_closed_by_call_calls"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_follow_ups")),
        comment="Promises to call back: one open a caller and line.",
    )
    open_only = {"postgresql_where": sa.text("closed_at is null")}
    op.create_index("ix_follow_ups_one_open_each", "follow_ups", ["number", "line"], unique=True, **open_only)
    op.create_index("ix_follow_ups_open", "follow_ups", ["due_at"], unique=False, **open_only)
    op.create_index("ix_follow_ups_opened_at_id", "follow_ups", ["opened_at", "id"], unique=False)
    op.create_index("ix_follow_ups_owner_id", "follow_ups", ["owner", "id"], unique=False)
    op.create_index("ix_follow_ups_call_id", "follow_ups", ["call_id"], unique=False)
    op.create_table(
        "follow_up_calls",
        sa.Column("call_id", sa.UUID(), nullable=False),
        sa.Column("follow_up_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name=op.f("fk_follow_up_calls_call_id_calls"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["follow_up_id"],
            ["follow_ups.id"],
            name=op.f("fk_follow_up_calls_follow_up_id_follow_ups"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_follow_up_calls")),
        comment="The calls of a promise; a call is in one at most, so it counts once however often its job runs.",
    )
    op.create_index(op.f("ix_follow_up_calls_follow_up_id"), "follow_up_calls", ["follow_up_id"], unique=False)
    op.create_table(
        "follow_up_actions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("follow_up_id", sa.BigInteger(), nullable=False),
        sa.Column("at", MOMENT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("who", sa.Text(), nullable=False, comment="A login, a person's key, or switchhook."),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False, comment="A key of the service, or a person's own words."),
        sa.Column("call_id", sa.UUID()),
        sa.CheckConstraint(
            "what in ('opened', 'repeated', 'given', 'escalated', 'tried', 'closed')",
            name=op.f("ck_follow_up_actions_what"),
        ),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name=op.f("fk_follow_up_actions_call_id_calls"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["follow_up_id"],
            ["follow_ups.id"],
            name=op.f("fk_follow_up_actions_follow_up_id_follow_ups"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_follow_up_actions")),
        comment="Append-only: who did what to a follow-up, when and why.",
    )
    op.create_index(op.f("ix_follow_up_actions_call_id"), "follow_up_actions", ["call_id"], unique=False)
    op.create_index(op.f("ix_follow_up_actions_follow_up_id"), "follow_up_actions", ["follow_up_id"], unique=False)
    op.create_table(
        "device_reachability",
        sa.Column("pbx", sa.Text(), nullable=False, comment="Name of the PBX in the settings."),
        sa.Column("device", sa.Text(), nullable=False, comment="A phone or a trunk: TECH/name."),
        sa.Column("at", MOMENT, nullable=False, comment="The PBX's time."),
        sa.Column("reachable", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("pbx", "device", "at", name=op.f("pk_device_reachability")),
        comment="When phones and trunks came and went; kept so that a missed call is not charged to who had no phone.",
    )
    op.add_column(
        "calls",
        sa.Column(
            "charged_to",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'::text[]"),
            nullable=False,
            comment="Keys of the people to blame for a missed call.",
        ),
    )


def downgrade() -> None:
    op.drop_column("calls", "charged_to")
    op.drop_table("device_reachability")
    for table in ("follow_up_actions", "follow_up_calls", "follow_ups"):
        op.drop_table(table)
    for table in ("company", "lines"):
        op.drop_column(table, "follow_up")
        op.drop_column(table, "ring_seconds_least")
