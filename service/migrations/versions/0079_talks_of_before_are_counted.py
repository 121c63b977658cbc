"""What the words of talks of before told, in numbers

Revision ID: 0079
Revises: 0078
"""

from alembic import op

revision = "0079"
down_revision = "0078"
branch_labels = None
depends_on = None

# Whoever writes facts meanwhile has them kept by the trigger (revision 0073).
_TALKS = """
insert into report_talks
select call_id, caller_seconds + staff_seconds, staff_seconds,
       jsonb_array_length(jsonb_path_query_array(interruptions, '$[*] ? (@.by == "staff")')), jsonb_array_length(steps),
       jsonb_array_length(jsonb_path_query_array(steps, '$[*] ? (@.said == true)'))
from talk_facts join calls on calls.id = call_id
on conflict (call_id) do nothing
"""


def upgrade() -> None:
    op.execute(_TALKS)


def downgrade() -> None:
    """Nothing: they go with their table."""
