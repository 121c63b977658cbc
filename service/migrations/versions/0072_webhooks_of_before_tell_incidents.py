"""Webhooks that were told all events before there were incidents are told incidents too

Revision ID: 0072
Revises: 0071
"""

from alembic import op

revision = "0072"
down_revision = "0071"
branch_labels = None
depends_on = None

# Who named fewer events, or also messages to be sent on, chose them.
_ALL_OF_BEFORE = """
update crm_connections set steps = steps || array['incident']
where kind = 'webhook' and cardinality(steps) = 7 and steps @>
    array['call_started', 'call_answered', 'call_finished', 'recording', 'transcript', 'task', 'lead']
"""


def upgrade() -> None:
    op.execute(_ALL_OF_BEFORE)


def downgrade() -> None:
    """Nothing: the version before tells incidents too."""
