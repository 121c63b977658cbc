"""What would happen if this number called this line then: decided as a call is, with nobody rung."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from aiohttp import web

from crm_sync.book.owners import owners
from crm_sync.book.standing import open_leads, stages
from directory import store
from directory.model import Directory
from directory.numbers import e164, is_anonymous, is_short
from directory.sections import SectionError
from routing.arrival import Arrival
from routing.dry_run import dry_run
from telephony import devices
from telephony.tables import device_states
from web.admin.options import entries
from web.admin.sent import read_sent
from web.admin.text_page import checked_part, judged, read_draft
from web.audited import unaudited
from web.decided import known, passed, rule
from web.guard import only
from web.page import language_of, page, zone_of
from web.services import SERVICES
from web.told import considered, device_kind, reason, reasons
from web.wording import phone
from web.words import say

_MINUTE: Final = "%Y-%m-%dT%H:%M"


async def show(request: web.Request) -> web.Response:
    """GET /admin/try: `number`, `line` and `at`, on the wall of the line; without a number the form alone."""
    only(request, "admin")
    async with request.app[SERVICES].engine.connect() as connection:
        directory = await store.read(connection)
    return await _answer(request, request.query, directory)


@unaudited("nothing is written, and nobody is rung")
async def show_draft(request: web.Request) -> web.Response:
    """POST to the same: by a `text` of a `part` of the directory that is not saved; with faults, that text's page."""
    only(request, "admin")
    sent = await read_sent(request)
    part, text = checked_part(sent.get("part", "")), sent.get("text", "").replace("\r\n", "\n")
    async with request.app[SERVICES].engine.connect() as connection:
        directory = await store.read(connection)
    try:
        draft = await asyncio.to_thread(read_draft, part, text, directory)
    except SectionError:
        return await judged(request, part, text, {})
    return await _answer(request, sent, draft, {"part": part, "text": text})


async def _answer(
    request: web.Request, query: Mapping[str, str], directory: Directory, draft: Mapping[str, str] | None = None
) -> web.Response:
    asked = {name: query.get(name, "").strip() for name in ("number", "line", "at")}
    wrong = _wrong(asked, directory, language_of(request)) if asked["number"] else {}
    plan = await _plan(request, directory, asked, draft=draft is not None) if asked["number"] and not wrong else None
    language = language_of(request)
    answer = await page(
        request,
        "admin_try.html",
        asked=asked | ({} if asked["at"] else {"at": _now(directory, asked["line"])}),
        lines=entries("lines", directory),
        wrong=defaultdict(str, wrong),
        plan=plan,
        draft=draft,
        rule=rule(plan, language) if plan else "",
        reasons=reasons(plan, language) if plan else [],
        passed=passed(plan, language) if plan else [],
        known=known(plan, directory, ZoneInfo(zone_of(request, directory)), language) if plan else [],
        considered=list(considered(plan, directory, language)) if plan else [],
        steps=[_step(step, directory, language) for step in plan["steps"]] if plan else [],
    )
    answer.set_status(422 if wrong else 200)
    return answer


def _wrong(asked: Mapping[str, str], directory: Directory, language: str) -> dict[str, str]:
    """{field: what is wrong with it}."""
    number, found = asked["number"], {}
    if not (is_anonymous(number) or is_short(number) or e164(number, directory.company.region)):
        found["number"] = say(language, "admin.try.bad_number", value=number)
    if directory.line(asked["line"]) is None:
        found["line"] = say(language, "admin.try.bad_line", value=asked["line"])
    if asked["at"] and _moment(asked["at"], directory, asked["line"]) is None:
        found["at"] = say(language, "admin.try.bad_at", value=asked["at"])
    return found


async def _plan(request: web.Request, directory: Directory, asked: Mapping[str, str], *, draft: bool) -> dict[str, Any]:
    """The plan as JSON, by what is saved or by a draft of it."""
    at = _moment(asked["at"], directory, asked["line"]) or datetime.now(UTC)
    number = directory.normal(asked["number"], asked["line"])
    engine = request.app[SERVICES].engine
    arrival = Arrival(
        pbx=await _pbx(request), channel="dry-run", line=asked["line"], caller_number=number, caller_name="", at=at
    )
    told = await dry_run(
        engine,
        arrival,
        devices=devices.read,
        owners=owners,
        parties=stages,
        leads=open_leads,
        directory=directory if draft else None,
    )
    plan: dict[str, Any] = told.plan.to_json()
    return plan


async def _pbx(request: web.Request) -> str:
    """The PBX whose devices are looked at: the one that told of any."""
    async with request.app[SERVICES].engine.connect() as connection:
        return await connection.scalar(device_states.select().with_only_columns(device_states.c.pbx).limit(1)) or "pbx"


def _moment(text: str, directory: Directory, line: str) -> datetime | None:
    """The moment of a time on the line's wall; None for what is none."""
    found = directory.line(line)
    zone = ZoneInfo(directory.zone_of(found) if found else directory.company.time_zone)
    try:
        return datetime.strptime(text, _MINUTE).replace(tzinfo=zone)
    except ValueError:
        return None


def _now(directory: Directory, line: str) -> str:
    found = directory.line(line)
    zone = directory.zone_of(found) if found else directory.company.time_zone
    return datetime.now(ZoneInfo(zone)).strftime(_MINUTE)


def _step(step: Mapping[str, Any], directory: Directory, language: str) -> str:
    """One step of the plan in words: what is done, to whom, for how long, and why."""
    targets = step.get("targets") or ()
    who = ", ".join(_target(it, directory, language) for it in targets)
    kind = str(step.get("kind", ""))
    told = say(language, f"admin.step.{kind}", who=who, seconds=step.get("seconds") or 0)
    return f"{told}. {reason(step.get('reason', ''), language)}"


def _target(target: Mapping[str, Any], directory: Directory, language: str) -> str:
    person = directory.person(str(target.get("person") or ""))
    device = str(target.get("device") or "")
    kind = device_kind(directory, device)
    where = say(language, f"device.{kind}") if kind else phone(device) or device or str(target.get("dial", ""))
    return f"{person.name} ({where})" if person else where
