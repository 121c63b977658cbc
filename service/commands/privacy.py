"""What `switchhook erase`, `retention` and `hold` do, and what workers need for the same."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from directory import store
from directory.numbers import e164
from recordings import holds
from recordings.audit import THE_OPERATOR
from recordings.erasures import EraseRefused, Report
from recordings.store import Store
from service.commands.explain import find_call
from service.erasing import EraseBusyError, Erasing
from service.faults import UserFault
from service.removing import Remover
from service.retention import due_calls, keep_to
from service.settings import PbxSettings, Settings
from service.wiring import open_house, open_store
from web import links

_WAIT = "another erasure goes on; this one is written down and done after it"


def erasing_of(settings: Settings, engine: AsyncEngine, kept: Store) -> Erasing:
    """What erases persons, with the PBXes of the settings."""
    remover = Remover(kept, {pbx.name: settings.recordings_of(pbx) for pbx in settings.pbx})
    return Erasing(engine, remover, {pbx.name: _own_files(pbx) for pbx in settings.pbx})


async def erase(settings: Settings, numbers: Sequence[str], *, dry_run: bool) -> Report:
    """Erase whoever has these numbers, or tell what that would remove."""
    async with open_house(settings, pool=5) as house:
        erasing = erasing_of(settings, house.engine, open_store(settings))
        try:
            if dry_run:
                return await erasing.look(numbers)
            return await erasing.run(await erasing.ask(numbers, THE_OPERATOR))
        except EraseRefused as error:
            raise UserFault(f"NUMBER: {error}") from None
        except EraseBusyError:
            raise UserFault(_WAIT) from None


async def retention(settings: Settings, *, dry_run: bool) -> dict[str, Any]:
    """Remove what is past its days, or tell what that would be: {"calls": [...], "went": {...}}."""
    async with open_house(settings, pool=5) as house:
        now = datetime.now(UTC)
        if dry_run:
            return {"calls": [one.to_json() async for one in due_calls(house.engine, now)], "went": {}}
        remover = erasing_of(settings, house.engine, open_store(settings)).remover
        return {"calls": [], "went": dict(await keep_to(house.engine, remover, now))}


async def add_hold(settings: Settings, call: str | None, number: str | None, reason: str) -> int:
    """Hold a call (id, or a PBX's uniqueid) or a number."""
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        call_id = await find_call(connection, call) if call else None
        if call and call_id is None:
            raise UserFault(f"--call: there is no call {call!r}")
        stored = e164(number, (await store.read(connection)).company.region) if number else None
        if number and stored is None:
            raise UserFault(f"--number: must be a telephone number, got {number!r}")
        try:
            return await holds.add(connection, THE_OPERATOR, reason, call_id=call_id, number=stored)
        except holds.HoldRefused as error:
            raise UserFault(f"--{error}") from None


async def lift_hold(settings: Settings, hold_id: int) -> None:
    """End a hold."""
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        try:
            await holds.lift(connection, THE_OPERATOR, hold_id)
        except holds.HoldRefused as error:
            raise UserFault(f"ID: {error}") from None


async def list_holds(settings: Settings) -> list[holds.Hold]:
    """Everything that is held."""
    async with open_house(settings, pool=1) as house, house.engine.connect() as connection:
        return await holds.listed(connection)


async def revoke_link(settings: Settings, link_id: int) -> None:
    """End a signed link."""
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        try:
            await links.revoke(connection, THE_OPERATOR, link_id)
        except links.LinkRefused as error:
            raise UserFault(f"ID: {error}") from None


async def rotate_link_key(settings: Settings, *, end_links: bool) -> int:
    """Sign links with a new key; returns how many links that ended."""
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        return await links.rotate(connection, THE_OPERATOR, end_links=end_links)


def _own_files(pbx: PbxSettings) -> str:
    """Where a PBX itself keeps who called: what we have no right to change."""
    if pbx.cel_url is not None:
        return f"the CEL table {pbx.cel_table}, and the PBX's own logs"
    return f"the CEL file {pbx.cel_file}, and the PBX's own logs" if pbx.cel_file else "the PBX's own CEL and logs"
