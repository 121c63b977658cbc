"""`switchhook serve`: the roles of this process, from start to a clean end."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from calls.incident_rows import last_sign_of_life
from metrics.http import new_registry
from metrics.observe import CrmAsked, Pushed
from service.children import keep_worker
from service.crm.owners import open_crm
from service.doctor.daily import keep_examining
from service.faults import UserFault
from service.incidents.looking import Looking
from service.reloading import not_yet, open_reloading
from service.settings import Settings
from service.stopping import stopping
from service.telephony_role import Telephony
from service.traces import open_traces
from service.web_role import open_metrics, open_web
from service.wiring import House, Tasks, open_house, open_tasks

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_NOTICED_SECONDS = 2.0
_GOODBYE_SECONDS = 2.0
"""So long a web role that is no longer ready goes on taking requests: whoever shares them out sends them elsewhere."""


@dataclass(frozen=True, slots=True)
class Service:
    """What runs in this process."""

    house: House
    telephony: Telephony | None


@asynccontextmanager
async def open_service(settings: Settings, role: str = "all") -> AsyncIterator[Service]:
    """The service with its roles running; whatever ends one of them ends all, with its reason."""
    _refuse_taken("metrics.port", settings.metrics.host, settings.metrics.port)
    if role in {"all", "web"}:
        _refuse_taken("web.port", settings.web.host, settings.web.port)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(open_traces(settings.traces))
        house = await stack.enter_async_context(open_house(settings))
        registry = new_registry()
        crm = await stack.enter_async_context(open_crm(house, CrmAsked(registry).note))
        telephony = Telephony(house, registry, crm) if role in {"all", "telephony"} else None
        if telephony is not None:
            await telephony.load()
        await stack.enter_async_context(open_metrics(house, telephony, registry))
        running = await stack.enter_async_context(open_tasks())
        if telephony is not None:
            running(telephony.run())
            running(Looking(telephony).run())
        if role in {"all", "web"}:
            await stack.enter_async_context(open_web(house, telephony, Pushed(registry).seconds))
        if role == "all":
            running(keep_worker(house))
            running(keep_examining(house))
        # What is loaded by now stays: a full collection over it all would hold callers up for tens of milliseconds.
        gc.collect()
        gc.freeze()
        try:
            yield Service(house, telephony)
        finally:
            await _end(house, running, telephony)


async def _end(house: House, running: Tasks, telephony: Telephony | None) -> None:
    """Begin to end: say so first, hand the PBXes over and have the worker stop, while pages are still answered.

    What is open is closed after it, as it was opened, the port that operations read last.
    """
    house.ending.set()
    running.end()
    if telephony is None:
        await asyncio.sleep(_NOTICED_SECONDS)


async def serve(settings: Settings, role: str) -> None:
    """Run until SIGINT or SIGTERM; all is over within ten seconds of it."""
    stop = stopping()
    not_yet()
    async with open_service(settings, role) as running, open_reloading(running.house, role):
        where = f"http://{settings.web.host}:{settings.web.port}"
        log.info(
            "serving", role=role, page=where if role != "telephony" else None, pbxes=len(running.house.settings.pbx)
        )
        await stop.wait()
        log.info("stopping")
        if running.telephony is not None:
            await _say_goodbye(running.house)


async def _say_goodbye(house: House) -> None:
    """Write that the service is ended, for who starts next; a database that is away does not hold up the end."""
    try:
        async with asyncio.timeout(_GOODBYE_SECONDS), house.engine.begin() as connection:
            await last_sign_of_life(connection)
    except (SQLAlchemyError, OSError) as error:
        log.warning("the end is not noted", error=type(error).__name__)


def _refuse_taken(setting: str, host: str, port: int) -> None:
    """Raise UserFault when nobody could listen on `port` of `host`; what started already would have to be ended."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise UserFault(f"{setting}: cannot listen on {host}:{port} ({error.strerror or error})") from None
