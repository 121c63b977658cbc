"""Every door of the house, tried by everybody: nobody hears or reads what is not theirs, and no door is forgotten.

The rule: without a login 401 (a page sends to the login), outside one's rights 403; 404 is for what is not there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import ClientSession
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine
from yarl import URL

from directory import store
from directory.model import Person
from recordings.audit import THE_OPERATOR, Actor
from recordings.privacy_tables import audit, links
from tests.fakes.site import Site, open_site
from tests.fakes.story import HOUSE, PASSWORD, SUPPORT, Told
from tests.fakes.things import SOUND, link_to, talk, things
from web import links as signed
from web import users
from web.audited import stated
from web.render import STATIC
from web.tables import listens

API: Final = "/api/v1"
_HOUR: Final = timedelta(hours=1)

# pbx: an upload token; gleb: another team's manager; anna: the call's own; olga: an operator; vera, ilya: head, admin.
EVERYBODY: Final = frozenset({"gleb", "anna", "olga", "vera", "ilya"})
THEIRS: Final = frozenset({"anna", "vera", "ilya"})
HEADS: Final = frozenset({"vera", "ilya"})
ADMINS: Final = frozenset({"ilya"})
OPERATORS: Final = frozenset({"olga", "ilya"})
ANYBODY: Final = EVERYBODY | {None}
MANAGERS: Final = frozenset({"gleb", "anna", "vera"})
WHO: Final = ("POST /login", "POST /logout")

LEAD_ACTIONS: Final[dict[str, dict[str, Any]]] = {
    "move": {"stage": "qualified"},
    "return": {},
    "owner": {"owner": "anna"},
    "notes": {"text": "Хочет угловую"},
    "tasks": {"text": "Позвонить"},
    "deadline": {"at": None},
    "fields": {"fields": {"project": "Парк"}},
}

ON_TALKS: Final[dict[str, dict[str, Any]]] = {
    **{do: {} for do in ("hangup", "hold", "resume", "connect", "help", "help/withdraw", "outcome", "dismiss")},
    "transfer": {"to": "boris"},
    "consult": {"to": "boris"},
    "note": {"text": "Хочет угловую"},
}

ON_USERS: Final[dict[str, dict[str, Any]]] = {
    "change": {"role": "operator", "person": "gleb"},
    "tokens": {"name": "report", "days": 7},
    "tokens/revoke": {"id": 1},
    **{do: {} for do in ("enable", "end-sessions", "forget-provider", "password-link", "disable")},
}

OUR_PAGES: Final = frozenset({"GET /crm/new/oauth", "POST /crm/new/events"})
"""What has the address of a CRM's door and is routed to a page of ours."""

