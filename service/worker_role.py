"""The worker role: does the jobs that calls owe, in a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from calls.follow_ups import FollowUpJobs
from calls.queue import QUEUES, Crew, Timing, make_app, work
from crm_sync.book.parties import numbers_of
from crm_sync.heard import HeardJobs
from crm_sync.jobs import CrmJobs
from crm_sync.ledger.planning import release
from crm_sync.ledger.sending import SendingJobs
from directory import calendars
from directory.feed import Limits
from notices.delivering import NoticeJobs
from notices.inbox import keep_forgetting
from notices.telling import QUEUE as NOTICES
from recordings import looking, upkeep
from recordings.archiving import ArchivingJobs, has_room
from recordings.processes import Processes
from recordings.storing import StoringJobs
from recordings.transcribing import TranscribingJobs
from recordings.turns import TOGETHER
from routing.answers import AnswerJobs
from service import nps
from service.commands.privacy import erasing_of
from service.counting import keep_counting
from service.crm import ledger as crms
from service.crm.doors import acts
from service.crm.probing import keep_probing
from service.crm.reconcile import keep_comparing
from service.crm.workplaces import opener
from service.doctor.daily import keep_examining
from service.faults import UserFault
from service.reloading import not_yet, open_reloading
from service.reporting import keep_reporting
from service.retention import keep as keep_what_may_be
from service.rounds import come_round
from service.settings import Settings
from service.stopping import stopping
from service.telling import open_telling
from service.traces import open_traces
from service.wiring import House, lead_owner, open_house, open_speech, open_store, open_tasks, owes, store_disk
from telephony.clocks import AHEAD

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

CALENDARS = "calendars"
"""Work like a queue's that is owed to no call: a loop over the feeds that are due, in whatever worker does it."""

RETENTION = "retention"
"""Another: what is past its days, and persons who asked to be erased."""

DOCTOR = "doctor"
"""And the daily look of the doctor."""

REPORTS = "reports"
"""And what reports are made of: day facts, and what clients answer; and telling those who are owed one."""

WORK = (*QUEUES, CALENDARS, RETENTION, DOCTOR, REPORTS)

_ENCODERS = 1
"""Processes that make archives: one does an hour of talk in a minute or two."""

_AT_ONCE = {"recordings": 4, "crm": 4, "effects": 256, "routing": 2, "follow_ups": 4, "notices": 4}


async def worker(settings: Settings, queues: Sequence[str], *, kept: bool = False) -> None:
    """Do jobs of `queues` (none named: all) until SIGINT or SIGTERM. `kept`: by a service, which has it reload."""
    unknown = sorted(set(queues) - set(WORK))
    if unknown:
        raise UserFault(f"--queue: must be one of {', '.join(WORK)}, got {unknown[0]!r}")
    stop = stopping()
    not_yet()
    async with open_traces(settings.traces), open_house(settings) as house, open_reloading(house, "worker", kept=kept):
        while not stop.is_set():
            renewed = asyncio.Event()
            house.followers[:] = [renewed.set]
            passing = asyncio.create_task(_pass_on(stop, renewed))
            await work_queues(house, queues_of(queues, kept=kept), renewed)
            passing.cancel()


def queues_of(named: Sequence[str], *, kept: bool) -> tuple[str, ...]:
    """What a worker does: what is named, else all; the doctor's look is the service's own that keeps it."""
    return tuple(named) or tuple(queue for queue in WORK if not (kept and queue == DOCTOR))


async def _pass_on(stop: asyncio.Event, other: asyncio.Event) -> None:
    await stop.wait()
    other.set()


