"""What the database is asked every few seconds: one statement a family, whose last column is the value.

Questions about calls look seven days back: what is older was acted upon, or never will be. They compare with
`statement_timestamp()`, which an index serves; `clock_timestamp()` is another time for each row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from calls.incidents import KINDS
from calls.queue import QUEUES
from calls.synthetic import RESULTS as SYNTHETIC_RESULTS
from calls.synthetic import STEPS
from crm_sync.book.lifecycle import OPEN, STAGES
from crm_sync.book.revival import RESULTS
from crm_sync.ledger.counting import SECONDS
from crm_sync.ledger.tables import OPEN_STATES
from metrics import crm_questions as crm
from metrics import running_questions as running
from recordings.gaps import LOST, OF_CALLS
from recordings.privacy_tables import REMOVED
from routing.outgoing import REFUSALS

SELDOM: Final = 60.0
"""Seconds until what goes through many rows, or failed, is asked again."""


@dataclass(frozen=True, slots=True)
class Question:
    """One family: `sql` gives a row a series, first the values of `labels`, then the value (null: nothing to tell).

    A histogram's rows are its buckets in order, series by series: the labels, the greatest value, how many are not
    above it, and the sum of all. What goes through many rows is asked every `every_seconds` alone.
    """

    name: str
    about: str
    labels: tuple[str, ...]
    sql: str
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    counts: bool = False
    histogram: bool = False
    every_seconds: float = 0


_LIVE = """
    select word, count(id) from unnest(array['ringing', 'talking', 'voicemail']) as word
    left join calls on status = word and ended_at is null and settled_at is null and joined_into is null
        and direction not in ('synthetic', 'nps') group by word
"""
_MISSED_OPEN = """
    with waiting as (select clock_timestamp() - opened_at as age from follow_ups where closed_at is null)
    select word, count(waiting.age) from (values
        ('under_15m', interval '-1 day', interval '15 minutes'), ('under_1h', interval '15 minutes', interval '1 hour'),
        ('under_1d', interval '1 hour', interval '1 day'), ('over_1d', interval '1 day', interval '100 years')
    ) as ages(word, least, most) left join waiting on waiting.age >= least and waiting.age < most group by word
"""
_FOLLOW_UPS_OPEN = """
    select word, count(id) from unnest(array['in_time', 'overdue']) as word
    left join follow_ups on closed_at is null and (word = 'overdue') = coalesce(due_at < statement_timestamp(), false)
    group by word
"""
# A bucket is for all that are not above its bound, so both are looked at from the other side of zero.
_CALLED_BACK = """
    with bounds as (select most, place from unnest(cast(:buckets as text[])) with ordinality as told(most, place)),
    below as (select array_agg(-most::float order by -most::float) as zero from bounds),
    spent as (
        select width_bucket(-seconds, (select zero from below)) as fits, count(*) as count, sum(seconds) as sum
        from (select greatest(extract(epoch from closed_at - opened_at), 0)::float as seconds
              from follow_ups where closed_by = 'talk') as one group by fits)
    select most, (select coalesce(sum(count), 0) from spent where fits > (select count(*) from bounds) - place),
           (select coalesce(sum(sum), 0) from spent)
    from bounds order by place
"""
# Times in `calls` are the PBX's, and its clock is `ahead` of ours.
_MISSING = """
    select count(distinct call_id) from recordings
    where state = any(cast(:lost as text[])) and stored_at > statement_timestamp() - interval '7 days'
      and not exists (select from calls where calls.id = call_id and direction = 'synthetic')
"""
# A line or trunk that is in no directory is told as `other`, so that the labels stay as few as the company's own.
_GAPS = """
    with trunks as (select trunk from lines union select trunk from devices), told as (
        select case when audio.state = 'stored' then 'not_in_crm' else audio.state end as state, audio.transfer,
               case when coalesce(calls.line, '') = '' then 'none' when lines.number is null then 'other'
                    else lines.number end as line,
               case when audio.trunk = '' then 'none'
                    when exists (select from trunks where trunks.trunk = audio.trunk) then audio.trunk
                    else 'other' end as trunk
        from call_audio as audio join calls on calls.id = call_id and joined_into is null
        left join lines on lines.number = ltrim(calls.line, '+')
        where (audio.state <> 'stored' or audio.not_in_crm_since is not null)
          and audio.judged_at > statement_timestamp() - interval '7 days')
    select state, line, trunk, transfer, count(*) from told group by state, line, trunk, transfer
"""
_JUDGED = """
    select word, count(calls.id) from unnest(cast(:states as text[])) as word
    left join (call_audio as audio join calls on calls.id = audio.call_id and joined_into is null)
        on word = case when audio.state = 'stored' and not_in_crm_since is not null then 'not_in_crm'
                       else audio.state end
        and judged_at > statement_timestamp() - interval '7 days' group by word
"""
_SPEED = """
    select sum(took_seconds) / nullif(sum(audio_seconds), 0) from transcripts
    where made_at > statement_timestamp() - interval '1 hour'
