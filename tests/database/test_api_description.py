"""The description of the API is true: it tells every route, and of each every answer that can come, and no other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import ClientSession
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync import connections, kinds
from crm_sync.secrets import Keeper
from directory.file import dumps
from notices.model import Notice
from notices.telling import tell
from routing.requests import ASKED_PER_MINUTE_MOST
from service.crm.doors import Doors
from service.settings import Settings
from tests.fakes import pretended
from tests.fakes.ledger import SECRET_KEY
from tests.fakes.site import Site, open_site
from tests.fakes.story import HOUSE, PASSWORD, know
from tests.fakes.things import things
from web import upload_tokens, users
from web.admin.sent import MOST
from web.api import routes
from web.calls_export import AT_ONCE_MOST, EXPORTS
from web.import_page import READERS, READERS_MOST

API: Final = "/api/v1"
SERVED: Final = ("/api/", "/healthz", "/readyz")
FOREIGN: Final = {"Sec-Fetch-Site": "cross-site"}
UNKNOWN: Final = {"{id}": "2f0c1a52-0000-4000-8000-000000000000", "{number}": str(2**62), "{crm}": "nobody"}
ADMINS: Final = "6"
"""The login of the only admin, added after the house's five."""

LOST: Final = "2"
"""A lead that was lost, the second there is."""
LATER: Final = (datetime.now(UTC) + timedelta(days=1)).isoformat()
LAST: Final = (datetime.now(UTC) + timedelta(days=2)).isoformat()
SENT: Final = b"RIFF" + bytes(96)
FILE: Final = {"sha256": sha256(SENT).hexdigest(), "size": str(len(SENT))}
TOLD: Final = {"token": pretended.TOKEN}
LARGE: Final = b" " * (300 * 1024)
SHEET: Final = "имя;телефон\nАнна;+7 916 555-01-90\n".encode()

ELSEWHERE: Final = {
    f"GET {API}/calls/{{id}}/recording 503": "test_web_archive.py",
    f"GET {API}/calls/{{id}}/recording/outline 503": "test_web_archive.py",
    f"GET {API}/uploads/{{pbx}}/{{name}} 409": "test_uploads.py",
    f"GET {API}/uploads/{{pbx}}/{{name}} 503": "test_uploads.py",
    f"PUT {API}/uploads/{{pbx}}/{{name}} 503": "test_uploads.py",
    f"PUT {API}/uploads/{{pbx}}/{{name}} 507": "test_uploads.py",
    f"POST {API}/leads/import 413": "test_web_bulk.py",
    f"POST {API}/webhooks/{{crm}} 503": "test_crm_doors.py",
    f"POST {API}/calls/{{id}}/recording/pause 200": "test_web_pausing.py",
    f"POST {API}/calls/{{id}}/recording/resume 200": "test_web_pausing.py",
    **dict.fromkeys(
        (
            f"POST {API}/calls/{{id}}/{do} 200"
            for do in ("hangup", "hold", "resume", "transfer", "consult", "connect", "help", "help/withdraw")
        ),
        "test_web_desk.py",
    ),
    **dict.fromkeys(
        (
            f"POST {API}/calls/{{id}}/{do} {status}"
            for do in ("hangup", "hold", "resume", "transfer", "consult", "connect")
            for status in (409, 429)
        ),
        "test_web_desk.py",
    ),
    f"POST {API}/calls/{{id}}/overhear 200": "test_web_head.py",
    # Judged by the function that judges `POST calls`.
    f"POST {API}/follow-ups/{{number}}/call 422": "test_web_outgoing.py",
    f"POST {API}/follow-ups/{{number}}/call 429": "test_web_outgoing.py",
    f"GET {API}/search 503": "test_search.py",
    f"GET {API}/stream 429": "test_web_calls.py",
    "GET /readyz 503": "test_web_calls.py",
}
"""What another test makes happen, by what it takes: a store that is away, a full disk, a file of many megabytes."""


@dataclass(frozen=True)
class Ask:
    """One request at a door, as the document names it, and the status of its answer.

    `send` is JSON, or bytes, of which `untold` does not tell the length.
    """

    door: str
    status: int
    send: Any = None
    login: str | None = "ilya"
    query: Mapping[str, str] = field(default_factory=dict)
    named: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    untold: bool = False


