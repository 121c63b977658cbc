"""The web role: the pages and the API, and the port that operations read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from metrics.gauges import DatabaseGauges
from metrics.http import PortTakenError, Registry, make_app, serving
from metrics.links import LinkGauges, StoreGauges, WatchedLink
from metrics.working import WorkingNow
from service.commands.privacy import erasing_of
from service.crm.connecting import Connecting
from service.crm.doors import Doors
from service.faults import UserFault
from service.readiness import readiness
from service.settings import Settings
from service.telephony_role import Telephony
from service.wiring import House, open_store, open_tasks, outgoing_desk, store_disk
from web.access.oidc import Client
from web.access.provider import SingleSignOn
from web.app import make_app as make_pages
from web.services import WebServices

_LAST_SECONDS = 5.0
"""Whoever asked before the end, as for a long list or with a large file, is answered for so long."""


@asynccontextmanager
async def open_web(house: House, telephony: Telephony | None, on_push: Callable[[float], None]) -> AsyncIterator[str]:
    """Pages and API served while the body runs; gives their address."""
    told = house.settings.web
    store = open_store(house.settings)
    doors = Doors(house.settings, house.engine)
    services = WebServices(
        engine=house.engine,
        recordings=store,
        erasing=erasing_of(house.settings, house.engine, store),
        readiness=partial(readiness, house, telephony),
        on_push=on_push,
        outgoing=outgoing_desk(),
        uploads=_uploads(house.settings),
        crm=doors,
        connects=Connecting(house.settings, house.engine),
    )
    follow = partial(_follow, services, house)
    follow()
    house.followers.append(follow)
    pages = make_pages(services)
    try:
        async with serving(pages, told.host, told.port, setting="web.port", last_seconds=_LAST_SECONDS) as address:
            yield address
    except PortTakenError as error:
        raise UserFault(str(error)) from None
    finally:
        await doors.close()


def _follow(services: WebServices, house: House) -> None:
    """Have the pages do by the settings in force."""
    told = house.settings.web
    services.language = house.settings.language
    services.secure, services.trusted_proxies, services.public_url = told.secure, told.trusted_proxies, told.public_url
    services.sign_on = sign_on(house.settings)


def sign_on(settings: Settings) -> SingleSignOn | None:
    """How people log in by the provider of the settings, None without one."""
    told, back = settings.oidc, settings.web.public_url
    if told.issuer is None or back is None:
        return None
    secret = told.client_secret.get_secret_value() if told.client_secret else None
    client = Client(
        issuer=told.issuer,
        client_id=told.client_id,
        client_secret=secret,
        redirect_uri=f"{back}/login/oidc/return",
        scopes=tuple(told.scopes),
        claim=told.claim,
        label=told.label,
    )
    return SingleSignOn(client)


def _uploads(settings: Settings) -> dict[str, Path]:
    folders = {pbx.name: settings.recordings_of(pbx) for pbx in settings.pbx if pbx.uploads}
    return {name: folder for name, folder in folders.items() if folder is not None}


@asynccontextmanager
async def open_metrics(house: House, telephony: Telephony | None, registry: Registry) -> AsyncIterator[str]:
    """/metrics, /healthz and /readyz of this process served while the body runs; gives their address."""
    before = []
    if telephony is not None:
        links = [
            WatchedLink(
                one.settings.name,
                one.link.state,
                partial(getattr, one.buffer, "lost_total"),
                one.recovery.cel_unread_seconds,
                one.holding.waiting,
                partial(getattr, telephony.duties[one.settings.name], "standby"),
            )
            for one in telephony.attendants
        ]
        registry.register(LinkGauges(links))
        memory = telephony.memory
        registry.register(WorkingNow(lambda: memory.directory, memory.presences))
        before.append(telephony.observed.prepare)
        registry.register(StoreGauges(store_disk(house.settings)))
    gauges = DatabaseGauges(house.engine) if telephony is not None else None
    readers = [gauges.families] if gauges else []
    app = make_app(registry, readers=readers, before=before, ready=partial(readiness, house, telephony))
    async with AsyncExitStack() as stack:
        if gauges is not None:
            running = await stack.enter_async_context(open_tasks())
            running(gauges.keep(house.settings.metrics.every_seconds))
        listening = serving(app, house.settings.metrics.host, house.settings.metrics.port)
        try:
            address = await stack.enter_async_context(listening)
        except PortTakenError as error:
            raise UserFault(str(error)) from None
        yield address