DOORS: Final[dict[str, frozenset[str | None]]] = {
    "GET /login": ANYBODY,
    "POST /login": ANYBODY,
    **dict.fromkeys(("GET /login/oidc", "GET /login/oidc/return"), ANYBODY),
    **dict.fromkeys((f"{method} /password/{{secret}}" for method in ("GET", "POST")), ANYBODY),
    **dict.fromkeys((f"{method} /nps/{{token}}" for method in ("GET", "POST")), ANYBODY),
    **dict.fromkeys((f"{method} /me" for method in ("GET", "POST")), EVERYBODY),
    **dict.fromkeys((f"{method} /admin/users" for method in ("GET", "POST")), ADMINS),
    **dict.fromkeys((f"{method} /admin/users/{{number}}" for method in ("GET", "POST")), ADMINS),
    **dict.fromkeys(("GET /admin/audit", "GET /admin/audit/export"), ADMINS),
    **dict.fromkeys((f"{method} {API}/users" for method in ("GET", "POST")), ADMINS),
    **dict.fromkeys((f"GET {API}/users/{{number}}", f"GET {API}/audit"), ADMINS),
    **dict.fromkeys((f"POST {API}/users/{{number}}/{do}" for do in ON_USERS), ADMINS),
    **dict.fromkeys((f"GET {API}/incidents", f"POST {API}/incidents/retry"), OPERATORS),
    **dict.fromkeys((f"{method} /admin/incidents" for method in ("GET", "POST")), OPERATORS),
    "GET /healthz": ANYBODY,
    "GET /readyz": ANYBODY,
    "GET /static": ANYBODY,
    "GET /linked/{link}": ANYBODY,
    **dict.fromkeys(("GET /", "GET /desk/stream", "GET /desk/today", "GET /desk/status"), EVERYBODY),
    **dict.fromkeys(("GET /calls", "GET /search", "POST /language", "POST /theme", "POST /logout"), EVERYBODY),
    **dict.fromkeys(("POST /calls/views", "GET /missed", "GET /missed/stream"), EVERYBODY),
    **dict.fromkeys(("GET /missed/{number}", "POST /missed/{number}"), THEIRS),
    **dict.fromkeys(("GET /calls/export", f"GET {API}/calls/export"), HEADS),
    **dict.fromkeys(("GET /reports", "GET /reports/behind"), MANAGERS | ADMINS),
    **dict.fromkeys((f"GET {API}/reports/{kind}" for kind in ("daily", "weekly", "monthly")), MANAGERS | ADMINS),
    "GET /reports/behind/export": HEADS,
    "GET /reports/measures": EVERYBODY,
    **dict.fromkeys((f"{method} /reports/plans" for method in ("GET", "POST")), HEADS),
    "GET /reports/plans/table": HEADS,
    **dict.fromkeys((f"{method} {API}/plans" for method in ("GET", "PUT")), HEADS),
    "POST /calls/{id}/effects": ADMINS,
    "GET /desk/notices": EVERYBODY,
    "POST /desk/notices": MANAGERS,
    **dict.fromkeys((f"GET {API}/notices", f"POST {API}/notices/read", f"GET {API}/leads/attention"), EVERYBODY),
    f"POST {API}/notices/{{number}}/read": EVERYBODY,  # what is not theirs they cannot read, and nothing is told of it
    "POST /desk/status": MANAGERS,  # whose login belongs to somebody in the directory
    **dict.fromkeys(("GET /calls/{id}", "GET /calls/{id}/text"), THEIRS),
    **dict.fromkeys(("GET /leads", "GET /leads/attention"), EVERYBODY),
    "GET /leads/rules": HEADS,
    "POST /leads/rules": ADMINS,
    **dict.fromkeys(("GET /crm", "GET /crm/{key}"), HEADS),
    "POST /crm/{key}": ADMINS,
    **dict.fromkeys((f"{method} /crm/new/{{kind}}" for method in ("GET", "POST")), ADMINS),
    **dict.fromkeys(
        (f"{method} /crm/{{key}}/{page}" for method in ("GET", "POST") for page in ("setup", "settings")), ADMINS
    ),
    "GET /crm/new": ADMINS,
    **dict.fromkeys(OUR_PAGES, ADMINS),
    # A CRM itself: each connection tells by its own secret who is before the door (test_crm_doors).
    **dict.fromkeys(("GET /crm/{key}/oauth", "POST /crm/{key}/events"), ANYBODY),
    **dict.fromkeys(("GET /leads/{number}", "POST /leads/{number}", "POST /leads/{number}/done"), THEIRS),
    **dict.fromkeys(("GET /parties/{number}", "POST /parties/{number}", "POST /tasks/{number}/done"), THEIRS),
    "POST /calls/{id}/keeping": HEADS,
    "POST /calls/{id}/recording": HEADS,  # and who talks in it, but this call is over
    "POST /desk/cards": EVERYBODY,
    # Of whoever talked in it, and heads: a colleague who may see the call is refused (test_web_desk).
    **dict.fromkeys((f"POST /calls/{{id}}/{do}" for do in ("control", "help", "note", "outcome")), THEIRS),
    **dict.fromkeys((f"POST {API}/calls/{{id}}/{do}" for do in ON_TALKS), THEIRS),
    **{
        f"{method} {API}/calls/{{id}}{rest}": THEIRS
        for method, rests in {
            "GET": (
                *("", "/timeline", "/decision", "/recording", "/recording/outline", "/transcript", "/transcript.srt"),
                *("/transcript.vtt", "/talk-facts", "/export", "/outcome"),
            ),
        }.items()
        for rest in rests
    },
    **dict.fromkeys((f"{method} {API}/calls/{{id}}/comments" for method in ("GET", "POST")), THEIRS),
    **dict.fromkeys(("POST /calls/{id}/comments", "POST /comments/{number}/delete"), THEIRS),
    f"POST {API}/comments/{{number}}/delete": THEIRS,
    **dict.fromkeys((f"POST {API}/calls/{{id}}/recording/{do}" for do in ("pause", "resume")), HEADS),
    **dict.fromkeys((f"GET {API}/{name}" for name in ("calls", "search", "follow-ups", "leads", "parties")), EVERYBODY),
    **dict.fromkeys((f"GET {API}/{name}" for name in ("people", "teams", "lines", "devices")), EVERYBODY),
    f"GET {API}/recordings/gaps": EVERYBODY,
    **dict.fromkeys((f"{method} {API}/uploads/{{pbx}}/{{name}}" for method in ("GET", "PUT")), frozenset({"pbx"})),
    **dict.fromkeys((f"GET {API}/{name}" for name in ("stream", "openapi.json")), EVERYBODY),
    f"GET {API}/outgoing-calls/{{id}}": THEIRS,
    f"POST {API}/webhooks/{{crm}}": ANYBODY,
    f"POST {API}/calls": frozenset({"anna", "vera", "ilya"}),  # has Anna call; others may not for her
    f"POST {API}/status": frozenset({"anna", "vera", "ilya"}),
    f"POST {API}/absences": frozenset({"anna", "vera", "ilya"}),
    f"POST {API}/absences/{{number}}/end": frozenset({"anna", "vera", "ilya"}),
    **dict.fromkeys((f"{method} {API}/calls/{{id}}/links" for method in ("GET", "POST")), HEADS),
    f"POST {API}/links/{{number}}/revoke": HEADS,
    f"POST {API}/follow-ups/{{number}}/close": HEADS,
    f"GET {API}/follow-ups/{{number}}": THEIRS,
    **dict.fromkeys((f"POST {API}/follow-ups/{{number}}/{do}" for do in ("claim", "release")), THEIRS),
    f"POST {API}/follow-ups/{{number}}/call": frozenset({"anna", "vera"}),  # whose login has a phone
    **dict.fromkeys(("GET /leads/board", "GET /leads/board/stream"), EVERYBODY),
    "POST /leads/{number}/board": THEIRS,
    **dict.fromkeys(("GET /leads/give", "POST /leads/give", f"POST {API}/leads/owner"), HEADS),
    **dict.fromkeys(("GET /leads/import", "POST /leads/import"), HEADS),
    **dict.fromkeys((f"POST {API}/leads/import", f"GET {API}/leads/export"), HEADS),
    f"GET {API}/leads/count": EVERYBODY,
    f"GET {API}/leads/{{number}}": THEIRS,
    **dict.fromkeys((f"POST {API}/leads/{{number}}/{do}" for do in LEAD_ACTIONS), THEIRS),
    f"POST {API}/tasks/{{number}}/done": THEIRS,
    f"GET {API}/tasks": EVERYBODY,
    f"GET {API}/parties/{{number}}": THEIRS,
    **dict.fromkeys((f"POST {API}/parties/{{number}}/{do}" for do in ("rename", "numbers")), THEIRS),
    f"POST {API}/parties/{{number}}/merge": HEADS,
    f"POST {API}/merges/{{number}}/undo": HEADS,
    **dict.fromkeys(("GET /head", "GET /head/stream", "GET /head/beside", "POST /head/overhear"), HEADS),
    **dict.fromkeys(("GET /wallboard", "GET /wallboard/stream", f"GET {API}/wallboard"), EVERYBODY),
    **dict.fromkeys(("POST /wallboard", f"GET {API}/wallboard/links", f"POST {API}/wallboard/links"), HEADS),
    f"POST {API}/wallboard/links/{{number}}/revoke": HEADS,
    # A screen on a wall: its link tells what it may show, and what is none opens nothing (test_web_head).
    **dict.fromkeys(("GET /wall/{told}", "GET /wall/{told}/stream"), ANYBODY),
    f"POST {API}/calls/{{id}}/overhear": HEADS,
    f"GET {API}/overhearings/{{id}}": HEADS,
    f"GET {API}/refused": HEADS,
    f"GET {API}/holds": HEADS,
    f"POST {API}/holds": HEADS,
    f"POST {API}/holds/{{number}}/lift": HEADS,
    f"POST {API}/erasures": ADMINS,
    f"GET {API}/erasures/{{number}}": ADMINS,
    **dict.fromkeys((f"{method} {API}/directory" for method in ("GET", "PUT")), ADMINS),
    **dict.fromkeys(("GET /admin", "GET /admin/history", "GET /admin/file"), ADMINS),
    **dict.fromkeys(("GET /admin/try", "POST /admin/try"), ADMINS),
    **dict.fromkeys(
        (
            f"{method} /admin/{page}"
            for method in ("GET", "POST")
            for page in ("text/{part}", "lists/{list}", "{section}", "new/{section}", "{section}/{name}", "{single}")
        ),
        ADMINS,
    ),
    **dict.fromkeys(("GET /admin/absences", "POST /admin/absences"), HEADS),
}

