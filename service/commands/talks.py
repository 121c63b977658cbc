"""What the commands about talks do."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.record import state_call
from calls.tables import calls
from calls.view import view
from directory.store import read
from recordings.export import zipped
from recordings.measuring import measure_again
from recordings.store import StoreError
from service.commands.explain import find_call
from service.commands.one_shot import COMMAND_LINE
from service.faults import UserFault
from service.settings import Settings
from service.wiring import open_house, open_store
from web.exporting import NothingKeptError, file_name, members_of
from web.hearing import REFUSED, hearing_of
from web.one_call import OneCall
from web.tables import listens


async def export_call(settings: Settings, call: str, folder: Path) -> Path:
    """Write the zip of a call into a folder, for this account alone; returns its path.

    It has its name only when it is whole. Raises UserFault for no such call or folder, or a call without sound and
    text.
    """
    if not folder.is_dir():
        raise UserFault(f"--to: there is no folder {str(folder)!r}")
    async with open_house(settings, pool=1) as house:
        async with house.engine.begin() as connection:
            call_id = await find_call(connection, call)
            if call_id is None:
                raise UserFault(f"CALL: there is no call {call!r}")
            one = await _read(connection, call_id)
            hearing = await hearing_of(connection, one, await read(connection), role=None)
            if hearing.sound is not None and hearing.audible is None:
                raise UserFault(f"CALL: {REFUSED[hearing.state]}")
            try:
                members = await members_of(connection, open_store(settings), one, hearing.sound, settings.language)
            except NothingKeptError as error:
                raise UserFault(f"CALL: {error}") from None
            row = {"login": COMMAND_LINE, "call_id": call_id, "what": "export"}
            await connection.execute(insert(listens).values(row))
        began = one.seen.started_at
        path = folder / f"{file_name(began, call_id)}.zip"
        part = path.with_suffix(".part")
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                async for block in zipped(members, began):
                    file.write(block)
            part.replace(path)
        except StoreError as error:
            raise UserFault(f"CALL: {error}") from None
        finally:
            part.unlink(missing_ok=True)
    return path


async def _read(connection: AsyncConnection, call_id: UUID) -> OneCall:
    row = (await connection.execute(select(calls).where(calls.c.id == call_id))).one()
    call = state_call(row.state)
    return OneCall(call_id, row, call, view(call), people={}, plan={}, routed=None)


async def measure_period(settings: Settings, since: datetime, until: datetime) -> int:
    """Measure the talks of the calls that began in a period again; returns how many."""
    if since >= until:
        raise UserFault(f"--from: must be before --to, got {since.isoformat()}")
    async with open_house(settings, pool=1) as house:
        return await measure_again(house.engine, since, until)
