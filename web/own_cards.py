"""What a person's cards hold that is theirs alone: notes as they are typed, and talks of which nothing was told yet."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BindParameter, Row, Select, bindparam, func, or_, select, text, union
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.tables import call_names, calls, legs
from crm_sync.tables import desk_cards, leads
from directory.model import Directory
from routing.tables import outgoing_calls
from telephony.tables import pbx_clocks
from web.background import read_background, read_live
from web.cards import LiveCall
from web.page import Drawn

UNTOLD: Final = text("interval '12 hours'")
"""How long a talk of which nothing was told stays on the desk."""

UNTOLD_MOST: Final = 3
TALKS_MOST: Final = 100
"""So many of a person's newest talks are looked at."""


@dataclass(frozen=True, slots=True)
class OwnCards:
    """The rows of `desk_cards` of a person's cards by call, and their talks of which nothing was told, newest first.

    `untold_count` is how many there are, of which `untold` are the newest. `others`: of each such call the party's lead
    before the call's, which its own may be a duplicate of. `drawn` keeps the cards of these calls as our template made
    them.
    """

    rows: Mapping[UUID, Row[Any]] = field(default_factory=dict)
    untold: Sequence[LiveCall] = ()
    untold_count: int = 0
    others: Mapping[UUID, int | None] = field(default_factory=dict)
    drawn: dict[tuple[UUID, ...], Drawn] = field(default_factory=dict, compare=False)

    def note(self, call: UUID) -> str:
        """What the person wrote of a call."""
        row = self.rows.get(call)
        return row.note if row else ""


NONE: Final = OwnCards()


async def read_own(  # what was read before is not read again
    connection: AsyncConnection,
    directory: Directory,
    person: str | None,
    going_on: Collection[UUID],
    *,
    before: OwnCards = NONE,
    changed: Collection[UUID] = (),
) -> OwnCards:
    """What is the person's own, with the notes of the calls that go on (`going_on`).

    Of `before` the calls are kept that have not `changed` since.
    """
    if person is None:
        return NONE
    found = (await connection.execute(_UNTOLD_OF, {"who": person})).all()
    ids = [row.id for row in found[:UNTOLD_MOST]]
    shown = {call.id: call for call in before.untold if call.id in ids and call.id not in changed}
    others = {id_: before.others.get(id_) for id_ in shown}
    new = [id_ for id_ in ids if id_ not in shown]
    for call in await read_live(connection, new) if new else ():
        shown[call.id] = replace(call, background=await read_background(connection, call, directory))
        others[call.id] = await _lead_before(connection, shown[call.id])
    asked = select(desk_cards).where(desk_cards.c.person == person, desk_cards.c.call_id.in_([*going_on, *ids]))
    rows = {row.call_id: row for row in await connection.execute(asked)} if going_on or ids else {}
    return OwnCards(rows, [shown[id_] for id_ in ids if id_ in shown], len(found), others)


def _untold() -> Select[Any]:
    """The calls that the person `who` has talked through with somebody outside, and told nothing of, the newest first.

    Their newest talks are found by the index of who and when, and only then their calls.
    """
    person: BindParameter[str] = bindparam("who")
    # One moment for all PBXes, by the clock that is furthest behind.
    behind = select(func.min(pbx_clocks.c.ahead)).scalar_subquery()
    since = func.now() + func.coalesce(behind, text("interval '0'")) - UNTOLD
    newest = (
        select(legs.c.call_id, legs.c.ended_at)
        .where(legs.c.person == person, legs.c.started_at > since, legs.c.answered_at.is_not(None))
        .order_by(legs.c.started_at.desc())
        .limit(TALKS_MOST)
        .subquery()
    )
    reached = (
        select(calls.c.id, calls.c.started_at)
        .join(newest, newest.c.call_id == calls.c.id)
        .where(or_(newest.c.ended_at.is_not(None), calls.c.ended_at.is_not(None)))
    )
    asked = (
        select(outgoing_calls.c.pbx, outgoing_calls.c.channel)
        .where(outgoing_calls.c.person == person, outgoing_calls.c.asked_at > func.now() - UNTOLD)
        .order_by(outgoing_calls.c.asked_at.desc())
        .limit(TALKS_MOST)
        .subquery()
    )
    ended = calls.c.state["channels"][asked.c.channel]["ended_at"].astext
    handed_over = (calls.c.direction == "outbound") & (calls.c.person == person) & ended.is_not(None)
    placed = (
        select(calls.c.id, calls.c.started_at)
        .join(call_names, call_names.c.call_id == calls.c.id)
        .join(asked, (asked.c.pbx == call_names.c.pbx) & (asked.c.channel == call_names.c.name))
        .where(calls.c.answered_at.is_not(None), or_(calls.c.ended_at.is_not(None), handed_over))
    )
    theirs = (calls.c.joined_into.is_(None), calls.c.direction.in_(("inbound", "outbound")))
    told = select(desk_cards.c.id).where(
        desk_cards.c.call_id == calls.c.id, desk_cards.c.person == person, desk_cards.c.closed_at.is_not(None)
    )
    untold = union(*(one.where(*theirs, ~told.exists()) for one in (reached, placed))).subquery()
    return select(untold.c.id).order_by(untold.c.started_at.desc())


_UNTOLD_OF: Final = _untold()


async def _lead_before(connection: AsyncConnection, call: LiveCall) -> int | None:
    party, lead = call.background.party_id, call.background.lead
    if party is None:
        return None
    asked = select(leads.c.id).where(leads.c.party_id == party, leads.c.id != (lead or 0))
    return (await connection.execute(asked.order_by(leads.c.id.desc()).limit(1))).scalar_one_or_none()
