"""What is written and told of a call on its card: the note as it is typed, the outcome in one click, the next step."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web

from crm_sync.book import outcomes
from crm_sync.book.leads import By
from crm_sync.book.lifecycle import LifecycleError
from crm_sync.book.notes import TEXT_MOST
from crm_sync.book.outcomes import Told
from directory import store
from recordings import audit
from web.audited import audited, unaudited
from web.guard import VIEWER, read_form
from web.house import HOUSE
from web.keeping import actor_of
from web.leads.changes import LAST_NUMBER, Form, time_of
from web.leads.one import UNDOERS, see_other
from web.own_calls import OwnCall, read_own_call
from web.page import language_of, zone_of
from web.rights import scope_of
from web.services import SERVICES
from web.words import say

DISMISSED: Final = "dismissed"
TYPED: Final = "a note is kept as it is typed, with whose it is and when"

AGAIN_HOURS: Final = {"hour": 1, "later": 3}
TOMORROW: Final = "tomorrow"
MORNING: Final = time(10)


@unaudited(TYPED)
async def write_note(request: web.Request) -> web.Response:
    """POST /calls/{id}/note: `note`, as it is typed; 204 when it is kept."""
    try:
        await keep_note(request, (await read_form(request)).get("note", ""))
    except LifecycleError as error:
        raise web.HTTPBadRequest(text=words_of(request, error)) from None
    if "HX-Request" in request.headers:
        return web.Response(status=204)
    return web.Response(status=303, headers={"Location": "/"})


@audited("outcome_told")
async def tell(request: web.Request) -> web.Response:
    """POST /calls/{id}/outcome: `outcome` (or `dismissed`), with `note`, `next_step` and `next_at` beside it."""
    form = await read_form(request)
    try:
        await _keep(request, form)
    except LifecycleError as error:
        words = words_of(request, error)
        if "HX-Request" in request.headers:
            return web.Response(text=words)
        raise web.HTTPConflict(text=words) from None
    if "HX-Request" in request.headers:
        return web.Response(text="")
    return web.Response(status=303, headers={"Location": "/"})


async def keep_note(request: web.Request, note: str) -> OwnCall:
    """Keep the note of a card. Raises 403, 404, LifecycleError."""
    async with request.app[SERVICES].engine.begin() as connection:
        own = await read_own_call(request, connection)
        await outcomes.write_note(connection, own.one.id, own.person, note, datetime.now(UTC))
    return own


async def keep_outcome(request: web.Request, told: Told, *, note: str | None = None) -> OwnCall:
    """Keep what is told of the call of `{id}`, and a note that comes with it. Raises 403, 404, LifecycleError."""
    async with request.app[SERVICES].engine.begin() as connection:
        own = await read_own_call(request, connection)
        now = datetime.now(UTC)
        if note is not None:
            await outcomes.write_note(connection, own.one.id, own.person, note, now)
        by = await by_of(request, own, now)
        if told.duplicate_of is not None:
            scope = scope_of(request[VIEWER], await request.app[HOUSE].read())
            await see_other(connection, scope, told.duplicate_of)
        await outcomes.tell(connection, await store.read(connection), own.one.id, own.person, told, by)
        said = {"outcome": told.outcome, "duplicate_of": told.duplicate_of, "next_at": told.next_at}
        await audit.note(connection, actor_of(request), "outcome_told", f"call {own.one.id}", after=said)
    return own


async def dismiss(request: web.Request, *, note: str | None = None) -> OwnCall:
    """Take the card of the call of `{id}` off the desk. Raises 403, 404, LifecycleError."""
    async with request.app[SERVICES].engine.begin() as connection:
        own = await read_own_call(request, connection)
        now = datetime.now(UTC)
        if note is not None:
            await outcomes.write_note(connection, own.one.id, own.person, note, now)
        by = await by_of(request, own, now)
        await outcomes.dismiss(connection, await store.read(connection), own.one.id, own.person, by)
        said = {"outcome": DISMISSED}
        await audit.note(connection, actor_of(request), "outcome_told", f"call {own.one.id}", after=said)
    return own


async def by_of(request: web.Request, own: OwnCall, at: datetime) -> By:
    """Who tells it; a head's right is that over leads of their own teams."""
    viewer, row = request[VIEWER], own.one.row
    scope = scope_of(viewer, await request.app[HOUSE].read())
    head = viewer.role in UNDOERS and scope.works_on(row.owner, row.line)
    return By(who=viewer.person or viewer.login, at=at, head=head, call=own.one.id)


def words_of(request: web.Request, error: LifecycleError) -> str:
    """What is wrong with what was told, for the viewer."""
    return say(language_of(request), f"wrong.{error.why}", most=TEXT_MOST)


async def _keep(request: web.Request, form: Form) -> None:
    note, outcome = form.get("note"), form.get("outcome", "")
    if outcome == DISMISSED:
        await dismiss(request, note=note)
        return
    zone = ZoneInfo(zone_of(request, await request.app[HOUSE].read()))
    step, at = form.get("next_step", "").strip() or None, time_of(form.get("next_at", ""), "due_at", zone)
    if again := form.get("again", "") or (outcome == "call_again" and form.get("again_at", "")):
        outcome, at = "call_again", _again(again, zone)
    if outcome == "call_again":
        step = step or say(language_of(request), "after.call_again")
    told = Told(
        outcome=outcome or None,
        duplicate_of=_lead(form.get("duplicate_of", "")) if outcome == "duplicate" else None,
        next_step=step,
        next_at=at,
    )
    await keep_outcome(request, told, note=note)


def _again(told: str, zone: ZoneInfo) -> datetime | None:
    """When to call again, by a key of the card's buttons, or as a time on the viewer's wall. Raises LifecycleError."""
    now = datetime.now(UTC)
    if told in AGAIN_HOURS:
        return now + timedelta(hours=AGAIN_HOURS[told])
    if told == TOMORROW:
        day = now.astimezone(zone).date() + timedelta(days=1)
        return datetime.combine(day, MORNING, zone).astimezone(UTC)
    return time_of(told, "due_at", zone)


def _lead(told: str) -> int | None:
    """The number of a lead, by itself or at the end of its address; None for none. Raises LifecycleError."""
    named = LAST_NUMBER.search(told.strip())
    if told.strip() and named is None:
        raise LifecycleError("duplicate_of", f"must be the number of a lead, got {told[:40]!r}")
    return int(named[1]) if named else None
