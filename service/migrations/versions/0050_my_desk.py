"""My desk: what is written and told of a call on its card, help from the head, and what is asked of the PBX

Revision ID: 0050
Revises: 0044
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0050"
down_revision = "0044"
branch_labels = None
depends_on = None

_MOMENT = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    cards = "When the card of a call is shown: as soon as the phone rings, when it was answered, or never."
    op.add_column("users", sa.Column("cards", sa.Text(), nullable=False, server_default=sa.text("'ring'"), comment=cards))
    op.create_check_constraint(op.f("ck_users_cards"), "users", "cards in ('ring', 'answer', 'never')")
    op.create_table(
        "desk_cards",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("call_id", postgresql.UUID(as_uuid=True), nullable=False),
        sa.Column("person", sa.Text(), nullable=False, comment="Key of the person whose card it is."),
        sa.Column("note", sa.Text(), nullable=False, server_default=sa.text("''"), comment="As it is typed."),
        sa.Column("noted_at", _MOMENT),
        sa.Column("outcome", sa.Text(), comment="What they told of the call; null: nothing yet."),
        sa.Column("duplicate_of", sa.BigInteger(), comment="Of which lead its lead is a duplicate."),
        sa.Column("next_step", sa.Text(), comment="What is to be done next; null: nothing."),
        sa.Column("next_at", _MOMENT, comment="By when."),
        sa.Column("told_at", _MOMENT),
        sa.Column("told_by", sa.Text(), comment="Key of a person, or a login."),
        sa.Column("closed_at", _MOMENT, comment="Since when the card is off the desk: told, or dismissed."),
        sa.Column("booked_at", _MOMENT, comment="When note, outcome and next step went to the call's lead; null: not yet."),
        sa.CheckConstraint(
            "outcome in ('qualified', 'existing_client', 'spam', 'shareholder', 'duplicate', 'call_again')",
            name=op.f("ck_desk_cards_outcome"),
        ),
        sa.CheckConstraint("(told_at is null) = (told_by is null)", name=op.f("ck_desk_cards_told_by_somebody")),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_desk_cards_call_id_calls"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("call_id", "person", name=op.f("pk_desk_cards")),
        sa.UniqueConstraint("id", name=op.f("uq_desk_cards_id")),
        comment="What people write and tell of a call on its card; a card without a row is untouched.",
    )
    op.create_table(
        "help_requests",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("call_id", postgresql.UUID(as_uuid=True), nullable=False),
        sa.Column("person", sa.Text(), nullable=False, comment="Key of who talks and asks."),
        sa.Column("asked_at", _MOMENT, nullable=False, server_default=sa.func.clock_timestamp()),
        sa.Column("taken_by", sa.Text(), comment="Key of the head who came, or their login; null: nobody yet."),
        sa.Column("taken_at", _MOMENT),
        sa.Column("withdrawn_at", _MOMENT, comment="They need no help any more."),
        sa.CheckConstraint("(taken_at is null) = (taken_by is null)", name=op.f("ck_help_requests_taken_by_somebody")),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name=op.f("fk_help_requests_call_id_calls"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_help_requests")),
        comment="Who asked the head for help in a call that goes on; over with the call.",
    )
    op.create_index(op.f("ix_help_requests_call_id"), "help_requests", ["call_id"])
    op.create_index(
        "ix_help_requests_one_open_each",
        "help_requests",
        ["call_id", "person"],
        unique=True,
        postgresql_where=sa.text("withdrawn_at is null"),
    )
    op.create_index(
        "ix_help_requests_open",
        "help_requests",
        ["asked_at"],
        postgresql_where=sa.text("taken_at is null and withdrawn_at is null"),
    )
    op.create_table(
        "call_controls",
        sa.Column("id", postgresql.UUID(as_uuid=True), nullable=False, server_default=sa.func.gen_random_uuid()),
        sa.Column("call_id", postgresql.UUID(as_uuid=True), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False, comment="Key of the person whose device it is about."),
        sa.Column("colleague", sa.Text(), comment="Of a transfer: key of the person that the client goes to."),
        sa.Column("number", sa.Text(), comment="Of a transfer: the number outside; forgotten when it is settled."),
        sa.Column("asked_by", sa.Text(), nullable=False, comment="Login."),
        sa.Column("asked_at", _MOMENT, nullable=False, server_default=sa.func.clock_timestamp()),
        sa.Column("settled_at", _MOMENT, comment="Null: whoever attends the PBX has not done it yet."),
        sa.Column("outcome", sa.Text(), comment="What became of it; null with settled_at."),
        sa.CheckConstraint("what in ('hang_up', 'hold', 'resume', 'transfer')", name=op.f("ck_call_controls_what")),
        sa.CheckConstraint(
            "outcome in ('done', 'over', 'too_late', 'nobody_free', 'no_hold', 'refused_by_pbx')",
            name=op.f("ck_call_controls_outcome"),
        ),
        sa.CheckConstraint(
            "(settled_at is null) = (outcome is null)", name=op.f("ck_call_controls_settled_with_outcome")
        ),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name=op.f("fk_call_controls_call_id_calls"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_controls")),
        comment="Who wanted a call held, transferred or hung up from the page; what was done is told by the PBX itself.",
    )
    op.create_index(op.f("ix_call_controls_call_id"), "call_controls", ["call_id"])
    op.create_index(
        "ix_call_controls_open", "call_controls", ["asked_at"], postgresql_where=sa.text("settled_at is null")
    )


def downgrade() -> None:
    op.drop_table("call_controls")
    op.drop_table("help_requests")
    op.drop_table("desk_cards")
    op.drop_constraint(op.f("ck_users_cards"), "users")
    op.drop_column("users", "cards")
