"""What is searched for is looked for among the newest talks and notes first

Revision ID: 0048
Revises: 0045
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0048"
down_revision = "0045"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_transcripts_made_at", "transcripts", ["made_at"])
    op.drop_index("ix_notes_words", "notes")
    words = sa.Computed("to_tsvector('russian'::regconfig, text)", persisted=True)
    op.add_column("notes", sa.Column("search", postgresql.TSVECTOR(), words))
    op.create_index("ix_notes_search", "notes", ["search"], postgresql_using="gin")
    # A table of a size is read anew by itself after many changes only; until then its words would be taken for rare.
    op.execute("analyze notes")


def downgrade() -> None:
    op.drop_index("ix_notes_search", "notes")
    op.drop_column("notes", "search")
    op.execute("create index ix_notes_words on notes using gin (to_tsvector('russian', text))")
    op.drop_index("ix_transcripts_made_at", "transcripts")
