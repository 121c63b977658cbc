"""Clients are asked how willing they are to recommend the house

Revision ID: 0075
Revises: 0074
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0075"
down_revision = "0074"
branch_labels = None
depends_on = None

_MOMENT = postgresql.TIMESTAMP(timezone=True)
_NOTHING = sa.text("''")
_MARK = """
create function switchhook_mark_nps() returns trigger language plpgsql as $$
begin
    insert into report_marks (moment, onward)
    select distinct at, false from (values (old.answered_at), (new.answered_at)) as told (at) where at is not null;
    return null;
end
$$
"""
_TRIGGERS = (
    """
    create trigger switchhook_mark_nps after insert or delete on nps_asks
    for each row execute function switchhook_mark_nps()
    """,
    """
    create trigger switchhook_mark_changed_nps after update of answered_at, score on nps_asks for each row
    when (row(old.answered_at, old.score) is distinct from row(new.answered_at, new.score))
    execute function switchhook_mark_nps()
    """,
)


def upgrade() -> None:
    op.add_column(
        "company",
        sa.Column(
            "nps",
            postgresql.JSONB(),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="After what clients are asked about recommending the house, what is told only.",
        ),
    )
    op.create_table(
        "nps_asks",
        sa.Column("id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False, comment="What it is asked after: talk <id>, lead_event <id>."),
        sa.Column("party_id", sa.BigInteger(), nullable=True, comment="Of crm_sync; null: nobody's."),
        sa.Column("number", sa.Text(), nullable=False, comment="E.164 digits; empty once it is forgotten."),
        sa.Column("talk_id", sa.UUID(), nullable=True, comment="The talk that it is asked after."),
        sa.Column("lead_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "stage", sa.Text(), server_default=_NOTHING, nullable=False, comment="With its step, as in_work/meeting."
        ),
        sa.Column("person", sa.Text(), nullable=True, comment="Key of who talked with the client, or has the lead."),
        sa.Column("line", sa.Text(), server_default=_NOTHING, nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "why", sa.Text(), server_default=_NOTHING, nullable=False, comment="Of one that is not asked: a key."
        ),
        sa.Column("planned_at", _MOMENT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("due_at", _MOMENT, nullable=True),
        sa.Column("asked_at", _MOMENT, nullable=True),
        sa.Column("answered_at", _MOMENT, nullable=True),
        sa.Column("score", sa.SmallInteger(), nullable=True),
        sa.Column(
            "comment",
            sa.Text(),
            nullable=True,
            comment="As it was written; what was spoken is in the text of the call.",
        ),
        sa.Column("pbx", sa.Text(), nullable=True, comment="That calls the client; null: any."),
        sa.Column("call_id", sa.UUID(), nullable=True, comment="The call that asked."),
        sa.Column(
            "message_id", sa.BigInteger(), nullable=True, comment="The event of the lead that has the link sent."
        ),
        sa.CheckConstraint("way in ('call', 'link')", name=op.f("ck_nps_asks_way")),
        sa.CheckConstraint(
            "state in ('declined', 'planned', 'calling', 'sent', 'answered', 'refused', 'unreachable', 'expired')",
            name=op.f("ck_nps_asks_state"),
        ),
        sa.CheckConstraint("score between 0 and 10", name=op.f("ck_nps_asks_score")),
        sa.CheckConstraint("(score is not null) = (state = 'answered')", name=op.f("ck_nps_asks_answered")),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name=op.f("fk_nps_asks_lead_id_leads"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nps_asks")),
        sa.UniqueConstraint("reason", name=op.f("uq_nps_asks_reason")),
        sa.UniqueConstraint("message_id", name=op.f("uq_nps_asks_message_id")),
        comment="How willing clients are to recommend the house: whom it asks after what, and their answers.",
    )
    op.create_index(op.f("ix_nps_asks_lead_id"), "nps_asks", ["lead_id"])
    op.create_index(op.f("ix_nps_asks_call_id"), "nps_asks", ["call_id"])
    op.create_index("ix_nps_asks_number", "nps_asks", ["number", "asked_at"])
    op.create_index(
        "ix_nps_asks_open", "nps_asks", ["due_at"], postgresql_where=sa.text("state in ('planned', 'calling', 'sent')")
    )
    op.create_index(
        "ix_nps_asks_answered_at", "nps_asks", ["answered_at"], postgresql_where=sa.text("score is not null")
    )
    op.create_index("ix_nps_asks_party_id", "nps_asks", ["party_id"])
    op.create_index("ix_nps_asks_asked_at", "nps_asks", ["asked_at"])
    op.execute(_MARK)
    for trigger in _TRIGGERS:
        op.execute(trigger)


def downgrade() -> None:
    op.drop_table("nps_asks")
    op.execute("drop function switchhook_mark_nps")
    op.drop_column("company", "nps")
