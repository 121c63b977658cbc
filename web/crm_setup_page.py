"""The page that leads through the steps of a connection: keys, access, check, people, what is heard, start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from aiohttp import web

from crm_sync.asking import Fault, Faults
from crm_sync.connecting import Standing
from crm_sync.connections import NEW, ConnectionRefused
from crm_sync.errors import CrmError
from crm_sync.kinds import KINDS
from crm_sync.secrets import SecretKeyError
from web.audited import audited
from web.crm_form import remedy_of, said
from web.guard import only, read_form
from web.house import HOUSE
from web.keeping import actor_of
from web.page import language_of, page, zone_of
from web.services import SERVICES, Connects

Name = Literal["keys", "access", "check", "people", "door", "live"]
State = Literal["done", "warn", "todo", "may"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step as it is shown: whether it is `done`, needs a look (`warn`), is `todo`, or `may` come later."""

    name: Name
    state: State
    is_open: bool


async def show(request: web.Request) -> web.Response:
    """GET /crm/{key}/setup: every step, the next one open; `step` opens another."""
    only(request, "admin")
    return await shown_setup(request, request.match_info["key"], step=request.query.get("step", ""))


@audited("crm_granted", "crm_paired", "crm_secret_made", "crm_started")
async def change(request: web.Request) -> web.Response:
    """POST /crm/{key}/setup: `do` is consent, check, pair, door, keys, start or shadow."""
    only(request, "admin")
    form, key = await read_form(request), request.match_info["key"]
    does = {"consent": _consent, "check": _check, "pair": _pair, "door": _door, "keys": _keys}
    do = form.get("do", "")
    if do not in {*does, "start", "shadow"}:
        raise web.HTTPBadRequest(text=f"do must be one of {', '.join(does)}, start, shadow, got {do!r}")
    try:
        return await does.get(do, _start)(request, key, form)
    except SecretKeyError:
        raise web.HTTPSeeOther("/crm/new") from None
    except ConnectionRefused as refused:
        raise web.HTTPConflict(text=str(refused)) from None


async def shown_setup(
    request: web.Request,
    key: str,
    *,
    step: str = "",
    shown: tuple[str, str] | None = None,
    fault: Fault | None = None,
    told: Mapping[str, str] | None = None,
) -> web.Response:
    """The page of the steps; `shown` is what is shown this once: (sign or door, the text)."""
    connects = _connects(request)
    try:
        stands = await connects.look(key)
    except ConnectionRefused as refused:
        raise web.HTTPNotFound(text=str(refused)) from None
    kind, language = KINDS[stands.to.kind], language_of(request)
    directory = await request.app[HOUSE].read()
    answer = await page(
        request,
        "crm_setup.html",
        crm=stands.to,
        kind=kind,
        stands=stands,
        steps=steps_of(stands, step or (shown and {"sign": "keys"}.get(shown[0], shown[0])) or ""),
        addresses=connects.addresses(key),
        missing=[(one, remedy_of(kind.name, one, language)) for one in stands.to.missing],
        hearing=said(kind.guide.hearing, language),
        people=directory.people,
        zone_name=zone_of(request, directory),
        may_tell_past=stands.to.stopped_by == NEW,
        shown=shown,
        fault=fault.said(language) if fault is not None else "",
        told=told or {},
    )
    answer.set_status(200 if fault is None else 422)
    return answer


def steps_of(stands: Standing, chosen: str) -> list[Step]:
    """The steps of a connection; the one that was chosen is open, else the first that is not done."""
    states = _states(stands)
    following = next((name for name, state in states.items() if state in {"todo", "warn"}), None)
    is_open = chosen if chosen in states else following
    return [Step(name, state, name == is_open) for name, state in states.items()]


def _states(stands: Standing) -> dict[Name, State]:
    to, told = stands.to, dict[Name, State]()
    told["keys"] = "done" if stands.opens else "warn"
    if KINDS[to.kind].consent is not None and stands.needs_consent:
        told["access"] = "done" if stands.granted_at is not None else "todo"
    if to.probed_at is None:
        told["check"] = "todo"
    else:
        told["check"] = "warn" if to.probe_error or to.missing else "done"
    if "parties" in stands.capabilities:
        left = stands.nobody and any(one.person is None for one in stands.users)
        told["people"] = "todo" if not any(one.person for one in stands.users) else "warn" if left else "done"
    if "inbound" in stands.capabilities:
        door = KINDS[to.kind].door
        has_door = door in stands.secrets if door is not None else stands.granted_at is not None
        told["door"] = "done" if has_door else "may"
    told["live"] = {"active": "done", "shadow": "warn"}.get(to.state, "todo")  # type: ignore[assignment]
    return told


