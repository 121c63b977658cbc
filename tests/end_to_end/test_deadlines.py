"""A deadline that passes while the service runs is told by the service's own loop and its worker."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.tables import attention_days, leads, parties
from directory import store
from service.ports import free_port
from service.serve import open_service
from service.settings import MetricsSettings, load
from service.worker_role import work_queues
from tests.fakes.directories import LINE, OFFICE
from tests.fakes.listeners import CHAT
from tests.fakes.told_world import open_told_world

VERA = replace(
    OFFICE.people[2],
    email="vera@romashka.example",
    telegram=CHAT,
    notify=("page", "email", "telegram"),
    quiet="never",
)


async def test_a_passed_deadline_arrives_in_the_mailbox_and_in_the_chat(
    engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    """Of the head, once, however often the loop looks; the service is started anew and tells nothing again."""
    async with engine.begin() as connection:
        await store.apply(connection, replace(OFFICE, people=(*OFFICE.people[:2], VERA)))
        party = (await connection.execute(insert(parties).values(name="Клиент").returning(parties.c.id))).scalar_one()
        now = datetime.now(UTC)
        times = {"opened_at": now - timedelta(hours=2), "stage_at": now, "deadline_at": now - timedelta(minutes=1)}
        row = {"party_id": party, "stage": "new", "owner": None, "source_line": LINE, **times}
        await connection.execute(insert(leads).values(**row))
        # What needs attention is told once a day, too: these days it was.
        told = [{"day": (now + timedelta(days=ahead)).date()} for ahead in (-1, 0, 1)]
        await connection.execute(insert(attention_days), told)
    async with open_told_world(tmp_path) as world, asyncio.timeout(50):
        for _ in range(2):
            settings = load(
                data_dir=tmp_path / "data",
                database_url=SecretStr(database_url),
                metrics=MetricsSettings(port=free_port()),
                notices=world.settings,
            )
            stop = asyncio.Event()
            async with open_service(settings, "telephony") as running, asyncio.TaskGroup() as group:
                group.create_task(work_queues(running.house, ("notices",), stop))
                await asyncio.gather(world.mail.arrived.wait(), world.telegram.arrived.wait())
                stop.set()
        (mail,), (chat,) = world.mail.taken, world.telegram.taken
    assert (mail["To"], mail["Subject"]) == ("vera@romashka.example", "Срок по заявке № 1 истёк")
    assert chat["text"].startswith("Срок по заявке № 1 истёк\nЭтап «Новая», срок был ")
    assert "Клиент" not in mail.get_content() + chat["text"]
