"""What a talk's text tells; scripts of lines and the company's topics

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_EMPTY = sa.text("'[]'::jsonb")
_TOPICS = '[{"name", "words": [word or phrase, ...]}], what talks are looked through for.'
_SCRIPT = '[{"step", "phrases": [...]}], what staff say.'


_LISTENED = "caller, staff, both, transcript, search or export."


def upgrade() -> None:
    op.alter_column("listens", "what", comment=_LISTENED, existing_type=sa.Text(), existing_nullable=False)
    op.add_column(
        "company", sa.Column("topics", postgresql.JSONB(), nullable=False, server_default=_EMPTY, comment=_TOPICS)
    )
    op.add_column(
        "lines", sa.Column("script", postgresql.JSONB(), nullable=False, server_default=_EMPTY, comment=_SCRIPT)
    )
    op.create_table(
        "talk_facts",
        sa.Column("call_id", sa.UUID(), nullable=False),
        sa.Column(
            "seconds",
            sa.Float(),
            nullable=False,
            comment="From the first word to the last, without what was not judged.",
        ),
        sa.Column("caller_seconds", sa.Float(), nullable=False, comment="Of speaking."),
        sa.Column("staff_seconds", sa.Float(), nullable=False),
        sa.Column("silence_seconds", sa.Float(), nullable=False),
        sa.Column("longest_silence_seconds", sa.Float(), nullable=False),
        sa.Column("longest_silence_at", sa.Float(), comment="Second of the call's line."),
        sa.Column("caller_monologue_seconds", sa.Float(), nullable=False),
        sa.Column("staff_monologue_seconds", sa.Float(), nullable=False),
        sa.Column(
            "response_seconds", sa.Float(), comment="Median pause before staff answer the caller; null: they never did."
        ),
        sa.Column("caller_words_per_minute", sa.Float(), comment="Null: it said too little."),
        sa.Column("staff_words_per_minute", sa.Float()),
        sa.Column("caller_questions", sa.Integer(), nullable=False),
        sa.Column("staff_questions", sa.Integer(), nullable=False),
        sa.Column("interruptions", postgresql.JSONB(), nullable=False, comment='[{"by": side, "at": second}]'),
        sa.Column(
            "steps",
            postgresql.JSONB(),
            nullable=False,
            comment='[{"step", "said", "at", "unsure"}], of the script as it was.',
        ),
        sa.Column(
            "topics",
            postgresql.JSONB(),
            nullable=False,
            comment='[{"topic", "mentions": [{"side", "at", "unsure"}]}], what was.',
        ),
        sa.Column("unsure_share", sa.Float(), nullable=False, comment="Of words that were heard badly."),
        sa.Column("low_confidence", sa.Boolean(), nullable=False),
        sa.Column("made_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["call_id"],
            ["transcripts.call_id"],
            name=op.f("fk_talk_facts_call_id_transcripts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_talk_facts")),
    )


def downgrade() -> None:
    op.drop_table("talk_facts")
    before = "caller, staff, both or transcript."
    op.alter_column("listens", "what", comment=before, existing_type=sa.Text(), existing_nullable=False)
    op.drop_column("lines", "script")
    op.drop_column("company", "topics")
