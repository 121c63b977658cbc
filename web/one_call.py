"""Reads one call whole, for its page and for the API, and refuses the one who may not see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiohttp import web
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calls import events as e
from calls.call import Call, earliest
from calls.record import state_call
from calls.tables import calls, legs
from calls.view import CallView, view
from crm_sync.tables import leads, parties
from directory.model import Directory
from telephony.clocks import AHEAD
from web.background import plan_of
from web.guard import VIEWER
from web.house import HOUSE
from web.rights import scope_of


@dataclass(frozen=True, slots=True)
class OneCall:
    """One call with everything that belongs to it. `row` is its row with the party's name and the lead's columns."""

    id: UUID
    row: Any
    call: Call
    seen: CallView
    people: dict[str, str]
    plan: dict[str, Any]
    routed: e.Routed | None

    def person_of(self, channel: str) -> str:
        """Key of the person whose device that leg rang, empty when nobody's."""
        return self.people.get(channel, "")


async def read_call(request: web.Request, connection: AsyncConnection) -> OneCall:
    """The call of `{id}` in the path. Raises 404 when there is none, 403 when the viewer may not see it."""
    try:
        call_id = UUID(request.match_info["id"])
    except ValueError:
        raise web.HTTPNotFound(text="There is no such call.") from None
    return await read_one(request, connection, call_id)


async def read_one(request: web.Request, connection: AsyncConnection, call_id: UUID) -> OneCall:
    """The call of this id. Raises as `read_call`."""
    row = await _row(connection, call_id)
    if row is not None and row.joined_into is not None:
        call_id, row = row.joined_into, await _row(connection, row.joined_into)
    if row is None:
        raise web.HTTPNotFound(text="There is no such call.")
    reached: Sequence[Any] = (
        await connection.execute(select(legs.c.channel, legs.c.person).where(legs.c.call_id == call_id))
    ).all()
    people = {leg.channel: leg.person for leg in reached if leg.person}
    directory: Directory = await request.app[HOUSE].read()
    scope, call = scope_of(request[VIEWER], directory), state_call(row.state)
    if not scope.covers([*people.values(), row.person], row.line, ended=row.ended_at is not None):
        raise web.HTTPForbidden(text="This call is neither yours nor your team's.")
    routed = earliest(call, e.Routed)
    plan = dict(plan_of({"plan": routed.plan})) if routed else {}
    return OneCall(call_id, row, call, view(call), people, plan, routed)


async def _row(connection: AsyncConnection, call_id: UUID) -> Any:
    lead = [leads.c.stage, leads.c.step, leads.c.owner, leads.c.opened_at, leads.c.deadline_at]
    own = parties.alias("own")
    party = [parties.c.id.label("kept_party"), parties.c.name.label("party")]
    asked = (
        select(calls, *party, AHEAD.label("ahead"), *lead)
        .outerjoin(own, own.c.id == calls.c.party_id)
        .outerjoin(parties, parties.c.id == func.coalesce(own.c.merged_into, own.c.id))
        .outerjoin(leads, leads.c.id == calls.c.lead_id)
        .where(calls.c.id == call_id)
    )
    return (await connection.execute(asked)).first()
