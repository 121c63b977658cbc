"""A PBX, an outside world and a service that a test can stop, hang, kill, or cut off from what it needs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from directory.file import loads
from directory.model import Directory
from service.demo_world import OutsideWorld
from service.pbx import Pbx
from service.ports import free_port
from service.serve import Service, open_service
from service.settings import MetricsSettings, PbxSettings, Settings, WebSettings, load
from service.telephony_role import Telephony
from tests.fakes.command import Running, begin

T = TypeVar("T")

LINE = "74951234567"
ROUTED, FALLBACK = "anna-desk", "boris-desk"
"""Who rings when the service decides, and who rings when it does not."""

DIRECTORY: Directory = loads(
    f"""
company: {{name: Ромашка, region: RU, time_zone: Europe/Moscow, language: ru}}
hours: {{always: {{mon-sun: "00:00-24:00"}}}}
people:
  - {{key: anna, name: Анна, role: manager, hours: always, devices: [{{kind: desk, address: PJSIP/{ROUTED}}}]}}
  - {{key: boris, name: Борис, role: manager, hours: always, devices: [{{kind: desk, address: PJSIP/{FALLBACK}}}]}}
teams:
  - {{key: sales, name: Продажи, strategy: ring_all, members: [anna]}}
lines:
  - {{number: "{LINE}", name: Продажи, trunk: PJSIP/trunk, team: sales, hours: always, fallback: [PJSIP/{FALLBACK}]}}
""",
    "directory.yaml",
)


async def until(ask: Callable[[], Awaitable[T]], what: str, seconds: float = 40.0) -> T:
    """Ask until the answer is true; says what was awaited when it never is.

    What takes long is asked less often: questions to a database, fifty a second, would take a fifth of a core.
    """
    pause = 0.02
    async with asyncio.timeout(seconds) as limit:
        try:
            while not (found := await ask()):
                await asyncio.sleep(pause)
                pause = min(pause * 1.2, 0.15)
        except asyncio.CancelledError:
            if limit.expired():
                pytest.fail(f"{what}: not within {seconds:g} s")
            raise
    return found


@dataclass
class Served:
    """A `switchhook serve` in a process of its own."""

    process: Running
    metrics_port: int
    said: Path

    def hang(self) -> None:
        """Stop it in its tracks: it keeps its connections and does nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it run again."""
        self.process.send_signal(signal.SIGCONT)

    async def kill(self) -> None:
        """End it without a last word."""
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def readiness(self) -> tuple[int, dict[str, str]]:
        """HTTP status of /readyz, and the reason of each part that is not ready or has something to say."""
        return await readiness(self.metrics_port)

    async def metrics(self) -> str:
        """What /metrics tells."""
        async with aiohttp.ClientSession() as http:
            return await (await http.get(f"http://127.0.0.1:{self.metrics_port}/metrics")).text()


async def readiness(port: int) -> tuple[int, dict[str, str]]:
    """HTTP status of /readyz (0: nobody answers), and what each part says."""
    try:
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/readyz") as response:
            told = await response.json()
            return response.status, {name: part["reason"] for name, part in told["parts"].items()}
    except aiohttp.ClientError:
        return 0, {}


@dataclass
class Stage:
    """One test's service: its settings, its database, and the PBX and the world that it shares with other tests."""

    pbx: Pbx
    world: OutsideWorld
    engine: AsyncEngine
    url: str
    folder: Path
    _count: int = field(default=0)

    def __post_init__(self) -> None:
        """Nobody catches up with what the PBX told in other tests: there a client may have talked with others."""
        if self.pbx.cel_file.exists():
            os.truncate(self.pbx.cel_file, 0)

    def settings(self, *, url: str = "", secret: str = "", port: int = 0, cel: bool = True) -> Settings:
        """Settings of a new service: on the stage's database and PBX, or on what stands between."""
        self._count += 1
        pbx = PbxSettings(
            name="pbx",
            port=port or self.pbx.ami_port,
            secret=SecretStr(secret or self.pbx.ami_secret),
            cel_file=self.pbx.cel_file if cel else None,
            recordings=self.pbx.recordings,
        )
        return load(
            data_dir=self.folder / f"data-{self._count}",
            database_url=SecretStr(url or self.url),
            log="json",
            web=WebSettings(port=free_port()),
            metrics=MetricsSettings(port=free_port()),
            pbx=[pbx],
        )

    @asynccontextmanager
    async def open(self, settings: Settings, role: str = "telephony") -> AsyncIterator[tuple[Service, Telephony]]:
        """The service in this process, asked by the PBX."""
        await self.forget_mark()
        async with open_service(settings, role) as running:
            assert running.telephony is not None
            yield running, running.telephony

    @asynccontextmanager
    async def serve(
        self,
        *,
        answering: bool = True,
        room: int | None = None,
        settings: Settings | None = None,
        role: str = "telephony",
        file: Path | None = None,
    ) -> AsyncIterator[Served]:
        """A role of the service in a process of its own, ready and by default asked by the PBX; killed at the end.

        `room`: no file that it writes, its log among them, may grow beyond so many bytes. `settings`: others than the
        stage's own; `file` has more, which may become others.
        """
        settings = settings or self.settings()
        settings.data_dir.mkdir(exist_ok=True)
        said = settings.data_dir / f"{role}.log"
        if answering:
            await self.forget_mark()
        process = await begin("serve", "--role", role, said=said, room=room, **environment(settings, file))
        served = Served(process, settings.metrics.port, said)
        try:
            await until(lambda: _ready(served), "the service is ready", 40)
            if answering:
                await until(self.asked, "the PBX asks the service")
            yield served
        finally:
            if process.returncode is None:
                await served.kill()

    async def variable(self, name: str) -> str:
        """A global variable of the PBX's dialplan; empty when it is not set."""
        for line in (await self.pbx.cli("dialplan show globals")).splitlines():
            key, _, value = line.strip().partition("=")
            if key == name:
                return value
        return ""

    async def forget_mark(self) -> None:
        """As if the last sign of life was long ago."""
        await self.pbx.cli("dialplan set global SWITCHHOOK_ALIVE 0")

    async def asked(self) -> bool:
        """Whether an arrival would be told to a service."""
        mark = await self.variable("SWITCHHOOK_ALIVE")
        return mark.isdigit() and time.time() - int(mark) <= 2

    async def rows(self, sql: str, **told: object) -> list[Any]:
        """Rows of the store."""
        async with self.engine.connect() as connection:
            return list((await connection.execute(text(sql), told)).all())

    async def record(self, number: str, *, status: str = "answered", seconds: float = 40.0) -> Any:
        """The one record of the ended call of a number; fails when there are more."""
        sql = "select * from calls where caller_number = :number and joined_into is null"

        async def ended() -> list[Any]:
            return [row for row in await self.rows(sql, number=number) if row.ended_at and row.status == status]

        await until(ended, f"the call of {number} is in the store, ended and {status}", seconds)
        (record,) = await self.rows(sql, number=number)
        return record

    async def told(self, call: Any, kind: str) -> list[dict[str, Any]]:
        """Events of one kind in a call's record."""
        sql = "select body from call_events where call_id = :call and kind = :kind order by at"
        return [row.body for row in await self.rows(sql, call=call.id, kind=kind)]


