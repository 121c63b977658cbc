"""Worker processes beside the service: started, started again when they die, and never left behind."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
import time
from contextlib import suppress
from typing import Any

import structlog
from pydantic import SecretStr

from service.settings import CrmSettings, RecordingsSettings, Settings
from service.wiring import House

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_PR_SET_PDEATHSIG = 1  # prctl(2)
_STOP_SECONDS = 8.0
_LASTED_SECONDS = 60.0
_LIBC = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """In a child before exec: SIGTERM comes when the parent ends, however it ends (prctl(2), Linux)."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _humbly() -> None:
    """As `die_with_parent`, and with less claim to the processor: a caller waits for routing, nobody for a text."""
    die_with_parent()
    os.nice(10)


async def keep_worker(house: House) -> None:
    """Keep one worker process for all queues running until cancelled, then end it in order."""
    pause = 1.0
    renewed = asyncio.Event()
    house.followers.append(renewed.set)
    while True:
        renewed.clear()
        began_at = time.monotonic()
        environment = {**os.environ, **environment_of(house.settings, house.url)}
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "service.cli.main", "worker", "--kept", env=environment, preexec_fn=_humbly
        )
        try:
            code = await _code(child, renewed)
        finally:
            await _end(child)
        if code is None:
            log.info("the worker is started by other settings")
            continue
        if time.monotonic() - began_at > _LASTED_SECONDS:
            pause = 1.0
        log.error("the worker ended and is started again", code=code, pause_seconds=pause)
        await asyncio.sleep(pause)
        pause = min(pause * 2, 60.0)


async def _code(child: asyncio.subprocess.Process, renewed: asyncio.Event) -> int | None:
    """Wait for its end: its status, or None when it is to be another one."""
    ended, other = asyncio.ensure_future(child.wait()), asyncio.ensure_future(renewed.wait())
    try:
        await asyncio.wait({ended, other}, return_when=asyncio.FIRST_COMPLETED)
        return ended.result() if ended.done() else None
    finally:
        ended.cancel()
        other.cancel()


def environment_of(settings: Settings, url: str) -> dict[str, str]:
    """This process's settings for a worker, by its environment; it needs no PBX's secret and gets none."""
    folders = {one.name: settings.recordings_of(one) for one in settings.pbx}
    pbxes = [{"name": name, "recordings": str(folder or ""), "secret": "-"} for name, folder in folders.items()]
    return {
        "DATABASE_URL": url,
        "SWITCHHOOK_DATA_DIR": str(settings.data_dir.resolve()),
        "SWITCHHOOK_LOG": settings.log,
        "SWITCHHOOK_PBX": json.dumps([{key: value for key, value in one.items() if value} for one in pbxes]),
        "SWITCHHOOK_TRANSCRIPTION": settings.transcription.model_dump_json(),
        "SWITCHHOOK_TRACES": settings.traces.model_dump_json(exclude_none=True),
        "SWITCHHOOK_JOBS": settings.jobs.model_dump_json(),
        "SWITCHHOOK_RECORDINGS": json.dumps(_plain(settings.recordings, secret=settings.recordings.secret)),
        "SWITCHHOOK_CRM": json.dumps(_plain(settings.crm, token=settings.crm.token)),
        "SWITCHHOOK_SECRET_KEY": settings.secret_key.get_secret_value(),
        "SWITCHHOOK_WEB__PUBLIC_URL": settings.web.public_url or "",
        "SWITCHHOOK_CALENDARS": settings.calendars.model_dump_json(),
    }


def _plain(settings: RecordingsSettings | CrmSettings, **secrets: SecretStr | None) -> dict[str, Any]:
    """With what opens the bucket, or the CRM that is asked: the child speaks with them."""
    told = settings.model_dump(mode="json", exclude_none=True)
    return told | {name: one.get_secret_value() for name, one in secrets.items() if one is not None}


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is not None:
        return
    with suppress(ProcessLookupError):
        child.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()
