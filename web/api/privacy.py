"""What the law holds, and persons who asked to be erased, by the API."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from aiohttp import web
from pydantic import Field

from directory.numbers import e164
from recordings import holds
from recordings.erasures import EraseRefused, Report
from web.api.operations import Answer, Body, NoBody, NoQuery, number_in
from web.audited import audited
from web.guard import only
from web.house import HOUSE
from web.keeping import actor_of, only_of_all
from web.services import SERVICES


class HoldWish(Body):
    """What the law holds: a call, or everything of whoever has a number; and why."""

    call: UUID | None = None
    number: str | None = Field(default=None, max_length=40)
    reason: str = Field(min_length=1, max_length=holds.REASON_MOST)


class HoldTold(Answer):
    """A hold."""

    id: int
    call_id: UUID | None
    number: str | None
    reason: str
    set_by: str
    set_at: datetime


class HoldList(Answer):
    """Every hold, the oldest first."""

    items: list[HoldTold]


class HoldDone(Answer):
    """The hold that was set, or lifted."""

    id: int


class EraseWish(Body):
    """The numbers of the person to erase; `dry_run`: only tell what would go."""

    numbers: list[str] = Field(min_length=1, max_length=20)
    dry_run: bool = False


class ErasureTold(Answer):
    """What went and what stayed; nothing of who it was."""

    erasure: int | None
    state: Literal["dry_run", "going_on", "finished"]
    asked_at: datetime | None
    finished_at: datetime | None
    went: dict[str, int]
    calls: list[UUID]
    stayed: list[dict[str, Any]]


async def list_holds(request: web.Request, _query: NoQuery) -> HoldList:
    """GET /holds, for heads and admins."""
    await only_of_all(request)
    async with request.app[SERVICES].engine.connect() as connection:
        found = await holds.listed(connection)
    return HoldList(items=[HoldTold.model_validate(one.to_json()) for one in found])


@audited("hold_set")
async def set_hold(request: web.Request, wish: HoldWish) -> HoldDone:
    """POST /holds, by heads and admins; what is held already stays as it is."""
    await only_of_all(request)
    if (wish.call is None) == (wish.number is None):
        raise web.HTTPBadRequest(text="call or number: one of them is required")
    region = (await request.app[HOUSE].read()).company.region
    stored = e164(wish.number, region) if wish.number else None
    if wish.number is not None and stored is None:
        raise web.HTTPBadRequest(text="number: must be a telephone number")
    async with request.app[SERVICES].engine.begin() as connection:
        try:
            made = await holds.add(connection, actor_of(request), wish.reason, call_id=wish.call, number=stored)
        except holds.HoldRefused as error:
            raise web.HTTPBadRequest(text=str(error)) from None
    return HoldDone(id=made)


@audited("hold_lifted")
async def lift_hold(request: web.Request, _body: NoBody) -> HoldDone:
    """POST /holds/{number}/lift, by heads and admins."""
    await only_of_all(request)
    number = number_in(request)
    async with request.app[SERVICES].engine.begin() as connection:
        try:
            await holds.lift(connection, actor_of(request), number)
        except holds.HoldRefused as error:
            raise web.HTTPNotFound(text=str(error)) from None
    return HoldDone(id=number)


@audited("erase_asked")
async def erase_person(request: web.Request, wish: EraseWish) -> ErasureTold:
    """POST /erasures, by admins: a worker does it; its report is asked for by the number that is told here."""
    only(request, "admin")
    erasing = request.app[SERVICES].erasing
    try:
        if wish.dry_run:
            return _told(await erasing.look(wish.numbers))
        asked = await erasing.ask(wish.numbers, actor_of(request))
    except EraseRefused as error:
        raise web.HTTPBadRequest(text=str(error)) from None
    return _told(await erasing.told(asked))


async def get_erasure(request: web.Request, _query: NoQuery) -> ErasureTold:
    """GET /erasures/{number}, for admins."""
    only(request, "admin")
    return _told(await request.app[SERVICES].erasing.told(number_in(request)))


def _told(report: Report | None) -> ErasureTold:
    if report is None:
        raise web.HTTPNotFound(text="There is no such erasure.")
    return ErasureTold.model_validate(report.to_json())