def environment(settings: Settings, file: Path | None = None) -> dict[str, str]:
    """These settings for a process of its own, and a file with others."""
    told = [pbx.model_dump(mode="json") | {"secret": pbx.secret.get_secret_value()} for pbx in settings.pbx]
    crm = settings.crm.model_dump(mode="json") | {"token": settings.crm.token.get_secret_value()}
    assert settings.database_url is not None
    return ({"SWITCHHOOK_CONFIG": str(file)} if file is not None else {}) | {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "SWITCHHOOK_DATA_DIR": str(settings.data_dir),
        "SWITCHHOOK_SECRET_KEY": settings.secret_key.get_secret_value(),
        "SWITCHHOOK_LOG": settings.log,
        "SWITCHHOOK_WEB": settings.web.model_dump_json(exclude_none=True),
        "SWITCHHOOK_METRICS": settings.metrics.model_dump_json(),
        "SWITCHHOOK_CRM": json.dumps(crm),
        "SWITCHHOOK_TRACES": settings.traces.model_dump_json(exclude_none=True),
        "SWITCHHOOK_RECORDINGS": settings.recordings.model_dump_json(exclude_none=True),
        "SWITCHHOOK_PBX": json.dumps([{key: value for key, value in one.items() if value is not None} for one in told]),
    }


async def _ready(served: Served) -> bool:
    if served.process.returncode is not None:
        pytest.fail(served.said.read_text()[-2000:])
    status, _ = await served.readiness()
    return status == 200
