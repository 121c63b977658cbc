"""The policy of leads; leads with steps, reasons and history; parties that turn out to be one; notes and tasks

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_OPEN = "stage in ('new', 'qualifying', 'qualified', 'in_work')"
_OPEN_BEFORE = "stage in ('new', 'in_work', 'qualified')"


def upgrade() -> None:
    op.create_table(
        "party_merges",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kept", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("by", sa.Text(), nullable=False, comment="Key of a person, or switchhook."),
        sa.Column(
            "moved",
            postgresql.JSONB(),
            nullable=False,
            comment='{"numbers", "leads", "notes", "tasks", "parties"}: to be given back.',
        ),
        sa.Column("undone_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["gone"], ["parties.id"], name=op.f("fk_party_merges_gone_parties"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["kept"], ["parties.id"], name=op.f("fk_party_merges_kept_parties"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_party_merges")),
        comment="Every time two parties turned out to be one, and when that was taken back.",
    )
    op.create_index(op.f("ix_party_merges_gone"), "party_merges", ["gone"], unique=False)
    op.create_index(op.f("ix_party_merges_kept"), "party_merges", ["kept"], unique=False)
    op.create_table(
        "lead_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("lead_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("by", sa.Text(), nullable=False, comment="Key of a person, or switchhook."),
        sa.Column("kind", sa.Text(), nullable=False, comment="crm_sync.book.leads.EVENT_KINDS."),
        sa.Column(
            "before", sa.Text(), nullable=True, comment="A stage with its step (in_work/meeting), a person, a time."
        ),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column(
            "reason", sa.Text(), nullable=True, comment="A reason of the policy's, or the key of the rule that decided."
        ),
        sa.Column("call_id", sa.UUID(), nullable=True, comment="The call that brought it about."),
        sa.ForeignKeyConstraint(
            ["lead_id"], ["leads.id"], name=op.f("fk_lead_events_lead_id_leads"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lead_events")),
        comment="Every change of a lead, append-only.",
    )
    op.create_index("ix_lead_events_lead_id_id", "lead_events", ["lead_id", "id"], unique=False)
    op.create_table(
        "notes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("party_id", sa.BigInteger(), nullable=False),
        sa.Column("lead_id", sa.BigInteger(), nullable=True),
        sa.Column("call_id", sa.UUID(), nullable=True),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("by", sa.Text(), nullable=False, comment="Key of a person, or switchhook."),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name=op.f("fk_notes_lead_id_leads"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["party_id"], ["parties.id"], name=op.f("fk_notes_party_id_parties"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notes")),
        comment="What people wrote of a party, a lead or a call.",
    )
    op.create_index(op.f("ix_notes_lead_id"), "notes", ["lead_id"], unique=False)
    op.create_index(op.f("ix_notes_party_id"), "notes", ["party_id"], unique=False)
    op.create_table(
        "tasks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("party_id", sa.BigInteger(), nullable=False),
        sa.Column("lead_id", sa.BigInteger(), nullable=True),
        sa.Column("call_id", sa.UUID(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("assignee", sa.Text(), nullable=True, comment="Key of a person; null: nobody yet."),
        sa.Column("due_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("made_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False, comment="Key of a person, or switchhook."),
        sa.Column(
            "made_because",
            sa.Text(),
            nullable=True,
            comment="The rule or the revival step that owed it; one of a kind for a call or a step.",
        ),
        sa.Column("done_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("done_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["lead_id"], ["leads.id"], name=op.f("fk_tasks_lead_id_leads"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["party_id"], ["parties.id"], name=op.f("fk_tasks_party_id_parties"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
        comment="What somebody shall do for a party; to call back whom nobody talked with is a follow-up.",
    )
    op.create_index(op.f("ix_tasks_lead_id"), "tasks", ["lead_id"], unique=False)
    op.create_index("ix_tasks_once", "tasks", ["lead_id", "made_because"], unique=True)
    op.create_index(
        "ix_tasks_open", "tasks", ["assignee", "due_at"], unique=False, postgresql_where=sa.text("done_at is null")
    )
    op.create_index(op.f("ix_tasks_party_id"), "tasks", ["party_id"], unique=False)
    op.add_column(
        "company",
        sa.Column(
            "leads",
            postgresql.JSONB(),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="The policy of leads, what is told only.",
        ),
    )
    op.add_column(
        "leads",
        sa.Column("step", sa.Text(), nullable=True, comment="Of the house's funnel, in work; null: before its first."),
    )
    op.add_column(
        "leads",
        sa.Column(
            "stage_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            server_default=sa.text("now()"),
            comment="Since when it is at this stage and step.",
        ),
    )
    op.add_column("leads", sa.Column("reason", sa.Text(), nullable=True, comment="Why it was lost or disqualified."))
    op.add_column("leads", sa.Column("duplicate_of", sa.BigInteger(), nullable=True))
    op.add_column(
        "leads",
        sa.Column(
            "fields",
            postgresql.JSONB(),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="The house's own: name to text.",
        ),
    )
    op.add_column(
        "leads",
        sa.Column(
            "contact_at",
            sa.TIMESTAMP(timezone=True),
            nullable=True,
            comment="Of the last talk with the party, either way.",
        ),
    )
    op.add_column(
        "leads", sa.Column("chain", sa.Text(), nullable=True, comment="The revival chain that it goes through.")
    )
    op.add_column(
        "leads", sa.Column("chain_step", sa.SmallInteger(), nullable=True, comment="How many steps of it were taken.")
    )
    op.add_column(
        "leads", sa.Column("chain_at", sa.TIMESTAMP(timezone=True), nullable=True, comment="When the next step is due.")
    )
    op.alter_column(
        "leads",
        "deadline_at",
        existing_type=postgresql.TIMESTAMP(timezone=True),
        comment="To go on to the next stage or step by then.",
        existing_comment="To be taken into work or qualified by then.",
        existing_nullable=True,
    )
    op.alter_column(
        "leads",
        "closed_at",
        existing_type=postgresql.TIMESTAMP(timezone=True),
        comment="Since when nobody works on it; null: it is open.",
        existing_nullable=True,
    )
    op.create_index(
        "ix_leads_chain_at", "leads", ["chain_at"], unique=False, postgresql_where=sa.text("chain_at is not null")
    )
    op.create_index(
        "ix_leads_deadline_at",
        "leads",
        ["deadline_at"],
        unique=False,
        postgresql_where=sa.text(_OPEN),
    )
    op.create_index("ix_leads_party_id", "leads", ["party_id"], unique=False)
    op.drop_index("ix_leads_one_open_each", table_name="leads")
    # Whoever was talked with was in work at once; since there is a funnel they are being qualified first.
    op.execute("update leads set stage = 'qualifying' where stage = 'in_work'")
    op.execute("update leads set stage_at = coalesce(closed_at, opened_at)")
    op.create_index("ix_leads_one_open_each", "leads", ["party_id"], unique=True, postgresql_where=sa.text(_OPEN))
    op.create_foreign_key(
        op.f("fk_leads_duplicate_of_leads"), "leads", "leads", ["duplicate_of"], ["id"], ondelete="SET NULL"
    )
    op.add_column("parties", sa.Column("email", sa.Text(), nullable=True, comment="As a person wrote it."))
    op.add_column(
        "parties",
        sa.Column(
            "merged_into",
            sa.BigInteger(),
            nullable=True,
            comment="The party that this one turned out to be; its calls stay its own. Null: none.",
        ),
    )
    op.create_index(op.f("ix_parties_merged_into"), "parties", ["merged_into"], unique=False)
    op.create_foreign_key(
        op.f("fk_parties_merged_into_parties"), "parties", "parties", ["merged_into"], ["id"], ondelete="CASCADE"
    )
    op.add_column(
        "people",
        sa.Column(
            "leads_most",
            sa.Integer(),
            nullable=True,
            comment="More open leads are too many; null: as the policy of leads says.",
        ),
    )


def downgrade() -> None:
    for table in ("tasks", "notes", "lead_events", "party_merges"):
        op.drop_table(table)
    op.drop_column("people", "leads_most")
    op.drop_column("parties", "merged_into")
    op.drop_column("parties", "email")
    for index in ("ix_leads_party_id", "ix_leads_deadline_at", "ix_leads_chain_at", "ix_leads_one_open_each"):
        op.drop_index(index, table_name="leads")
    op.execute("update leads set stage = 'in_work' where stage = 'qualifying'")
    op.execute("update leads set stage = 'lost' where stage = 'reviving'")
    for column in (
        "chain_at", "chain_step", "chain", "contact_at", "fields", "duplicate_of", "reason", "stage_at", "step",
    ):  # fmt: skip
        op.drop_column("leads", column)
    op.create_index(
        "ix_leads_one_open_each", "leads", ["party_id"], unique=True, postgresql_where=sa.text(_OPEN_BEFORE)
    )
    moment = sa.TIMESTAMP(timezone=True)
    before = "To be taken into work or qualified by then."
    op.alter_column("leads", "deadline_at", comment=before, existing_type=moment, existing_nullable=True)
    op.alter_column("leads", "closed_at", comment=None, existing_type=moment, existing_nullable=True)
    op.drop_column("company", "leads")