@pytest.fixture
async def site(
    engine: AsyncEngine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Site]:
    """The web role with an admin, a PBX that uploads, and a CRM that tells what happens there."""
    monkeypatch.setitem(kinds.KINDS, "pretended", pretended.KIND)
    told: Any = {"database_url": database_url, "secret_key": SECRET_KEY}
    doors = Doors(Settings(**told), engine)
    (tmp_path / "inbox").mkdir()
    async with open_site(engine, tmp_path / "store", uploads={"main": tmp_path / "inbox"}, crm=doors) as opened:
        async with engine.begin() as connection:
            await users.add(connection, "ilya", "admin", person="vera", password=PASSWORD)
            sealed = Keeper(SECRET_KEY).seal("hears", {"client_secret": "s"})
            place = {"portal": "crm.example.com"}
            await connections.add(connection, "hears", "pretended", place, sealed, (), "active")
        yield opened
    await doors.close()


def alike() -> Iterator[Ask]:
    """What all of them answer: to nobody, to what they do not know, to another team, another site's page, too much."""
    for operation in routes.OPERATIONS:
        door, answers = f"GET {API}{operation.path}", operation.door().answers
        yield Ask(door, 401, login=None)
        yield Ask(door, 400, query={"nothing": "1"})
        others = {"team": "sales"} if "/reports/" in door else {}
        yield from [Ask(door, 403, login="gleb", query=others)] if 403 in answers else []
        yield from [Ask(door, 404, named=UNKNOWN)] if 404 in answers else []
    for command in routes.COMMANDS:
        door, answers = f"POST {API}{command.path}", command.door().answers
        sent = WELL.get(door, {})
        yield Ask(door, 401, sent, login=None)
        yield Ask(door, 400, {"nothing": 1})
        yield Ask(door, 403, sent, headers=FOREIGN)
        yield Ask(door, 413, LARGE)
        # What is not theirs to read they have read already.
        unknown = {"{number}": "0"} if "/notices/" in door else UNKNOWN
        yield from [Ask(door, 404, sent, named=unknown)] if 404 in answers else []


WELL: Final[Mapping[str, Any]] = {
    f"POST {API}/calls": {"to": "8 916 123-45-67"},
    f"POST {API}/status": {"status": "available"},
    f"POST {API}/absences": {"from": LATER, "to": LAST},
    f"POST {API}/follow-ups/{{number}}/close": {"reason": "called by hand"},
    f"POST {API}/calls/{{id}}/links": {"days": 3},
    f"POST {API}/leads/{{number}}/move": {"stage": "qualified"},
    f"POST {API}/leads/{{number}}/owner": {"owner": "anna"},
    f"POST {API}/leads/{{number}}/notes": {"text": "Хочет угловую"},
    f"POST {API}/leads/{{number}}/tasks": {"text": "Позвонить"},
    f"POST {API}/leads/{{number}}/deadline": {"at": LATER},
    f"POST {API}/leads/{{number}}/fields": {"fields": {"project": "Парк"}},
    f"POST {API}/parties/{{number}}/rename": {"name": "Пётр"},
    f"POST {API}/parties/{{number}}/numbers": {"number": "79165550111"},
    f"POST {API}/parties/{{number}}/merge": {"gone": 2},
    f"POST {API}/calls/{{id}}/transfer": {"to": "boris"},
    f"POST {API}/calls/{{id}}/consult": {"to": "boris"},
    f"POST {API}/calls/{{id}}/note": {"text": "Хочет угловую"},
    f"POST {API}/calls/{{id}}/outcome": {"outcome": "spam"},
    f"POST {API}/calls/{{id}}/comments": {"at": 1.5, "text": "Хорошо сказано"},
    f"POST {API}/leads/owner": {"leads": [1], "owner": "anna", "reason": "отпуск"},
    f"POST {API}/calls/{{id}}/overhear": {"mode": "listen"},
    f"POST {API}/wallboard/links": {"label": "Холл"},
    f"POST {API}/holds": {"number": "79165550166", "reason": "case 1"},
    f"POST {API}/erasures": {"numbers": ["79165550155"]},
    f"POST {API}/users": {"login": "nina", "role": "manager"},
    f"POST {API}/users/{{number}}/change": {"role": "manager", "person": "gleb"},
    f"POST {API}/users/{{number}}/tokens": {"name": "report", "days": 7},
    f"POST {API}/users/{{number}}/tokens/revoke": {"id": 1},
}
"""What is sent with a command that is done; with others, nothing."""