BODIES: Final[dict[str, dict[str, Any]]] = {
    "POST /me": {"do": "token", "name": "mine", "days": "7", "old": PASSWORD},
    "POST /admin/users": {"login": "nina", "role": "manager"},
    "POST /admin/users/{number}": {"do": "token", "name": "report", "days": "7"},
    "POST /nps/{token}": {"score": "9"},
    "POST /password/{secret}": {"password": PASSWORD, "repeat": PASSWORD},
    "POST /login": {"login": "anna", "password": PASSWORD},
    "POST /calls/{id}/recording": {"do": "pause"},
    "POST /desk/status": {"status": "available"},
    "POST /calls/views": {"do": "save", "name": "x", "query": "status=missed"},
    "POST /missed/{number}": {"do": "take"},
    "POST /calls/{id}/keeping": {"do": "link"},
    "POST /language": {"language": "en"},
    "POST /theme": {"theme": "dark"},
    "POST /head/overhear": {"call": "00000000-0000-0000-0000-000000000000", "mode": "listen"},
    "POST /wallboard": {"do": "make", "label": "Холл", "team": "sales"},
    f"POST {API}/wallboard/links": {"label": "Холл", "team": "sales"},
    f"POST {API}/calls/{{id}}/overhear": {"mode": "listen"},
    "POST /leads/{number}": {"do": "note", "text": "called back"},
    "POST /parties/{number}": {"do": "do_not_call"},
    "POST /crm/{key}": {"do": "shadow"},
    "POST /admin/absences": {"do": "status", "person": "anna", "status": "available"},
    "POST /crm/{key}/setup": {"do": "shadow"},
    "POST /desk/cards": {"cards": "ring"},
    "POST /calls/{id}/control": {"do": "hold"},
    "POST /calls/{id}/help": {"do": "ask"},
    **{f"POST {API}/calls/{{id}}/{do}": body for do, body in ON_TALKS.items()},
    **{f"POST {API}/users/{{number}}/{do}": body for do, body in ON_USERS.items()},
    f"POST {API}/users": {"login": "rita", "role": "manager"},
    f"POST {API}/calls": {"to": "79165550177", "from_person": "anna"},
    f"POST {API}/status": {"status": "available", "person": "anna"},
    f"POST {API}/absences": {"person": "anna", "from": "2027-01-01T00:00:00Z", "to": "2027-01-02T00:00:00Z"},
    f"POST {API}/follow-ups/{{number}}/close": {"reason": "called by hand"},
    f"POST {API}/calls/{{id}}/links": {"days": 3},
    **{f"POST {API}/leads/{{number}}/{do}": body for do, body in LEAD_ACTIONS.items()},
    f"POST {API}/parties/{{number}}/rename": {"name": "Пётр"},
    f"POST {API}/parties/{{number}}/numbers": {"number": "79165550111"},
    f"POST {API}/parties/{{number}}/merge": {"gone": 99},
    "POST /calls/{id}/comments": {"at": "0:01", "text": "Хорошо начато"},
    f"POST {API}/calls/{{id}}/comments": {"at": 1, "text": "Хорошо начато"},
    "POST /leads/{number}/board": {"to": "lost", "reason": "no_contact"},
    "POST /leads/give": {"leads": "1", "to": "anna", "reason": "отпуск", "seen": "1"},
    f"POST {API}/leads/owner": {"leads": [1], "owner": "anna", "reason": "отпуск"},
    "POST /reports/plans": {"do": "set", "whose": "house", "of": "leads_in", "value": "100"},
    f"PUT {API}/plans": {
        "month": f"{datetime.now(UTC):%Y-%m}",
        "plans": [{"kind": "house", "key": "", "measure": "won", "value": 10}],
    },
    f"POST {API}/holds": {"number": "79165550166", "reason": "case 1"},
    f"POST {API}/erasures": {"numbers": ["79165550155"], "dry_run": True},
}


