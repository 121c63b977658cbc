"""Who is away, and when: heads and admins say it of the people they see, and what those say of themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from directory import presence_store, store
from directory.model import Directory, Person
from directory.presence import Absence, presence_at
from directory.presence_store import PresenceRefused
from recordings.audit import note
from web.admin.faults import in_words
from web.audited import audited
from web.guard import VIEWER, only, read_form
from web.keeping import actor_of
from web.page import language_of, page
from web.rights import scope_of
from web.services import SERVICES
from web.status import SAID
from web.words import say

_MINUTE: Final = "%Y-%m-%dT%H:%M"
_FIELDS: Final = {"from": "since"}
"""What the store calls a field, where the form has another name for it."""


class _Wrong(ValueError):
    """A field of the form cannot be so."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(f"{field}: {words}")
        self.field, self.words = field, words


async def show(request: web.Request) -> web.Response:
    """GET /admin/absences."""
    only(request, "head", "admin")
    return await _page(request)


@audited("absence_set", "absence_ended", "status_set")
async def change(request: web.Request) -> web.Response:
    """POST to the same: `do` is add, end (of `absence`) or status; of a `person` that the viewer sees."""
    only(request, "head", "admin")
    form = await read_form(request)
    try:
        async with request.app[SERVICES].engine.begin() as connection:
            person = _of_theirs(request, await store.read(connection), form.get("person", ""))
            await _do(request, connection, person, form)
    except _Wrong as wrong:
        return await _page(request, form, {wrong.field: wrong.words})
    except PresenceRefused as refused:
        field, _, message = str(refused).partition(": ")
        return await _page(request, form, {_FIELDS.get(field, field): in_words(message, language_of(request))})
    raise web.HTTPSeeOther("/admin/absences?saved")


async def _do(request: web.Request, connection: AsyncConnection, person: Person, form: Mapping[str, str]) -> None:
    actor = actor_of(request)
    match form.get("do"):
        case "add":
            absence = await _absence(request, connection, person, form)
            number = await presence_store.send_away(connection, person.key, absence)
            set_to = {"from": absence.starts_at, "to": absence.ends_at, "substitute": absence.substitute}
            await note(connection, actor, "absence_set", f"absence {number}", after={"person": person.key, **set_to})
        case "end":
            told = form.get("absence", "")
            number = int(told) if told.isascii() and told.isdecimal() and len(told) < 19 else 0
            await presence_store.come_back(connection, person.key, number)
            await note(connection, actor, "absence_ended", f"absence {number}", before={"person": person.key})
        case "status":
            status = next((it for it in SAID if it == form.get("status")), None)
            if status is None:
                raise web.HTTPBadRequest(text=f"status must be one of {', '.join(SAID)}")
            await presence_store.set_status(connection, person.key, status)
            await note(connection, actor, "status_set", f"person {person.key}", after={"status": status})
        case _:
            raise web.HTTPBadRequest(text="do must be add, end or status")


async def _absence(
    request: web.Request, connection: AsyncConnection, person: Person, form: Mapping[str, str]
) -> Absence:
    zone = ZoneInfo((await store.read(connection)).zone_of(person))
    since, to = (_moment(request, name, form.get(name, ""), zone) for name in ("since", "to"))
    return Absence(0, since, to, form.get("substitute") or None, form.get("reason", "").strip())


def _moment(request: web.Request, name: str, text: str, zone: ZoneInfo) -> datetime:
    try:
        return datetime.strptime(text, _MINUTE).replace(tzinfo=zone)
    except ValueError:
        raise _Wrong(name, say(language_of(request), "admin.try.bad_at", value=text)) from None


def _of_theirs(request: web.Request, directory: Directory, key: str) -> Person:
    person = directory.person(key)
    if person is None:
        raise _Wrong("person", say(language_of(request), "admin.absence.nobody"))
    if person not in _theirs(request, directory):
        raise web.HTTPForbidden(text="person: is of another team")
    return person


def _theirs(request: web.Request, directory: Directory) -> list[Person]:
    scope = scope_of(request[VIEWER], directory)
    return [person for person in directory.people if scope.everything or person.key in scope.people]


async def _page(
    request: web.Request, form: Mapping[str, str] | None = None, wrong: Mapping[str, str] | None = None
) -> web.Response:
    now = datetime.now(UTC)
    async with request.app[SERVICES].engine.connect() as connection:
        directory, book = await store.read(connection), await presence_store.read(connection)
    people = []
    for person in _theirs(request, directory):
        coming = [it for it in book.absences.get(person.key, ()) if it.ends_at > now]
        people.append((person, presence_at(person, directory, book, now), coming))
    begin = now.astimezone(ZoneInfo(directory.company.time_zone)).replace(hour=9, minute=0) + timedelta(days=1)
    usual: dict[str, Any] = {
        "since": begin.strftime(_MINUTE), "to": begin.replace(hour=18).strftime(_MINUTE),
        "person": "", "substitute": "", "reason": "",
    }  # fmt: skip
    answer = await page(
        request,
        "admin_absences.html",
        people=people,
        everybody=directory.people,
        said=SAID,
        form=usual | dict(form or {}),
        wrong=defaultdict(str, wrong or {}),
        saved="saved" in request.query,
    )
    answer.set_status(422 if wrong else 200)
    return answer
