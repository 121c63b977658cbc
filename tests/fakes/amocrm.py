"""An account of amoCRM on the loopback, as strict as the facts say, that fails by a script.

It enforces: the account's own host and bearer tokens that end; a refresh token that works once, whose second use loses
the account; seven requests in any second for an integration, by whichever token, and fifty for the account, beyond
which 429 is a page of HTML without Retry-After, and after some of those 403 for everything, tokens too, until a test
calls `forgive`; bodies that are arrays of known keys without nulls, with ids of what is there; placement of calls by
the last ten digits; `uniq` that is taken twice; unsorted contacts that no search finds; lists that do not show at once
what was made; empty lists as 204. Nothing that was not asked for in its own words is done.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from aiohttp import web
from yarl import URL

from tests.fakes import amocrm_checks as checks
from tests.fakes.amocrm_checks import Form, digits, faults, problem, refusal
from tests.fakes.webhooks import OK, Said

CLIENT: Final = "c0ffee00-1111-2222-3333-444444444444"
CLIENT_SECRET: Final = "amo-client-secret-0123456789abcdef"
REDIRECT: Final = "https://calls.example.com/crm/amo/oauth"
ACCESS_SECONDS: Final = 86_400
CODE_SECONDS: Final = 1200
REFRESH_SECONDS: Final = 90 * 86_400
ANNA, BORIS, ADMIN = 1, 2, 3
PIPELINE, FIRST_STATUS = 71, 7101
STATUSES: Final = {PIPELINE: tuple(range(FIRST_STATUS, FIRST_STATUS + 5)), 72: (7201, 7202)}
"""Of each pipeline its own; the two that end a lead are in all."""

_PAGE = b"<html>\r\n<head><title>%d</title></head>\r\n<body><center><h1>%d</h1></center><hr>nginx</body>\r\n</html>\r\n"
_CARDS: Final = ("contacts", "companies")
_NOTED: Final = ("contacts", "companies", "leads", "customers")
_LISTED: Final = {"limit", "page", "with", "query", "order[updated_at]", "order[created_at]", "order[id]"}
_FILTERS: Final = {
    "leads": {"id"},
    "contacts": {"id"},
    "companies": {"id"},
    "users": set[str](),
    "pipelines": set[str](),
    "notes": {"id", "note_type", "updated_at"},
    "tasks": {"id", "entity_type", "entity_id", "is_completed", "responsible_user_id", "updated_at"},
    "unsorted": {"uid", "category", "pipeline_id"},
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came. `body` is what its JSON says, None without one."""

    method: str
    path: str
    query: Sequence[tuple[str, str]]
    body: Any

    @property
    def is_write(self) -> bool:
        return self.method != "GET"


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, body: dict[str, Any] | bytes) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


