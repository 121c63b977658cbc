"""Who gets what: the one bootstrap of every process, with parts replaced by arguments in tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

import calls.follow_up
import crm_sync.due
import recordings.due
import routing.due
from calls.database import connect
from calls.due import Change, Job
from calls.follow_ups import LeadOwner
from calls.record import Owing
from crm_sync import grants
from crm_sync.book import parties
from crm_sync.book.owners import owner_of
from crm_sync.ledger.planning import plan_changes
from recordings.disk import Disk
from recordings.model import SpeechSettings
from recordings.speech import Speech
from recordings.store import Bucket, Store
from reports import nps_rows
from routing import look_up
from routing.requests import Desk
from service.database import upgrade
from service.postgres import AlreadyServedError, Postgres, PostgresError, served_url
from service.settings import CrmSettings, PbxSettings, Settings, TranscriptionSettings
from telephony import devices
from telephony.cel_file import CelFile
from telephony.cel_source import CelSource
from telephony.cel_table import CelTable


@dataclass(slots=True)
class House:
    """What every role needs: the settings, the database's address and an engine on it. `ending`: this process ends.

    `settings` are those in force; who can do by others while they run is among `followers`, called when they change.
    """

    settings: Settings
    url: str
    engine: AsyncEngine
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    followers: list[Callable[[], None]] = field(default_factory=list)


def _jobs(change: Change) -> Iterable[Job]:
    yield from recordings.due.due(change)
    yield from crm_sync.due.due(change)
    yield from routing.due.due(change)
    yield from calls.follow_up.due(change)


owes: Final = Owing(_jobs, plan_changes)
"""All that a change of a call owes, room by room, and to the CRMs."""


def cel_source(pbx: PbxSettings) -> CelSource | None:
    """Where the PBX's CEL is read; None when it is not set."""
    if pbx.cel_url is not None:
        return CelTable(connect(pbx.cel_url.get_secret_value(), pool=0), pbx.cel_table)
    return None if pbx.cel_file is None else CelFile(pbx.cel_file)


def outgoing_desk() -> Desk:
    """What the rooms know of calls to the outside."""
    return Desk(
        flagged=parties.must_not_be_called,
        unwanted=parties.unwanted,
        pbx_of=devices.pbx_of,
        asking=nps_rows.called_since,
    )


def lead_owner(crm: CrmSettings) -> LeadOwner:
    """Tells whose lead a number is: by the CRM's last word where one is asked, else by our own lead book."""
    if crm.owner_url is None and crm.owner_from is None:
        return owner_of

    async def told(connection: AsyncConnection, number: str) -> str | None:
        copy = (await look_up.read(connection, [number])).get(number)
        return copy.owner if copy is not None else await owner_of(connection, number)

    return told


def open_store(settings: Settings) -> Store:
    """Where audio is kept, by the settings: a folder, or an S3-compatible bucket, of which nothing is asked yet."""
    told = settings.recordings
    if told.bucket is None or told.key is None or told.secret is None:
        return Store.in_folder(settings.recordings_store)
    secret = told.secret.get_secret_value()
    return Store.in_bucket(Bucket(told.bucket, told.key, secret, region=told.region, endpoint=told.endpoint))


@asynccontextmanager
async def open_speech(settings: TranscriptionSettings) -> AsyncIterator[Speech]:
    """The speech engine of the settings; its processes end with the body."""
    speech = Speech(
        SpeechSettings(
            settings.model_path,
            device=settings.device,
            compute=settings.compute,
            language=settings.language,
            beam=settings.beam,
        ),
        processes=settings.processes,
    )
    try:
        yield speech
    finally:
        await speech.close()


def store_disk(settings: Settings) -> Disk | None:
    """The disk that recordings fill; None: they are in a bucket."""
    told = settings.recordings
    if told.store == "s3":
        return None
    return Disk(settings.recordings_store, told.warn_percent, told.stop_percent)


@asynccontextmanager
async def open_database(settings: Settings, *, migrate: bool = True) -> AsyncIterator[str]:
    """The address of a migrated database: the settings', else an embedded PostgreSQL under the data folder.

    The embedded one is run by the first process that asks; the others, as a command beside the service, use it.
    """
    async with AsyncExitStack() as stack:
        if settings.database_url is not None:
            url = settings.database_url.get_secret_value()
        else:
            folder = settings.data_dir / "postgres"
            try:
                url = (await stack.enter_async_context(Postgres(folder))).url
            except AlreadyServedError:
                running = served_url(folder)
                if running is None:
                    raise
                url = running
        if migrate:
            try:
                await upgrade(url)
            except OSError as error:  # of a socket, which names nothing
                raise PostgresError(
                    f"database_url: the database cannot be reached: {error.strerror or error}"
                ) from error
        yield url


@asynccontextmanager
async def open_house(settings: Settings, *, pool: int = 10) -> AsyncIterator[House]:
    """A house with its database ready; everything is given back at the end."""
    async with open_database(settings) as url:
        engine = connect(url, pool=pool)
        try:
            yield House(settings, url, engine)
        finally:
            await grants.settled()
            await engine.dispose()


class Tasks:
    """What runs beside a body, as `open_tasks` gives it."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._started: list[asyncio.Task[None]] = []

    def __call__(self, work: Coroutine[Any, Any, None]) -> None:
        """Start it."""
        self._started.append(self._group.create_task(work))

    def end(self) -> None:
        """Have all begin to end, once; that they have is waited for after the body."""
        while self._started:
            self._started.pop().cancel()


@asynccontextmanager
async def open_tasks() -> AsyncIterator[Tasks]:
    """Tasks that end with the body at the latest; one that fails ends the body."""
    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group)
        yield tasks
        tasks.end()