def _connects(request: web.Request) -> Connects:
    connects = request.app[SERVICES].connects
    if connects is None:
        raise web.HTTPNotFound
    return connects


def _to(key: str, step: Name) -> web.HTTPSeeOther:
    return web.HTTPSeeOther(f"/crm/{key}/setup?step={step}#{step}")


async def _consent(request: web.Request, key: str, form: Mapping[str, str]) -> web.Response:
    """A page that leads to the CRM's: a form of ours may not (Content-Security-Policy)."""
    del form
    connects = _connects(request)
    address = await connects.ask_consent(key, actor_of(request), on_page=True)
    if not address.startswith(("https://", "http://")):
        raise ConnectionRefused("address: must be https://")
    stands = await connects.look(key)
    return await page(request, "crm_leave.html", address=address, title=KINDS[stands.to.kind].title)


async def _check(request: web.Request, key: str, form: Mapping[str, str]) -> web.Response:
    del form
    try:
        await _connects(request).let_in(key)
    except CrmError:
        raise _to(key, "check") from None  # why it did not work is kept, and shown there
    raise web.HTTPSeeOther(f"/crm/{key}/setup")


async def _pair(request: web.Request, key: str, form: Mapping[str, str]) -> web.Response:
    """Fields `user.N` with `person.N`: the key of a person, or empty for whoever has their extension or mailbox."""
    connects = _connects(request)
    stands = await connects.look(key)
    said_before = {one.user: one.person if one.by_hand else None for one in stands.users}
    told = {
        user: form.get(f"person.{name.partition('.')[2]}", "") or None
        for name, user in form.items()
        if name.startswith("user.") and user in said_before
    }
    pairs = {user: person for user, person in told.items() if person != said_before[user]}
    chosen = [person for person in told.values() if person is not None]
    if twice := next((person for person in chosen if chosen.count(person) > 1), None):
        fault = Fault("person", "twice", {"got": repr(twice)})
        return await shown_setup(request, key, step="people", fault=fault, told=_chosen(told))
    try:
        await connects.pair(key, pairs, actor_of(request))
    except Faults as faults:
        return await shown_setup(request, key, step="people", fault=faults.told[0], told=_chosen(told))
    raise _to(key, "people")


def _chosen(told: Mapping[str, str | None]) -> dict[str, str]:
    return {f"user.{user}": person or "" for user, person in told.items()}


async def _door(request: web.Request, key: str, form: Mapping[str, str]) -> web.Response:
    del form
    address = await _connects(request).make_door(key, actor_of(request))
    return await shown_setup(request, key, shown=("door", address))


async def _keys(request: web.Request, key: str, form: Mapping[str, str]) -> web.Response:
    del form
    return await shown_setup(request, key, shown=("sign", await _connects(request).new_keys(key, actor_of(request))))


async def _start(request: web.Request, key: str, form: Mapping[str, str]) -> web.Response:
    connects = _connects(request)
    stands = await connects.look(key)
    if stands.needs_consent and stands.granted_at is None:
        raise _to(key, "access")
    try:
        since = await _since(request, form.get("since", "")) if stands.to.stopped_by == NEW else None
        await connects.start(key, actor_of(request), shadow=form.get("do") == "shadow", since=since)
    except Faults as faults:
        return await shown_setup(request, key, step="live", fault=faults.told[0], told=form)
    raise _to(key, "live")


async def _since(request: web.Request, told: str) -> datetime | None:
    """A time on the viewer's wall. Raises Faults."""
    if not told.strip():
        return None
    directory: Any = await request.app[HOUSE].read()
    try:
        at = datetime.fromisoformat(told)
    except ValueError:
        raise Faults(Fault("since", "time", {"got": repr(told)})) from None
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone_of(request, directory)))).astimezone(UTC)
