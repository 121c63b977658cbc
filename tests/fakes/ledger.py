"""A ledger with a connection to a strict receiver, whose clock a test turns and whose jobs it runs by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.due import owe_nothing
from calls.events import Event
from calls.queue import TryAgain
from calls.record import Owing, record
from crm_sync import connections
from crm_sync.connections import Connection, State
from crm_sync.crm import STEPS, Crm, Step
from crm_sync.http import Http
from crm_sync.ledger.planning import plan_changes
from crm_sync.ledger.retry import Policy
from crm_sync.ledger.sending import SendingJobs
from crm_sync.ledger.subjects import Rooms
from crm_sync.secrets import Keeper
from crm_sync.told import CrmRecording, CrmSegment, CrmTranscript
from crm_sync.webhook.adapter import Endpoint, Webhook
from notices.signing import read_secret
from tests.fakes.webhooks import SECRET, Receiver, open_receiver

SECRET_KEY = "c3dpdGNoaG9vay10ZXN0cy1zd2l0Y2hob29rLXRlc3Q="
EARLIER = datetime(2026, 1, 1, tzinfo=UTC)
LOOPBACK = (ip_network("127.0.0.0/8"),)
OWES = Owing(owe_nothing, plan_changes)


async def _recording(connection: AsyncConnection, call_id: UUID, to: Connection) -> CrmRecording | None:
    return CrmRecording(call=call_id, seconds=6.0, expires_at=datetime(2027, 1, to.link_days, tzinfo=UTC), link=17)


async def _address(connection: AsyncConnection, link: int) -> str | None:
    return f"https://calls.example.com/linked/{link}.signature"


async def _transcript(connection: AsyncConnection, call_id: UUID) -> CrmTranscript | None:
    said = CrmSegment(side="staff", begins=0.4, ends=1.6, text="Добрый день")
    return CrmTranscript(call=call_id, language="ru", text="Добрый день", is_whole=True, segments=(said,))


ROOMS = Rooms(recording=_recording, address=_address, transcript=_transcript)


def open_webhook(to: Connection, *, seconds: float = 5.0) -> Crm:
    """The adapter of a connection, which may speak to this machine."""
    secrets = Keeper(SECRET_KEY).open(to.key, to.secrets)
    keys = [read_secret(one) for one in secrets["keys"]]
    return Webhook(Endpoint(url=secrets["url"], keys=keys, seconds=seconds), Http(LOOPBACK))


async def add_connection(
    engine: AsyncEngine,
    url: str,
    key: str = "site",
    steps: Sequence[Step] = STEPS,
    state: State = "active",
    since: datetime | None = EARLIER,
) -> None:
    """A webhook to `url`, which is owed what the calls of tests were."""
    sealed = Keeper(SECRET_KEY).seal(key, {"keys": [SECRET], "url": url})
    async with engine.begin() as connection:
        await connections.add(connection, key, "webhook", connections.settled(url, {}), sealed, steps, state, since)


@dataclass
class Ledger:
    """The jobs by hand: `run` does what is due, and `later` turns the clock. `waits` are the seconds asked for."""

    engine: AsyncEngine
    receiver: Receiver
    jobs: SendingJobs
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    waits: list[tuple[str, float]] = field(default_factory=list)

    def later(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    async def happen(self, events: Sequence[Event]) -> UUID:
        """Record these events, as the service does."""
        async with self.engine.begin() as connection:
            (change,) = await record(connection, events, OWES)
        return change.call_id

    async def run(self, times: int = 1) -> None:
        """Run the job of each open effect, in the order of the ledger, whatever its next attempt."""
        for _ in range(times):
            asked = "select key from crm_effects where ended_at is null and not waits order by number"
            for row in await self.rows(asked):
                await self.send(row.key)

    async def send(self, key: UUID) -> None:
        """Run the job of one effect."""
        try:
            await self.jobs.send_effect(key, 0)
        except TryAgain as again:
            self.waits.append((str(again), again.seconds))

    async def rows(self, sql: str, **values: Any) -> Sequence[Row[Any]]:
        async with self.engine.connect() as connection:
            return (await connection.execute(text(sql), values)).all()

    async def states(self) -> list[tuple[str, str]]:
        """(step, state) of every effect, in order."""
        return [(row.step, row.state) for row in await self.rows("select * from crm_effects order by number")]


@asynccontextmanager
async def open_ledger(engine: AsyncEngine, **policy: Any) -> AsyncIterator[Ledger]:
    """A ledger with the connection `site` to a receiver of its own."""
    async with open_receiver() as receiver:
        await add_connection(engine, receiver.url)
        jobs = SendingJobs(engine=engine, rooms=ROOMS, open_crm=open_webhook, policy=Policy(**policy))
        ledger = Ledger(engine, receiver, jobs)
        jobs.now = lambda: ledger.at
        try:
            yield ledger
        finally:
            await jobs.close()
