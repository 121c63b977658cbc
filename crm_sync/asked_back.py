"""Whoever asks in a form of a CRM to be called is in the lead book with a task: no outage of ours forgets them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book.deadlines import due_at
from crm_sync.book.leads import By, open_lead
from crm_sync.book.lifecycle import OPEN, SERVICE
from crm_sync.book.locks import lock_numbers
from crm_sync.book.notes import add_task
from crm_sync.tables import leads, parties, party_numbers
from directory.model import Directory
from notices.telling import heads_of

_TEXT_MOST: Final = 500
_MINUTES: Final = 60
_CALL: Final = {"ru": "Перезвонить {}: попросили в форме CRM", "en": "Call {}: a form of the CRM asks for it"}


async def owe_call(
    connection: AsyncConnection, directory: Directory, heard: UUID, number: str, line: str | None, text: str
) -> str | None:
    """Give the owner of the number's lead, else the head of its line, a task to call; returns whose lead it is.

    `number` is in E.164 digits, `heard` what asked: again it is the same task. Who is unknown gets a party and a lead.
    """
    now = datetime.now(UTC)
    by = By(who=SERVICE, at=now)
    await lock_numbers(connection, [number])
    party = await connection.scalar(select(party_numbers.c.party_id).where(party_numbers.c.number == number))
    if party is None:
        party = await connection.scalar(insert(parties).values(created_at=now).returning(parties.c.id))
        await connection.execute(insert(party_numbers).values(number=number, party_id=party))
    asked = select(leads.c.id, leads.c.owner).where(leads.c.party_id == party, leads.c.stage.in_(OPEN))
    lead = (await connection.execute(asked.order_by(leads.c.id.desc()).limit(1))).first()
    lead_id = lead.id if lead else await open_lead(connection, directory, party, by, stage="new", line=line)
    owner: str | None = lead.owner if lead and directory.person(lead.owner or "") else None
    told = _CALL["ru" if directory.company.language == "ru" else "en"].format(number)
    await add_task(
        connection,
        directory,
        lead_id,
        f"{told}. {text}"[:_TEXT_MOST].strip() if text.strip() else told,
        by,
        assignee=owner or next(iter(heads_of(directory, line)), None),
        due_at=due_at(directory, line, directory.follow_up_of(line or "").minutes or _MINUTES, now),
        because=f"asked/{heard}",
    )
    return owner
