"""What `switchhook jobs` does and prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from calls.job_list import STATES, JobLine, count_jobs, list_jobs, try_again
from calls.queue import QUEUES
from recordings.audit import THE_OPERATOR, note
from service.faults import UserFault
from service.settings import Settings
from service.wiring import open_house


async def tell_jobs(
    settings: Settings, queues: Sequence[str], states: Sequence[str], most: int
) -> tuple[dict[str, Any], str]:
    """({"queues": counts, "jobs": at most so many}, in words). No queue, no state: all of them."""
    asked = _known(queues)
    async with open_house(settings, pool=1) as house, house.engine.connect() as connection:
        counts = await count_jobs(connection, asked)
        found = await list_jobs(connection, asked, states or tuple(STATES), most)
    told = {"queues": [asdict(one) for one in counts], "jobs": [_json(one) for one in found]}
    lines = [f"{it.queue}: {it.waiting} waiting, {it.running} running, {it.given_up} given up" for it in counts]
    return told, "\n".join([*lines, *map(_words, found)])


async def try_jobs_again(settings: Settings, queues: Sequence[str], job: int | None) -> dict[str, list[int]]:
    """Have jobs that were given up run again, all or one: {"retried": ids, "waits_already": ids}."""
    asked = _known(queues)
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        again, waits = await try_again(connection, asked, job)
        if again:
            told = {"retried": again, "waits_already": waits}
            await note(connection, THE_OPERATOR, "jobs_retried", f"job {job}" if job else "jobs", told)
    if job is not None and not again and not waits:
        raise UserFault(f"--retry: there is no job {job} that was given up")
    return {"retried": again, "waits_already": waits}


def _known(queues: Sequence[str]) -> Sequence[str]:
    for queue in queues:
        if queue not in QUEUES:
            raise UserFault(f"--queue: must be one of {', '.join(QUEUES)}, got {queue!r}")
    return queues or QUEUES


def _json(one: JobLine) -> dict[str, Any]:
    times = {
        name: at.isoformat() if at else None for name, at in (("owed_at", one.owed_at), ("again_at", one.again_at))
    }
    return asdict(one) | times


def _words(one: JobLine) -> str:
    owed = f"owed since {one.owed_at.astimezone().isoformat(timespec='seconds')}" if one.owed_at else "owed"
    again = f", runs at {one.again_at.astimezone().isoformat(timespec='seconds')}" if one.again_at else ""
    state = one.state.replace("_", " ")
    return f"{one.id:>8}  {state:<8}  {one.task}  call {one.call or 'none'}, tried {one.tries} times, {owed}{again}"
