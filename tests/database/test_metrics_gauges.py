"""What the database answers at a scrape, on real rows."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from structlog.testing import capture_logs

from calls.database import connect
from calls.due import Job
from calls.jobs import enqueue
from calls.queue import QUEUES, Crew, Task, TryAgain, make_app, work
from calls.tables import calls, follow_ups
from crm_sync.tables import leads, parties
from directory.model import Company, Device, Directory, Line, Person, Team
from directory.store import apply
from directory.tables import calendars
from metrics.gauges import DatabaseGauges
from metrics.questions import QUESTIONS
from recordings.tables import recordings, transcripts
from routing.outgoing import REFUSALS
from routing.tables import outgoing_calls
from service.doctor.check import Check
from telephony.tables import device_states
from web import doctor

NOW = datetime.now(UTC)
LINE = "74951234567"
TALK = {"answered_at": NOW - timedelta(hours=2)}


def ago(**told: float) -> datetime:
    return NOW - timedelta(**told)


async def read(engine: AsyncEngine) -> dict[tuple[str, ...], float]:
    """(family without prefix, label values …) -> value."""
    return {
        (sample.name.removeprefix("switchhook_"), *sample.labels.values()): sample.value
        for family in await DatabaseGauges(engine).read()
        for sample in family.samples
    }


async def test_the_doctors_last_look_is_told_by_how_its_checks_stand(engine: AsyncEngine) -> None:
    """None before the first look; what the last one did not look at is not counted."""
    assert (await read(engine))["doctor_checks", "fail"] == 0
    async with engine.begin() as connection:
        await doctor.keep(connection, [Check("pbx main trunks", "fail", "not reachable")])
        await doctor.keep(connection, [Check("pbx main", "fail", "away"), Check("disk", "ok", "much")])
    told = await read(engine)
    assert [told["doctor_checks", state] for state in ("ok", "warn", "fail")] == [1, 0, 1]


async def test_calendars_are_told_by_how_they_are_kept_and_by_the_oldest_copy(engine: AsyncEngine) -> None:
    """A row of another address than the directory's is none."""
    feeds = {"anna": None, "boris": "gone", "vera": "partly_read", "gleb": "", "oleg": "old"}
    people = tuple(
        Person(key=key, name=key, role="manager", calendar=f"https://calendar.example/{key}.ics") for key in feeds
    )
    async with engine.begin() as connection:
        await apply(connection, Directory(company=Company(name="A"), people=people))
        for key, failure in feeds.items():
            address = "another" if failure == "old" else f"https://calendar.example/{key}.ics"
            if failure != "":
                row: dict[str, Any] = {
                    "person": key,
                    "address_digest": sha256(address.encode()).digest(),
                    "failure": failure,
                }
                row |= {"tried_at": NOW, "fetched_at": ago(hours=3) if failure else ago(minutes=1)}
                await connection.execute(insert(calendars).values(row))
    told = await read(engine)
    states = {state: told["calendars", state] for state in ("fresh", "partly", "failing", "never")}
    assert states == {"fresh": 1, "partly": 1, "failing": 1, "never": 2}
    assert 10_800 <= told["calendar_oldest_seconds",] <= (datetime.now(UTC) - ago(hours=3)).total_seconds()


async def call(connection: AsyncConnection, **told: Any) -> UUID:
    row: dict[str, Any] = {
        "id": uuid4(),
        "pbx": "main",
        "state": {},
        "direction": "inbound",
        "status": "answered",
        "line": LINE,
        "caller_number": "79160000100",
        "started_at": ago(hours=2),
        "ended_at": ago(hours=2) + timedelta(minutes=1),
        "settled_at": ago(hours=2) + timedelta(minutes=1),
    }
    row |= told
    await connection.execute(insert(calls).values(row))
    identity: UUID = row["id"]
    return identity


