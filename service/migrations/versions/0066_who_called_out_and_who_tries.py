"""A call out is of whoever called

Revision ID: 0066
Revises: 0062
"""

import sqlalchemy as sa
from alembic import op

revision = "0066"
down_revision = "0062"
branch_labels = None
depends_on = None

_COMMENT = "Key of who of ours talked on it; of a call out, who called."


FILL = """
update calls set person = caller.person
from calls out cross join lateral (
    select coalesce(
        jsonb_path_query_first(
            out.state, '$.facts[*] ? (@.kind == "OutgoingJudged" && @.person != "").person') #>> '{}',
        (select d.person from devices d where out.caller_number in (d.address, d.number) limit 1)
    ) as person) as caller
where out.id = calls.id and out.direction = 'outbound' and out.person is distinct from caller.person
  and caller.person is not null
"""


def upgrade() -> None:
    op.alter_column("calls", "person", existing_type=sa.Text(), comment=_COMMENT)
    op.execute(sa.text(FILL))


def downgrade() -> None:
    op.alter_column("calls", "person", existing_type=sa.Text(), comment=None, existing_comment=_COMMENT)
