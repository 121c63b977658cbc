"""The pages on which an administrator connects a CRM: which kind, and what it needs; also changed there later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from crm_sync import connections
from crm_sync.asking import Fault, Faults, read_settings
from crm_sync.connecting import Addresses, Changed, Wanted
from crm_sync.connections import ConnectionRefused
from crm_sync.errors import CrmError
from crm_sync.kinds import KINDS
from crm_sync.secrets import SecretKeyError
from crm_sync.workplace import Kind
from web.audited import audited
from web.crm_form import (
    check_events,
    check_way,
    events_told,
    form_of,
    said,
    secrets_left,
    secrets_told,
    settings_told,
    together,
    told_of,
)
from web.crm_setup_page import shown_setup
from web.guard import only, read_form
from web.keeping import actor_of
from web.page import language_of, page
from web.services import SERVICES, Connects
from web.words import say


async def choose(request: web.Request) -> web.Response:
    """GET /crm/new: the kinds that can be connected."""
    only(request, "admin")
    language = language_of(request)
    kinds = [(kind, said(kind.guide.about, language)) for kind in KINDS.values()]
    return await page(request, "crm_new.html", kinds=kinds, no_key=no_key(connects_of(request)))


async def ask(request: web.Request) -> web.Response:
    """GET /crm/new/{kind}: the form of a kind, for a connection called `key`, or as its kind is."""
    only(request, "admin")
    kind = _kind(request)
    key = request.query.get("connection", "") or await _free_key(request, kind)
    faults = [] if connections.is_key(key) else [Fault("connection", "key", {"got": repr(key)})]
    return await _form_page(request, kind, {"connection": key}, faults)


@audited("crm_added")
async def add(request: web.Request) -> web.Response:
    """POST /crm/new/{kind}: keep the connection; what it is to verify us with is shown once."""
    only(request, "admin")
    kind, connects, form = _kind(request), connects_of(request), await read_form(request)
    key, events = form.get("connection", ""), events_told(kind, form | {"sent": ""})
    try:
        _check(kind, form, events)
        signs = await connects.add(
            Wanted(
                kind=kind.name,
                key=key,
                settings=settings_told(kind, form),
                secrets=secrets_told(kind, form),
                link_days=_days(form),
                events=_in_order(kind, events),
            ),
            actor_of(request),
        )
    except Faults as faults:
        return await _form_page(request, kind, form | {"sent": ""}, faults.told, 422)
    except SecretKeyError:
        raise web.HTTPSeeOther("/crm/new") from None
    if signs is not None:
        return await shown_setup(request, key, shown=("sign", signs), step="keys")
    raise web.HTTPSeeOther(f"/crm/{key}/setup")


async def settings(request: web.Request) -> web.Response:
    """GET /crm/{key}/settings: the form with the settings as they are; secrets are never in it."""
    only(request, "admin")
    stands = await _stands(request)
    told = told_of(KINDS[stands.to.kind], stands.to.settings, stands.to.link_days, stands.to.steps)
    return await _change_page(request, told, ())


@audited("crm_changed")
async def change(request: web.Request) -> web.Response:
    """POST /crm/{key}/settings: keep what was changed."""
    only(request, "admin")
    stands, connects, form = await _stands(request), connects_of(request), await read_form(request)
    kind, key = KINDS[stands.to.kind], stands.to.key
    events = events_told(kind, form | {"sent": ""})
    try:
        _check(kind, form, events, stands.secrets)
        changed = Changed(
            settings=_all_settings(kind, form, stands.to.settings),
            secrets=secrets_told(kind, form),
            forget=secrets_left(kind, form),
            link_days=_days(form),
            events=_in_order(kind, events) if kind.events else None,
        )
        await connects.change(key, changed, actor_of(request))
    except Faults as faults:
        return await _change_page(request, form | {"sent": ""}, faults.told, 422)
    except (ConnectionRefused, CrmError, SecretKeyError) as error:
        refused = say(language_of(request), "connect.refused", why=str(error))
        return await _change_page(request, form | {"sent": ""}, (), 422, refused=refused)
    raise web.HTTPSeeOther(f"/crm/{key}/setup")


def connects_of(request: web.Request) -> Connects:
    """What connects CRMs. Raises 404 where this web role connects none."""
    connects = request.app[SERVICES].connects
    if connects is None:
        raise web.HTTPNotFound
    return connects


def no_key(connects: Connects) -> str:
    """Why no secret can be kept; empty when it can."""
    try:
        connects.keeper()
    except SecretKeyError as error:
        return str(error)
    return ""


def _kind(request: web.Request) -> Kind:
    name = request.match_info["kind"]
    if name not in KINDS:
        raise web.HTTPNotFound(text=f"There is no kind of CRM {name!r}.")
    return KINDS[name]


async def _free_key(request: web.Request, kind: Kind) -> str:
    async with request.app[SERVICES].engine.connect() as connection:
        taken = {one.key for one in await connections.listed(connection)}
    keys = (kind.name if number == 1 else f"{kind.name}-{number}" for number in range(1, len(taken) + 2))
    return next(key for key in keys if key not in taken)


async def _stands(request: web.Request) -> Any:
    try:
        return await connects_of(request).look(request.match_info["key"])
    except ConnectionRefused as refused:
        raise web.HTTPNotFound(text=str(refused)) from None


def _check(kind: Kind, form: Mapping[str, str], events: frozenset[str], kept: frozenset[str] = frozenset()) -> None:
    """Raise Faults for all that can be told before anything is looked up."""
    wrong: Sequence[Fault] = ()
    try:
        read_settings(kind.settings, kind.guide, settings_told(kind, form))
    except Faults as faults:
        wrong = faults.told
    together(check_way(kind, form, kept), check_events(kind, events), wrong)


def _all_settings(kind: Kind, form: Mapping[str, str], before: Mapping[str, Any]) -> dict[str, Any]:
    """What was told, with those settings that nobody is asked for as they are."""
    return {name: before[name] for name in kind.unasked if before.get(name)} | settings_told(kind, form)


def _in_order(kind: Kind, events: frozenset[str]) -> list[str]:
    return [name for name in kind.events if name in events]


def _days(form: Mapping[str, str]) -> str | int:
    return form.get("link_days", "").strip() or connections.LINK_DAYS


async def _form_page(
    request: web.Request, kind: Kind, told: Mapping[str, str], faults: Sequence[Fault], status: int = 200
) -> web.Response:
    key = told.get("connection", "")
    connects = connects_of(request)
    return await _page(
        request,
        status,
        kind,
        connects.addresses(key if connections.is_key(key) else kind.name),
        key=key,
        form=form_of(kind, language_of(request), told, faults=faults),
        no_key=no_key(connects),
        is_new=True,
        refused="",
    )


async def _change_page(
    request: web.Request, told: Mapping[str, str], faults: Sequence[Fault], status: int = 200, refused: str = ""
) -> web.Response:
    stands = await _stands(request)
    kind = KINDS[stands.to.kind]
    return await _page(
        request,
        status,
        kind,
        connects_of(request).addresses(stands.to.key),
        key=stands.to.key,
        form=form_of(kind, language_of(request), told, stands.secrets, faults),
        no_key=no_key(connects_of(request)),
        is_new=False,
        refused=refused,
    )


async def _page(request: web.Request, status: int, kind: Kind, addresses: Addresses, **context: Any) -> web.Response:
    answer = await page(
        request,
        "crm_form.html",
        kind=kind,
        lines=lines_of(kind, language_of(request), addresses),
        lacks_url=addresses.back is None,
        faults=bool(context["form"].faults) or status == 422,
        days_usual=connections.LINK_DAYS,
        **context,
    )
    answer.set_status(status)
    return answer


def lines_of(kind: Kind, language: str, addresses: Addresses) -> list[tuple[str, str, str]]:
    """What to do on the other side, each as (text before an address, the address, text after)."""
    told = []
    for line in kind.guide.lines:
        text = said(line, language)
        mark, address = ("{back}", addresses.back) if "{back}" in text else ("{events}", addresses.events)
        before, _, after = text.partition(mark)
        told.append((before, (address or "…") if mark in text else "", after))
    return told