@dataclass
class Amo:
    """`script` says how the nth request goes; `clock` is the account's; lists show what is older than `hidden_for`.

    `per_second`: what an integration may; a test that has no time has more. `people` are the users by id.
    """

    url: str = ""
    script: Callable[[int, Asked], Said] = lambda _count, _asked: OK
    clock: Callable[[], float] = time.time
    per_second: int = 7
    account_per_second: int = 50
    banned_after: int = 5
    biggest_batch: int = checks.BIG_BATCH
    hidden_for: float = 0.0
    duplicate_control: bool = False
    may_read_users: bool = True
    unpaid: bool = False
    people: dict[int, str] = field(default_factory=lambda: {ADMIN: "Админ", ANNA: "Анна", BORIS: "Борис"})

    contacts: dict[int, dict[str, Any]] = field(default_factory=dict)
    companies: dict[int, dict[str, Any]] = field(default_factory=dict)
    leads: dict[int, dict[str, Any]] = field(default_factory=dict)
    customers: dict[int, dict[str, Any]] = field(default_factory=dict)
    notes: dict[int, dict[str, Any]] = field(default_factory=dict)
    tasks: dict[int, dict[str, Any]] = field(default_factory=dict)
    unsorted: dict[str, dict[str, Any]] = field(default_factory=dict)
    popups: list[dict[str, Any]] = field(default_factory=list)
    requests: list[Asked] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    access: dict[str, float] = field(default_factory=dict)
    long_lived: set[str] = field(default_factory=set)
    codes: dict[str, float] = field(default_factory=dict)
    refresh: str = ""
    refresh_until: float = 0.0
    used_refresh: set[str] = field(default_factory=set)
    refreshes: int = 0
    is_lost: bool = False
    is_banned: bool = False
    violations: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)

    _last: int = 1000
    _lately: deque[tuple[float, str]] = field(default_factory=deque)
    _integrations: dict[str, str] = field(default_factory=dict)
    _hook_failures: deque[float] = field(default_factory=deque)

    # ---- what a test does with the account ---------------------------------------------------------------------------

    def grant(self) -> tuple[str, str]:
        """A pair of tokens, as one gets by setting the integration up."""
        access, self.refresh = secrets.token_hex(40), secrets.token_hex(40)
        self.access[access] = self.clock() + ACCESS_SECONDS
        self.refresh_until = self.clock() + REFRESH_SECONDS
        return access, self.refresh

    def give_long_lived(self, token: str = "", integration: str = CLIENT) -> str:
        token = token or secrets.token_hex(40)
        self.long_lived.add(token)
        self._integrations[token] = integration
        return token

    def give_code(self) -> str:
        code = secrets.token_hex(20)
        self.codes[code] = self.clock() + CODE_SECONDS
        return code

    def end_access(self) -> None:
        """Every access token is over now."""
        self.access = dict.fromkeys(self.access, 0.0)

    def forgive(self) -> None:
        """What the vendor's support does after a ban."""
        self.is_banned, self.violations = False, 0

    def add_contact(self, number: str, owner: int = ADMIN, name: str = "Пётр", **more: Any) -> int:
        """A contact with a number in whatever form, not hidden from searches."""
        return self._card("contacts", {"name": name, "responsible_user_id": owner} | _phone(number) | more, 0.0)

    def add_company(self, number: str, owner: int = ADMIN, name: str = "ООО") -> int:
        return self._card("companies", {"name": name, "responsible_user_id": owner} | _phone(number), 0.0)

    def add_lead(self, contact: int, owner: int = ADMIN, status: int = FIRST_STATUS, **more: Any) -> int:
        told = {"name": "Заявка", "responsible_user_id": owner, "status_id": status} | more
        return self._lead(told, [contact], [], 0.0)

    def add_customer(self, contact: int) -> int:
        number = self._next()
        self.customers[number] = {"id": number, "contact": contact}
        return number

    def accept(self, uid: str) -> None:
        """A person takes an unsorted call: its contacts and leads are there from now on."""
        for card in (*self.contacts.values(), *self.leads.values()):
            if card.get("unsorted") == uid:
                del card["unsorted"]
        del self.unsorted[uid]

    def calls_of(self, uniq: str) -> list[dict[str, Any]]:
        """Every record of one call: notes, and unsorted ones."""
        found = [one for one in self.notes.values() if one["params"].get("uniq") == uniq]
        return found + [one for one in self.unsorted.values() if one["metadata"].get("uniq") == uniq]

    async def tell(self, hook: str, told: dict[str, Any]) -> int:
        """Send a webhook as amoCRM does: bracketed, unsigned, once, for two seconds; 0: no answer. Raises when off."""
        now = self.clock()
        while self._hook_failures and now - self._hook_failures[0] > 7200:
            self._hook_failures.popleft()
        if len(self._hook_failures) > 100:
            raise AssertionError("the webhook is switched off: too many bad answers")
        status, headers = 0, {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            timeout = aiohttp.ClientTimeout(total=2)
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(hook, data=checks.bracketed(told), headers=headers, allow_redirects=False) as answer,
            ):
                status = answer.status
        except (aiohttp.ClientError, TimeoutError):
            pass
        if 100 <= status < 300:
            self._hook_failures.clear()
        else:
            self._hook_failures.append(now)
        return status

    # ---- one request -------------------------------------------------------------------------------------------------

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        asked = self._asked(request, raw)
        self.requests.append(asked)
        over = self._over_the_limit(request)
        if over is not None:
            return web.Response(status=over, body=_PAGE % (over, over), content_type="text/html")
        said = self.script(len(self.requests), asked)
        answer = self._carry_out(request, asked) if said.commits else None
        if said.hang:
            await self.over.wait()
        if (said.cut or said.hang) and request.transport is not None:  # who waited in vain has gone
            request.transport.abort()
        if said.status != 200 or answer is None:
            return web.Response(status=said.status, body=said.body, headers=said.headers)
        return answer

    def _asked(self, request: web.Request, raw: bytes) -> Asked:
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = raw
        known = (*self.access, *self.long_lived, self.refresh, CLIENT_SECRET)
        if any(secret and secret in str(request.rel_url) for secret in known):
            self.wrong.append(f"a secret in the address of {request.path}")
        return Asked(request.method, request.path, list(request.query.items()), body)

    def _over_the_limit(self, request: web.Request) -> int | None:
        """403 while it is banned, 429 for what is too much; None: it may go on."""
        if self.is_banned:
            return 403
        now = time.monotonic()
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        who = self._integrations.get(token, CLIENT)
        while self._lately and now - self._lately[0][0] >= 1.0:
            self._lately.popleft()
        self._lately.append((now, who))
        mine = sum(1 for _, one in self._lately if one == who)
        if mine <= self.per_second and len(self._lately) <= self.account_per_second:
            return None
        self.violations += 1
        self.is_banned = self.violations >= self.banned_after
        return 429

    def _carry_out(self, request: web.Request, asked: Asked) -> web.Response:
        try:
            if request.host != self.url.partition("//")[2]:
                raise Refused(401, problem(401, "Unauthorized", "Account not found"))
            if asked.path == "/oauth2/access_token":
                return _json(200, self._token(asked.body))
            self._let_in(request.headers.get("Authorization", ""))
            for method, path, work in _ROUTES:
                found = re.fullmatch(path, asked.path)
                if found and method == asked.method:
                    told = work(self, asked, *found.groups())
                    return web.Response(status=204) if told is None else _json(200, told)
            raise Refused(404, problem(404, "Not Found", "Cannot find this page"))
        except Refused as refused:
            self.wrong.append(f"{refused.status} {asked.method} {asked.path}")
            if isinstance(refused.body, bytes):
                return web.Response(status=refused.status, body=refused.body, content_type="text/html")
            return _json(refused.status, refused.body, "application/problem+json")

    def _let_in(self, header: str) -> None:
        scheme, _, token = header.partition(" ")
        alive = token in self.long_lived or (self.access.get(token, 0.0) > self.clock() and not self.is_lost)
        if scheme != "Bearer" or not alive:
            raise Refused(401, problem(401, "Unauthorized", "Invalid or expired token"))
        if self.unpaid:
            raise Refused(402, problem(402, "Payment Required", "The account is not paid"))

    def _token(self, body: Any) -> dict[str, Any]:
        bad = Refused(400, problem(400, "Bad Request", "Check the grant", hint="invalid_grant"))
        if not isinstance(body, dict):
            raise Refused(400, problem(400, "Bad Request", "A JSON object is expected"))
        if (body.get("client_id"), body.get("client_secret")) != (CLIENT, CLIENT_SECRET):
            raise Refused(401, problem(401, "Unauthorized", "Client authentication failed"))
        if body.get("redirect_uri") != REDIRECT or self.is_lost:
            raise bad
        if body.get("grant_type") == "authorization_code":
            if self.codes.pop(body.get("code", ""), 0.0) <= self.clock():
                raise bad
        elif body.get("grant_type") == "refresh_token":
            used = body.get("refresh_token")
            if used in self.used_refresh:
                self.is_lost = True
            if not used or used != self.refresh or self.refresh_until <= self.clock():
                raise bad
            self.used_refresh.add(used)
            self.refreshes += 1
            self.end_access()
        else:
            raise bad
        access, refresh = self.grant()
        return {
            "token_type": "Bearer",
            "expires_in": ACCESS_SECONDS,
            "server_time": int(self.clock()),
            "access_token": access,
            "refresh_token": refresh,
        }

    # ---- reading -----------------------------------------------------------------------------------------------------

    def account(self, asked: Asked) -> dict[str, Any]:
        return {"id": 1, "name": "Тест", "subdomain": "test", "country": "RU"}

    def users(self, asked: Asked) -> dict[str, Any] | None:
        if not self.may_read_users:
            raise Refused(403, problem(403, "Forbidden", "Only an administrator may"))
        told = [
            {"id": user, "name": name, "email": f"user{user}@example.com", "phone_number": None}
            for user, name in self.people.items()
        ]
        return self._page(asked, "users", told)

    def pipelines(self, asked: Asked) -> dict[str, Any] | None:
        told = [
            {"id": pipeline, "_embedded": {"statuses": [{"id": status} for status in (*statuses, *checks.CLOSED)]}}
            for pipeline, statuses in STATUSES.items()
        ]
        return self._page(asked, "pipelines", told)

    def cards(self, asked: Asked, kind: str) -> dict[str, Any] | None:
        query, ids = dict(asked.query).get("query"), _filter(asked, "id")
        seen = [card for card in getattr(self, kind).values() if self._is_seen(card)]
        if query is not None:
            seen = [card for card in seen if checks.is_found(card, query) and self._is_indexed(card)]
        if ids:
            seen = [card for card in seen if str(card["id"]) in ids]
        return self._page(asked, kind, [self._shown(card, asked) for card in seen])

    def card(self, asked: Asked, kind: str, number: str) -> dict[str, Any] | None:
        card = getattr(self, kind).get(int(number))
        return self._shown(card, asked) if card is not None and self._is_seen(card) else None

    def leads_listed(self, asked: Asked) -> dict[str, Any] | None:
        ids = _filter(asked, "id")
        seen = [one for one in self.leads.values() if self._is_seen(one) and (not ids or str(one["id"]) in ids)]
        return self._page(asked, "leads", [_shown_lead(one) for one in seen if self._is_indexed(one)])

    def lead(self, asked: Asked, number: str) -> dict[str, Any] | None:
        one = self.leads.get(int(number))
        if one is None or not self._is_seen(one):
            return None
        shown = _shown_lead(one)
        if "contacts" in dict(asked.query).get("with", "").split(","):
            shown["_embedded"]["contacts"] = [{"id": contact} for contact in one["contacts"]]
        return shown

    def add_leads(self, asked: Asked) -> dict[str, Any]:
        """POST /api/v4/leads: its contacts and companies are there already, and are named by id."""
        made = []
        for at, lead in enumerate(self._items(asked, checks.LEAD)):
            within = lead.get("_embedded", {})
            ids = {kind: [one["id"] for one in within.get(kind, ())] for kind in _CARDS}
            if any(one not in getattr(self, kind) for kind in _CARDS for one in ids[kind]):
                raise Refused(400, problem(400, "Bad Request", "No such card"))
            number = self._lead(_lead_told(lead), ids["contacts"], ids["companies"], self.clock())
            made.append({"id": number, "request_id": lead.get("request_id", str(at))})
        return {"_embedded": {"leads": made}}

    def notes_listed(self, asked: Asked, kind: str, entity: str = "") -> dict[str, Any] | None:
        types, query = _filter(asked, "note_type"), dict(asked.query)
        since, until = query.get("filter[updated_at][from]"), query.get("filter[updated_at][to]")
        seen = [
            _without(one, "entity_type", "seen_at")
            for one in self.notes.values()
            if one["entity_type"] == kind
            and (not entity or one["entity_id"] == int(entity))
            and (not types or one["note_type"] in types)
            and (since is None or one["updated_at"] >= int(since))
            and (until is None or one["updated_at"] <= int(until))
            and self._is_indexed(one)
        ]
        return self._page(asked, "notes", seen)

    def note(self, asked: Asked, kind: str, number: str) -> dict[str, Any] | None:
        one = self.notes.get(int(number))
        return _without(one, "entity_type", "seen_at") if one is not None and one["entity_type"] == kind else None

    def tasks_listed(self, asked: Asked) -> dict[str, Any] | None:
        wanted = {name: _filter(asked, name) for name in ("entity_type", "entity_id", "is_completed", "id")}
        since = dict(asked.query).get("filter[updated_at][from]", "0")
        seen = [
            _without(one, "seen_at")
            for one in self.tasks.values()
            if one["updated_at"] >= int(since)
            and all(not want or _plain(one.get(name)) in want for name, want in wanted.items())
            and self._is_indexed(one)
        ]
        return self._page(asked, "tasks", seen)

    def task(self, asked: Asked, number: str) -> dict[str, Any] | None:
        one = self.tasks.get(int(number))
        return _without(one, "seen_at") if one is not None else None

    def unsorted_listed(self, asked: Asked) -> dict[str, Any] | None:
        return self._page(asked, "unsorted", list(self.unsorted.values()))

    def unsorted_one(self, asked: Asked, uid: str) -> dict[str, Any] | None:
        return self.unsorted.get(uid)

    # ---- writing -----------------------------------------------------------------------------------------------------

    def add_calls(self, asked: Asked) -> dict[str, Any]:
        """POST /api/v4/calls: each goes where its last ten digits lead; without a single one it is a 400."""
        made, errors = [], []
        for at, call in enumerate(self._items(asked, checks.CALLS)):
            request = call.get("request_id", str(at))
            place = self._place(call["phone"])
            if place is None:
                told = {"title": "Entity not found", "status": 263, "detail": "Entity not found"}
                errors.append(told | {"request_id": request})
                continue
            kind, entity = place
            note_type = "call_in" if call["direction"] == "inbound" else "call_out"
            params = {key: call[key] for key in checks.CALL_NOTE.keys["params"].keys if key in call}
            number = self._note(kind, {**call, "entity_id": entity, "note_type": note_type, "params": params})
            links = {"self": {"href": f"{self.url}/api/v4/{kind}/{entity}"}}
            one = {"id": number, "entity_id": entity, "entity_type": kind.removesuffix("s"), "account_id": 1}
            made.append(one | {"request_id": request, "_embedded": {"entity": {"id": entity, "_links": links}}})
        told = {"_total_items": len(made), "errors": errors, "_embedded": {"calls": made}}
        if not made:
            raise Refused(400, told)
        return told

    def add_notes(self, asked: Asked, kind: str) -> dict[str, Any]:
        made = []
        for at, note in enumerate(self._items(asked, checks.CALL_NOTE, checks.COMMON_NOTE)):
            entity = getattr(self, kind).get(note["entity_id"])
            if entity is None or not self._is_seen(entity):
                told = {"code": "NotFound", "path": "entity_id", "detail": "Entity not found"}
                raise Refused(400, refusal({note.get("request_id", str(at)): [told]}))
            number = self._note(kind, note)
            made.append({"id": number, "entity_id": note["entity_id"], "request_id": note.get("request_id", str(at))})
        return {"_embedded": {"notes": made}}

    def add_complex(self, asked: Asked) -> list[dict[str, Any]]:
        made = []
        for at, lead in enumerate(self._items(asked, checks.COMPLEX)):
            within = lead.get("_embedded", {})
            if len(within.get("contacts", ())) > 1 or len(within.get("companies", ())) > 1:
                wrong = {"code": "TooMany", "path": "_embedded", "detail": "One contact and one company at most."}
                raise Refused(400, refusal({lead.get("request_id", str(at)): [wrong]}))
            contacts = [self._card("contacts", one, self.clock()) for one in within.get("contacts", ())]
            companies = [self._card("companies", one, self.clock()) for one in within.get("companies", ())]
            number = self._lead(_lead_told(lead), contacts, companies, self.clock())
            ids = {"id": number, "contact_id": next(iter(contacts), None), "company_id": next(iter(companies), None)}
            made.append(ids | {"merged": False, "request_id": [lead.get("request_id", str(at))]})
        return made

    def change_leads(self, asked: Asked) -> dict[str, Any]:
        changed = self._items(asked, checks.LEAD_CHANGE)
        for one in changed:
            if one["id"] not in self.leads:
                raise Refused(400, problem(400, "Bad Request", "No such lead"))
            self.leads[one["id"]].update(one, updated_at=int(self.clock()))
        return {"_embedded": {"leads": [{"id": one["id"], "updated_at": int(self.clock())} for one in changed]}}

    def add_tasks(self, asked: Asked) -> dict[str, Any]:
        made = []
        for at, task in enumerate(self._items(asked, checks.TASK)):
            number = self._next()
            fixed = {"id": number, "is_completed": False, "seen_at": self.clock() + self.hidden_for}
            fixed |= {"updated_at": int(self.clock())}
            self.tasks[number] = {"task_type_id": 1, "responsible_user_id": ADMIN} | task | fixed
            made.append({"id": number, "request_id": task.get("request_id", str(at))})
        return {"_embedded": {"tasks": made}}

    def change_tasks(self, asked: Asked) -> dict[str, Any]:
        changed = self._items(asked, checks.TASK_CHANGE)
        for one in changed:
            if one["id"] not in self.tasks:
                raise Refused(400, problem(400, "Bad Request", "No such task"))
            self.tasks[one["id"]].update(one, updated_at=int(self.clock()))
        return {"_embedded": {"tasks": [{"id": one["id"], "updated_at": int(self.clock())} for one in changed]}}

    def add_unsorted(self, asked: Asked) -> dict[str, Any]:
        """POST /api/v4/leads/unsorted/sip: its contacts and leads are nobody's yet; the same again is refused."""
        made = []
        for at, item in enumerate(self._items(asked, checks.UNSORTED_SIP)):
            same = (item["source_uid"], item["metadata"])
            if same in [(one["source_uid"], one["metadata"]) for one in self.unsorted.values()]:
                raise Refused(400, problem(400, "Bad Request", "The same is there already"))
            uid = secrets.token_hex(16)
            within = item.get("_embedded", {})
            contacts = [self._card("contacts", one | {"unsorted": uid}, 0.0) for one in within.get("contacts", ())]
            leads = [self._lead(one | {"unsorted": uid}, contacts, [], 0.0) for one in within.get("leads", ())]
            told = {"contacts": [{"id": one} for one in contacts], "leads": [{"id": one} for one in leads]}
            fixed = {"uid": uid, "category": "sip", "_embedded": told}
            self.unsorted[uid] = {"created_at": int(self.clock())} | item | fixed
            made.append({"uid": uid, "account_id": 1, "request_id": item.get("request_id", str(at))})
            made[-1]["_embedded"] = told
        return {"_total_items": len(made), "_embedded": {"unsorted": made}}

    def add_popups(self, asked: Asked) -> dict[str, Any]:
        """POST /api/v2/events/: each is one popup more, whoever it is."""
        if not isinstance(asked.body, dict) or set(asked.body) != {"add"} or not isinstance(asked.body["add"], list):
            raise Refused(400, problem(400, "Bad Request", "An object with add is expected"))
        items = []
        for at, item in enumerate(asked.body["add"]):
            wrong = faults(checks.POPUP, item)
            if wrong or item["type"] != "phone_call" or not self.people.keys() >= set(item.get("users", ())):
                raise Refused(400, refusal({str(at): wrong}))
            self.popups.append(item)
            number = digits(item["phone_number"])
            found = [(1, card["id"]) for card in self.contacts.values() if checks.has_number(card, number, 8)]
            found += [(3, card["id"]) for card in self.companies.values() if checks.has_number(card, number, 8)]
            kind, element = found[0] if found else (None, None)
            told = {"element_id": element, "element_type": kind, "uid": secrets.token_hex(8)}
            items.append(told | {"phone_number": item["phone_number"]})
        return {"_embedded": {"items": items}}

    # ---- how it is kept ----------------------------------------------------------------------------------------------

    def _items(self, asked: Asked, *forms: Form) -> list[dict[str, Any]]:
        """The items of a body that is an array; with several forms each item is judged by its note's type."""
        if not isinstance(asked.body, list) or not asked.body:
            raise Refused(400, problem(400, "Bad Request", "An array of objects is expected"))
        if len(asked.body) > forms[0].most:
            raise Refused(400, problem(400, "Bad Request", f"More than {forms[0].most} items"))
        if len(asked.body) > self.biggest_batch:
            raise Refused(504, _PAGE % (504, 504))
        found = {}
        for at, item in enumerate(asked.body):
            form = forms[-1] if isinstance(item, dict) and item.get("note_type") == "common" else forms[0]
            if wrong := faults(form, item) or self._unknown_ids(item):
                found[item.get("request_id", str(at)) if isinstance(item, dict) else str(at)] = wrong
        if found:
            raise Refused(400, refusal(found))
        return asked.body

    def _unknown_ids(self, told: Any, path: str = "") -> list[dict[str, str]]:
        """Ids in a body that are of nothing: users, a pipeline, a status of another pipeline, and what a task is of."""
        if isinstance(told, list):
            return [one for at, item in enumerate(told) for one in self._unknown_ids(item, f"{path}{at}.")]
        if not isinstance(told, dict):
            return []
        of_any = [status for statuses in STATUSES.values() for status in statuses]
        known: dict[str, Collection[Any]] = {
            **{key: {0, *self.people} for key in ("responsible_user_id", "created_by", "updated_by")},
            "pipeline_id": STATUSES,
            "status_id": (*STATUSES.get(told.get("pipeline_id", 0), of_any), *checks.CLOSED),
            "task_type_id": (1, 2, 3),
        }
        if told.get("entity_type") in _NOTED:
            known["entity_id"] = getattr(self, told["entity_type"])
        wrong = [key for key, there in known.items() if key in told and told[key] not in there]
        detail = "The value you selected is not a valid choice."
        found = [{"code": "NotSupportedChoice", "path": f"{path}{key}", "detail": detail} for key in wrong]
        return found + [one for key, item in told.items() for one in self._unknown_ids(item, f"{path}{key}.")]

    def _place(self, phone: str) -> tuple[str, int] | None:
        """Where a call of that number goes: one active lead, or one customer, else the contact or company."""
        seen = [one for one in self.contacts.values() if self._is_seen(one) and checks.has_number(one, phone, 10)]
        firms = [one for one in self.companies.values() if self._is_seen(one) and checks.has_number(one, phone, 10)]
        ids = {one["id"] for one in seen}
        leads = [one["id"] for one in self.leads.values() if _is_open(one) and ids & set(one["contacts"])]
        customers = [one["id"] for one in self.customers.values() if one["contact"] in ids]
        if len(leads) == 1 and not customers:
            return "leads", leads[0]
        if len(customers) == 1 and not leads:
            return "customers", customers[0]
        cards = [("contacts", one["id"]) for one in seen] + [("companies", one["id"]) for one in firms]
        return cards[0] if cards else None

    def _note(self, kind: str, note: dict[str, Any]) -> int:
        number, now = self._next(), int(self.clock())
        kept = {key: value for key, value in note.items() if key in checks.COMMON_NOTE.keys}
        fixed = {"id": number, "entity_type": kind, "seen_at": self.clock() + self.hidden_for}
        self.notes[number] = {"created_by": 0, "created_at": now, "updated_at": now} | kept | fixed
        return number

    def _card(self, kind: str, told: dict[str, Any], made_at: float) -> int:
        number = self._next()
        named = {
            "name": told.get("name") or told.get("first_name") or "",
            "seen_at": made_at and made_at + self.hidden_for,
        }
        card = {"id": number, "responsible_user_id": ADMIN, "custom_fields_values": None} | told | named
        for custom in card["custom_fields_values"] or ():
            if not ({"field_id", "field_code"} & set(custom)) or len(custom["values"]) > checks.CUSTOM_VALUES:
                raise Refused(400, problem(400, "Bad Request", "Which field?"))
        getattr(self, kind)[number] = card
        return number

    def _lead(self, told: dict[str, Any], contacts: list[int], companies: list[int], made_at: float) -> int:
        number, now = self._next(), int(self.clock())
        usual: dict[str, Any] = {"responsible_user_id": ADMIN, "pipeline_id": PIPELINE, "status_id": FIRST_STATUS}
        usual |= {"closed_at": None, "tags": []}
        fixed = {"id": number, "contacts": contacts, "companies": companies}
        fixed["seen_at"] = made_at and made_at + self.hidden_for
        self.leads[number] = usual | {"created_at": now, "updated_at": now} | told | fixed
        return number

    def _next(self) -> int:
        self._last += 1
        return self._last

    def _is_seen(self, card: dict[str, Any]) -> bool:
        """What is unsorted, or not for the token's user, is not there."""
        return "unsorted" not in card and not card.get("not_for_us")

    def _is_indexed(self, card: dict[str, Any]) -> bool:
        return bool(card["seen_at"] <= self.clock())

    def _shown(self, card: dict[str, Any], asked: Asked) -> dict[str, Any]:
        shown = _without(card, "seen_at") | {"_embedded": {"tags": []}}
        if "leads" in dict(asked.query).get("with", "").split(","):
            mine = [
                one["id"]
                for one in self.leads.values()
                if card["id"] in (*one["contacts"], *one["companies"]) and self._is_seen(one) and self._is_indexed(one)
            ]
            shown["_embedded"]["leads"] = [{"id": one} for one in mine]
        return shown

    def _page(self, asked: Asked, name: str, told: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
        """One page of a list, as HAL; None: there is nothing on it (204)."""
        allowed = _LISTED | {"filter[" + one for one in _FILTERS[name]}
        for key, _ in asked.query:
            if key not in allowed and key.partition("]")[0] not in allowed:
                raise Refused(400, problem(400, "Bad Request", f"Unknown parameter {key}"))
        query = dict(asked.query)
        limit, page = min(int(query.get("limit", 50)), 250), int(query.get("page", 1))
        if "desc" in {query.get("order[updated_at]"), query.get("order[created_at]"), query.get("order[id]")}:
            told = told[::-1]
        shown = told[(page - 1) * limit : page * limit]
        if not shown:
            return None
        links = {"self": {"href": self.url + asked.path}}
        if len(told) > page * limit:
            rest = [(key, value) for key, value in asked.query if key != "page"] + [("page", str(page + 1))]
            links["next"] = {"href": str(URL(self.url + asked.path).with_query(rest))}
        return {"_page": page, "_links": links, "_embedded": {name: list(shown)}}


_ROUTES: Final[Sequence[tuple[str, str, Callable[..., Any]]]] = (
    ("GET", r"/api/v4/account", Amo.account),
    ("GET", r"/api/v4/users", Amo.users),
    ("GET", r"/api/v4/(contacts|companies)", Amo.cards),
    ("GET", r"/api/v4/(contacts|companies)/(\d+)", Amo.card),
    ("GET", r"/api/v4/leads", Amo.leads_listed),
    ("GET", r"/api/v4/leads/(\d+)", Amo.lead),
    ("POST", r"/api/v4/leads", Amo.add_leads),
    ("PATCH", r"/api/v4/leads", Amo.change_leads),
    ("POST", r"/api/v4/leads/complex", Amo.add_complex),
    ("GET", r"/api/v4/leads/pipelines", Amo.pipelines),
    ("GET", r"/api/v4/leads/unsorted", Amo.unsorted_listed),
    ("GET", r"/api/v4/leads/unsorted/([0-9a-f]+)", Amo.unsorted_one),
    ("POST", r"/api/v4/leads/unsorted/sip", Amo.add_unsorted),
    ("POST", r"/api/v4/calls", Amo.add_calls),
    ("GET", r"/api/v4/(contacts|companies|leads|customers)/notes", Amo.notes_listed),
    ("GET", r"/api/v4/(contacts|companies|leads|customers)/(\d+)/notes", Amo.notes_listed),
    ("GET", r"/api/v4/(contacts|companies|leads|customers)/notes/(\d+)", Amo.note),
    ("POST", r"/api/v4/(contacts|companies|leads|customers)/notes", Amo.add_notes),
    ("GET", r"/api/v4/tasks", Amo.tasks_listed),
    ("GET", r"/api/v4/tasks/(\d+)", Amo.task),
    ("POST", r"/api/v4/tasks", Amo.add_tasks),
    ("PATCH", r"/api/v4/tasks", Amo.change_tasks),
    ("POST", r"/api/v2/events/", Amo.add_popups),
)


def _json(status: int, told: Any, kind: str = "application/hal+json") -> web.Response:
    return web.Response(status=status, body=json.dumps(told).encode(), content_type=kind)


def _filter(asked: Asked, name: str) -> set[str]:
    """The values of a filter in any of its spellings: filter[x], filter[x][], filter[x][0]."""
    return {value for key, value in asked.query if re.fullmatch(rf"filter\[{name}\](\[\d*\])?", key)}


def _plain(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _without(told: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in told.items() if key not in keys}


def _lead_told(lead: dict[str, Any]) -> dict[str, Any]:
    """A lead as it was told, with its tags."""
    return _without(lead, "_embedded") | {"tags": lead.get("_embedded", {}).get("tags", [])}


def _shown_lead(lead: dict[str, Any]) -> dict[str, Any]:
    return _without(lead, "contacts", "companies", "seen_at", "tags") | {"_embedded": {"tags": lead["tags"]}}


def _is_open(lead: dict[str, Any]) -> bool:
    return lead["status_id"] not in checks.CLOSED and "unsorted" not in lead


def _phone(number: str) -> dict[str, Any]:
    values = [{"value": number, "enum_code": "WORK"}]
    return {"custom_fields_values": [{"field_code": "PHONE", "values": values}]}


@asynccontextmanager
async def open_amo(**settings: Any) -> AsyncIterator[Amo]:
    """An account on a free port of the loopback."""
    amo = Amo(**settings)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", amo.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    amo.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield amo
    finally:
        amo.over.set()
        await runner.cleanup()