WITHOUT_A_CHANGE: Final = frozenset(
    {
        "POST /password/{secret}",
        "POST /calls/{id}/recording",
        *(f"POST {API}/calls/{{id}}/recording/{do}" for do in ("pause", "resume")),
        *("POST /calls/{id}/control", "POST /calls/{id}/help", "POST /calls/{id}/effects"),
        *(f"POST {API}/calls/{{id}}/{do}" for do in ("hangup", "hold", "resume", "transfer", "consult", "connect")),
        *(f"POST {API}/calls/{{id}}/{do}" for do in ("help", "help/withdraw")),
        # What they change is shown before; test_web_admin saves on each.
        *(f"POST /admin/{page}" for page in ("text/{part}", "lists/{list}", "{section}", "new/{section}", "{single}")),
        *("POST /admin/{section}/{name}", f"PUT {API}/directory"),
        *("POST /head/overhear", f"POST {API}/calls/{{id}}/overhear", "POST /wallboard"),
        *(f"POST {API}/wallboard/links", f"POST {API}/wallboard/links/{{number}}/revoke"),
        *("POST /leads/import", f"POST {API}/leads/import", "POST /leads/rules"),
        *("POST /leads/{number}/done", f"POST {API}/tasks/{{number}}/done"),
        *("POST /crm/new/{kind}", "POST /crm/{key}/setup", "POST /crm/{key}/settings"),
        f"POST {API}/users/{{number}}/tokens/revoke",
        *(f"POST {API}/erasures", f"POST {API}/comments/{{number}}/delete"),
        *(f"POST {API}/leads/{{number}}/{do}" for do in ("move", "return")),
    }
)
"""Doors whose change needs more than a knock, or was made by another door; their own tests look into the audit."""

