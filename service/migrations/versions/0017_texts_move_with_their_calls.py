"""A call's text takes its facts and its unmasked words along when the call becomes part of another

Revision ID: 0017
Revises: 0016
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_OF_A_TEXT = ("talk_facts", "unmasked_transcripts")


def upgrade() -> None:
    _refer(onupdate="CASCADE")


def downgrade() -> None:
    _refer(onupdate=None)


def _refer(onupdate: str | None) -> None:
    for table in _OF_A_TEXT:
        name = op.f(f"fk_{table}_call_id_transcripts")
        op.drop_constraint(name, table, type_="foreignkey")
        op.create_foreign_key(
            name, table, "transcripts", ["call_id"], ["call_id"], ondelete="CASCADE", onupdate=onupdate
        )
