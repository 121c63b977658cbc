"""Counts outlive what they count: failures of jobs, results of synthetic calls

Revision ID: 0071
Revises: 0070
"""

import sqlalchemy as sa
from alembic import op

revision = "0071"
down_revision = "0070"
branch_labels = None
depends_on = None

_COUNT = """
create function switchhook_count_job_failure() returns trigger language plpgsql as $$
begin
    insert into job_failures (queue, count) values (new.queue_name, 1)
    on conflict (queue) do update set count = job_failures.count + 1;
    return null;
end
$$
"""
_TRIGGER = """
create trigger switchhook_count_job_failure after update of status on procrastinate_jobs
for each row when (new.status = 'failed' and old.status <> 'failed') execute function switchhook_count_job_failure()
"""
_FAILED = """
insert into job_failures select queue_name, count(*) from procrastinate_events as event
join procrastinate_jobs as job on event.job_id = job.id where event.type = 'failed' group by queue_name
"""
_SYNTHETIC = """
insert into synthetic_counts select result, count(*) from synthetic_calls where result is not null group by result
"""


def upgrade() -> None:
    op.create_table(
        "job_failures",
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("queue", name=op.f("pk_job_failures")),
        comment="How many jobs failed for good, since ever, counted by a trigger: the jobs themselves are forgotten.",
    )
    op.create_table(
        "synthetic_counts",
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("result", name=op.f("pk_synthetic_counts")),
        comment="How many synthetic calls came to what, since ever: the calls themselves are forgotten.",
    )
    op.execute(_COUNT)
    op.execute(_TRIGGER)
    op.execute(_FAILED)
    op.execute(_SYNTHETIC)


def downgrade() -> None:
    op.execute("drop trigger switchhook_count_job_failure on procrastinate_jobs")
    op.execute("drop function switchhook_count_job_failure()")
    op.drop_table("synthetic_counts")
    op.drop_table("job_failures")