Answered = tuple[int, str, bytes, str]
"""Status, where it sends to, the body or its beginning, the request's id."""


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """The web role with its house, an admin, and a PBX that uploads."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    async with open_site(engine, tmp_path / "store", uploads={"main": inbox}) as opened:
        async with engine.begin() as connection:
            await users.add(connection, "ilya", "admin", password=PASSWORD)
        yield opened


async def test_every_door_opens_for_whom_it_is_and_for_nobody_else(site: Site) -> None:
    """All routes of the application, by everybody; what is refused holds no sound and no word of the talk."""
    named = await things(site)
    routes = {
        f"{route.method} {route.resource.canonical}"
        for route in site.app.router.routes()
        if route.resource and route.method != "HEAD"
    }
    assert routes == DOORS.keys() - OUR_PAGES, "a route without a rule here, or a rule without a route"
    wrong, done = [], dict[str, str]()
    for login in (None, "pbx", "gleb", "anna", "olga", "vera", "ilya"):
        for door, (code, where, body, asked) in (await knock_at_all(site, login, named)).items():
            allowed = DOORS[door]
            done |= {asked: door} if code < 400 else {}
            to_login = where.startswith("/login")
            may = login in allowed or (login == "pbx" and None in allowed)
            if may:
                right = code not in {401, 403} and (not to_login or door == "POST /logout")
            elif login not in {None, "pbx"}:
                right = code == 403
            else:
                right = code == 401 if "/api/" in door else code == 303 and to_login
            leaks = not may and any(word in body for word in (b"OggS", b"RIFF", "Здравствуйте".encode()))
            wrong += [(login, door, code, where)] if leaks or not right else []
    assert not wrong
    await is_in_the_audit(site, done)


async def is_in_the_audit(site: Site, done: dict[str, str]) -> None:
    """What doors did (request -> door) is written down as their handlers state it, in a line with the request."""
    async with site.engine.connect() as connection:
        rows = (await connection.execute(select(audit.c.request, audit.c.action, audit.c.actor))).all()
    written = {(done[row.request], row.action) for row in rows if row.request in done}
    silent = set()
    for route in site.app.router.routes():
        if route.method in {"GET", "HEAD"} or route.resource is None:
            continue
        door, told = f"{route.method} {route.resource.canonical}", stated(route.handler)
        assert told is not None, f"the handler of {door} does not state what it writes into the audit (web.audited)"
        wrote = any((door, action) in written for action in told.actions)
        silent |= set() if wrote or not told.actions else {door}
    assert silent - WITHOUT_A_CHANGE == set(), "doors that wrote no line into the audit"


async def status(client: ClientSession, path: str, json: Any = None) -> int:
    """What a GET, or with something to send a POST, is answered with."""
    async with client.request("GET" if json is None else "POST", path, json=json) as response:
        await response.read()
        return response.status


async def knock_at_all(site: Site, login: str | None, named: dict[str, str]) -> dict[str, Answered]:
    """What each door answers `login`, who comes in once; the doors that change who they are get a session of theirs."""
    headers = {"Authorization": named["pbx"]} if login == "pbx" else {}
    comes = partial(site.visitor, None if login == "pbx" else login, **headers)
    async with comes() as client:
        told = {door: await knock(client, door, named) for door in DOORS if door not in WHO}
    for door in WHO:
        async with comes() as client:
            told[door] = await knock(client, door, named)
    return told


async def knock(client: ClientSession, door: str, named: dict[str, str]) -> Answered:
    """What a door answers."""
    method, _, path = door.partition(" ")
    kind = next((part for part, after in pairwise(path.split("/")) if after in {"{id}", "{number}"}), "")
    path = (
        path.replace("{link}", named["link"])
        .replace("{key}", named["crm"])
        .replace("{crm}", named["crm"])
        .replace("{kind}", "odoo")
    )
    path = path.replace("{id}", named.get(kind, "")).replace("{number}", named.get(kind, ""))
    path = path.replace("{pbx}/{name}", f"main/1.1-caller.wav?sha256={'0' * 64}&size=9&offset=0")
    path = path.replace("{section}", "people").replace("{name}", "anna").replace("{single}", "company")
    path = path.replace("{part}", "all").replace("{list}", "vip")
    path = "/static/css/base.css" if path == "/static" else path
    how: dict[str, Any] = {"json" if path.startswith("/api/") else "data": BODIES.get(door, {})}
    if method == "GET":
        how = {}
    async with client.request(method, path, allow_redirects=False, **how) as response:
        stream = response.headers.get("Content-Type", "").startswith("text/event-stream")
        body = b"" if stream else await response.read()
        return response.status, response.headers.get("Location", ""), body, response.headers["X-Request-Id"]


async def test_a_link_opens_the_recording_without_a_login_and_every_use_is_written_down(site: Site) -> None:
    """The masked archive, whole or in part; no cache keeps it, no page passes its address on."""
    link = await link_to(site, await talk(site))
    async with site.visitor() as client:
        response = await client.get(link.path)
        assert (response.status, await response.read()) == (200, SOUND)
        assert response.headers["Content-Type"] == "audio/ogg"
        assert response.headers["Cache-Control"] == "private, no-store"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        part = await client.get(link.path, headers={"Range": "bytes=10-19"})
        assert (part.status, await part.read()) == (206, SOUND[10:20])
        assert part.headers["Content-Range"] == f"bytes 10-19/{len(SOUND)}"
        head = await client.head(link.path)
        head.release()
        assert (head.status, head.headers["Content-Length"]) == (200, str(len(SOUND)))
        assert await status(client, link.path, json={}) == 405
    async with site.engine.connect() as connection:
        heard = (await connection.execute(select(listens.c.login, listens.c.call_id, listens.c.address))).all()
        told = (await connection.execute(select(audit.c.actor, audit.c.action).order_by(audit.c.id))).all()
    assert {(row.login, row.call_id, str(row.address)) for row in heard} == {("link 1", link.call_id, "127.0.0.1")}
    assert len(heard) == 3
    assert [tuple(row) for row in told] == [("anna", "link_made"), *[("link 1", "link_used")] * 3]


async def test_a_link_that_is_over_opens_nothing_and_a_changed_one_never_did(site: Site) -> None:
    """410 after its time, or once revoked; 404 for any other number, call, sign or key than was signed."""
    call = await talk(site)
    one, other = await link_to(site, call), await link_to(site, call)
    number, _, signature = one.path.rpartition("/")[2].partition(".")
    other_signature = other.path.partition(".")[2]
    wrong = [
        f"{other.id}.{signature}", f"{number}.{other_signature}", f"{number}.", number, f"{number}.{signature[:-3]}",
        f"{number}.{signature}.x", f"0.{signature}", f"{10**30}.{signature}", f"{number}.é", "..%2f..%2fetc",
    ]  # fmt: skip
    async with site.visitor() as client:
        for told in wrong:
            assert await status(client, f"/linked/{told}") == 404, told
        async with site.engine.begin() as connection:
            later = update(links).where(links.c.id == one.id).values(expires_at=func.now() + _HOUR)
            await connection.execute(later)
        assert await status(client, one.path) == 404  # whoever moves the end in the database needs the key too
        ended = await link_to(site, call)
        async with site.engine.begin() as connection:
            await signed.revoke(connection, Actor(login="vera"), ended.id)
        assert await status(client, ended.path) == 410
        expired = await link_to(site, call, made_before=timedelta(days=7, seconds=1))
        assert await status(client, expired.path) == 410
        assert await status(client, other.path) == 200
    async with site.visitor("vera") as client:  # as a CRM shows it after years, to whoever may open the call itself
        async with client.get(expired.path, allow_redirects=False) as response:
            assert (response.status, response.headers.get("Location")) == (303, f"/calls/{call.id}")
        assert await status(client, ended.path) == 410


async def test_a_new_key_signs_from_now_on_and_may_end_what_older_ones_signed(site: Site) -> None:
    """Turning the key over breaks no link, unless that is wanted."""
    call = await talk(site)
    old = await link_to(site, call)
    async with site.engine.begin() as connection:
        assert await signed.rotate(connection, THE_OPERATOR, end_links=False) == 0
    new = await link_to(site, call)
    async with site.visitor() as client:
        assert [await status(client, link.path) for link in (old, new)] == [200, 200]
        async with site.engine.begin() as connection:
            assert await signed.rotate(connection, THE_OPERATOR, end_links=True) == 2
        assert [await status(client, link.path) for link in (old, new)] == [410, 410]
        assert await status(client, (await link_to(site, call)).path) == 200


async def test_only_whoever_makes_a_link_is_told_its_address_and_it_lasts_ninety_days_at_most(site: Site) -> None:
    """Seven days unless told; the answer's address works as it stands; a call that goes on has no link."""
    call = await talk(site)
    live = Told(site.engine)
    await live.arrives()
    async with site.visitor("vera") as client:
        made = await (await client.post(f"{API}/calls/{call.id}/links", json={})).json()
        lasts = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["made_at"])
        assert abs(lasts - timedelta(days=7)) < timedelta(minutes=1)
        listed = await (await client.get(f"{API}/calls/{call.id}/links")).json()
        assert listed["items"] == [{name: told for name, told in made.items() if name != "url"}]
        for days in (0, 91, -1, "7", None, 1.5):
            assert await status(client, f"{API}/calls/{call.id}/links", json={"days": days}) == 400, days
        assert await status(client, f"{API}/calls/{live.id}/links", json={}) == 404
        assert await status(client, f"{API}/links/99/revoke", json={}) == 404
    async with site.visitor() as client:
        assert await status(client, made["url"]) == 200
    async with site.visitor("anna") as client:
        assert await status(client, f"{API}/calls/{call.id}/links", json={}) == 403


