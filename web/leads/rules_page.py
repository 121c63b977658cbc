"""The house's rules of leads: read by heads, changed by admins as text, checked and compared before they are saved."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass, replace
from typing import Final

import structlog
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from directory import store
from directory.checks import Fault
from directory.lead_policy import BUILT_IN, MINUTES, LeadPolicy
from directory.model import Directory
from directory.sections import SectionError, read_text, write_section
from recordings.audit import note
from web.audited import audited
from web.guard import VIEWER, only, read_form
from web.keeping import actor_of
from web.leads.rules_tried import PERIODS, Tried, try_on_calls
from web.leads.wording import age, reason_name
from web.page import language_of, page
from web.services import SERVICES
from web.words import say

_LEADS: Final = "leads"
_MINUTE: Final = 60
_STAGES: Final = ("new", "qualifying", "qualified", "in_work")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Draft:
    """A text that somebody wrote, and what is to be said of it: its faults, or what it changes line by line.

    `checked` is the text's digest once it has no faults: only what was shown so is saved.
    """

    text: str
    faults: tuple[Fault, ...] = ()
    change: tuple[str, ...] = ()
    checked: str = ""
    told: str = ""
    tried: Tried | None = None

    def line(self, number: int) -> str:
        """A line of the text, counted from 1."""
        lines = self.text.splitlines()
        return lines[number - 1] if 0 < number <= len(lines) else ""


async def show(request: web.Request) -> web.Response:
    """GET /leads/rules."""
    only(request, "head", "admin")
    async with request.app[SERVICES].engine.connect() as connection:
        directory = await store.read(connection)
    draft = Draft(write_section(directory, _LEADS)) if request[VIEWER].role == "admin" else None
    return await _page(request, directory, draft, saved="saved" in request.query)


@audited("lead_rules_changed")
async def change(request: web.Request) -> web.Response:
    """POST /leads/rules, by admins: `do` is check or save, `text` the section; only what was checked is saved."""
    only(request, "admin")
    form = await read_form(request)
    text = form.get("text", "").replace("\r\n", "\n")
    async with request.app[SERVICES].engine.begin() as connection:
        directory = await store.read(connection)
        try:
            policy = read_text(text, _LEADS, directory).leads
        except SectionError as error:
            return await _page(request, directory, Draft(text, tuple(error.faults)), status=400)
        stale = form.get("version", "") != _digest(write_section(directory, _LEADS))
        if form.get("do") == "save" and form.get("checked") == _digest(text) and not stale:
            return await _save(request, connection, directory, policy, text)
    told = say(language_of(request), "rules.meanwhile") if stale else ""
    tried = await try_on_calls(request.app[SERVICES].engine, directory, policy, form.get("days", ""))
    draft = Draft(text, (), _difference(directory, replace(directory, leads=policy)), _digest(text), told, tried)
    return await _page(request, directory, draft, status=409 if stale else 200)


async def _save(
    request: web.Request, connection: AsyncConnection, directory: Directory, policy: LeadPolicy, text: str
) -> web.Response:
    try:
        changes = await store.apply(connection, replace(directory, leads=policy), by=request[VIEWER].login)
    except store.DirectoryRefused as error:
        told = say(language_of(request), "rules.others", faults=str(error))
        return await _page(request, directory, Draft(text, told=told), status=400)
    if changes:
        await note(connection, actor_of(request), "lead_rules_changed", "lead rules")
    _log.info("rules of leads saved", user=request[VIEWER].user, change_count=len(changes))
    return web.Response(status=303, headers={"Location": "/leads/rules?saved"})


async def _page(
    request: web.Request, directory: Directory, draft: Draft | None, *, saved: bool = False, status: int = 200
) -> web.Response:
    policy, language = directory.leads, language_of(request)
    response = await page(
        request,
        "lead_rules.html",
        policy=policy,
        rules=[*((rule, True) for rule in policy.rules), *((rule, False) for rule in BUILT_IN)],
        targets=[(stage, policy.minutes.get(stage, MINUTES.get(stage))) for stage in _STAGES],
        draft=draft,
        periods=PERIODS,
        version=_digest(write_section(directory, _LEADS)),
        saved=saved,
        reason_of=lambda key: reason_name(policy, language, key),
        span=lambda minutes: age(minutes * _MINUTE, language),
    )
    response.set_status(status)
    return response


def _difference(before: Directory, after: Directory) -> tuple[str, ...]:
    """What changes between two policies, as lines of a unified difference; empty when nothing does."""
    old, new = (write_section(it, _LEADS).splitlines() for it in (before, after))
    told = difflib.unified_diff(old, new, lineterm="", n=2)
    return tuple(line for line in told if not line.startswith(("---", "+++")))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
