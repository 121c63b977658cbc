"""One of everything that an address can name, in the house of `tests.fakes.story`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.tables import follow_ups
from crm_sync.book.leads import By, open_lead
from crm_sync.book.notes import add_task
from crm_sync.tables import parties
from directory.tables import absences
from recordings import comments, holds
from recordings.audit import THE_OPERATOR, Actor
from recordings.privacy_tables import erasures
from recordings.tables import archives
from routing.tables import outgoing_calls
from telephony import overhearings
from tests.fakes.ledger import add_connection
from tests.fakes.site import Site
from tests.fakes.story import HOUSE, LINE, Told
from web import links as signed
from web import upload_tokens, users

SOUND: Final = b"OggS" + bytes(range(256)) * 40
_HOUR: Final = timedelta(hours=1)


async def talk(site: Site) -> Told:
    """An answered call of Anna's team, with its archive and text."""
    call = Told(site.engine)
    await call.arrives()
    await call.rings("PJSIP/anna-desk")
    await call.answers("PJSIP/anna-desk")
    await call.hangs_up(after=10)
    await call.keeps(site.store, [("caller", "Здравствуйте"), ("staff", "Добрый день")])
    path = f"{call.at:%Y/%m/%d}/{call.id}/0123456789abcdef.ogg"
    file = site.store / path
    file.parent.mkdir(parents=True)
    file.write_bytes(SOUND)
    row = {"call_id": call.id, "path": path, "bytes": len(SOUND), "sha256": "0123456789abcdef" * 4, "seconds": 9.0}
    async with site.engine.begin() as connection:
        await connection.execute(
            insert(archives).values(row | {"masked": [], "parts": [], "outline": {"caller": [], "staff": []}})
        )
    return call


async def link_to(site: Site, call: Told, *, made_before: timedelta = timedelta()) -> signed.Link:
    """A signed link of seven days to the call's recording."""
    assert call.id is not None
    async with site.engine.begin() as connection:
        return await signed.make(connection, Actor(login="anna"), call.id, now=datetime.now(UTC) - made_before)


async def things(site: Site) -> dict[str, str]:
    """One of everything that an address can name."""
    call = await talk(site)
    missed = Told(site.engine, number="79165550144")
    await missed.arrives()
    await missed.rings("PJSIP/anna-desk")
    await missed.hangs_up(after=20)
    await missed.is_promised()
    link = await link_to(site, call)
    async with site.engine.begin() as connection:
        wish = {"purpose": "click", "state": "connected", "number": "79165550133", "person": "anna"}
        asked = insert(outgoing_calls).values(wish | {"asked_by": "anna"}).returning(outgoing_calls.c.id)
        away = {"person": "anna", "starts_at": func.now(), "ends_at": func.now() + _HOUR}
        assert call.id is not None
        numbers = {
            "follow-ups": (await connection.execute(select(follow_ups.c.id))).scalar_one(),
            "absences": (await connection.execute(insert(absences).values(away).returning(absences.c.id))).scalar_one(),
            "holds": await holds.add(connection, THE_OPERATOR, "case 2", call_id=call.id),
            "links": link.id,
            "comments": await comments.add(connection, call.id, 1, "Хорошо начато", seconds=9, by="anna", user=1),
        }
        numbers["missed"] = numbers["follow-ups"]
        numbers["leads"], numbers["tasks"] = await lead_with_task(connection)
        numbers["parties"] = (await connection.execute(select(parties.c.id))).scalar_one()
        await connection.execute(text("insert into parties (id, name) overriding system value values (99, 'Пётр')"))
        numbers["merges"] = 1
        numbers["users"] = await users.id_of(connection, "gleb")
        row = {"asked_by": "ilya", "numbers": ["79165550122"], "pseudonym": "erased000000000001"}
        numbers["erasures"] = (
            await connection.execute(insert(erasures).values(row).returning(erasures.c.id))
        ).scalar_one()
        outgoing = (await connection.execute(asked)).scalar_one()
        heard = await overhearings.ask(connection, call.id, person="vera", heard="anna", mode="listen", asked_by="vera")
        token = await upload_tokens.create(connection, "main")
    await add_connection(site.engine, "https://crm.example.com/told")
    told = {name: str(number) for name, number in numbers.items()} | {"pbx": f"Bearer {token}", "crm": "site"}
    return told | {
        "calls": str(call.id),
        "outgoing-calls": str(outgoing),
        "overhearings": str(heard),
        "link": link.path.rpartition("/")[2],
    }


async def lead_with_task(connection: AsyncConnection) -> tuple[int, int]:
    """A lead of Anna's that came by the line of her team, with something to do; their ids."""
    made = insert(parties).values(name="Пётр").returning(parties.c.id)
    party = (await connection.execute(made)).scalar_one()
    by = By(who="anna", at=datetime.now(UTC))
    lead = await open_lead(connection, HOUSE, party, by, stage="qualifying", owner="anna", line=LINE)
    task = await add_task(connection, HOUSE, lead, "Позвонить", by)
    assert task is not None
    return lead, task