"""
_LAG = """
    select extract(epoch from max(made_at - ended_at + coalesce(ahead, interval '0')))
    from transcripts join calls on calls.id = call_id and direction <> 'synthetic' left join pbx_clocks using (pbx)
    where made_at > statement_timestamp() - interval '1 hour'
"""
_LEADS = """
    select word, count(leads.id) from unnest(cast(:stages as text[])) as word
    left join leads on stage = word group by word
"""
_OVERDUE = """
    select word, count(leads.id) from unnest(cast(:stages as text[])) as word
    left join leads on stage = word and deadline_at < statement_timestamp() group by word
"""
_FORGOTTEN = "select forgotten from attention_days order by day desc limit 1"
_OVERLOADED = "select overloaded from attention_days order by day desc limit 1"
_REVIVED = """
    select count(*) from lead_events where kind = 'stage' and before in ('lost', 'reviving') and after ~ '^in_work'
"""
_REVIVAL_STEPS = """
    select case word when 'task' then 'task' when 'other_lead' then 'none' when 'chain_gone' then 'none'
                else 'message' end, word, count(id)
    from unnest(cast(:results as text[])) as word
    left join lead_events on kind in ('revival', 'message') and reason = word group by word
"""
_DEVICES = """
    select device, max(device_states.reachable::int) from device_states
    join devices on address = device where kind <> 'mobile' group by device
"""
_TRUNKS = """
    select device, max(device_states.reachable::int) from device_states
    where device in (select trunk from lines union select trunk from devices) group by device
"""
_REMOVED = """
    select kind, cause, count(call_id) from unnest(cast(:kinds as text[])) as kind
    cross join unnest(array['policy', 'erasure', 'refusal']) as cause
    left join (select * from removals where at > statement_timestamp() - interval '7 days') as one using (kind, cause)
    group by kind, cause
"""
_ERASURES_OPEN = "select count(*) from erasures where finished_at is null"
_OUTGOING_REFUSED = """
    select word, count(outgoing_calls.id) from unnest(cast(:reasons as text[])) as word
    left join outgoing_calls on state = 'refused' and reason = word group by word