async def test_the_links_that_a_login_made_end_with_it(site: Site) -> None:
    """They stay revoked when it is enabled again; links of others are as they were."""
    call = await talk(site)
    hers = await link_to(site, call)
    async with site.engine.begin() as connection:
        assert call.id is not None
        other = await signed.make(connection, Actor(login="vera"), call.id)
        await users.disable(connection, "anna")
        await users.enable(connection, "anna")
    async with site.visitor() as client:
        assert [await status(client, link.path) for link in (hers, other)] == [410, 200]
    async with site.engine.connect() as connection:
        told = select(audit.c.actor, audit.c.subject).where(audit.c.action == "link_revoked")
        assert [tuple(row) for row in await connection.execute(told)] == [("command line", f"link {hers.id}")]


async def test_no_folder_is_served(site: Site) -> None:
    """What lies in the store is reached by no path, however it is written."""
    call = await talk(site)
    (path,) = [file.relative_to(site.store) for file in site.store.rglob("*.ogg")]
    assert not STATIC.is_relative_to(site.store)
    assert not site.store.is_relative_to(STATIC)
    up = "../" * len(STATIC.parts)
    paths = (path, f"recordings/{path}", f"static/{path}", f"static/{up}{site.store.relative_to('/')}/{path}")
    async with site.visitor("vera") as client:
        for told in (*map(str, paths), f"calls/{call.id}/{path.name}", f"static/..%2f{path}", "static/", "static"):
            async with client.get(URL(f"{site.url}/{told}", encoded=True), allow_redirects=False) as response:
                assert response.status in {403, 404}, told
                assert b"OggS" not in await response.read()


