"""Days are counted for reports, and marked by whatever changes what was counted

Revision ID: 0073
Revises: 0072
"""

import sqlalchemy as sa
from alembic import op

revision = "0073"
down_revision = "0072"
branch_labels = None
depends_on = None

# Marks are told by our clock; times of calls are the PBX's.
_CALL = """
create function switchhook_mark_call() returns trigger language plpgsql as $$
declare
    ours interval := coalesce((select ahead from pbx_clocks where pbx = coalesce(new.pbx, old.pbx)), interval '0');
    settles boolean := tg_op = 'INSERT' or (tg_op = 'UPDATE' and old.settled_at is null);
begin
    insert into report_marks (moment, onward)
    select distinct at - ours, settles from (values (old.started_at), (new.started_at)) as told (at)
    where at is not null;
    return null;
end
$$
"""
_CALL_TRIGGERS = (
    """
    create trigger switchhook_mark_new_call after insert on calls for each row
    when (new.settled_at is not null and new.direction <> 'synthetic') execute function switchhook_mark_call()
    """,
    """
    create trigger switchhook_mark_call after update on calls for each row
    when (coalesce(old.settled_at, new.settled_at) is not null and row(
            old.settled_at is null, old.joined_into, old.direction, old.status, old.line, old.person, old.started_at,
            old.answered_at, old.ended_at, old.missed_cause, old.charged_to, old.talk_seconds, old.wait_seconds,
            old.party_id)
        is distinct from row(
            new.settled_at is null, new.joined_into, new.direction, new.status, new.line, new.person, new.started_at,
            new.answered_at, new.ended_at, new.missed_cause, new.charged_to, new.talk_seconds, new.wait_seconds,
            new.party_id))
    execute function switchhook_mark_call()
    """,
    """
    create trigger switchhook_mark_no_call after delete on calls for each row
    when (old.settled_at is not null and old.direction <> 'synthetic') execute function switchhook_mark_call()
    """,
)
# Whether a promise is open at the end of a day changes with the day on which it was opened, and on which it was closed.
_PROMISE = """
create function switchhook_mark_promise() returns trigger language plpgsql as $$
begin
    insert into report_marks (moment, onward)
    select distinct at, onward from (values
        (old.opened_at, tg_op <> 'UPDATE' or old.opened_at <> new.opened_at), (old.closed_at, true),
        (new.opened_at, tg_op <> 'UPDATE' or old.opened_at <> new.opened_at), (new.closed_at, true)) as told (at, onward)
    where at is not null;
    return null;
end
$$
"""
_PROMISE_TRIGGERS = (
    """
    create trigger switchhook_mark_promise after insert or delete on follow_ups
    for each row execute function switchhook_mark_promise()
    """,
    """
    create trigger switchhook_mark_changed_promise after update on follow_ups for each row
    when (row(old.opened_at, old.closed_at, old.closed_by, old.owner, old.line)
        is distinct from row(new.opened_at, new.closed_at, new.closed_by, new.owner, new.line))
    execute function switchhook_mark_promise()
    """,
)
# Many leads are written at once: one look at what was written, a mark an hour of it.
_LEAD = """
create function switchhook_mark_leads() returns trigger language plpgsql as $$
begin
    insert into report_marks (moment, onward)
    select distinct date_trunc('hour', at), true from told where kind in ('opened', 'stage', 'owner', 'deadline');
    return null;
end
$$
"""
_LEAD_TRIGGERS = (
    """
    create trigger switchhook_mark_leads after insert on lead_events
    referencing new table as told for each statement execute function switchhook_mark_leads()
    """,
    """
    create trigger switchhook_mark_no_leads after delete on lead_events
    referencing old table as told for each statement execute function switchhook_mark_leads()
    """,
)
_TASK = """
create function switchhook_mark_task() returns trigger language plpgsql as $$
begin
    insert into report_marks (moment, onward)
    select distinct at, true from (values (old.made_at), (old.done_at), (new.made_at), (new.done_at)) as told (at)
    where at is not null;
    return null;
end
$$
"""
_TASK_TRIGGERS = (
    """
    create trigger switchhook_mark_task after insert or delete on tasks
    for each row execute function switchhook_mark_task()
    """,
    """
    create trigger switchhook_mark_changed_task after update of done_at, lead_id on tasks for each row
    when (row(old.done_at, old.lead_id) is distinct from row(new.done_at, new.lead_id))
    execute function switchhook_mark_task()
    """,
)
_TALK = """
create function switchhook_keep_talk() returns trigger language plpgsql as $$
begin
    insert into report_talks (call_id, speech_seconds, staff_seconds, interruption_count, due_count, said_count)
    values (
        new.call_id, new.caller_seconds + new.staff_seconds, new.staff_seconds,
        jsonb_array_length(jsonb_path_query_array(new.interruptions, '$[*] ? (@.by == "staff")')),
        jsonb_array_length(new.steps),
        jsonb_array_length(jsonb_path_query_array(new.steps, '$[*] ? (@.said == true)')))
    on conflict (call_id) do update set
        speech_seconds = excluded.speech_seconds, staff_seconds = excluded.staff_seconds,
        interruption_count = excluded.interruption_count, due_count = excluded.due_count,
        said_count = excluded.said_count;
    return null;
end
$$
"""
_TALK_TRIGGER = """
create trigger switchhook_keep_talk after insert or update on talk_facts
for each row execute function switchhook_keep_talk()
"""
_HEARD = """
create function switchhook_mark_heard() returns trigger language plpgsql as $$
begin
    insert into report_marks (moment, onward)
    select distinct started_at - coalesce(ahead, interval '0'), false from calls left join pbx_clocks using (pbx)
    where id in (old.call_id, new.call_id) and started_at is not null;
    return null;
end
$$
"""
_HEARD_TRIGGER = """
create trigger switchhook_mark_heard after insert or update or delete on report_talks
for each row execute function switchhook_mark_heard()
"""
_TOLD = """
create function switchhook_mark_told() returns trigger language plpgsql as $$
begin
    insert into report_marks (moment, onward)
    select distinct at, false from (values (old.told_at), (new.told_at)) as told (at) where at is not null;
    return null;
end
$$
"""
_TOLD_TRIGGERS = (
    """
    create trigger switchhook_mark_told after insert or delete on desk_cards
    for each row execute function switchhook_mark_told()
    """,
    """
    create trigger switchhook_mark_changed_told after update of told_at, call_id on desk_cards for each row
    when (row(old.told_at, old.call_id) is distinct from row(new.told_at, new.call_id))
    execute function switchhook_mark_told()
    """,
)
_FUNCTIONS = {
    "switchhook_mark_call": (_CALL, _CALL_TRIGGERS),
    "switchhook_mark_promise": (_PROMISE, _PROMISE_TRIGGERS),
    "switchhook_mark_leads": (_LEAD, _LEAD_TRIGGERS),
    "switchhook_mark_task": (_TASK, _TASK_TRIGGERS),
    "switchhook_keep_talk": (_TALK, (_TALK_TRIGGER,)),
    "switchhook_mark_heard": (_HEARD, (_HEARD_TRIGGER,)),
    "switchhook_mark_told": (_TOLD, _TOLD_TRIGGERS),
}
# All that triggers and the key of talks lock, in the order of who writes calls, and before any of it is held for long.
_LOCK = """
lock table calls, follow_ups, lead_events, tasks, talk_facts, desk_cards in share row exclusive mode
"""


