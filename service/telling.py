"""The channels of notices by the settings, and telling one person something now, as a test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from directory import store
from directory.model import Directory, Person
from notices.addresses import address_of, bury, dead_of, revive
from notices.channel import AddressDead, Channel, Message, NotDelivered
from notices.delivering import NoticeJobs
from notices.mail import Mail, MailServer
from notices.model import Told
from notices.tables import SENT_BY
from notices.telegram import Telegram
from notices.webhook import Webhook
from service.composing import open_composing
from service.faults import UserFault
from service.settings import NoticesSettings, Settings
from service.wiring import House, open_house
from web.notice_text import NoticeWords
from web.words import say


def channels_of(told: NoticesSettings) -> dict[str, Channel]:
    """The channels that are set up, by name."""
    found: dict[str, Channel] = {}
    mail = told.mail
    if mail.host is not None and mail.sender is not None:
        found["email"] = Mail(
            MailServer(
                host=mail.host,
                port=mail.port,
                security=mail.security,
                sender=mail.sender,
                username=mail.username,
                password=mail.password.get_secret_value() if mail.password else None,
                ca_file=mail.ca_file,
            )
        )
    if told.telegram.token is not None:
        found["telegram"] = Telegram(told.telegram.token.get_secret_value(), told.telegram.url)
    if told.webhook.url is not None and told.webhook.secret is not None:
        found["webhook"] = Webhook(told.webhook.url, told.webhook.secret.get_secret_value())
    return found


@asynccontextmanager
async def open_channels(told: NoticesSettings) -> AsyncIterator[Mapping[str, Channel]]:
    """The channels that are set up; they are closed with the body."""
    channels = channels_of(told)
    try:
        yield channels
    finally:
        for channel in channels.values():
            await channel.close()


@asynccontextmanager
async def open_telling(house: House) -> AsyncIterator[NoticeJobs]:
    """The jobs that send notices; their connections end with the body."""
    async with open_channels(house.settings.notices) as channels, open_composing(house) as made:
        words = NoticeWords(house.settings.web.public_url)
        yield NoticeJobs(engine=house.engine, channels=channels, words=words, made=made)


@dataclass(frozen=True, slots=True)
class Tried:
    """How one channel of a person stands: `reason` None: the test message was taken, or none was asked for."""

    channel: str
    address: str | None
    wanted: bool
    reason: str | None


async def tell_of(settings: Settings, key: str, *, test: bool) -> tuple[list[Tried], str]:
    """(how each channel of a person stands, a line each); `test`: by what a test message met just now."""
    async with open_house(settings, pool=1) as house, open_channels(settings.notices) as channels:
        async with house.engine.begin() as connection:
            directory = await store.read(connection)
            person = directory.person(key)
            if person is None:
                raise UserFault(f"PERSON: there is no {key!r} in the directory")
            dead = await dead_of(connection, person)
        tried = [await _stands(house, directory, person, name, channels, dead, test=test) for name in SENT_BY]
    lines = [f"page      {'wanted' if 'page' in person.notify else 'not wanted'}"]
    return tried, "\n".join([*lines, *(_line(one, settings.language) for one in tried)])


def _line(one: Tried, language: str) -> str:
    wanted = "" if one.wanted else ", not wanted"
    how = "well" if one.reason is None else say(language, f"undelivered.{one.reason}")
    return f"{one.channel:<9} {one.address or 'no address'}{wanted}: {how}"


async def _stands(  # one person's one channel
    house: House,
    directory: Directory,
    person: Person,
    name: str,
    channels: Mapping[str, Channel],
    dead: Mapping[str, str],
    *,
    test: bool,
) -> Tried:
    address, channel = address_of(person, name), channels.get(name)
    wanted, reason = name in person.notify, dead.get(name)
    if channel is None:
        reason = "not_set_up"
    elif address is None:
        reason = "no_address"
    elif test and wanted:
        reason = await _try(house, directory, person, name, channel, address)
    return Tried(name, address, wanted, reason)


async def _try(
    house: House, directory: Directory, person: Person, name: str, channel: Channel, address: str
) -> str | None:
    """Send a test message, and note whether the address lives."""
    told = Told(person.key, "test", "house", "", {}, datetime.now(UTC), directory.company.language)
    words = NoticeWords(house.settings.web.public_url)
    try:
        await channel.send(address, Message(uuid4(), told, words(directory, told)))
    except AddressDead as error:
        async with house.engine.begin() as connection:
            await bury(connection, person, name, error.reason)
        return error.reason
    except NotDelivered as error:
        return error.reason
    async with house.engine.begin() as connection:
        await revive(connection, person, name)
    return None
