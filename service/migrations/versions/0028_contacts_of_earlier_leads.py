"""Open leads of earlier versions know their last talk

Revision ID: 0028
Revises: 0027
"""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A talk from before the lead is none of the lead's.
    op.execute(
        """
        update leads set contact_at = talk.at
        from (
            select l.id, max(c.started_at) as at
            from leads l join calls c on c.party_id = l.party_id and c.started_at >= l.opened_at
            where l.contact_at is null and l.closed_at is null
              and c.answered_at is not null and c.joined_into is null
            group by l.id
        ) as talk
        where leads.id = talk.id
        """
    )


def downgrade() -> None:
    pass  # what is known stays