async def test_heads_hold_and_link_a_call_on_its_page(site: Site) -> None:
    """The page shows what holds the call and which links open it; a manager's page shows neither."""
    call = await talk(site)
    page, door = f"/calls/{call.id}", f"/calls/{call.id}/keeping"
    async with site.visitor("vera") as client:
        for form in ({"do": "hold", "reason": "дело 12-345"}, {"do": "link"}):
            async with client.post(door, data=form, allow_redirects=False) as response:
                assert (response.status, response.headers["Location"]) == (303, f"{page}#keeping")
        async with client.get(page) as response:
            told = await response.text()
        assert "дело 12-345" in told
        assert "/linked/1." in told
        for form in ({"do": "lift", "id": "99"}, {"do": "revoke", "id": "x"}, {"do": "hold", "reason": " "}, {}):
            async with client.post(door, data=form) as response:
                assert response.status == 400, form
        for form in ({"do": "lift", "id": "1"}, {"do": "revoke", "id": "1"}):
            async with client.post(door, data=form, allow_redirects=False) as response:
                assert response.status == 303
        async with client.get(page) as response:
            told = await response.text()
        assert "дело 12-345" not in told
        assert "/linked/" not in told
    async with site.visitor("anna") as client, client.get(page) as response:
        assert "keeping" not in await response.text()


