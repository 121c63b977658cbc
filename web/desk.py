"""My desk: the cards of the calls that reach me, what my team does now, and my day."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Any, Final
from uuid import UUID

from aiohttp import web
from aiohttp_sse import EventSourceResponse
from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.follow_up_list import most_urgent
from calls.tables import call_names, calls, follow_ups, legs
from crm_sync.book.attention import attention
from crm_sync.tables import parties, party_numbers
from directory.model import Directory
from recordings.audit import note
from routing.tables import outgoing_calls
from web import users
from web.audited import audited
from web.bell import unread
from web.cards import Card, Consults, LastTalk, LiveCall, OpenTask, When, cards_for, done_card
from web.controlling import colleagues
from web.guard import VIEWER, read_form
from web.house import HOUSE
from web.keeping import actor_of
from web.leads.tasks import own_tasks
from web.leads.wording import words_of
from web.live import LIVE
from web.names import line_name, person_name
from web.own_cards import NONE, OwnCards, read_own
from web.page import Drawn, fragment, language_of, page, today_of
from web.render import render
from web.rights import Scope, own_follow_ups, scope_of
from web.services import SERVICES
from web.sessions import Viewer
from web.status import own
from web.told import device_kind, why_person
from web.watching import Right, event_stream
from web.wording import COUNTED_MOST

WHEN: Final[tuple[When, ...]] = ("ring", "answer", "never")
TODAY_MOST: Final = 12
OTHERS_MOST: Final = 30
"""Calls of others that are drawn, those that began first; of a large house more would be drawn many times a second."""
PROMISES_MOST: Final = 8


@dataclass(frozen=True, slots=True)
class Shown:
    """A card with what the template cannot find out by itself.

    `consults` is whom its person asks before they hand the other side over, `consulted_by` (key) who asks them.
    `helped_by` is who of the heads comes to help, "" while nobody does; None: no help was asked for. `duplicate_of` is
    the lead that its own is a duplicate of, if it is one.
    """

    card: Card
    why: list[str]
    device: str
    last_talk: LastTalk | None
    tasks: tuple[OpenTask, ...]
    note: str
    consults: Consults | None
    consulted_by: str | None
    helped_by: str | None
    duplicate_of: int | None


async def show(request: web.Request) -> web.Response:
    """GET /: the whole desk; the cards are in the page already when it arrives."""
    known = request.app[LIVE].calls.values()
    return await page(
        request,
        "desk.html",
        **await _live(request, known, await _own(request, known)),
        **await _today(request),
        **await own(request),
        **await unread(request),
    )


async def show_today(request: web.Request) -> web.Response:
    """GET /desk/today: the day's lists, asked for when a call ended."""
    text = await fragment(request, "today.html", **await _today(request))
    return web.Response(text=text, content_type="text/html")


async def stream(request: web.Request) -> web.StreamResponse:
    """GET /desk/stream: the live part of the desk whenever it changes.

    Event `today`: the day's lists changed; `status`: what the viewer, or a talk's end, said of them did;
    `notices`: they were told something.
    """
    live, services, right = request.app[LIVE], request.app[SERVICES], await Right.of(request)
    watch = right.watch()

    async def tell(response: EventSourceResponse) -> None:
        sent, noticed_at, own = "", None, await _own(request, watch.calls.values())
        changed: frozenset[Any] = frozenset()
        while response.is_connected() and not live.closing and await right.stands():
            theirs = [id_ for id_ in changed if _is_told_of(live.calls.get(id_), right.viewer.person)]
            if watch.take("own") or theirs:
                own = await _own(request, watch.calls.values(), own, theirs)
            text = await fragment(request, "live.html", **await _live(request, watch.calls.values(), own))
            if text != sent:
                await response.send(text)
                sent = text
                if noticed_at is not None:
                    services.on_push(monotonic() - noticed_at)
            if watch.take("today") or any(_ended(live.calls.get(id_)) for id_ in changed):
                await response.send("", event="today")
            if watch.take("notices"):
                await response.send("", event="notices")
            if watch.take("presence"):
                await response.send("", event="status")
            changed, noticed_at = await watch.wait(right.good_seconds)

    return await event_stream(request, watch, tell)


