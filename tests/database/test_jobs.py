"""`switchhook jobs`: what waits, runs and was given up is told, and what was given up is tried again on request."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.due import Job
from calls.jobs import enqueue
from tests.fakes.command import switchhook

CALL = "0193573f-9d6c-7000-8000-000000000001"


async def owed(engine: AsyncEngine) -> dict[str, int]:
    """A job of each state, and one that was given up while the same work was enqueued again: id by name."""
    states = {"waits": "todo", "runs": "doing", "failed": "failed", "twice": "failed", "done": "succeeded"}
    found: dict[str, int] = {}
    for name, status in states.items():
        queue = "transcription" if name == "failed" else "recordings"
        job = Job(f"test.{name}", queue, {"call_id": CALL}, queueing_lock=name if name == "twice" else None)
        async with engine.begin() as connection:
            await enqueue(connection, [job])
            row = text(
                "update procrastinate_jobs set status = :status"
                " where task_name = :name and status = 'todo' returning id"
            )
            told = {"status": status, "name": job.task}
            found[name] = (await connection.execute(row, told)).scalar_one()
    async with engine.begin() as connection:
        await enqueue(connection, [Job("test.twice", "recordings", {"call_id": CALL}, queueing_lock="twice")])
    return found


async def test_jobs_are_told_and_tried_again(engine: AsyncEngine, database_url: str, tmp_path: Path) -> None:
    """Exit 1 while something was given up; one whose work waits already stays; what is asked for wrongly is refused."""
    ids = await owed(engine)

    async def jobs(*words: str, code: int = 0) -> Any:
        environment = {"DATABASE_URL": database_url, "SWITCHHOOK_DATA_DIR": str(tmp_path)}
        done = await asyncio.to_thread(switchhook, "jobs", *words, **environment)
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout) if "--json" in words else done.stdout + done.stderr

    told = await jobs("--json", code=1)
    counts = {one.pop("queue"): one for one in told["queues"]}
    assert counts["recordings"] == {"waiting": 2, "running": 1, "given_up": 1}
    assert counts["transcription"] == {"waiting": 0, "running": 0, "given_up": 1}
    assert [one["id"] for one in told["jobs"]][:4] == [ids["failed"], ids["twice"], ids["runs"], ids["waits"]]
    assert told["jobs"][0] | {"owed_at": None} == {
        "id": ids["failed"],
        "queue": "transcription",
        "task": "test.failed",
        "state": "given_up",
        "call": CALL,
        "tries": 0,
        "owed_at": None,
        "again_at": None,
    }
    assert "--retry: there is no job" in await jobs("--retry", str(ids["waits"]), code=2)
    assert "--queue: must be one of recordings" in await jobs("--queue", "x", "--retry", "all", code=2)
    assert await jobs("--retry", "all", "--json") == {"retried": [ids["failed"]], "waits_already": [ids["twice"]]}
    words = await jobs("--queue", "transcription")
    assert words.startswith("transcription: 1 waiting, 0 running, 0 given up\n")
    assert f"test.failed  call {CALL}, tried 1 times" in words
