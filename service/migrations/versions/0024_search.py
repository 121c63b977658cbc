"""Parties, their leads and their calls are found by names that are misspelt and by pieces of numbers

Revision ID: 0024
Revises: 0023
"""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_INDEXES = (
    "ix_calls_party_id_started_at on calls (party_id, started_at) where party_id is not null",
    "ix_calls_caller_number_trgm on calls using gin (caller_number gin_trgm_ops) with (fastupdate = off)"
    " where direction = 'inbound' and settled_at is not null and joined_into is null",
    "ix_calls_dialed_trgm on calls using gin (dialed gin_trgm_ops) with (fastupdate = off)"
    " where direction = 'outbound' and settled_at is not null and joined_into is null",
    "ix_parties_name_trgm on parties using gin ((translate(lower(name), 'ё', 'е')) gin_trgm_ops)",
    "ix_party_numbers_number_trgm on party_numbers using gin (number gin_trgm_ops)",
    "ix_leads_fields_words on leads using gin (to_tsvector('russian', fields))",
    "ix_notes_words on notes using gin (to_tsvector('russian', text))",
)


def upgrade() -> None:
    op.execute("create extension if not exists pg_trgm")
    for index in _INDEXES:
        op.execute(f"create index {index}")


def downgrade() -> None:
    for index in _INDEXES:
        op.drop_index(index.partition(" ")[0])
    op.execute("drop extension pg_trgm")
