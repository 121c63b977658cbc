"""Whether the service can do its work now, part by part, each with its reason; /readyz and the doctor tell it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from tempfile import TemporaryFile

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from service.settings import Settings
from service.telephony_role import Telephony
from service.wiring import House, store_disk
from web.services import Part

_SECONDS = 2.0


async def readiness(house: House, telephony: Telephony | None) -> Sequence[Part]:
    """The parts of this process: the database, of a telephony role each PBX and the writing of events; and its end."""
    parts = [await database_part(house)]
    if house.ending.is_set():
        parts.insert(0, Part("service", ready=False, reason="ending"))
    if telephony is not None:
        for attendant in telephony.attendants:
            state, name = attendant.link.state, attendant.settings.name
            if telephony.duties[name].standby:
                parts.append(Part(f"pbx {name}", ready=True, reason="another service attends it; standing by"))
            else:
                parts.append(Part(f"pbx {name}", state.connected, state.reason))
        reason = telephony.recorder.database_reason
        parts.append(Part("recorder", not reason, reason))
        loaded = telephony.memory.directory is not None
        parts.append(Part("directory", loaded, "" if loaded else "not read from the database yet"))
    parts.append(await asyncio.to_thread(store_part, house.settings))
    return parts


async def database_part(house: House) -> Part:
    """Whether the database answers."""
    try:
        async with asyncio.timeout(_SECONDS), house.engine.connect() as connection:
            await connection.execute(text("select 1"))
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        return Part("database", ready=False, reason=f"{type(error).__name__}: no answer within {_SECONDS:g} s")
    return Part("database", ready=True)


def store_part(settings: Settings) -> Part:
    """A folder can be written to; of a bucket nothing is asked here: calls and pages need it not."""
    disk = store_disk(settings)
    if disk is None:
        return Part("recordings", ready=True)
    folder = disk.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A file without a name: others may look at the same time, and where there is no room nothing is left.
        with TemporaryFile(dir=folder) as probe:
            probe.write(b"1")
            probe.flush()
        room = disk.room()
    except OSError as error:
        return Part("recordings", ready=False, reason=f"{error.strerror}: recordings cannot be kept")
    return Part("recordings", ready=True, reason="" if room.level == "room" else str(room))