RECORDING: Final = f"GET {API}/calls/{{id}}/recording"
MOVE: Final = f"POST {API}/leads/{{number}}/move"
STANDS: Final = f"GET {API}/uploads/{{pbx}}/{{name}}"
TAKES: Final = f"PUT {API}/uploads/{{pbx}}/{{name}}"
IMPORT: Final = f"POST {API}/leads/import"
DIRECTORY: Final = f"{API}/directory"
PLANS: Final = f"PUT {API}/plans"
PLAN: Final = {"month": "2026-11", "plans": [{"kind": "person", "key": "anna", "measure": "leads_in", "value": 30}]}
HEARS: Final = f"POST {API}/webhooks/{{crm}}"
PIECE: Final = {**FILE, "offset": "0"}

PARTICULAR: Final = (
    Ask(RECORDING, 206, headers={"Range": "bytes=0-9"}),
    Ask(RECORDING, 304, headers={"If-None-Match": '"0123456789abcdef0123456789abcdef"'}),
    Ask(RECORDING, 416, headers={"Range": "bytes=999999999-"}),
    Ask(f"GET {API}/leads", 422, query={"stage": "nowhere"}),
    Ask(f"GET {API}/leads/count", 422, query={"stage": "nowhere"}),
    Ask(f"GET {API}/leads/export", 422, query={"stage": "nowhere"}),
    Ask(MOVE, 422, {"stage": "won"}),
    Ask(MOVE, 409, {"stage": "lost", "reason": "price", "seen": "new"}),
    *(
        Ask(f"POST {API}/leads/{{number}}/{do}", 422, sent)
        for do, sent in (
            ("return", {}),
            ("owner", {"owner": "nobody"}),
            ("notes", {"text": "  "}),
            ("tasks", {"text": "  "}),
            ("deadline", {"at": "2020-01-01T00:00:00Z"}),
            ("fields", {"fields": {"": "x"}}),
        )
    ),
    Ask(f"POST {API}/leads/{{number}}/owner", 409, {"owner": None, "seen": "boris"}),
    Ask(f"POST {API}/leads/{{number}}/return", 409, {"seen": "lost"}),
    Ask(f"POST {API}/parties/{{number}}/rename", 422, {"name": "\x07"}),
    Ask(f"POST {API}/parties/{{number}}/numbers", 422, {"number": "x"}),
    Ask(f"POST {API}/parties/{{number}}/merge", 422, {"gone": 1}, named={"{number}": "1"}),
    *(Ask(f"POST {API}/calls/{{id}}/recording/{do}", 422, {}) for do in ("pause", "resume")),
    *(
        Ask(f"POST {API}/calls/{{id}}/{do}", 422, {})
        for do in ("hangup", "hold", "resume", "connect", "help", "help/withdraw")
    ),
    *(Ask(f"POST {API}/calls/{{id}}/{do}", 422, {"to": "boris"}) for do in ("transfer", "consult")),
    Ask(f"POST {API}/calls/{{id}}/note", 422, {"text": "\x07"}),
    Ask(f"POST {API}/calls/{{id}}/outcome", 422, {"outcome": "call_again"}),
    Ask(f"POST {API}/leads/owner", 409, {"leads": [1], "owner": "anna", "reason": "отпуск", "seen": 7}),
    Ask(f"POST {API}/leads/owner", 422, {"leads": [1], "owner": "nobody", "reason": "отпуск"}),
    Ask(f"POST {API}/calls/{{id}}/comments", 422, {"at": 1.5, "text": "  "}),
    Ask(f"POST {API}/calls/{{id}}/overhear", 422, {"mode": "listen"}),
    Ask(f"POST {API}/wallboard/links", 422, {"label": "Холл", "team": "nobody"}),
    Ask(f"POST {API}/users", 422, {"login": "no spaces", "role": "manager"}),
    Ask(f"POST {API}/users/{{number}}/change", 422, {"role": "manager", "person": "nobody"}),
    Ask(f"POST {API}/users/{{number}}/tokens", 422, {"name": " ", "days": 7}),
    Ask(f"POST {API}/users/{{number}}/disable", 422, {}, named={"{number}": ADMINS}),
    Ask(f"POST {API}/incidents/retry", 422, {"job": 987}),
    Ask(f"POST {API}/calls", 422, {"to": "+49 30 901820"}),
    Ask(f"POST {API}/calls", 202, {"to": "112"}, headers={"Idempotency-Key": "a"}),
    Ask(f"POST {API}/calls", 409, {"to": "79161234568"}, headers={"Idempotency-Key": "a"}),
    *[Ask(f"POST {API}/calls", 422, {"to": "1"}, login="boris")] * ASKED_PER_MINUTE_MOST,
    Ask(f"POST {API}/calls", 429, {"to": "1"}, login="boris"),
    Ask(f"POST {API}/follow-ups/{{number}}/claim", 200, {}),
    Ask(f"POST {API}/follow-ups/{{number}}/release", 409, {}, login="anna"),
    Ask(IMPORT, 401, SHEET, login=None),
    Ask(IMPORT, 400, SHEET, query={"nothing": "1"}),
    Ask(IMPORT, 403, SHEET, login="gleb"),
    Ask(IMPORT, 422, b"a\n1\n"),
    Ask(IMPORT, 200, SHEET, query={"dry_run": "true"}),
    Ask(f"GET {DIRECTORY}", 200),
    Ask(f"GET {DIRECTORY}", 401, login=None),
    Ask(f"GET {DIRECTORY}", 403, login="gleb"),
    Ask(f"PUT {DIRECTORY}", 401, b"", login=None),
    Ask(f"PUT {DIRECTORY}", 403, b"", login="gleb"),
    Ask(f"PUT {DIRECTORY}", 400, b"", query={"nothing": "1"}),
    Ask(f"PUT {DIRECTORY}", 412, dumps(HOUSE).encode(), headers={"If-Match": '"another"'}),
    Ask(f"PUT {DIRECTORY}", 413, bytes(MOST + 1)),
    Ask(f"PUT {DIRECTORY}", 422, b"people: []"),
    Ask(f"PUT {DIRECTORY}", 200, dumps(HOUSE).encode(), query={"dry_run": "true"}),
    Ask(PLANS, 200, PLAN),
    Ask(PLANS, 401, PLAN, login=None),
    Ask(PLANS, 400, {"month": "2026-11"}),
    Ask(PLANS, 403, PLAN, login="gleb"),
    Ask(PLANS, 413, LARGE),
    Ask(PLANS, 422, {"month": "2026-11", "plans": [{"kind": "house", "measure": "coffee", "value": 1}]}),
    Ask(HEARS, 200, [], login=None, query=TOLD, headers=FOREIGN),
    Ask(HEARS, 403, [], login=None),
    Ask(HEARS, 404, [], login=None, named=UNKNOWN),
    Ask(HEARS, 413, LARGE, login=None, query=TOLD),
    Ask(STANDS, 401, login=None, query=FILE),
    Ask(STANDS, 400, login="main"),
    Ask(STANDS, 403, query=FILE),
    Ask(STANDS, 403, login="main", query=FILE, named={"{pbx}": "other"}),
    Ask(STANDS, 404, login="away", query=FILE, named={"{pbx}": "away"}),
    Ask(STANDS, 200, login="main", query=FILE),
    Ask(TAKES, 401, SENT, login=None, query=PIECE),
    Ask(TAKES, 400, SENT, login="main", query=FILE),
    Ask(TAKES, 403, SENT, query=PIECE),
    Ask(TAKES, 404, SENT, login="away", query=PIECE, named={"{pbx}": "away"}),
    Ask(TAKES, 409, SENT, login="main", query={**FILE, "offset": "7"}),
    Ask(TAKES, 411, SENT, login="main", query=PIECE, untold=True),
    Ask(TAKES, 413, bytes((1 << 20) + 1), login="main", query=PIECE),
    Ask(TAKES, 422, SENT, login="main", query={**PIECE, "sha256": "0" * 64}),
    Ask(TAKES, 200, SENT, login="main", query=PIECE),
    Ask(f"GET {API}/openapi.json", 200),
    Ask(f"GET {API}/openapi.json", 401, login=None),
    Ask("GET /healthz", 200, login=None),
    Ask("GET /readyz", 200, login=None),
)
"""What only some of them answer, in an order in which each is there to be made."""