async def work_queues(house: House, queues: Sequence[str], stop: asyncio.Event) -> None:
    """Do the work of `queues` until `stop` is set."""
    settings = house.settings
    async with AsyncExitStack() as stack:
        speech = await stack.enter_async_context(open_speech(settings.transcription))
        store = open_store(settings)
        folders = {pbx.name: settings.recordings_of(pbx) for pbx in settings.pbx}
        storing = StoringJobs(engine=house.engine, owes=owes, store=store, folders=folders)
        transcribing = TranscribingJobs(engine=house.engine, owes=owes, store=store, speech=speech)
        disk = store_disk(settings)
        archiving = ArchivingJobs(
            engine=house.engine,
            store=store,
            processes=await stack.enter_async_context(open_processes(_ENCODERS)),
            bitrate=settings.recordings.bitrate,
            no_room=has_room if disk is None else disk.no_room,
            archived=release,
        )
        leads = CrmJobs(engine=house.engine, owes=owes, ahead=AHEAD)
        answers = AnswerJobs(engine=house.engine)
        promises = FollowUpJobs(
            engine=house.engine, numbers=numbers_of, lead_owner=lead_owner(settings.crm), ahead=AHEAD
        )
        sending = await stack.enter_async_context(open_sending(house))
        notices = await stack.enter_async_context(open_telling(house))
        heard = HeardJobs(engine=house.engine, acts=acts(settings, house.engine))
        rooms = (storing, transcribing, archiving, leads, sending, heard, answers, promises, notices)
        app = make_app(house.url, [task for jobs in rooms for task in jobs.tasks()])
        crews = crews_of(queues, settings, notices.channels)
        log.info("working", queues=list(queues))
        async with open_tasks() as running:
            if CALENDARS in queues:
                running(calendars.keep(house.engine, _limits(settings), settings.calendars.every_seconds))
            if "effects" in queues:
                running(crms.keep_telling(house.engine, settings))
                running(keep_probing(house.engine, settings))
                running(keep_comparing(house.engine, settings))
            if "recordings" in queues:
                running(upkeep.keep(house.engine, store))
                running(looking.keep_looking(house.engine, folders))
            if NOTICES in queues:
                running(keep_forgetting(house.engine))
                running(keep_ending(notices))
            if RETENTION in queues:
                erasing = erasing_of(settings, house.engine, store)
                running(keep_what_may_be(house.engine, erasing.remover, erasing))
            if REPORTS in queues:
                running(keep_counting(house.engine))
                running(nps.keep(house.engine, settings.web.public_url or ""))
                running(keep_reporting(house.engine))
            if DOCTOR in queues:
                running(keep_examining(house))
            await work(app, crews, stop, _timing(settings.jobs.stalled_seconds))


def crews_of(queues: Sequence[str], settings: Settings, channels: Collection[str]) -> list[Crew]:
    """Who does which queue; notices are left to other workers where no channel of theirs is set up."""
    mine = [queue for queue in queues if queue in QUEUES and (queue != NOTICES or channels)]
    if NOTICES in queues and not channels:
        log.info("no channel of notices is set up here: messages are left to other workers")
    return [Crew((queue,), _at_once(queue, settings)) for queue in mine]


async def keep_ending(notices: NoticeJobs, every_seconds: float = 600.0) -> None:
    """End messages that are late for ever; a database that is away is asked again."""

    async def once() -> None:
        if count := await notices.end_late():
            log.warning("messages are too late to be sent", count=count)

    await come_round("the end of late messages", once, every_seconds)


def _timing(stalled: float) -> Timing:
    """A worker says that it lives often enough to be late some times; its jobs wait little longer than they must."""
    return Timing(heartbeat=stalled / 7.5, stalled=stalled, upkeep=stalled / 3)


def _at_once(queue: str, settings: Settings) -> int:
    """Of transcription so many that a process hears some together while as many gather for it."""
    return 2 * TOGETHER * settings.transcription.processes if queue == "transcription" else _AT_ONCE[queue]


def _limits(settings: Settings) -> Limits:
    told = settings.calendars
    return Limits(networks=told.networks, bytes_most=told.bytes_most, seconds_most=told.seconds_most)


@asynccontextmanager
async def open_sending(house: House) -> AsyncIterator[SendingJobs]:
    """The jobs that tell CRMs; their connections end with the body."""
    told = house.settings
    sending = SendingJobs(engine=house.engine, rooms=crms.rooms(told), open_crm=opener(told, house.engine))
    try:
        yield sending
    finally:
        await sending.close()


@asynccontextmanager
async def open_processes(count: int) -> AsyncIterator[Processes]:
    """Processes for work that takes a core; they end with the body."""
    processes = Processes(count)
    try:
        yield processes
    finally:
        await processes.close()
