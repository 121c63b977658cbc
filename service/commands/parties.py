"""What `switchhook parties` does and prints."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book import merging
from crm_sync.book.leads import By, place
from crm_sync.book.merging import PartyRefused, merges_of
from crm_sync.tables import leads, parties, party_numbers
from directory.model import Directory
from directory.store import read
from recordings import audit
from service.faults import UserFault
from service.settings import Settings
from service.wiring import open_house
from web.wording import phone


@asynccontextmanager
async def _book(settings: Settings) -> AsyncIterator[tuple[AsyncConnection, Directory]]:
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        try:
            yield connection, await read(connection)
        except PartyRefused as error:
            raise UserFault(str(error)) from None


async def show_party(settings: Settings, party: str) -> tuple[dict[str, Any], str]:
    """(JSON, words) of a party, by its id or one of its numbers."""
    async with _book(settings) as (connection, directory):
        whose = select(party_numbers.c.party_id).where(party_numbers.c.number == directory.normal(party))
        found = (await connection.execute(whose)).scalar_one_or_none()
        if found is None and party.isascii() and party.isdigit() and len(party) < 19:
            found = int(party)
        row = (await connection.execute(select(parties).where(parties.c.id == found))).one_or_none()
        if row is None:
            raise UserFault(f"PARTY: there is no party {party!r}, nor one with that number")
        mine = select(party_numbers.c.number).where(party_numbers.c.party_id == row.id)
        numbers = sorted((await connection.execute(mine)).scalars())
        owned = select(leads).where(leads.c.party_id == row.id).order_by(leads.c.id)
        its_leads = (await connection.execute(owned)).all()
        merges = await merges_of(connection, row.id)
    told = {
        "id": row.id,
        "name": row.name,
        "merged_into": row.merged_into,
        "numbers": numbers,
        "leads": [{"id": it.id, "stage": it.stage, "step": it.step, "owner": it.owner} for it in its_leads],
        "merges": [
            {"kept": it.kept, "gone": it.gone, "at": it.at.isoformat(), "by": it.by}
            | {"undone_at": it.undone_at.isoformat() if it.undone_at else None, "undone_by": it.undone_by}
            for it in merges
        ],
    }
    into = f", merged into party {row.merged_into}" if row.merged_into else ""
    lines = [f"party {row.id}: {row.name or 'nobody knows the name'}{into}"]
    lines += [f"  {phone(number) or number}" for number in numbers]
    lines += [f"  lead {it.id}  {place(it.stage, it.step)}  {it.owner or 'nobody'}" for it in its_leads]
    lines += [
        f"  {it.at.isoformat(timespec='seconds')}  {it.by} merged {it.gone} into {it.kept}"
        + (f"; {it.undone_by} took it back" if it.undone_at else "")
        for it in merges
    ]
    return told, "\n".join(lines)


async def merge_parties(settings: Settings, kept: int, gone: int, by: str) -> None:
    """Make `gone` part of `kept`."""
    async with _book(settings) as (connection, directory):
        await merging.merge(connection, directory, kept, gone, _who(directory, by))


async def unmerge_party(settings: Settings, gone: int, by: str) -> int:
    """Take a merge back; gives the id of the party that it was part of."""
    async with _book(settings) as (connection, directory):
        return await merging.unmerge(connection, directory, gone, _who(directory, by))


async def add_party_number(settings: Settings, party: int, number: str) -> str:
    """Note another number, and give it as it is kept."""
    async with _book(settings) as (connection, directory):
        told = await merging.add_number(connection, directory, party, number)
        await audit.note(connection, audit.THE_OPERATOR, "party_number_added", f"party {party}")
        return told


async def rename_party(settings: Settings, party: int, name: str) -> None:
    """Write a party's name."""
    async with _book(settings) as (connection, _directory):
        await merging.rename(connection, party, name)
        await audit.note(connection, audit.THE_OPERATOR, "party_renamed", f"party {party}")


def _who(directory: Directory, key: str) -> By:
    if directory.person(key) is None:
        raise UserFault(f"--by: there is nobody {key!r} in the directory")
    return By(who=key, at=datetime.now(UTC))
