"""Killed in the middle of two hundred calls and started again, the service leaves the records of an undisturbed one."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from calls import follow_up
from calls.database import connect
from calls.queue import Crew, make_app, work
from calls.record import state_call
from calls.view import view
from crm_sync.jobs import CrmJobs
from directory.store import apply
from routing.due import LEARN
from service.database import upgrade
from service.demo_world import OutsideWorld
from service.reconcile import reconcile
from service.wiring import owes
from telephony.cel_file import CelFile
from tests.end_to_end.stage import DIRECTORY, Stage, until
from tests.fakes.telephones import Callers, telephone_pbx

HOUR = timedelta(hours=1)
COUNT = 200
GAP_SECONDS = 0.12
ANSWERED, BUSY, UNANSWERED, ABANDONED = "74950009001", "74950009002", "74950009003", "74950009004"
AGAIN = (LEARN, follow_up.TASK)
"""Done anew, with the same end, as often as late facts tell more of a call."""
LINES = {ANSWERED: ("answers", 10), BUSY: ("busy", 10), UNANSWERED: ("rings", 1), ABANDONED: ("rings", 10)}


async def place(callers: Callers, number: str, line: str) -> None:
    """One call from its begin to its end, which is the same each time."""
    call = callers.invite(number, line)
    if line == ANSWERED:
        await asyncio.wait_for(call.answered.wait(), 10)
        await asyncio.sleep(1)
        callers.bye(call)
    elif line == ABANDONED:
        await asyncio.sleep(1)
        callers.cancel(call)
    await asyncio.wait_for(call.over.wait(), 10)


async def place_all(callers: Callers, half_way: asyncio.Event) -> None:
    """All calls at a steady rate, every kind in turn."""
    lines = list(LINES)
    async with asyncio.TaskGroup() as group:
        for count in range(COUNT):
            group.create_task(place(callers, str(79162000000 + count), lines[count % len(lines)]))
            if count == COUNT // 2:
                half_way.set()
            await asyncio.sleep(GAP_SECONDS)


@dataclass
class Left:
    """What a run left in its store, without what differs between two runs of the same calls."""

    records: dict[str, Any]
    differences: list[str]
    jobs: Counter[str]
    doubled: int
    parties: int
    leads: int
    recovered: int


async def records_in(stage: Stage) -> dict[str, Any]:
    """How every call reads, by its caller."""
    rows = await stage.rows("select * from calls where joined_into is null")
    return {row.caller_number: reading(row) for row in rows}


async def left_in(stage: Stage, wanted: asyncio.Future[Left] | None = None) -> Left:
    """Read the store once every call is settled, CEL is read on to what is `wanted`, and the work is done."""

    async def settled() -> bool:
        (row,) = await stage.rows(
            "select count(*) as count from calls where settled_at is not null and joined_into is null"
        )
        return bool(row.count >= COUNT)

    await until(settled, "every call is settled", 40)
    if wanted is not None:
        records = (await wanted).records
        deadline = time.monotonic() + 40  # then the caller tells what differs
        while await records_in(stage) != records and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
    stop = asyncio.Event()
    jobs = CrmJobs(engine=stage.engine, owes=owes)
    working = asyncio.create_task(work(make_app(stage.url, jobs.tasks()), [Crew(("crm",), 2)], stop))

    async def done() -> bool:
        sql = "select 1 from procrastinate_jobs where queue_name = 'crm' and status in ('todo', 'doing') limit 1"
        return not await stage.rows(sql)

    await until(done, "the work is done", 60)
    stop.set()
    await working
    rows = await stage.rows("select * from calls where joined_into is null")
    began = [row.started_at for row in rows]
    compared = await reconcile("pbx", CelFile(stage.pbx.cel_file), stage.engine, min(began) - HOUR, max(began) + HOUR)
    owed = await stage.rows("select task_name, args->>'call_id' as call from procrastinate_jobs")
    (book,) = await stage.rows(
        "select (select count(*) from parties) as parties, (select count(*) from leads) as leads,"
        " (select count(distinct party_id) from calls) as distinct_parties"
    )
    assert book.distinct_parties == book.parties
    once = [row for row in owed if row.task_name not in AGAIN]
    return Left(
        records=await records_in(stage),
        differences=[str(one) for one in compared.differences],
        jobs=Counter(row.task_name for row in owed),
        doubled=len(once) - len({(row.task_name, row.call) for row in once}),
        parties=book.parties,
        leads=book.leads,
        recovered=sum(row.recovered for row in rows),
    )


def reading(row: Any) -> Any:
    """How a call reads, but for its times, which each run's own CEL judges, and the names of its channels."""
    seen = view(state_call(row.state))
    return {
        **{name: getattr(row, name) for name in ("line", "direction", "status", "missed_cause", "answered_by")},
        "legs": [(leg.device, leg.number, leg.outcome, leg.hangup_cause) for leg in seen.legs],
        "talks": [(*talk.between, talk.until is not None) for talk in seen.talks],
        "ended": row.ended_at is not None,
        "party": row.party_id is not None,
        "lead": row.lead_id is not None,
    }


async def run(url: str, folder: Path, undisturbed: asyncio.Future[Left] | None = None) -> Left:
    """All calls at a PBX of its own. With an `undisturbed` run beside it the service dies by SIGKILL half way, and is
    started again at once.
    """
    engine = connect(url)
    async with engine.begin() as connection:
        await apply(connection, DIRECTORY)
    half_way = asyncio.Event()
    async with telephone_pbx(LINES) as (pbx, callers), OutsideWorld(pbx) as world:
        stage = Stage(pbx, world, engine, url, folder)
        async with stage.serve() as first:
            placing = asyncio.create_task(place_all(callers, half_way))
            if undisturbed is not None:
                await half_way.wait()
                await first.kill()
                async with stage.serve(answering=False):
                    await placing
                    left = await left_in(stage, undisturbed)
            else:
                await placing
                left = await left_in(stage)
    await engine.dispose()
    return left


async def test_a_killed_service_leaves_the_records_of_an_undisturbed_one(
    database_url: str, empty_database_url: str, tmp_path: Path, engine: AsyncEngine
) -> None:
    """Answered, busy, unanswered and abandoned calls: each has one record, one party, one lead, and its work once."""
    await upgrade(empty_database_url)
    folders = [tmp_path / "undisturbed", tmp_path / "killed"]
    for folder in folders:
        folder.mkdir()
    beside = asyncio.ensure_future(run(database_url, folders[0]))
    killed, undisturbed = await asyncio.gather(run(empty_database_url, folders[1], beside), beside)
    assert Counter((one["line"], one["status"]) for one in undisturbed.records.values()) == {
        (ANSWERED, "answered"): COUNT // 4,
        **dict.fromkeys([(line, "missed") for line in (BUSY, UNANSWERED, ABANDONED)], COUNT // 4),
    }
    differing = {
        number: (told, killed.records.get(number))
        for number, told in undisturbed.records.items()
        if told != killed.records.get(number)
    }
    assert differing == {}
    assert killed.records.keys() == undisturbed.records.keys()
    assert undisturbed.differences == killed.differences == []
    again = [jobs.pop(task) for jobs in (killed.jobs, undisturbed.jobs) for task in AGAIN]
    assert killed.jobs == undisturbed.jobs
    assert min(again) >= COUNT
    assert (killed.doubled, undisturbed.doubled) == (0, 0)
    assert (killed.parties, killed.leads) == (undisturbed.parties, undisturbed.leads) == (COUNT, COUNT)
    assert undisturbed.recovered == 0
    assert killed.recovered > 0
