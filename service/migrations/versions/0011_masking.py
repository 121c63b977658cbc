"""What is masked of talks

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_POLICY = '{"kinds": [...], "keep_original": false, "readers": role}, what is told only.'


def upgrade() -> None:
    for table in ("company", "lines"):
        column = sa.Column(
            "masking", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False, comment=_POLICY
        )
        op.add_column(table, column)
    op.add_column(
        "transcripts",
        sa.Column(
            "masked",
            postgresql.JSONB(),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
            comment='[{"side", "from", "to", "kind"}], seconds, muted on both sides; the words there are masked',
        ),
    )
    op.create_table(
        "unmasked_transcripts",
        sa.Column("call_id", sa.UUID(), nullable=False),
        sa.Column(
            "words", postgresql.JSONB(), nullable=False, comment="As in transcripts, before anything was masked."
        ),
        sa.Column("made_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["call_id"],
            ["transcripts.call_id"],
            name=op.f("fk_unmasked_transcripts_call_id_transcripts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_unmasked_transcripts")),
        comment="Where the policy keeps originals: for the one role that may read them, never searched.",
    )


def downgrade() -> None:
    op.drop_table("unmasked_transcripts")
    op.drop_column("transcripts", "masked")
    for table in ("lines", "company"):
        op.drop_column(table, "masking")