def well() -> Iterator[Ask]:
    """Each of them answers what is asked for."""
    for operation in routes.OPERATIONS:
        query = {"q": "квартиру"} if operation.path == "/search" else {}
        yield Ask(f"GET {API}{operation.path}", 200, query=query)
    for command in routes.COMMANDS:
        door = f"POST {API}{command.path}"
        named = {"{number}": LOST} if door.endswith("/return") else {}
        if f"{door} 200" not in ELSEWHERE:
            yield Ask(door, command.status, WELL.get(door, {}), named=named)
    # What was done just now is not done again: a merge was taken back, a promise is closed, a login is disabled.
    yield Ask(f"POST {API}/users/{{number}}/password-link", 422, {})
    yield Ask(f"POST {API}/merges/{{number}}/undo", 422, {})
    yield from [Ask(f"POST {API}/follow-ups/{{number}}/{do}", 409, {}) for do in ("call", "claim")]


async def _piece(sent: bytes) -> AsyncIterator[bytes]:
    yield sent


async def answered(client: ClientSession, ask: Ask, named: Mapping[str, str]) -> tuple[int, str]:
    """(status, type of content) of an answer; of one that never ends, its beginning."""
    method, _, path = ask.door.partition(" ")
    kind = next((part for part, after in pairwise(path.split("/")) if after in {"{id}", "{number}"}), "")
    known = {"{id}": named.get(kind, ""), "{number}": named.get(kind, ""), "{crm}": "hears", "{pbx}": "main"}
    for name, value in {**known, "{name}": "1.1-caller.wav", **ask.named}.items():
        path = path.replace(name, value)
    how: dict[str, Any] = {} if ask.send is None else {"json": ask.send}
    if isinstance(ask.send, bytes):
        how = {"data": _piece(ask.send) if ask.untold else BytesIO(ask.send)}
    asked = client.request(method, path, params=ask.query, headers=ask.headers, allow_redirects=False, **how)
    async with asked as response:
        if response.content_type != "text/event-stream":
            await response.read()
        return response.status, response.headers.get("Content-Type", "")


