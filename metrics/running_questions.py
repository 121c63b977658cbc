"""What the database is asked about the service's own running, in SQL: its work, notices, copies and troubles."""

from __future__ import annotations

from typing import Final

from calls.queue import READY_AT

WAITING: Final = """
    select queue, count(id) from unnest(cast(:queues as text[])) as queue
    left join procrastinate_jobs on queue_name = queue and status in ('todo', 'doing') group by queue
"""
OLDEST: Final = f"""
    select queue, coalesce(extract(epoch from clock_timestamp() - min({READY_AT})), 0)
    from unnest(cast(:queues as text[])) as queue
    left join procrastinate_jobs as job on queue_name = queue and status in ('todo', 'doing')
        and coalesce(scheduled_at, '-infinity') <= statement_timestamp() group by queue
"""  # noqa: S608 - of our own text
# A job that asks to run again is young again each time: it is as old as its first run.
RETRYING: Final = """
    select queue, coalesce(extract(epoch from clock_timestamp() - min(first.at)), 0)
    from unnest(cast(:queues as text[])) as queue
    left join procrastinate_jobs as job on queue_name = queue and status in ('todo', 'doing') and attempts > 0
    left join lateral (
        select min(at) as at from procrastinate_events where job_id = job.id and type = 'started') as first on true
    group by queue
"""
GIVEN_UP: Final = """
    select queue, count(id) from unnest(cast(:queues as text[])) as queue
    left join procrastinate_jobs on queue_name = queue and status = 'failed' group by queue
"""
FAILED: Final = """
    select queue, coalesce(count, 0) from unnest(cast(:queues as text[])) as queue left join job_failures using (queue)
"""
SYNTHETIC: Final = """
    select word, coalesce(count, 0) from unnest(cast(:results as text[])) as word
    left join synthetic_counts on result = word
"""
SYNTHETIC_STEPS: Final = """
    select word, cast(steps->>word as float) from unnest(cast(:steps as text[])) as word
    cross join (select steps from synthetic_calls where ended_at is not null order by asked_at desc limit 1) as last
    where steps ? word
"""
SYNTHETIC_AGE: Final = """
    select extract(epoch from clock_timestamp() - max(ended_at)) from synthetic_calls where result = 'ok'
"""
SYNTHETIC_LAST: Final = """
    select extract(epoch from clock_timestamp() - max(ended_at)) from synthetic_calls
"""
SYNTHETIC_IN_A_ROW: Final = """
    select count(*) from synthetic_calls
    where result <> 'ok' and asked_at > coalesce(
        (select max(asked_at) from synthetic_calls where result = 'ok'), '-infinity')
"""
NOTICES: Final = """
    select channel, result, coalesce(count, 0)
    from unnest(array['email', 'telegram', 'webhook']) as channel
    cross join unnest(array['done', 'dead', 'unknown']) as result
    left join notice_counts using (channel, result)
"""
NOTICES_OPEN: Final = """
    select word, count(notice_messages.id) from unnest(array['email', 'telegram', 'webhook']) as word
    left join notice_messages on channel = word and due_at < statement_timestamp()
        and (state = 'planned' or (state = 'sent' and reason is null))
    group by word
"""
NOTICES_OLDEST: Final = """
    select word, coalesce(extract(epoch from clock_timestamp() - min(due_at)), 0)
    from unnest(array['email', 'telegram', 'webhook']) as word
    left join notice_messages on channel = word and due_at < statement_timestamp()
        and (state = 'planned' or (state = 'sent' and reason is null))
    group by word
"""
CHANNELS_DEAD: Final = """
    select word, count(dead_channels.person) from unnest(array['email', 'telegram', 'webhook']) as word
    left join dead_channels on channel = word group by word
"""
_FEEDS: Final = """
    feeds as (
        select key, fetched_at, failure from people left join calendars
        on person = key and address_digest = sha256(convert_to(calendar, 'UTF8')) where calendar is not null)
"""
CALENDARS: Final = f"""
    with {_FEEDS}, told as (
        select key, case when fetched_at is null then 'never' when failure is null then 'fresh'
                         when failure = 'partly_read' then 'partly' else 'failing' end as state from feeds)
    select word, count(key) from unnest(array['fresh', 'partly', 'failing', 'never']) as word
    left join told on state = word group by word
"""  # noqa: S608 - of our own text
DOCTOR: Final = """
    select word, count(name) from unnest(array['ok', 'warn', 'fail']) as word
    left join doctor_checks on state = word and examined_at = (select max(examined_at) from doctor_checks)
    group by word
"""
CALENDAR_AGE: Final = f"""
    with {_FEEDS} select extract(epoch from clock_timestamp() - min(fetched_at)) from feeds
"""  # noqa: S608 - of our own text
BACKUP_AGE: Final = "select extract(epoch from clock_timestamp() - max(made_at)) from backups"
BACKUPS: Final = "select count(*) from backups"
INCIDENTS_OPEN: Final = """
    select word, count(incidents.id) from unnest(cast(:kinds as text[])) as word
    left join incidents on kind = word and ended_at is null group by word
"""
INCIDENTS: Final = """
    select word, count(incidents.id) from unnest(cast(:kinds as text[])) as word
    left join incidents on kind = word group by word
"""
REPORT_FACTS_AGE: Final = "select extract(epoch from clock_timestamp() - max(built_at)) from report_days"
REPORT_DAYS_WAITING: Final = "select count(*) from report_days where waiting"
