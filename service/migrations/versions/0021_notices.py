"""Notices: how people are told, what they were told, and how each message fared

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_MOMENT = sa.TIMESTAMP(timezone=True)
_NOW = sa.text("clock_timestamp()")
_SENT_BY = "channel in ('email', 'telegram', 'webhook')"


def upgrade() -> None:
    _people()
    op.create_table(
        "notices",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False, comment="What happened; a person is told it once."),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column(
            "subject_id", sa.Text(), nullable=False, server_default=sa.text("''"), comment="The call's, the lead's, …"
        ),
        sa.Column(
            "values",
            postgresql.JSONB(),
            nullable=False,
            server_default=sa.text("'{}'::jsonb"),
            comment="Of our own: nobody outside.",
        ),
        sa.Column("on_page", sa.Boolean(), nullable=False, comment="The person wants it on the pages."),
        sa.Column("made_at", _MOMENT, nullable=False, server_default=_NOW),
        sa.Column("read_at", _MOMENT, comment="When the person said that they had seen it."),
        sa.CheckConstraint("subject in ('call', 'lead', 'follow_up', 'house')", name=op.f("ck_notices_subject")),
        sa.ForeignKeyConstraint(
            ["person"], ["people.key"], name=op.f("fk_notices_person_people"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("person", "key", name=op.f("uq_notices_person_key")),
        comment="What people of the house were told, once each.",
    )
    op.create_index("ix_notices_person_id", "notices", ["person", "id"])
    op.create_index(
        "ix_notices_unread", "notices", ["person"], postgresql_where=sa.text("read_at is null and on_page")
    )
    op.create_index("ix_notices_made_at", "notices", ["made_at"])
    _messages()


def _people() -> None:
    op.add_column("people", sa.Column("email", sa.Text()))
    op.add_column("people", sa.Column("telegram", sa.Text(), comment="The number of their chat with our bot."))
    op.add_column(
        "people",
        sa.Column(
            "notify",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            server_default=sa.text("'{page}'::text[]"),
            comment="By which channels they are told what concerns them.",
        ),
    )
    op.add_column(
        "people", sa.Column("quiet", sa.Text(), comment="A time of each day, never, or null: outside their hours.")
    )


def _messages() -> None:
    op.create_table(
        "notice_messages",
        sa.Column("id", sa.UUID(), nullable=False, server_default=sa.text("gen_random_uuid()")),
        sa.Column("notice_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), comment="Why it is where it is, as a key; null: all is well."),
        sa.Column(
            "due_at", _MOMENT, nullable=False, comment="Not before: the person has their quiet until then."
        ),
        sa.Column("tried_count", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("changed_at", _MOMENT, nullable=False, server_default=_NOW),
        sa.CheckConstraint(_SENT_BY, name=op.f("ck_notice_messages_channel")),
        sa.CheckConstraint(
            "state in ('planned', 'sent', 'done', 'dead')", name=op.f("ck_notice_messages_state")
        ),
        sa.ForeignKeyConstraint(
            ["notice_id"], ["notices.id"], name=op.f("fk_notice_messages_notice_id_notices"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_messages")),
        sa.UniqueConstraint("notice_id", "channel", name=op.f("uq_notice_messages_notice_id_channel")),
        comment="One message a notice and channel that it is sent by.",
    )
    op.create_index(
        "ix_notice_messages_open", "notice_messages", ["due_at"], postgresql_where=sa.text("state = 'planned'")
    )
    op.create_table(
        "dead_channels",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column(
            "address_digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the address that is dead."
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", _MOMENT, nullable=False, server_default=_NOW),
        sa.CheckConstraint(_SENT_BY, name=op.f("ck_dead_channels_channel")),
        sa.ForeignKeyConstraint(
            ["person"], ["people.key"], name=op.f("fk_dead_channels_person_people"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("person", "channel", name=op.f("pk_dead_channels")),
        comment="Addresses that no message reaches any more; another address of the person lives.",
    )
    op.create_table(
        "notice_counts",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "result", name=op.f("pk_notice_counts")),
        comment="How many messages ended how, since ever: the messages themselves are forgotten.",
    )


def downgrade() -> None:
    for table in ("notice_counts", "dead_channels", "notice_messages", "notices"):
        op.drop_table(table)
    for column in ("quiet", "notify", "telegram", "email"):
        op.drop_column("people", column)