async def test_a_head_who_leads_some_teams_sees_and_does_what_is_theirs(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their own teams and those without a head; what concerns the whole house is for who leads every team."""
    monkeypatch.setattr("web.house.FRESH_SECONDS", -1.0)
    theirs, others = await talk(site), Told(site.engine, line=SUPPORT)
    await others.arrives()
    await others.rings("PJSIP/gleb-desk")
    await others.answers("PJSIP/gleb-desk")
    await others.hangs_up(after=10)
    house = [f"{API}/calls/{others.id}", f"{API}/leads/export", f"{API}/holds", "/crm", "/leads/import"]
    async with site.visitor("vera") as vera:
        assert [await status(vera, path) for path in (f"{API}/calls/{theirs.id}", *house)] == [200] * 6
        people = (*HOUSE.people, Person(key="yana", name="Яна", role="head"))
        sales, support = HOUSE.teams
        teams = (replace(sales, members=("anna", "boris", "vera")), replace(support, members=("gleb", "yana")))
        async with site.engine.begin() as connection:
            await store.apply(connection, replace(HOUSE, people=people, teams=teams))
            await users.add(connection, "yana", "head", person="yana")
        assert [await status(vera, path) for path in (f"{API}/calls/{theirs.id}", *house)] == [200] + [403] * 5
        for one, may in ((others, 403), (theirs, 200)):
            assert await status(vera, f"{API}/links/{(await link_to(site, one)).id}/revoke", {}) == may
        away = {"from": "2027-01-01T00:00:00Z", "to": "2027-01-02T00:00:00Z"}
        said = [await status(vera, f"{API}/absences", away | {"person": person}) for person in ("anna", "gleb")]
        assert said == [200, 403]
    async with site.visitor("yana") as head:
        paths = (f"{API}/calls/{others.id}", f"{API}/calls/{theirs.id}")
        assert [await status(head, path) for path in paths] == [200, 403]