def _ended(call: LiveCall | None) -> bool:
    return call is None or call.ended_at is not None


def _is_told_of(call: LiveCall | None, person: str | None) -> bool:
    """Whether a person talks or talked in a call: they may have written of it, and are to tell of it."""
    if call is None:
        return True
    talked = any(reach.person == person and reach.answered_at for reach in call.reaches)
    return talked or (call.placed_by == person and person is not None)


async def _own(
    request: web.Request, known: Collection[LiveCall], before: OwnCards = NONE, changed: Collection[UUID] = ()
) -> OwnCards:
    """What is the viewer's alone on their cards of these calls; who wants no cards has none."""
    viewer, directory = request[VIEWER], await request.app[HOUSE].read()
    person = viewer.person if viewer.cards != "never" else None
    going_on = [call.id for call in known if viewer.person in call.people]
    async with request.app[SERVICES].engine.connect() as connection:
        return await read_own(connection, directory, person, going_on, before=before, changed=changed)


@audited("cards_chosen")
async def choose_cards(request: web.Request) -> web.Response:
    """POST /desk/cards: when the viewer's cards are shown to them, `cards` ring, answer or never."""
    wanted = (await read_form(request)).get("cards", "")
    told = next((it for it in WHEN if it == wanted), None)
    if told is None:
        raise web.HTTPBadRequest(text=f"cards must be one of {', '.join(WHEN)}")
    async with request.app[SERVICES].engine.begin() as connection:
        viewer = request[VIEWER]
        await users.choose_cards(connection, viewer.user, told)
        before, after = {"cards": viewer.cards}, {"cards": told}
        await note(connection, actor_of(request), "cards_chosen", f"user {viewer.user}", before=before, after=after)
    return web.Response(status=303, headers={"Location": "/"})


async def _live(request: web.Request, known: Collection[LiveCall], own: OwnCards) -> dict[str, Any]:
    """What the template live.html shows of these calls."""
    viewer, directory, now = request[VIEWER], await request.app[HOUSE].read(), datetime.now(UTC)
    scope = scope_of(viewer, directory)
    cards = cards_for(known, viewer.person, now, viewer.cards)
    mine = {card.call.id for card in cards}
    over = [done_card(call, viewer.person) for call in own.untold if viewer.person and call.id not in mine]
    visible = [call for call in known if call.ended_at is None and scope.covers(call.people, call.line, ended=False)]
    others = sorted((call for call in visible if call.id not in mine), key=lambda call: call.started_at)
    language = language_of(request)
    words = words_of(directory.leads, language, now)
    drawn = tuple(card.call.id for card in over)
    if drawn not in own.drawn:  # what is over changes seldom, and what goes on often
        shown = [_shown(card, viewer, scope, directory, language, own) for card in over]
        own.drawn[drawn] = Drawn(await fragment(request, "untold.html", cards=shown, **words))
    return {
        "cards": [_shown(card, viewer, scope, directory, language, own) for card in cards],
        "over": own.drawn[drawn],
        "quiet": not cards and not over,
        "untold_more": own.untold_count - len(own.untold),
        "colleagues": colleagues(directory, viewer.person) if cards else [],
        "others": [_row(call, directory, language) for call in others[:OTHERS_MOST]],
        "others_count": len(others),
        "sees_all": scope.everything or scope.live,
    } | words


def _row(call: LiveCall, directory: Directory, language: str) -> Drawn:
    """A call of others, drawn once for all who see it in this language; how long it goes on is told by the page."""
    known = call.rows.get(language)
    if known is None or known[0] is not directory:
        names: dict[str, Any] = {
            "name_of": partial(person_name, directory),
            "line_of": partial(line_name, directory),
        }
        known = call.rows[language] = directory, Drawn(render("other.html", language, call=call, **names))
    return known[1]