@pytest.mark.timeout(120)
async def test_every_answer_that_is_described_comes_and_no_other(site: Site) -> None:
    """Asked for one after the other: each has the type that is described, and none is left that never came."""
    named = await furnished(site)
    described = {
        f"{method.upper()} {path}": told["responses"]
        for path, methods in routes.describe()["paths"].items()
        for method, told in methods.items()
    }
    came, wrong = set(ELSEWHERE), []
    async with AsyncExitStack() as visitors:
        clients: dict[str | None, ClientSession] = {None: await visitors.enter_async_context(site.visitor())}
        for login in ("ilya", "gleb", "anna", "boris"):
            clients[login] = await visitors.enter_async_context(site.visitor(login))
        for pbx in ("main", "away"):
            clients[pbx] = await visitors.enter_async_context(site.visitor(Authorization=named[pbx]))

        async def knock(ask: Ask) -> None:
            status, media = await answered(clients[ask.login], ask, named)
            told = described[ask.door].get(str(ask.status), {})
            fits = media.partition(";")[0] in {one.partition(";")[0] for one in told.get("content", {"": {}})}
            wrong.extend([(ask, status, media)] if status != ask.status or not fits else [])
            came.add(f"{ask.door} {ask.status}")

        for ask in (*alike(), *PARTICULAR, *well()):
            await knock(ask)
        for most, busy in ((READERS_MOST, site.app[READERS]), (AT_ONCE_MOST, site.app[EXPORTS])):
            for _ in range(most):
                await busy.acquire()
        await knock(Ask(IMPORT, 429, SHEET))
        await knock(Ask(f"GET {API}/calls/export", 429))
    assert not wrong, "\n".join(map(str, wrong))
    assert came == {f"{door} {status}" for door, told in described.items() for status in told}


async def furnished(site: Site) -> dict[str, str]:
    """One of everything that can be named, a client who was lost, and what a person was told."""
    named = await things(site)
    await know(site.engine, "79165550188", "Ольга", "anna", stage="lost")
    async with site.engine.begin() as connection:
        await tell(connection, HOUSE, Notice(key="test 1", kind="test", subject="house"), ["vera"])
        tokens = {pbx: f"Bearer {await upload_tokens.create(connection, pbx)}" for pbx in ("main", "away")}
    return {**named, "notices": "1", **tokens}


async def test_every_route_is_described(site: Site) -> None:
    """What the application serves under /api/v1, and the two that say whether it is well: no more, no less."""
    served = {
        f"{route.method} {route.resource.canonical}"
        for route in site.app.router.routes()
        if route.resource and route.method != "HEAD" and route.resource.canonical.startswith(SERVED)
    }
    async with site.visitor("anna") as client, client.get(f"{API}/openapi.json") as response:
        document = await response.json()
    assert document["openapi"] == "3.1.0"
    assert served == {f"{method.upper()} {path}" for path, told in document["paths"].items() for method in told}


async def test_a_word_is_not_taken_for_a_number(site: Site) -> None:
    """What only takes POST says so, though a lead's number has the same place; what is no number is not there."""
    async with site.visitor("vera") as client:
        for path in ("leads/import", "leads/owner"):
            async with client.get(f"{API}/{path}") as response:
                assert (response.status, response.headers["Allow"]) == (405, "POST")
        for path in (f"{API}/leads/x", "/leads/x", "/missed/١", "/leads/0", f"/leads/{'9' * 30}"):
            assert (await client.get(path)).status == 404, path
