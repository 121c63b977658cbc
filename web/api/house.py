"""People, teams, lines and devices, and parties by the API."""

from datetime import UTC, datetime
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field
from sqlalchemy import func, select

from crm_sync.tables import parties, party_numbers
from directory import presence_store
from directory.hours import open_at
from directory.model import Directory, Person
from directory.presence import Presence, presence_at
from telephony.tables import device_states
from web.api import models
from web.api.calls import Limit
from web.api.operations import NoQuery, Query
from web.guard import VIEWER
from web.house import HOUSE
from web.rights import parties_seen, scope_of
from web.services import SERVICES


class PageQuery(Query):
    """Which page: `cursor` is the `next` of the one before."""

    cursor: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    limit: Limit = 50


async def list_people(request: web.Request, _query: NoQuery) -> models.PersonList:
    """GET /people."""
    directory, now = await request.app[HOUSE].read(), datetime.now(UTC)
    async with request.app[SERVICES].engine.connect() as connection:
        book = await presence_store.read(connection)
    return models.PersonList(
        items=[_person(it, directory, presence_at(it, directory, book, now)) for it in directory.people]
    )


def _person(person: Person, directory: Directory, presence: Presence) -> models.PersonTold:
    return models.PersonTold(
        key=person.key,
        name=person.name,
        role=person.role,
        teams=[team.key for team in directory.teams if person.key in team.members],
        devices=[device.address for device in person.devices],
        there=presence.there,
        status=presence.status,
        status_until=presence.status_until,
        absent_until=presence.absence.ends_at if presence.absence else None,
        substitute=presence.absence.substitute if presence.absence else None,
        busy_until=presence.calendar_until,
    )


async def list_teams(request: web.Request, _query: NoQuery) -> models.TeamList:
    """GET /teams."""
    directory = await request.app[HOUSE].read()
    items = [
        models.TeamTold(key=team.key, name=team.name, strategy=team.strategy, members=list(team.members))
        for team in directory.teams
    ]
    return models.TeamList(items=items)


async def list_lines(request: web.Request, _query: NoQuery) -> models.LineList:
    """GET /lines."""
    directory, now = await request.app[HOUSE].read(), datetime.now(UTC)
    items = [
        models.LineTold(
            number=line.number,
            name=line.name,
            team=line.team,
            language=line.language or directory.company.language,
            open_now=open_at(directory.hours_of(line.hours), directory.zone_of(line), now),
        )
        for line in directory.lines
    ]
    return models.LineList(items=items)


async def list_devices(request: web.Request, _query: NoQuery) -> models.DeviceList:
    """GET /devices."""
    directory = await request.app[HOUSE].read()
    async with request.app[SERVICES].engine.connect() as connection:
        rows = (await connection.execute(select(device_states))).all()
    states = {row.device: row for row in rows}
    items = []
    for person in directory.people:
        for device in person.devices:
            told = {"address": device.address, "kind": device.kind, "number": device.number, "person": person.key}
            row = states.get(device.address)
            if row is not None:
                told |= {name: getattr(row, name) for name in ("pbx", "state", "reachable", "changed_at")}
            items.append(models.DeviceTold.model_validate(told))
    return models.DeviceList(items=items)


async def list_parties(request: web.Request, query: PageQuery) -> models.PartyPage:
    """GET /parties: for a manager, those who have called them or their team, or whose leads they work on."""
    scope = scope_of(request[VIEWER], await request.app[HOUSE].read())
    numbers = select(func.array_agg(party_numbers.c.number)).where(party_numbers.c.party_id == parties.c.id)
    asked = select(parties, numbers.scalar_subquery().label("numbers")).where(
        parties.c.merged_into.is_(None), parties_seen(scope, parties.c.id)
    )
    if query.cursor is not None:
        asked = asked.where(parties.c.id < query.cursor)
    rows, more = await _page(request, asked.order_by(parties.c.id.desc()), query.limit)
    items = [models.PartyTold.model_validate(row | {"numbers": row["numbers"] or []}) for row in rows]
    return models.PartyPage(items=items, next=more)


async def _page(request: web.Request, asked: Any, limit: int) -> tuple[list[dict[str, Any]], str | None]:
    async with request.app[SERVICES].engine.connect() as connection:
        rows = [dict(row) for row in (await connection.execute(asked.limit(limit + 1))).mappings()]
    return rows[:limit], str(rows[limit - 1]["id"]) if len(rows) > limit else None