def _shown(  # all that a card is made of
    card: Card, viewer: Viewer, scope: Scope, directory: Directory, language: str, own: OwnCards
) -> Shown:
    why = why_person(card.call.plan, viewer.person, language)
    known = card.call.background
    talk = known.last_talk
    quoted = talk if talk and scope.covers(talk.people, talk.line, ended=True) else None
    worked = scope.works_on(known.owner, card.call.line)
    asked = next((it.taken_by or "" for it in card.call.helps if it.person == viewer.person), None)
    return Shown(
        card,
        why,
        device_kind(directory, card.reach.device, card.reach.number),
        quoted,
        tuple(it for it in known.tasks if worked or it.assignee == viewer.person),
        own.note(card.call.id),
        next((it for it in card.call.consults if it.by == viewer.person), None),
        next((it.by for it in card.call.consults if it.answered and it.person == viewer.person), None),
        asked,
        own.others.get(card.call.id),
    )


async def _today(request: web.Request) -> dict[str, Any]:
    """What the template today.html shows: the viewer's own day."""
    viewer, directory = request[VIEWER], await request.app[HOUSE].read()
    scope = scope_of(viewer, directory)
    async with request.app[SERVICES].engine.connect() as connection:
        rows = await _rows_today(connection, viewer.person, today_of(request, directory))
        my_tasks = await own_tasks(connection, viewer.person)
        promises = await _promises(connection, viewer, scope)
        needy = await _needy(connection, directory) if scope.everything else {}
    talked = [row for row in rows if row.status in {"answered", "talking"}]
    answered = [row for row in talked if row.direction == "inbound" and row.person == viewer.person]
    missed = [row for row in rows if row.status == "missed"]
    waits = [row.wait_seconds for row in answered]
    return {
        "attention_counts": needy,
        "answered_count": len(answered),
        "missed_count": len(missed),
        "mean_wait": sum(waits) / len(waits) if waits else None,
        "promises": promises[:PROMISES_MOST],
        "promises_count": len(promises),
        "my_tasks": my_tasks[:PROMISES_MOST],
        "my_tasks_count": len(my_tasks),
        "missed_calls": missed[:TODAY_MOST],
        "my_calls": [row for row in talked if row.person == viewer.person or row.direction == "outbound"][:TODAY_MOST],
    }


async def _needy(connection: AsyncConnection, directory: Directory) -> dict[str, int]:
    """How many leads and people need attention, where any do."""
    found = await attention(connection, directory, datetime.now(UTC), most=0, counted_most=COUNTED_MOST)
    return {name: how_many for name, how_many in found.counts.items() if how_many}


async def _promises(connection: AsyncConnection, viewer: Viewer, scope: Scope) -> Sequence[Any]:
    """The open promises that the viewer may see, with the party's name and wish, the most urgent first."""
    party = select(parties).join(party_numbers).where(party_numbers.c.number == follow_ups.c.number)
    name = party.with_only_columns(parties.c.name, maintain_column_froms=True).scalar_subquery()
    unwanted = party.with_only_columns(parties.c.do_not_call_at.is_not(None), maintain_column_froms=True)
    told = (name.label("party"), unwanted.scalar_subquery().label("unwanted"))
    asked = most_urgent(own_follow_ups(viewer, scope)).add_columns(*told)
    return (await connection.execute(asked.limit(200))).all()


async def _rows_today(connection: AsyncConnection, person: str | None, since: datetime) -> Sequence[Any]:
    rang = select(legs.c.call_id).where(legs.c.person == person, legs.c.started_at >= since)
    called = (outgoing_calls.c.pbx == call_names.c.pbx) & (outgoing_calls.c.channel == call_names.c.name)
    placed = select(call_names.c.call_id).join(outgoing_calls, called)
    placed = placed.where(outgoing_calls.c.person == person, outgoing_calls.c.asked_at >= since)
    missed = and_(calls.c.status == "missed", calls.c.id.in_(rang))
    mine = or_(calls.c.person == person, missed, calls.c.id.in_(placed))
    asked = (
        select(calls, parties.c.name.label("party"))
        .outerjoin(parties, parties.c.id == calls.c.party_id)
        .where(calls.c.started_at >= since, calls.c.joined_into.is_(None), calls.c.ended_at.is_not(None))
        .where(mine)
        .order_by(calls.c.started_at.desc())
        .limit(500)
    )
    return (await connection.execute(asked)).all() if person else ()
