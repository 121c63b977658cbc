"""My desk by the API: what is done in a talk, and what is written and told of it after."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal
from uuid import UUID

from aiohttp import web
from pydantic import AwareDatetime, Field

from crm_sync.book import outcomes as book
from crm_sync.book.lifecycle import LifecycleError
from crm_sync.book.notes import TEXT_MOST
from telephony.controls import What
from web import controlling, outcomes
from web.api.operations import Answer, Body, Moment, NoBody, NoQuery, refusal
from web.audited import audited, unaudited
from web.controlling import NotDoneError
from web.one_call import read_call
from web.outcomes import TYPED
from web.own_calls import OwnCall
from web.services import SERVICES

Outcome = Literal["qualified", "existing_client", "spam", "shareholder", "duplicate", "call_again"]


class Transfer(Body):
    """Where a call goes, or who is consulted: the key of a person, or a number."""

    to: str = Field(min_length=1, max_length=64)


class CardNote(Body):
    """What is written of a call, in place of what was before."""

    text: str = Field(max_length=TEXT_MOST)


class OutcomeTold(Body):
    """What came of a talk: its lead's next place, and what whoever talked does next, by when."""

    outcome: Outcome | None = None
    duplicate_of: int | None = Field(default=None, ge=1, lt=2**63, description="The other lead, with `duplicate`.")
    next_step: str | None = Field(default=None, min_length=1, max_length=TEXT_MOST)
    next_at: Moment | None = None


class ControlDone(Answer):
    """What the PBX did."""

    call_id: UUID
    done: What


class HelpAsked(Answer):
    """Whether the heads are asked for help in a call."""

    call_id: UUID
    asked: bool


class CardTold(Answer):
    """What a person wrote and told of a call; `booked`: it went to the call's lead."""

    person: str
    note: str
    outcome: Outcome | None
    duplicate_of: int | None
    next_step: str | None
    next_at: AwareDatetime | None
    told_at: AwareDatetime | None
    told_by: str | None
    booked: bool


class CardsTold(Answer):
    """All that was written and told of a call."""

    call_id: UUID
    cards: list[CardTold]


@audited("call_controlled")
async def hang_up_call(request: web.Request, _body: NoBody) -> ControlDone | web.Response:
    """POST /calls/{id}/hangup."""
    return await _control(request, "hang_up")


@audited("call_controlled")
async def hold_call(request: web.Request, _body: NoBody) -> ControlDone | web.Response:
    """POST /calls/{id}/hold."""
    return await _control(request, "hold")


@audited("call_controlled")
async def take_call_back(request: web.Request, _body: NoBody) -> ControlDone | web.Response:
    """POST /calls/{id}/resume."""
    return await _control(request, "resume")


@audited("call_controlled")
async def transfer_call(request: web.Request, body: Transfer) -> ControlDone | web.Response:
    """POST /calls/{id}/transfer."""
    return await _control(request, "transfer", to=body.to)


@audited("call_controlled")
async def consult_somebody(request: web.Request, body: Transfer) -> ControlDone | web.Response:
    """POST /calls/{id}/consult."""
    return await _control(request, "consult", to=body.to)


@audited("call_controlled")
async def connect_call(request: web.Request, _body: NoBody) -> ControlDone | web.Response:
    """POST /calls/{id}/connect."""
    return await _control(request, "connect")


@audited("help_asked")
async def ask_for_help(request: web.Request, _body: NoBody) -> HelpAsked | web.Response:
    """POST /calls/{id}/help."""
    return await _help(request, wanted=True)


@audited("help_withdrawn")
async def need_no_help(request: web.Request, _body: NoBody) -> HelpAsked | web.Response:
    """POST /calls/{id}/help/withdraw."""
    return await _help(request, wanted=False)


@unaudited(TYPED)
async def note_call(request: web.Request, body: CardNote) -> CardsTold | web.Response:
    """POST /calls/{id}/note."""
    return await _told(request, lambda: outcomes.keep_note(request, body.text), text="text")


@audited("outcome_told")
async def tell_outcome(request: web.Request, body: OutcomeTold) -> CardsTold | web.Response:
    """POST /calls/{id}/outcome: the same twice is told once."""
    told = book.Told(**body.model_dump())
    return await _told(request, lambda: outcomes.keep_outcome(request, told))


@audited("outcome_told")
async def dismiss_card(request: web.Request, _body: NoBody) -> CardsTold | web.Response:
    """POST /calls/{id}/dismiss."""
    return await _told(request, lambda: outcomes.dismiss(request))


async def get_outcome(request: web.Request, _query: NoQuery) -> CardsTold:
    """GET /calls/{id}/outcome: for whoever may see the call."""
    async with request.app[SERVICES].engine.connect() as connection:
        one = await read_call(request, connection)
        rows = await book.of_call(connection, one.id)
    names = ("person", "note", "outcome", "duplicate_of", "next_step", "next_at", "told_at", "told_by")
    cards = [CardTold(booked=row.booked_at is not None, **{it: getattr(row, it) for it in names}) for row in rows]
    return CardsTold(call_id=one.id, cards=cards)


async def _control(request: web.Request, what: What, *, to: str = "") -> ControlDone | web.Response:
    try:
        call_id = await controlling.control(request, what, to=to)
    except NotDoneError as error:
        return refusal(controlling.UNASKED.get(error.reason, 422), error.reason, error.words)
    return ControlDone(call_id=call_id, done=what)


async def _help(request: web.Request, *, wanted: bool) -> HelpAsked | web.Response:
    try:
        call_id = await controlling.need_help(request, wanted=wanted)
    except NotDoneError as error:
        return refusal(422, error.reason, error.words)
    return HelpAsked(call_id=call_id, asked=wanted)


async def _told(
    request: web.Request, keep: Callable[[], Awaitable[OwnCall]], *, text: str = "next_step"
) -> CardsTold | web.Response:
    """All that is told of a call once this is kept; `text` is the field in which a text is sent."""
    try:
        await keep()
    except LifecycleError as error:
        fields = {"reason": "outcome", "duplicate_of": "duplicate_of", "due_at": "next_at", "text": text}
        words = outcomes.words_of(request, error)
        return refusal(422, f"wrong_{error.why}", words, field=fields.get(error.field))
    return await get_outcome(request, NoQuery())
