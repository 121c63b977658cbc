"""What the doctor asks of notices: whether each channel that is set up lets us in, and whom no message reaches."""

from __future__ import annotations

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from directory.model import Directory
from notices.addresses import dead_of
from notices.channel import NotDelivered
from notices.tables import SENT_BY
from service.doctor.check import Check
from service.settings import NoticesSettings, Settings
from service.telling import channels_of, open_channels
from web.words import say

_REMEDY: Final = "see docs/how_to/be_told.md"


async def examine_channels(told: NoticesSettings) -> list[Check]:
    """Each channel that is set up: whether the other side takes us. A webhook gets a message of the type `probe`."""
    checks = []
    async with open_channels(told) as channels:
        for name, channel in channels.items():
            try:
                checks.append(Check(f"notices by {name}", "ok", await channel.probe()))
            except NotDelivered as error:
                why = say("en", f"undelivered.{error.reason}")
                checks.append(Check(f"notices by {name}", "fail", why, _REMEDY))
    return checks


async def channels(settings: Settings) -> list[Check]:
    """`examine_channels` of the settings."""
    return await examine_channels(settings.notices)


async def examine_people(connection: AsyncConnection, directory: Directory, told: NoticesSettings) -> list[Check]:
    """Whom a message does not reach that they want; nothing when all is well."""
    ready, found = channels_of(told), list[str]()
    for person in directory.people:
        dead = await dead_of(connection, person)
        for name in (channel for channel in SENT_BY if channel in person.notify):
            reason = "not_set_up" if name not in ready else dead.get(name)
            if reason is not None:
                found.append(f"{person.key}: {name}: {say('en', f'undelivered.{reason}')}")
    return [Check("people's notices", "warn", ", ".join(found), "switchhook notify PERSON --test")] if found else []