async def test_every_queue_is_told_from_zero_and_its_oldest_job_ages(engine: AsyncEngine) -> None:
    told = await read(engine)
    assert told["database_reachable",] == 1
    for queue in QUEUES:
        assert told["jobs_waiting", queue] == told["job_oldest_seconds", queue] == told["jobs_given_up", queue] == 0
    async with engine.begin() as connection:
        await enqueue(connection, [Job("crm_sync.link_call", "crm", {"call_id": str(n)}) for n in range(3)])
        await connection.execute(
            text("update procrastinate_events set at = at - interval '90 seconds' where job_id = 1")
        )
    told = await read(engine)
    assert told["jobs_waiting", "crm"] == 3
    assert 90 <= told["job_oldest_seconds", "crm"] < 120
    assert told["jobs_waiting", "recordings"] == 0


async def test_a_job_that_asked_to_run_later_is_not_old_before_then(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await enqueue(connection, [Job("crm_sync.link_call", "crm", {"call_id": "1"})])
        await connection.execute(text("update procrastinate_events set at = at - interval '1 hour'"))
        later = "update procrastinate_jobs set scheduled_at = now() + interval '1 hour'"
        await connection.execute(text(later))
    told = await read(engine)
    assert (told["jobs_waiting", "crm"], told["job_oldest_seconds", "crm"]) == (1, 0)
    async with engine.begin() as connection:
        await connection.execute(text("update procrastinate_jobs set scheduled_at = now() - interval '30 seconds'"))
    assert 30 <= (await read(engine))["job_oldest_seconds", "crm"] < 600


async def test_a_job_that_asks_to_run_again_and_again_is_as_old_as_its_first_run(
    engine: AsyncEngine, database_url: str
) -> None:
    """Each time it is young among those that wait; one that was interrupted an hour ago is old all the same."""
    runs = 0

    async def run(_call_id: UUID, _attempt: int) -> None:
        nonlocal runs
        runs += 1
        raise TryAgain("the store is away", 0.05 if runs < 3 else 3600)

    async with engine.begin() as connection:
        await enqueue(connection, [Job("test.work", "recordings", {"call_id": str(uuid4())})])
    assert (await read(engine))["job_retrying_seconds", "recordings"] == 0
    stop = asyncio.Event()
    app = make_app(database_url, [Task("test.work", "recordings", run)])
    worker = asyncio.create_task(work(app, [Crew(("recordings",), 1)], stop))
    try:
        async with asyncio.timeout(60), engine.connect() as connection:
            asks_again = text("select count(*) from procrastinate_jobs where status = 'todo' and attempts = 3")
            while not await connection.scalar(asks_again):
                await connection.rollback()
                await asyncio.sleep(0.05)
    finally:
        stop.set()
        await worker
    async with engine.begin() as connection:
        await connection.execute(text("update procrastinate_events set at = at - interval '1 hour'"))
    told = await read(engine)
    assert 3600 <= told["job_retrying_seconds", "recordings"] < 4000
    assert (told["job_oldest_seconds", "recordings"], told["job_retrying_seconds", "crm"]) == (0, 0)


async def test_refused_calls_out_are_counted_by_their_reason(engine: AsyncEngine) -> None:
    """Every reason from zero on; what was allowed or failed is none."""
    told = await read(engine)
    assert all(told["outgoing_refused_total", reason] == 0 for reason in REFUSALS)
    async with engine.begin() as connection:
        for state, reason in (("refused", "international"), ("refused", "international"), ("failed", "busy")):
            row = {"purpose": "click", "state": state, "reason": reason, "number": "4930901820"}
            await connection.execute(insert(outgoing_calls).values(row))
    told = await read(engine)
    assert {
        reason: told["outgoing_refused_total", reason] for reason in REFUSALS if told["outgoing_refused_total", reason]
    } == {"international": 2}


async def test_a_job_given_up_is_told_until_a_person_acts(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await enqueue(connection, [Job("recordings.transcribe", "transcription", {"call_id": "1"})])
        for status in ("doing", "failed"):
            await connection.execute(
                text("update procrastinate_jobs set status = cast(:status as procrastinate_job_status)"),
                {"status": status},
            )
    told = await read(engine)
    assert told["jobs_failed_total", "transcription"] == 1
    assert told["jobs_given_up", "transcription"] == 1
    assert told["jobs_waiting", "transcription"] == 0
    async with engine.begin() as connection:
        await connection.execute(text("delete from procrastinate_jobs"))
    assert (await read(engine))["jobs_failed_total", "transcription"] == 1, "a count that falls looks like a restart"


async def promise(connection: AsyncConnection, number: str, **told: Any) -> None:
    missed = await call(connection, status="missed", caller_number=number)
    row: dict[str, Any] = {
        "number": number,
        "line": LINE,
        "origin": "missed",
        "call_id": missed,
        "attempt_count": 1,
        "priority": 0,
        "opened_at": ago(minutes=80),
        "due_at": ago(minutes=20),
    }
    row |= told
    await connection.execute(insert(follow_ups).values(row | {"last_missed_at": row["opened_at"]}))


async def test_missed_callers_are_open_by_age_until_their_promise_is_kept_and_overdue_by_their_deadline(
    engine: AsyncEngine,
) -> None:
    now = datetime.now(UTC)
    async with engine.begin() as connection:
        await promise(connection, "79160000101")
        await promise(connection, "79160000102", opened_at=now, due_at=now + timedelta(hours=1))
        await promise(connection, "79160000103", opened_at=ago(days=3), due_at=None)
        await promise(connection, "79160000104", closed_at=ago(minutes=75), closed_by="talk")
        await promise(connection, "79160000105", closed_at=ago(minutes=75), closed_by="hand")
    told = await read(engine)
    assert {age: told["missed_calls_open", age] for age in ("under_15m", "under_1h", "under_1d", "over_1d")} == {
        "under_15m": 1,
        "under_1h": 0,
        "under_1d": 1,
        "over_1d": 1,
    }
    assert (told["follow_ups_open", "overdue"], told["follow_ups_open", "in_time"]) == (1, 2)


async def test_the_time_to_a_call_back_is_told_of_those_who_talked(engine: AsyncEngine) -> None:
    """A promise that a person closed by hand was not kept, and is in no bucket."""
    async with engine.begin() as connection:
        for number, seconds in (("79160000101", 50), ("79160000102", 600)):
            closed = {"closed_at": ago(minutes=80) + timedelta(seconds=seconds), "closed_by": "talk"}
            await promise(connection, number, **closed)
        await promise(connection, "79160000103", closed_at=NOW, closed_by="hand")
    told = await read(engine)
    found = {most: told["follow_up_seconds_bucket", most] for most in ("60", "300", "900", "+Inf")}
    assert found == {"60": 1, "300": 1, "900": 2, "+Inf": 2}
    assert (told["follow_up_seconds_count",], told["follow_up_seconds_sum",]) == (2, 650)


async def test_a_call_is_missing_its_recording_once_however_many_sides_are_gone(engine: AsyncEngine) -> None:
    stored = {"state": "stored", "path": "p", "bytes": 1, "sha256": "0", "seconds": 1.0, "reason": None}
    gone = dict.fromkeys(stored) | {"state": "missing", "reason": "disk full"}
    async with engine.begin() as connection:
        whole, half, none, old = [await call(connection, answered_at=ago(hours=2)) for _ in range(4)]
        for identity, caller, staff, at in (
            (whole, stored, stored, NOW),
            (half, stored, gone, NOW),
            (none, gone, gone, NOW),
            (old, gone, gone, ago(days=8)),
        ):
            row = {"call_id": identity, "channel": "1.1", "stored_at": at}
            await connection.execute(insert(recordings).values(row | caller | {"side": "caller"}))
            await connection.execute(insert(recordings).values(row | staff | {"side": "staff"}))
    assert (await read(engine))["recordings_missing",] == 2


async def test_transcription_tells_its_speed_only_when_there_was_any(engine: AsyncEngine) -> None:
    assert ("transcription_realtime_factor",) not in await read(engine)
    async with engine.begin() as connection:
        done = await call(connection, ended_at=ago(minutes=10), answered_at=ago(minutes=11))
        row = {"call_id": done, "language": "ru", "text": "добрый день", "words": [], "segments": [], "model": "base"}
        row |= {"audio_seconds": 60.0, "took_seconds": 6.0, "made_at": ago(minutes=9)}
        await connection.execute(insert(transcripts).values(row))
    told = await read(engine)
    assert told["transcription_realtime_factor",] == 0.1
    assert told["transcription_lag_seconds",] == 60


async def test_leads_are_told_by_stage_and_the_late_ones_by_deadline(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(insert(parties), [{"name": None}, {"name": None}])
        late = {"party_id": 1, "stage": "new", "opened_at": ago(hours=2), "deadline_at": ago(hours=1)}
        won = {"party_id": 2, "stage": "won", "opened_at": ago(hours=2), "deadline_at": None}
        await connection.execute(insert(leads), [late, won])
    told = await read(engine)
    assert (told["leads", "new"], told["leads", "won"], told["leads", "lost"]) == (1, 1, 0)
    assert (told["leads_overdue", "new"], told["leads_overdue", "in_work"]) == (1, 0)


async def test_phones_and_trunks_of_the_directory_are_told_and_no_mobile_ever(engine: AsyncEngine) -> None:
    """A mobile's address is a person's number: it is no label."""
    desk, mobile = (
        Device(kind="desk", address="PJSIP/anna-desk"),
        Device(kind="mobile", address="79160000011", trunk="PJSIP/trunk"),
    )
    directory = Directory(
        company=Company(name="Ромашка"),
        people=(Person(key="anna", name="Анна", role="manager", devices=(desk, mobile)),),
        teams=(Team(key="sales", name="Продажи", strategy="ring_all", members=("anna",)),),
        lines=(Line(number=LINE, name="Основная", team="sales", trunk="PJSIP/trunk"),),
    )
    states = [("PJSIP/anna-desk", False), ("79160000011", True), ("PJSIP/trunk", True), ("PJSIP/door", True)]
    async with engine.begin() as connection:
        await apply(connection, directory)
        for device, reachable in states:
            row = {"pbx": "main", "device": device, "state": "unknown", "reachable": reachable, "changed_at": NOW}
            await connection.execute(insert(device_states).values(row))
    told = await read(engine)
    devices = {key: value for key, value in told.items() if key[0] in {"device_reachable", "trunk_reachable"}}
    assert devices == {("device_reachable", "PJSIP/anna-desk"): 0, ("trunk_reachable", "PJSIP/trunk"): 1}


async def test_a_database_that_is_away_costs_its_families_and_not_the_scrape() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        away = connect(f"postgresql://switchhook@127.0.0.1:{nobody.getsockname()[1]}/switchhook")
        told = await read(away)
    assert told["database_reachable",] == 0
    assert ("jobs_waiting", "crm") not in told


async def test_a_database_that_hangs_is_not_reachable_and_costs_no_more_than_its_limit() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        hanging = connect(f"postgresql://switchhook@127.0.0.1:{silent.getsockname()[1]}/switchhook")
        families = await DatabaseGauges(hanging, seconds=0.2).read()
    told = {sample.name: sample.value for family in families for sample in family.samples}
    assert told["switchhook_database_reachable"] == 0
    assert "switchhook_jobs_waiting" not in told


async def test_a_locked_table_costs_its_own_families_until_it_is_free(engine: AsyncEngine) -> None:
    """The database is reachable; it is told once, and what could not be told rests before it is asked again."""
    questions = [
        replace(one, every_seconds=0) for one in QUESTIONS if one.name in {"backups_made", "leads", "jobs_waiting"}
    ]
    gauges = DatabaseGauges(engine, seconds=0.3, questions=questions)

    async def told() -> dict[str, float]:
        return {sample.name: sample.value for family in await gauges.read() for sample in family.samples}

    assert {"switchhook_leads", "switchhook_backups_made_total", "switchhook_jobs_waiting"} <= set(await told())
    async with engine.begin() as connection:
        await connection.execute(text("lock table leads in access exclusive mode"))
        with capture_logs() as logs:
            first, second = await told(), await told()
    for seen in (first, second):
        assert seen["switchhook_database_reachable"] == 1
        assert "switchhook_leads" not in seen
        assert {"switchhook_backups_made_total", "switchhook_jobs_waiting"} <= set(seen)
    assert [one["family"] for one in logs] == ["leads"]
    assert "switchhook_leads" not in await told()
    with patch("metrics.gauges.SELDOM", 0.0):
        assert "switchhook_leads" in await told()
