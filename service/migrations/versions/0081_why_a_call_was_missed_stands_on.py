"""Why a call was missed tells of the ends of days since, too: who waits because of what

Revision ID: 0081
Revises: 0080
"""

from alembic import op

revision = "0081"
down_revision = "0080"
branch_labels = None
depends_on = None

_MARK = """
create or replace function switchhook_mark_call() returns trigger language plpgsql as $$
declare
    ours interval := coalesce((select ahead from pbx_clocks where pbx = coalesce(new.pbx, old.pbx)), interval '0');
    stands_on boolean := tg_op = 'INSERT' or (tg_op = 'UPDATE' and ({stands_on}));
begin
    insert into report_marks (moment, onward)
    select distinct at - ours, stands_on from (values (old.started_at), (new.started_at)) as told (at)
    where at is not null;
    return null;
end
$$
"""
_SETTLES = "old.settled_at is null"


def upgrade() -> None:
    op.execute(_MARK.format(stands_on=f"{_SETTLES} or old.missed_cause is distinct from new.missed_cause"))


def downgrade() -> None:
    op.execute(_MARK.format(stands_on=_SETTLES))
