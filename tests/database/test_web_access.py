"""Who may come in, who did what, and what is wrong: the pages of administration, and everybody's own."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine
from yarl import URL

from calls.incident_rows import keep, sign_of_life
from crm_sync.book.leads import By, open_lead
from crm_sync.book.notes import add_task
from crm_sync.tables import parties
from directory.tables import password_links, sessions, tokens
from directory.tables import users as logins
from recordings.audit import THE_OPERATOR, Actor, note
from recordings.privacy_tables import audit
from service.incidents import stored
from tests.fakes.site import Site, open_site
from tests.fakes.story import HOUSE, LINE, PASSWORD
from web import users
from web.tables import password_tries

NEW = "a new long password"


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """The web role with its house and an admin."""
    async with open_site(engine, tmp_path) as opened:
        async with engine.begin() as connection:
            await users.add(connection, "ilya", "admin", password=PASSWORD)
        yield opened


async def post(client: ClientSession, path: str, **form: str) -> tuple[int, str]:
    """(status, text) of a form, the page that it leads to not opened."""
    async with client.post(path, data=form, allow_redirects=False) as response:
        return response.status, await response.text()


async def number(site: Site, login: str) -> int:
    """The id of a login."""
    async with site.engine.connect() as connection:
        return await users.id_of(connection, login)


async def done(site: Site) -> list[tuple[str, str, str]]:
    """(who, what, to what) of the audit."""
    async with site.engine.connect() as connection:
        rows = await connection.execute(select(audit.c.actor, audit.c.action, audit.c.subject).order_by(audit.c.id))
        return [tuple(row) for row in rows]


async def test_a_new_login_chooses_its_password_by_a_link_that_opens_once(site: Site) -> None:
    """The admin knows no password; the link is shown once, stored as a digest, and over when it was used."""
    async with site.visitor("ilya") as admin, site.visitor() as nina:
        status, page = await post(admin, "/admin/users", login="nina", role="manager", person="boris")
        (path,) = re.findall(r"http://127\.0\.0\.1:\d+(/password/[\w-]+)<", page)
        assert status == 200
        user = await number(site, "nina")
        assert path not in await (await admin.get(f"/admin/users/{user}")).text()
        assert "nina" in await (await nina.get(path)).text()
        assert (await post(nina, path, password="short", repeat="short"))[0] == 422
        assert (await post(nina, path, password=NEW, repeat="another"))[0] == 422
        assert (await post(nina, path, password=NEW, repeat=NEW))[0] == 303
        assert (await post(nina, path, password=NEW, repeat=NEW))[0] == 410
        assert (await nina.get(path)).status == 410
        assert (await post(nina, "/login", login="nina", password=NEW))[0] == 303
        assert (await nina.get("/")).status == 200
    told = [("ilya", "user_added"), ("nina", "password_set"), ("nina", "logged_in")]
    assert await done(site) == [(*one, f"user {user}") for one in told]
    async with site.engine.connect() as connection:
        row = (await connection.execute(select(audit).where(audit.c.action == "user_added"))).one()
    assert row.after == {"login": "nina", "role": "manager", "person": "boris"}
    assert (str(row.address), len(row.request)) == ("127.0.0.1", 16)


async def test_a_link_to_a_password_is_over_by_time_by_a_newer_one_and_with_its_login(site: Site) -> None:
    """Each way 410, like a link that never was."""
    user = await number(site, "boris")
    async with site.visitor("ilya") as admin, site.visitor() as nobody:
        links = []
        for _ in range(2):
            _, page = await post(admin, f"/admin/users/{user}", do="reset")
            links += re.findall(r"/password/[\w-]+", page)
        older, newer = links
        assert [(await nobody.get(link)).status for link in (older, newer, "/password/x")] == [410, 200, 410]
        async with site.engine.begin() as connection:
            await connection.execute(update(password_links).values(expires_at=func.now()))
        assert (await nobody.get(newer)).status == 410
        _, page = await post(admin, f"/admin/users/{user}", do="reset")
        (link,) = re.findall(r"/password/[\w-]+", page)
        assert (await post(admin, f"/admin/users/{user}", do="disable"))[0] == 303
        assert (await post(nobody, link, password=NEW, repeat=NEW))[0] == 410
        assert (await post(admin, f"/admin/users/{user}", do="reset"))[0] == 422


async def test_what_may_not_be_is_said_beside_its_field_and_changes_nothing(site: Site) -> None:
    """A login that exists or cannot be, a role and a person that there are not, and the last admin."""
    ilya = await number(site, "ilya")
    wrong = [
        ({"login": "anna", "role": "manager"}, "Такой логин уже есть"),
        ({"login": "a b", "role": "manager"}, "Только буквы"),
        ({"login": "nina", "role": "owner"}, "Такой роли нет"),
        ({"login": "nina", "role": "head", "person": "nina"}, "Такого сотрудника нет"),
    ]
    async with site.visitor("ilya") as admin:
        for form, words in wrong:
            status, page = await post(admin, "/admin/users", **form)
            assert (status, words in page, 'aria-invalid="true"' in page) == (422, True, True)
        for form in ({"do": "change", "role": "head"}, {"do": "disable"}):
            status, page = await post(admin, f"/admin/users/{ilya}", **form)
            assert (status, "последний администратор" in page) == (422, True)
        assert (await post(admin, f"/admin/users/{ilya}", do="promote"))[0] == 400
        assert (await admin.get("/admin/users/99999")).status == 404
    assert await done(site) == []


async def test_a_role_is_changed_and_counts_at_once(site: Site) -> None:
    """Before and after are in the audit; the open session has the new rights."""
    anna = await number(site, "anna")
    async with site.visitor("ilya") as admin, site.visitor("anna") as client:
        assert (await client.get("/admin/incidents")).status == 403
        assert (await post(admin, f"/admin/users/{anna}", do="change", role="operator", person=""))[0] == 303
        assert (await client.get("/admin/incidents")).status == 200
        page = await (await admin.get("/admin/audit?actor=ilya")).text()
        assert "<del>manager</del> → operator" in page
    async with site.engine.connect() as connection:
        row = (await connection.execute(select(audit))).one()
    assert (row.before, row.after) == ({"role": "manager", "person": "anna"}, {"role": "operator", "person": None})


async def test_an_admin_ends_the_sessions_and_tokens_of_a_login(site: Site) -> None:
    """The token is shown once and says when it was used; whoever was inside is outside."""
    anna = await number(site, "anna")
    async with site.visitor("ilya") as admin, site.visitor("anna") as client:
        _, page = await post(admin, f"/admin/users/{anna}", do="token", name="report", scope="read", days="7")
        (token,) = re.findall(r"sh_[\w-]{43}", page)
        async with site.visitor(Authorization=f"Bearer {token}") as program:
            assert (await program.get("/api/v1/calls")).status == 200
            async with program.post("/api/v1/status", json={"status": "away"}) as response:
                assert (response.status, "only read" in await response.text()) == (403, True)
        page = await (await admin.get(f"/admin/users/{anna}")).text()
        assert token not in page
        (number_of_token,) = re.findall(r'name="id" value="(\d+)"', page)
        assert (await post(admin, f"/admin/users/{anna}", do="revoke", id=number_of_token))[0] == 303
        async with site.visitor(Authorization=f"Bearer {token}") as program:
            assert (await program.get("/api/v1/calls")).status == 401
        assert (await client.get("/", allow_redirects=False)).status == 200
        assert (await post(admin, f"/admin/users/{anna}", do="end_sessions"))[0] == 303
        assert (await client.get("/", allow_redirects=False)).status == 303
    async with site.engine.connect() as connection:
        row = (await connection.execute(select(tokens))).one()
    assert (row.scope, row.used_at is not None) == ("read", True)
    assert row.expires_at - datetime.now(UTC) < timedelta(days=7)
    assert [action for _, action, _ in await done(site)] == ["token_made", "token_revoked", "sessions_ended"]


async def test_everybody_keeps_their_own_password_sessions_and_tokens_and_nobody_elses(site: Site) -> None:
    """The old password is asked for, as slowly as at the login; a new one ends every other session."""
    async with site.visitor("anna") as here, site.visitor("anna") as there, site.visitor("boris") as other:
        form = {"do": "password", "old": "not hers", "password": NEW, "repeat": NEW}
        status, page = await post(here, "/me", **form)
        assert (status, "не ваш пароль" in page) == (422, True)
        assert (await post(here, "/me", **form | {"old": PASSWORD, "password": "short", "repeat": "short"}))[0] == 422
        assert (await post(here, "/me", **form | {"old": PASSWORD}))[0] == 303
        assert (await here.get("/", allow_redirects=False)).status == 200
        assert (await there.get("/", allow_redirects=False)).status == 303
        for _ in range(5):
            await post(other, "/me", **form)
        assert (await post(other, "/me", **form | {"old": PASSWORD}))[0] == 429
        async with site.engine.begin() as connection:
            await connection.execute(password_tries.delete())
        assert (await post(there, "/login", login="anna", password=NEW))[0] == 303
        async with site.engine.connect() as connection:
            mine = select(sessions.c.id).join(logins, logins.c.id == sessions.c.user_id).where(logins.c.login == "anna")
            newest = await connection.scalar(mine.order_by(sessions.c.id.desc()).limit(1))
        assert (await post(other, "/me", do="session", id=str(newest)))[0] == 303
        assert (await there.get("/", allow_redirects=False)).status == 200, "it was not boris's to end"
        assert (await post(here, "/me", do="session", id=str(newest)))[0] == 303
        assert (await there.get("/", allow_redirects=False)).status == 303


async def test_a_token_is_made_by_who_knows_the_password_and_ends_by_itself_and_with_what_ends_sessions(
    site: Site,
) -> None:
    """A stolen session makes none; within a year it is over; an admin ends it in three ways."""
    anna, ilya = await number(site, "anna"), await number(site, "ilya")
    async with site.visitor("ilya") as admin, site.visitor() as nobody:

        async def make() -> str:
            async with site.visitor("anna") as client:
                _, page = await post(client, "/me", do="token", name="mine", scope="all", days="365", old=PASSWORD)
            (token,) = re.findall(r"sh_[\w-]{43}", page)
            return str(token)

        async def status(token: str) -> int:
            async with site.visitor(Authorization=f"Bearer {token}") as program:
                return (await program.get("/api/v1/calls")).status

        form = {"do": "token", "name": "mine", "days": "7", "old": PASSWORD}
        async with site.visitor("anna") as client:
            for wrong in ({"old": "not hers"}, {"old": ""}, {"days": "366"}, {"days": ""}, {"days": "soon"}):
                assert (await post(client, "/me", **form | wrong))[0] == 422, wrong
        assert (await post(admin, f"/admin/users/{ilya}", **form))[0] == 400, "past one's own password"
        ended, page = {}, ""
        for do in ("end_sessions", "reset"):
            token = await make()
            assert await status(token) == 200
            _, page = await post(admin, f"/admin/users/{anna}", do=do)
            ended[do] = await status(token)
        token, (path,) = await make(), re.findall(r"/password/[\w-]+", page)
        assert (await post(nobody, path, password=NEW, repeat=NEW))[0] == 303
        assert ended | {"new": await status(token)} == {"end_sessions": 401, "reset": 401, "new": 401}


async def test_the_audit_is_read_by_who_what_and_when_and_taken_away_as_a_file(site: Site) -> None:
    """A page at a time, the newest first; who takes the file is in the audit too."""
    async with site.engine.begin() as connection:
        for call in range(205):
            await note(connection, Actor(login="vera"), "hold_set", f"call {call}", {"reason": "=1+1"})
        await note(connection, THE_OPERATOR, "user_disabled", "user 3")
    async with site.visitor("ilya") as admin:

        async def calls(query: str) -> list[str]:
            page = await (await admin.get(f"/admin/audit?{query}")).text()
            return re.findall(r">(call \d+|user \d+)<", page)

        first = await calls("action=hold_set")
        assert (first[0], len(first)) == ("call 204", 100)
        page = await (await admin.get("/admin/audit?action=hold_set")).text()
        (older,) = re.findall(r"before=(\d+)", page)
        assert (await calls(f"action=hold_set&before={older}"))[0] == "call 104"
        assert await calls("actor=command%20line") == ["user 3"]
        assert await calls("subject=call%207") == ["call 7"]
        today = datetime.now(UTC).date()
        assert await calls(f"until={today - timedelta(days=2)}") == []
        assert len(await calls(f"since={today - timedelta(days=2)}")) == 100
        for query in ("action=looked", "since=2026-02-30", "before=x", "subject=" + "x" * 201):
            assert (await admin.get(f"/admin/audit?{query}")).status == 400, query
        async with admin.get("/admin/audit/export?action=hold_set&format=csv") as response:
            lines = (await response.text()).splitlines()
            assert response.headers["Content-Disposition"].endswith('.csv"')
        assert len(lines) == 206
        assert "call 204" in lines[1]
        async with admin.get("/admin/audit/export?format=xlsx") as response:
            assert (await response.read())[:2] == b"PK"
        assert (await admin.get("/admin/audit/export?format=pdf")).status == 400
    assert [what for who, what, _ in await done(site) if who == "ilya"] == ["audit_exported"] * 2


async def test_what_is_wrong_is_told_with_since_when_and_jobs_are_tried_again(site: Site) -> None:
    """A PBX that nobody measures any more, audio that is lost, a trunk that is away, a job that was given up."""
    async with site.visitor("olga") as operator:
        assert "Всё работает" in await (await operator.get("/admin/incidents")).text()
        await go_wrong(site.engine)
        await look(site.engine)
        page = await (await operator.get("/admin/incidents")).text()
        for words in ("Нет связи с АТС main", "Транк PJSIP/trunk недоступен", "Задания остановлены, расшифровка: 1"):
            assert words in page
        (job,) = re.findall(r'name="job" value="(\d+)"', page)
        assert (await post(operator, "/admin/incidents", job="999999"))[0] == 404
        assert (await post(operator, "/admin/incidents", job=job))[0] == 303
        async with operator.get("/admin/incidents?again=1") as response:
            assert "Таких нет" in await response.text()
    assert await done(site) == [("olga", "jobs_retried", f"job {job}")]


async def look(engine: AsyncEngine) -> None:
    """Keep what is wrong, as a telephony role does every few seconds."""
    async with engine.begin() as connection:
        now, *_ = await sign_of_life(connection)
        await keep(connection, await stored.faults(connection, HOUSE, ["main"]), now, now)


async def go_wrong(engine: AsyncEngine) -> None:
    """What the database knows of a bad day."""
    old = "clock_timestamp() - interval '10 minutes'"
    async with engine.begin() as connection:
        for statement in (
            f"insert into pbx_clocks (pbx, ahead, measured_at) values ('main', interval '0', {old})",
            f"insert into device_states values ('main', 'PJSIP/trunk', 'unavailable', false, {old})",
            "insert into procrastinate_jobs (queue_name, task_name, status) values ('transcription', 'hear', 'failed')",
        ):
            await connection.execute(text(statement))


async def test_what_is_done_to_leads_and_tasks_is_in_the_audit_by_whichever_door(site: Site) -> None:
    """Without a word of theirs: what changed of a lead is in its own history; a task is done once."""
    async with site.engine.begin() as connection:
        made = insert(parties).values(name="Пётр").returning(parties.c.id)
        party, by = (await connection.execute(made)).scalar_one(), By(who="anna", at=datetime.now(UTC))
        lead = await open_lead(connection, HOUSE, party, by, stage="qualifying", owner="anna", line=LINE)
        first, second, third = [await add_task(connection, HOUSE, lead, "Позвонить", by) for _ in range(3)]
    async with site.visitor("anna") as client:
        for _ in range(2):
            assert (await post(client, f"/tasks/{first}/done"))[0] == 303
        assert (await post(client, f"/leads/{lead}/done", task=str(second)))[0] == 303
        assert (await client.post(f"/api/v1/tasks/{third}/done", json={})).status == 200
        assert (await post(client, f"/leads/{lead}", do="lose", reason="no_contact"))[0] == 303
        assert (await client.post(f"/api/v1/leads/{lead}/return", json={})).status == 200
    told = [("task_done", f"task {task}") for task in (first, second, third)] + [("lead_changed", f"lead {lead}")] * 2
    assert await done(site) == [("anna", *one) for one in told]


async def test_a_stolen_token_of_an_admin_opens_nothing_for_longer_than_itself(site: Site) -> None:
    """By a token nobody becomes an admin, and no admin is let in; a session makes itself no password."""
    ilya = await number(site, "ilya")
    async with site.engine.begin() as connection:
        other = await users.add(connection, "pavel", "admin")
        token = await users.create_token(connection, "ilya", "program")
    before = await done(site)
    wishes: list[tuple[str, dict[str, object]]] = [
        ("users", {"login": "nina", "role": "admin"}),
        (f"users/{await number(site, 'anna')}/change", {"role": "admin", "person": "anna"}),
        *((f"users/{user}/password-link", dict[str, object]()) for user in (ilya, other)),
        (f"users/{other}/tokens", {"name": "more", "scope": "all", "days": 7}),
        *((f"users/{other}/{do}", dict[str, object]()) for do in ("enable", "forget-provider")),
    ]
    async with site.visitor(Authorization=f"Bearer {token}") as program, site.visitor("ilya") as admin:
        for path, wish in wishes:
            async with program.post(f"/api/v1/{path}", json=wish) as response:
                assert (response.status, "A token lets no admin in" in await response.text()) == (403, True), path
        assert (await post(admin, f"/admin/users/{ilya}", do="reset"))[0] == 403
        assert 'value="reset"' not in await (await admin.get(f"/admin/users/{ilya}")).text()
        assert await done(site) == before
        async with program.post(f"/api/v1/users/{other}/change", json={"role": "admin", "person": "gleb"}) as response:
            assert response.status == 200, "an admin stays one"
        async with program.post("/api/v1/users", json={"login": "nina", "role": "head"}) as response:
            assert response.status == 200
        for path, wish in wishes[3:]:
            async with admin.post(f"/api/v1/{path}", json=wish) as response:
                assert response.status == 200, "who is logged in may"


async def test_programs_of_admins_do_what_the_pages_of_logins_do(site: Site) -> None:
    """Listed, added with a link that opens once, given a token and disabled; the audit tells it, and is read too."""
    async with site.visitor("ilya") as client:

        async def told(path: str, wish: dict[str, object] | None = None, status: int = 200) -> dict[str, Any]:
            async with client.request("GET" if wish is None else "POST", f"/api/v1/{path}", json=wish) as response:
                assert response.status == status, await response.text()
                read: dict[str, Any] = await response.json(content_type=None)
                return read

        made = await told("users", {"login": "nina", "role": "head"})
        user = made["id"]
        async with site.visitor() as nina:
            assert (await post(nina, URL(made["url"]).path, password=NEW, repeat=NEW))[0] == 303
        token = (await told(f"users/{user}/tokens", {"name": "report", "days": 7}))["token"]
        async with site.visitor(Authorization=f"Bearer {token}") as program:
            assert (await program.get("/api/v1/calls")).status == 200
            assert (await program.get("/api/v1/users")).status == 403
            tokens = (await told(f"users/{user}"))["tokens"]
            assert [one["name"] for one in tokens] == ["report"]
            assert (await told(f"users/{user}/tokens/revoke", {"id": tokens[0]["id"]}))["tokens"] == []
            assert (await program.get("/api/v1/calls")).status == 401
        changed = await told(f"users/{user}/change", {"role": "manager", "person": "anna"})
        assert (changed["role"], changed["person"]) == ("manager", "anna")
        refused = await told(f"users/{user}/change", {"role": "manager", "person": "nobody"}, 422)
        assert (refused["field"], refused["reason"]) == ("person", "person")
        assert (await told(f"users/{user}/disable", {}))["disabled_at"]
        assert "nina" in [one["login"] for one in (await told("users"))["items"]]
        lines = (await told(f"audit?subject=user%20{user}&limit=50"))["items"]
        did = [line["action"] for line in lines if line["actor"] == "ilya"]
        assert did == ["user_disabled", "user_changed", "token_revoked", "token_made", "user_added"]
        page = await told(f"audit?subject=user%20{user}&limit=2")
        assert [line["id"] for line in page["items"]] == [line["id"] for line in lines[:2]]
        following = await told(f"audit?subject=user%20{user}&limit=2&cursor={page['next']}")
        assert [line["id"] for line in following["items"]] == [line["id"] for line in lines[2:4]]
        await told("audit?action=nothing", status=400)
        assert set(await told("incidents")) == {"items", "jobs", "next"}