"""
_QUEUES: Final = {"queues": QUEUES}
_OPEN_EFFECTS: Final = {"states": (*OPEN_STATES, "dead")}
_STATES: Final = {"states": OF_CALLS}

QUESTIONS: Final = (
    Question("jobs_waiting", "Jobs owed: waiting, running or to be tried again.", ("queue",), running.WAITING, _QUEUES),
    Question(
        "job_oldest_seconds",
        "For how long the oldest that may run now could have run.",
        ("queue",),
        running.OLDEST,
        _QUEUES,
    ),
    Question(
        "job_retrying_seconds",
        "Since when the oldest of the jobs that run again and again ran first.",
        ("queue",),
        running.RETRYING,
        _QUEUES,
    ),
    Question(
        "jobs_given_up", "Jobs that failed for good and wait for a person.", ("queue",), running.GIVEN_UP, _QUEUES
    ),
    Question(
        "jobs_failed",
        "Jobs that failed for good, also those that were tried again since.",
        ("queue",),
        running.FAILED,
        _QUEUES,
        counts=True,
    ),
    Question("incidents_open", "Faults that go on.", ("kind",), running.INCIDENTS_OPEN, {"kinds": tuple(KINDS)}),
    Question(
        "incidents",
        "Faults that were kept, since ever.",
        ("kind",),
        running.INCIDENTS,
        {"kinds": tuple(KINDS)},
        counts=True,
    ),
    Question("calls_live", "Calls going on now.", ("status",), _LIVE),
    Question(
        "missed_calls_open",
        "Callers whom nobody has talked with since they were missed, by age.",
        ("age",),
        _MISSED_OPEN,
    ),
    Question(
        "follow_ups_open", "Promises to call back, by whether the deadline is past.", ("state",), _FOLLOW_UPS_OPEN
    ),
    Question(
        "follow_up_seconds",
        "From the first missed call to the talk that ended the wait.",
        (),
        _CALLED_BACK,
        {"buckets": ("60", "300", "900", "1800", "3600", "7200", "14400", "28800", "86400", "259200", "Infinity")},
        histogram=True,
        every_seconds=SELDOM,
    ),
    Question(
        "outgoing_refused",
        "Calls to the outside that were refused, by the reason.",
        ("reason",),
        _OUTGOING_REFUSED,
        {"reasons": REFUSALS},
        counts=True,
    ),
    Question(
        "recordings_missing",
        "Calls of seven days whose audio, of one side or both, could not be had.",
        (),
        _MISSING,
        {"lost": LOST},
    ),
    Question(
        "synthetic_calls",
        "Calls that the service made to see that everything works, by ok or the step that failed.",
        ("result",),
        running.SYNTHETIC,
        {"results": SYNTHETIC_RESULTS},
        counts=True,
    ),
    Question(
        "synthetic_step_seconds",
        "Of the last synthetic call, from its beginning to each step that was done.",
        ("step",),
        running.SYNTHETIC_STEPS,
        {"steps": STEPS},
    ),
    Question("synthetic_last_ok_age_seconds", "Since a synthetic call went through whole.", (), running.SYNTHETIC_AGE),
    Question("synthetic_last_age_seconds", "Since a synthetic call was over.", (), running.SYNTHETIC_LAST),
    Question(
        "synthetic_failed_in_a_row",
        "Synthetic calls that failed since one went through.",
        (),
        running.SYNTHETIC_IN_A_ROW,
    ),
    Question(
        "recordings_judged",
        "Calls of seven days by how complete their audio is.",
        ("state",),
        _JUDGED,
        _STATES,
        every_seconds=SELDOM,
    ),
    Question(
        "recordings_gaps",
        "Calls of seven days whose audio is not complete, by where it happened; no series where there is none.",
        ("state", "line", "trunk", "transfer"),
        _GAPS,
    ),
    Question(
        "calls_removed",
        "Calls of which sound, text or who it was were removed in seven days, by policy, by erasure or by refusal.",
        ("kind", "cause"),
        _REMOVED,
        {"kinds": REMOVED},
    ),
    Question("erasures_open", "Persons who asked to be erased and are not yet whole.", (), _ERASURES_OPEN),
    Question("transcription_realtime_factor", "Time spent over audio done, last hour.", (), _SPEED),
    Question("transcription_lag_seconds", "From hang-up to text, the longest of the last hour.", (), _LAG),
    Question("leads", "Leads by stage.", ("stage",), _LEADS, {"stages": STAGES}, every_seconds=SELDOM),
    Question(
        "leads_overdue",
        "Open leads past the deadline of their stage.",
        ("deadline",),
        _OVERDUE,
        {"stages": OPEN},
        every_seconds=SELDOM,
    ),
    Question("leads_forgotten", "Open leads without contact and task for too long, as of today.", (), _FORGOTTEN),
    Question("leads_overloaded_people", "People with more open leads than their limit.", (), _OVERLOADED),
    Question(
        "notices_total", "Messages of notices, by how they ended.", ("channel", "result"), running.NOTICES, counts=True
    ),
    Question("notices_open", "Messages of notices that are due and not delivered.", ("channel",), running.NOTICES_OPEN),
    Question("notice_oldest_seconds", "For how long the oldest of them is due.", ("channel",), running.NOTICES_OLDEST),
    Question("notice_addresses_dead", "Addresses of people that take no message.", ("channel",), running.CHANNELS_DEAD),
    Question(
        "crm_ledger_open", "Effects that are not done, by state.", ("crm", "state"), crm.LEDGER_OPEN, _OPEN_EFFECTS
    ),
    Question("crm_oldest_effect_seconds", "Since when the oldest effect is owed.", ("crm",), crm.LEDGER_OLDEST),
    Question("crm_connected", "A connection is not ended by the other side (1), or is (0).", ("crm",), crm.CONNECTED),
    Question("crm_requests", "What a CRM was asked.", ("crm", "operation", "result"), crm.CRM_REQUESTS, counts=True),
    Question(
        "crm_request_seconds",
        "How long CRMs took to answer.",
        ("crm", "operation"),
        crm.CRM_SECONDS,
        {"buckets": tuple("Infinity" if most == float("inf") else f"{most:g}" for most in SECONDS)},
        histogram=True,
    ),
    Question("crm_grant_seconds", "For how long what lets us in is good.", ("crm", "token"), crm.GRANTS),
    Question("crm_limit_used", "What a CRM says that we used of a limit.", ("crm", "bucket"), crm.LIMIT_USED),
    Question("crm_limit_most", "How much of it may be used.", ("crm", "bucket"), crm.LIMIT_MOST),
    Question("crm_missing", "Rights and settings that a connection lacks.", ("crm",), crm.MISSING),
    Question(
        "report_facts_age_seconds",
        "Since when no day was counted for reports, of which today is every ten minutes; no series before the first.",
        (),
        running.REPORT_FACTS_AGE,
    ),
    Question(
        "report_facts_waiting", "Days whose facts are to be counted anew for reports.", (), running.REPORT_DAYS_WAITING
    ),
    Question("leads_revived", "Lost leads that came back to work.", (), _REVIVED, counts=True, every_seconds=SELDOM),
    Question(
        "revival_steps",
        "Steps of revival chains that were taken, by what they came to.",
        ("do", "result"),
        _REVIVAL_STEPS,
        {"results": RESULTS},
        counts=True,
        every_seconds=SELDOM,
    ),
    Question("calendars", "Feeds of people's calendars by how they are kept.", ("state",), running.CALENDARS),
    Question("doctor_checks", "Checks of the doctor's last daily look, by how they stand.", ("state",), running.DOCTOR),
    Question("calendar_oldest_seconds", "Age of the oldest copy of a calendar.", (), running.CALENDAR_AGE),
    Question("backups_made", "Backups that were finished.", (), running.BACKUPS, counts=True),
    Question(
        "backup_age_seconds", "Of which age the newest backup is; no series before the first.", (), running.BACKUP_AGE
    ),
    Question("device_reachable", "A phone of staff can be rung (1) or not (0).", ("device",), _DEVICES),
    Question("trunk_reachable", "A trunk of the directory is there (1) or not (0).", ("trunk",), _TRUNKS),
)