def upgrade() -> None:
    op.execute(_LOCK)
    op.create_table(
        "report_facts",
        sa.Column("day", sa.Date(), nullable=False, comment="Of the company's time zone."),
        sa.Column("count", sa.Text(), nullable=False, comment="Its key in reports.registry."),
        sa.Column("team", sa.Text(), nullable=False, comment="Empty, as all that follow: there is none."),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("line", "person", "detail")),
        sa.Column("value", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("day", "count", "team", "line", "person", "detail", name=op.f("pk_report_facts")),
        comment="What was counted on a day, by whose it is; a day is written whole.",
    )
    op.create_table(
        "report_hours",
        sa.Column("day", sa.Date(), nullable=False, comment="Of the company's time zone."),
        sa.Column("count", sa.Text(), nullable=False, comment="Its key in reports.registry."),
        sa.Column("team", sa.Text(), nullable=False, comment="Empty, as the line: there is none."),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("hour", sa.SmallInteger(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.CheckConstraint("hour between 0 and 23", name=op.f("ck_report_hours_hour")),
        sa.PrimaryKeyConstraint("day", "count", "team", "line", "hour", name=op.f("pk_report_hours")),
        comment="The same by the hour.",
    )
    op.create_table(
        "report_days",
        sa.Column("day", sa.Date(), nullable=False, comment="Of the company's time zone."),
        sa.Column(
            "built_at",
            sa.TIMESTAMP(timezone=True),
            nullable=True,
            comment="As of when its facts are; null: never counted.",
        ),
        sa.Column(
            "ground",
            sa.Text(),
            nullable=True,
            comment="Digest of what its facts rest on besides what happened; null: never counted.",
        ),
        sa.Column(
            "waiting", sa.Boolean(), nullable=False, server_default=sa.false(), comment="It is to be counted anew."
        ),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_report_days")),
        comment="Which days were counted, and which are to be.",
    )
    op.create_index("ix_report_facts_waiting", "report_days", ["day"], postgresql_where=sa.text("waiting"))
    op.create_table(
        "report_marks",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column(
            "moment",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="Of what changed, by our clock: its day is to be counted anew.",
        ),
        sa.Column(
            "onward", sa.Boolean(), nullable=False, comment="Also the days since: what stood at their end changed."
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_marks")),
        comment="What changed, told by triggers of the tables that are counted; taken when its days are set to wait.",
    )
    op.create_table(
        "report_talks",
        sa.Column("call_id", sa.UUID(), nullable=False),
        sa.Column("speech_seconds", sa.Float(), nullable=False, comment="Of both sides."),
        sa.Column("staff_seconds", sa.Float(), nullable=False),
        sa.Column("interruption_count", sa.Integer(), nullable=False, comment="By staff."),
        sa.Column("due_count", sa.Integer(), nullable=False, comment="Steps of the script as it was."),
        sa.Column("said_count", sa.Integer(), nullable=False, comment="Of them, said."),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name=op.f("fk_report_talks_call_id_calls"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_report_talks")),
        comment="What a talk's words told, in numbers: kept by a trigger of talk_facts, and longer than the words.",
    )
    for function, triggers in _FUNCTIONS.values():
        op.execute(function)
        for trigger in triggers:
            op.execute(trigger)


def downgrade() -> None:
    for name in _FUNCTIONS:
        op.execute(f"drop function {name}() cascade")
    for table in ("report_talks", "report_marks", "report_days", "report_hours", "report_facts"):
        op.drop_table(table)
