"""Tells the person at the terminal what became of each call of the demo, with the address of its page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

_NEWS = text(
    """
    select c.id, c.status, c.missed_cause, c.wait_seconds, c.talk_seconds, p.name as person, t.text,
           (select count(*) from recordings r where r.call_id = c.id and r.state = 'stored') as sides
    from calls c left join people p on p.key = c.person left join transcripts t on t.call_id = c.id
    where c.settled_at > :since and c.joined_into is null order by c.started_at
    """
)


async def tell_results(engine: AsyncEngine, page: str, say: Callable[[str], None]) -> None:
    """Say once of every call from now on that it settled, and once that it was transcribed; ends by cancellation."""
    since = datetime.now(UTC)
    settled: set[str] = set()
    written: set[str] = set()
    while True:
        async with engine.connect() as connection:
            rows = (await connection.execute(_NEWS, {"since": since})).all()
        for row in rows:
            if str(row.id) not in settled:
                settled.add(str(row.id))
                say(f"   {_outcome(row.status, row.missed_cause, row.person, row.wait_seconds, row.talk_seconds)}")
                say(f"   {page}/calls/{row.id}")
            if row.text and str(row.id) not in written:
                written.add(str(row.id))
                say(f"   transcribed: {row.text.splitlines()[0][:90]} …")
        await asyncio.sleep(1)


def _outcome(status: str, cause: str | None, person: str | None, wait: float, talk: float) -> str:
    if status == "missed":
        return f"-> missed after {wait:.0f} s, cause: {cause}"
    return f"-> {status} by {person or 'somebody'} after {wait:.0f} s, talked {talk:.0f} s"
