"""`switchhook demo`: the service with a private PBX and an outside world, alive until Ctrl-C, leaving nothing."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from ipaddress import IPv4Network
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from calls.database import connect, plain
from crm_sync.secrets import SETTING
from directory.file import loads
from directory.model import Directory
from directory.store import apply
from service import log
from service.demo_history import Pbx as Past
from service.demo_history import Planted, Truth, store_history
from service.demo_history.planned import plan_month
from service.demo_world.life import Life
from service.demo_world.results import tell_results
from service.demo_world.world import OutsideWorld
from service.pbx import Pbx, Phone
from service.ports import free_port
from service.serve import Service, open_service
from service.settings import (
    CrmSettings,
    MetricsSettings,
    PbxSettings,
    Settings,
    TranscriptionSettings,
    WebSettings,
    load,
)
from service.stopping import stopping
from service.wiring import House, open_database, open_tasks
from web import users

LOGINS = (
    ("demo", "head", "anna", "Анна as a head: everybody's calls and leads"),
    ("boris", "manager", "boris", "Борис, a manager: his own and his team's"),
    ("admin", "admin", None, "an admin: changes the rules of leads and connects CRMs, too"),
)
"""(login, role, person, what the terminal says of it); one password opens all."""
_ANSWERING_SECONDS = 30.0
_PBX = "pbx"
_TUESDAY, _SUNDAY = 2, 7


@dataclass(frozen=True, slots=True)
class Demo:
    """What runs: the service, its PBX, the world outside, and how to log in."""

    house: House
    pbx: Pbx
    world: OutsideWorld
    page: str
    password: str


def demo_directory() -> Directory:
    """The company of the demo."""
    told = files("service.demo_world").joinpath("directory.yaml").read_text()
    return loads(told, "directory.yaml")


def phones(directory: Directory) -> list[Phone]:
    """A registered phone for every desk and softphone of the directory."""
    return [
        Phone(device.address.partition("/")[2], number=device.number or "", shown=person.name)
        for person in directory.people
        for device in person.devices
        if device.kind != "mobile"
    ]


@asynccontextmanager
async def open_demo(folder: Path, port: int, *, past: bool = False) -> AsyncIterator[Demo]:
    """Everything of the demo running under `folder`; all of it ends with the body. `past`: it has had calls."""
    directory = demo_directory()
    async with AsyncExitStack() as stack:
        pbx = await stack.enter_async_context(Pbx(phones(directory)))
        world = await stack.enter_async_context(OutsideWorld(pbx))
        settings = _settings(folder, port, pbx)
        url = await stack.enter_async_context(open_database(settings))
        password = secrets.token_urlsafe(9)
        await _fill(url, directory, password)
        if past:
            await _remember(url, directory)
        settings = settings.model_copy(update={"database_url": SecretStr(url)})
        service = await stack.enter_async_context(open_service(settings))
        await _answering(service)
        page = f"http://{settings.web.host}:{settings.web.port}"
        yield Demo(service.house, pbx, world, page, password)


async def demo(seconds: float | None, port: int) -> None:
    """Run the demo until Ctrl-C, SIGTERM or the end of `seconds`."""
    began = time.monotonic()
    log.set_up("quiet")
    stop = stopping()
    folder = Path(tempfile.mkdtemp(prefix="switchhook-demo-"))
    folder.chmod(0o711)  # started by root, PostgreSQL runs as another account and must get through to its own folder
    try:
        async with open_demo(folder, port, past=True) as running:
            _say(f"started in {time.monotonic() - began:.1f} s")
            _welcome(running)
            try:
                async with asyncio.timeout(seconds), open_tasks() as running_too:
                    running_too(Life(running.world, _say).play())
                    running_too(tell_results(running.house.engine, running.page, _say))
                    await stop.wait()
            except TimeoutError:
                _say(f"{seconds:g} s are over")
            _say("ending")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _say("everything is ended; nothing was left behind")


async def _answering(service: Service) -> None:
    """Wait until the PBX asks us, so that the first caller meets the service and not the fallback."""
    if service.telephony is not None:
        async with asyncio.timeout(_ANSWERING_SECONDS):
            await service.telephony.answering()


def _settings(folder: Path, port: int, pbx: Pbx) -> Settings:
    at = free_port(port)
    return load(
        data_dir=folder,
        log="quiet",
        secret_key=SecretStr(os.environ.get(SETTING) or base64.b64encode(secrets.token_bytes(32)).decode()),
        crm=CrmSettings(networks=[IPv4Network("127.0.0.0/8")]),  # CRMs on this machine may be tried
        web=WebSettings(port=at, public_url=f"http://127.0.0.1:{at}"),
        metrics=MetricsSettings(port=free_port()),
        transcription=TranscriptionSettings(),
        pbx=[
            PbxSettings(
                name=_PBX,
                host=pbx.host,
                port=pbx.ami_port,
                username=pbx.ami_username,
                secret=pbx.ami_secret,
                cel_file=pbx.cel_file,
                recordings=pbx.recordings,
            )
        ],
    )


async def _fill(url: str, directory: Directory, password: str) -> None:
    engine = connect(url, pool=1)
    try:
        async with engine.begin() as connection:
            await apply(connection, directory)
            for login, role, person, _ in LOGINS:
                await users.add(connection, login, role, person=person, password=password)
    finally:
        await engine.dispose()


async def _remember(url: str, directory: Directory) -> None:
    """A quarter until yesterday, of which reports have something to tell, and plans for this month."""
    yesterday = datetime.now(ZoneInfo(directory.company.time_zone)).date() - timedelta(days=1)
    lately = [yesterday - timedelta(days=back) for back in range(31)]
    planted = (
        Planted(Truth.OUTAGE, "", (next(day for day in lately if day.isoweekday() != _SUNDAY),)),
        Planted(Truth.FALLING_STEP, "booking", tuple(lately[:14])),
        Planted(Truth.DEAD_PHONE, "anna", tuple(day for day in lately if day.isoweekday() == _TUESDAY)),
    )
    await store_history(plain(url), directory, yesterday, planted, pbx=Past(_PBX))
    engine = connect(url, pool=1)
    try:
        async with engine.begin() as connection:
            await plan_month(connection, (yesterday + timedelta(days=1)).replace(day=1))
    finally:
        await engine.dispose()


def _welcome(running: Demo) -> None:
    metrics = running.house.settings.metrics
    lines = (
        "",
        f"  Page     {running.page}",
        *(f"  {'Login' if not number else '':8} {one[0]:8} {one[3]}" for number, one in enumerate(LOGINS)),
        f"  Password {running.password}",
        f"  Metrics  http://{metrics.host}:{metrics.port}/metrics",
        f"  Commands DATABASE_URL={plain(running.house.url)} .venv/bin/switchhook leads list",
        "",
        "  Calls come in for as long as this runs. Ctrl-C ends everything.",
        "",
    )
    print("\n".join(lines), flush=True)


def _say(text: str) -> None:
    print(f"demo: {text}", file=sys.stderr, flush=True)
