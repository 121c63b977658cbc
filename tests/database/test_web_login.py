"""Who may come in: passwords, sessions, tokens, other sites."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import re
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from pwdlib import PasswordHash
from sqlalchemy import event, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from directory.tables import sessions, tokens
from directory.tables import users as logins
from recordings.privacy_tables import audit
from tests.fakes.command import switchhook
from tests.fakes.site import Site, hash_as_served, open_site
from tests.fakes.story import PASSWORD
from web import attempts, login, users
from web.access import me_page
from web.attempts import Tries
from web.tables import password_tries
from web.users import HASHERS, UserError


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """The web role with its house."""
    async with open_site(engine, tmp_path) as opened:
        yield opened


async def test_pages_ask_the_unknown_to_log_in(site: Site) -> None:
    """Every page redirects to the login page and remembers what was wanted; the API says 401 with how to do better."""
    async with site.visitor() as client:
        for path in ("/", "/calls", "/calls/2f0c1a52-0000-4000-8000-000000000000", "/desk/today"):
            response = await client.get(path, allow_redirects=False)
            assert (response.status, response.headers["Location"].partition("?")[0]) == (303, "/login")
        response = await client.get("/api/v1/calls")
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        assert (await response.json(content_type="application/problem+json"))["status"] == 401
        response = await client.get("/desk/stream", headers={"HX-Request": "true"})
        assert (response.status, response.headers["HX-Redirect"]) == (401, "/login?next=%2Fdesk%2Fstream")


@pytest.mark.parametrize(
    "wanted", ["//[", "//elsewhere.example/", "/\\elsewhere.example", "https://[", "https://elsewhere.example"]
)
async def test_a_login_leads_nowhere_else(site: Site, wanted: str) -> None:
    """An address that is none of ours, or none at all, becomes the desk."""
    async with site.visitor() as client:
        response = await client.get("/login", params={"next": wanted})
        assert response.status == 200
        assert 'name="next" value="/"' in await response.text()


async def test_a_wrong_password_loses_neither_the_way_nor_the_language(site: Site) -> None:
    """The form posts to its own address, and what comes back still leads to the page that was wanted."""
    async with site.visitor() as client:
        address = "/login?next=%2Fcalls&lang=en"
        form = re.search('<form class="panel"[^>]*>', await (await client.get(address)).text())
        told = re.search('action="([^"]*)"', form[0] if form else "")
        sent = {"login": "anna", "password": "not hers", "next": "/calls"}
        async with client.post(told[1] if told else address, data=sent) as response:
            assert response.status == 403
            again = await response.text()
        assert "The login or the password is wrong." in again
        assert 'name="next" value="/calls"' in again


async def test_the_cookie_is_out_of_reach_and_stored_hashed(site: Site) -> None:
    """HttpOnly, SameSite=Lax; the database has its digest only; behind TLS it is `__Host-` and Secure."""
    async with site.visitor() as client:
        response = await client.post("/login", data={"login": "anna", "password": PASSWORD}, allow_redirects=False)
        cookie = response.headers["Set-Cookie"]
        assert cookie.startswith("switchhook=")
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        value = cookie.partition("=")[2].partition(";")[0]
    async with site.engine.connect() as connection:
        assert await connection.scalar(select(sessions.c.digest)) == users.digest(value)
    await site.stop()
    site.secure = True
    await site.start()
    async with site.visitor() as client:
        response = await client.post("/login", data={"login": "anna", "password": PASSWORD}, allow_redirects=False)
        cookie = response.headers["Set-Cookie"]
        assert cookie.startswith("__Host-switchhook=")
        assert "Secure" in cookie
        assert "Path=/" in cookie
        plain = {"Cookie": f"switchhook={value}"}
        assert (await client.get("/", headers=plain, allow_redirects=False)).status == 303


async def test_a_wrong_password_is_refused_without_saying_what_was_wrong(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown login and a wrong password read the same; who knows it comes in."""
    hash_as_served(monkeypatch)
    async with site.engine.begin() as connection:
        await users.set_password(connection, "anna", PASSWORD)
    async with site.visitor() as client:
        told = [
            await (await client.post("/login", data={"login": login, "password": "wrong password"})).text()
            for login in ("anna", "nobody")
        ]
        form = {"login": "anna", "password": PASSWORD}
        assert (await client.post("/login", data=form, allow_redirects=False)).status == 303
    assert "Логин или пароль не подходят" in told[0]
    assert told[0].replace("anna", "") == told[1].replace("nobody", "")


async def test_an_unknown_login_takes_as_long_as_a_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is checked instead costs what a stored password costs, which is as much as is advised."""
    hash_as_served(monkeypatch)
    made = await users.hash_password("a password")
    assert made.split("$")[:4] == PasswordHash.recommended().hash("a password").split("$")[:4]
    assert made.split("$")[:4] == users._NOBODY.split("$")[:4]
    assert not await users.password_fits("a password", None)


async def test_what_becomes_of_a_login_while_its_password_is_checked_counts(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new password, or a disabling, in that fifth of a second: the old password opens and changes nothing."""
    meanwhile: list[tuple[str, bool]] = [("anna", False), ("gleb", True), ("boris", False)]

    async def fits(password: str, hashed: str | None) -> bool:
        right = await users.password_fits(password, hashed)
        name, out = meanwhile.pop(0)
        async with site.engine.begin() as connection:
            await (users.disable(connection, name) if out else users.set_password(connection, name, "a new password"))
        return right

    monkeypatch.setattr(login, "password_fits", fits)
    monkeypatch.setattr(me_page, "password_fits", fits)
    new = {"do": "password", "old": PASSWORD, "password": "a third password", "repeat": "a third password"}
    async with site.visitor() as client, site.visitor("boris") as boris:
        for name in ("anna", "gleb"):
            form = {"login": name, "password": PASSWORD}
            assert (await client.post("/login", data=form, allow_redirects=False)).status == 403
        assert (await boris.post("/me", data=new, allow_redirects=False)).status == 422
    async with site.engine.connect() as connection:
        assert (await connection.execute(select(sessions))).all() == []
        told = (await connection.execute(select(audit.c.action).order_by(audit.c.id))).scalars().all()
    assert list(told) == ["login_refused"] * 2


async def test_a_form_that_is_none_is_refused(site: Site) -> None:
    """Torn multipart, a file for a password, a NUL, too much: never an error of ours."""
    async with site.visitor() as client:
        torn = await client.post("/login", data=b"x", headers={"Content-Type": "multipart/form-data"})
        assert torn.status == 400
        file = await client.post("/login", data={"login": "anna", "password": io.BytesIO(b"x")})
        assert file.status == 403
        assert (await client.post("/login", data={"login": "a\0b", "password": PASSWORD})).status == 403
        assert (await client.post("/login", data={"login": "a" * 100_000})).status == 413


async def test_passwords_cannot_be_tried_at_will(site: Site) -> None:
    """After five failures even the right password has to wait, for that login from that address only."""
    async with site.visitor() as client:
        for _ in range(5):
            assert (await client.post("/login", data={"login": "anna", "password": "wrong password"})).status == 403
        response = await client.post("/login", data={"login": "anna", "password": PASSWORD})
        assert response.status == 429
        assert int(response.headers["Retry-After"]) > 0
        assert (await client.post("/login", data={"login": "boris", "password": PASSWORD})).status == 200


async def test_guesses_at_the_same_time_are_counted_too(site: Site) -> None:
    """However many come at once, five passwords are looked at."""
    async with site.visitor() as client:

        async def guess(number: int) -> int:
            async with client.post("/login", data={"login": "anna", "password": f"guess {number:05}"}) as response:
                return response.status

        answers = await asyncio.gather(*(guess(number) for number in range(20)))
    assert sorted(answers) == [403] * 5 + [429] * 15


async def test_pages_without_a_frame_are_in_no_search_engine(site: Site) -> None:
    """The login, a link to a password that is over, what is not there: one layout."""
    async with site.visitor() as client:
        for path in ("/login?next=%2Fcalls", "/password/none", "/linked/none"):
            shown = await (await client.get(path)).text()
            assert '<meta name="robots" content="noindex">' in shown, path
            assert '<body class="alone">' in shown, path


async def test_tries_at_all_web_processes_are_counted_together(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five passwords are looked at, whichever process is asked; the window forgives, a success at either does."""
    monkeypatch.setattr(attempts, "BELIEVED_SECONDS", 0.0)
    other = Site(site.engine, tmp_path)
    await other.start()
    try:
        async with site.visitor() as one, other.visitor() as two:

            async def enter(number: int, password: str = "wrong password") -> int:
                form = {"login": "anna", "password": password}
                async with (one, two)[number % 2].post("/login", data=form, allow_redirects=False) as response:
                    return response.status

            assert sorted(await asyncio.gather(*map(enter, range(12)))) == [403] * 5 + [429] * 7
            await pass_by(site, attempts.WINDOW)
            assert [await enter(number) for number in range(4)] == [403] * 4
            assert await enter(0, PASSWORD) == 303
            assert [await enter(number) for number in range(6)] == [403] * 5 + [429]
    finally:
        await other.stop()


async def test_an_address_has_so_many_tries_and_who_comes_in_uses_up_none(site: Site) -> None:
    """However many log in from one office; the window forgives."""
    address, engine, tries = "10.0.0.1", site.engine, Tries(site.engine)
    for number in range(2 * attempts.PER_ADDRESS):
        came, busy = await tries.book(address, f"login{number}"), await tries.book(address, "busy")
        async with engine.begin() as connection:
            await attempts.succeed(connection, came)
            await attempts.take_back(connection, busy)
    for number in range(attempts.PER_ADDRESS):
        await tries.book(address, f"login{number}")
    with pytest.raises(attempts.TooManyTriesError) as caught:
        await tries.book(address, "another")
    assert 0 < caught.value.wait_seconds <= attempts.WINDOW.total_seconds()
    await tries.book("10.0.0.2", "another")
    await pass_by(site, attempts.WINDOW)
    await tries.book(address, "one more")


async def test_who_tries_at_will_takes_no_connection_from_others(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one address two are counted at a time, some wait in line, and the next are refused at once; others come in."""
    monkeypatch.setattr(attempts, "BELIEVED_SECONDS", 60.0)
    tries, address = Tries(site.engine), "10.0.0.1"
    held = text("select pg_advisory_xact_lock(hashtextextended(:address, 66))")
    waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    async with site.engine.begin() as connection:
        await connection.execute(held, {"address": address})
        crowd = [asyncio.create_task(tries.book(address, f"login{number % 2}")) for number in range(60)]
        async with asyncio.timeout(20), site.engine.connect() as other:
            while await other.scalar(text(waits)) < attempts.AT_ONCE:
                await other.rollback()
                await asyncio.sleep(0.02)
        assert sum(one.done() for one in crowd) == 60 - attempts.AT_ONCE - attempts.IN_LINE_MOST
        await tries.book("10.0.0.2", "login")
    told = await asyncio.gather(*crowd, return_exceptions=True)
    assert sum(isinstance(one, int) for one in told) == 2 * attempts.PER_LOGIN
    assert all(isinstance(one, (int, attempts.TooManyTriesError)) for one in told)


async def test_who_was_refused_is_refused_again_without_the_database(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a moment, in which somebody may come in: then it is looked at anew."""
    tries, address = Tries(site.engine), "10.0.0.1"
    booked = [await tries.book(address, "anna") for _ in range(attempts.PER_LOGIN)]
    refused = pytest.raises(attempts.TooManyTriesError)
    with refused:
        await tries.book(address, "anna")
    asked: list[str] = []
    event.listen(site.engine.sync_engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    monkeypatch.setattr(attempts, "BELIEVED_SECONDS", 60.0)
    with refused:
        await tries.book(address, "anna")
    assert not [one for one in asked if "password_tries" in one]
    async with site.engine.begin() as connection:
        await attempts.succeed(connection, booked[0])
    monkeypatch.setattr(attempts, "BELIEVED_SECONDS", 0.0)
    assert await tries.book(address, "anna") > booked[-1]


async def test_tries_that_count_no_more_go_by_themselves(
    engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when nobody tries again; of what was typed nothing can be found out by who has the rows alone."""
    monkeypatch.setattr(attempts, "SWEEP_SECONDS", 0.05)
    async with open_site(engine, tmp_path) as site:
        old = await Tries(engine).book("10.0.0.1", "anna")
        await pass_by(site, attempts.WINDOW)
        new = await Tries(engine).book("10.0.0.1", "boris")
        asked = select(password_tries.c.id, password_tries.c.login)
        async with asyncio.timeout(20), engine.connect() as connection:
            while len(rows := (await connection.execute(asked)).all()) > 1:
                await asyncio.sleep(0.02)
    assert old != new == rows[0].id
    assert rows[0].login != hashlib.sha256(b"boris").digest()


async def pass_by(site: Site, span: timedelta) -> None:
    """Have every try be so much older."""
    async with site.engine.begin() as connection:
        await connection.execute(password_tries.update().values(at=password_tries.c.at - span))


async def test_a_crowd_at_the_login_page_waits_outside(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two passwords are checked at a time and eight wait, in threads that nothing else needs; the others come later."""
    checking, go_on = [], threading.Event()

    class Slow:
        def verify(self, *_told: str) -> bool:
            checking.append(threading.current_thread().name)
            return not go_on.wait(60)

    monkeypatch.setattr(users, "_HASHES", Slow())
    async with site.visitor() as client:

        async def enter(login: str) -> tuple[int, str | None]:
            async with client.post("/login", data={"login": login, "password": PASSWORD}) as response:
                return response.status, response.headers.get("Retry-After")

        crowd = [asyncio.create_task(enter(f"login{number}")) for number in range(13)]
        late, _ = await asyncio.wait(crowd, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result() for task in late] == [(429, "5")] * len(late)
        assert late
        async with asyncio.timeout(20):
            while len(checking) < HASHERS:
                await asyncio.sleep(0.02)
        assert all(name.startswith("argon2") for name in checking)
        await asyncio.wait(crowd, timeout=0.5)
        assert len(checking) == HASHERS
        go_on.set()
        answers = [(await task)[0] for task in crowd]
    assert sorted(answers) == [403] * 10 + [429] * 3


async def test_behind_a_trusted_proxy_each_client_has_its_own_tries(engine: AsyncEngine, tmp_path: Path) -> None:
    """The proxy says who asks; what the client itself claims changes nothing, and an IPv6 client is its network."""
    async with (
        open_site(engine, tmp_path, trusted_proxies=[ip_network("127.0.0.0/8")]) as site,
        site.visitor() as client,
    ):

        async def enter(forwarded: str, password: str = "wrong password") -> int:
            form, headers = {"login": "anna", "password": password}, {"X-Forwarded-For": forwarded}
            async with client.post("/login", data=form, headers=headers, allow_redirects=False) as response:
                return response.status

        assert [await enter(f"10.0.0.{number}, 203.0.113.7") for number in range(6)] == [403] * 5 + [429]
        assert [await enter(f"2001:db8::{number}") for number in range(6)] == [403] * 5 + [429]
        assert await enter("203.0.113.8", PASSWORD) == 303


async def test_nobody_else_is_believed_about_who_asks(site: Site) -> None:
    """Without trusted proxies the header is no way around the limit."""
    async with site.visitor() as client:
        form = {"login": "anna", "password": "wrong password"}
        answers = [
            (await client.post("/login", data=form, headers={"X-Forwarded-For": f"203.0.113.{number}"})).status
            for number in range(6)
        ]
    assert answers == [403] * 5 + [429]


async def test_a_session_ends_with_time_logout_password_and_disabling(site: Site) -> None:
    """Each of the four closes the door at once."""
    async with site.visitor("anna") as client:
        await client.post("/logout")
        assert (await client.get("/", allow_redirects=False)).status == 303
    ends = (
        update(sessions).values(expires_at=func.now()),
        update(logins).where(logins.c.login == "anna").values(disabled_at=func.now()),
    )
    for end in ends:
        async with site.visitor("anna") as client:
            assert (await client.get("/", allow_redirects=False)).status == 200
            async with site.engine.begin() as connection:
                await connection.execute(end)
            assert (await client.get("/", allow_redirects=False)).status == 303
    async with site.visitor("boris") as client, site.engine.begin() as connection:
        await users.set_password(connection, "boris", "another password 8")
        await connection.commit()
        assert (await client.get("/", allow_redirects=False)).status == 303


async def test_other_sites_cannot_act_for_the_viewer(site: Site) -> None:
    """A POST sent by another site is refused, by Sec-Fetch-Site or by Origin; our own passes."""
    async with site.visitor("anna") as client:
        for headers in (
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
        ):
            assert (await client.post("/logout", headers=headers)).status == 403
        own = {"Origin": site.url, "Sec-Fetch-Site": "same-origin"}
        assert (await client.post("/language", data={"language": "en"}, headers=own)).status == 200


async def test_the_login_page_sends_nobody_to_another_site(site: Site) -> None:
    """Whatever `next` says, one lands on this site."""
    async with site.visitor() as client:
        for trap in ("//evil.example", "http://evil.example", "/\\evil.example", "javascript:alert(1)", "/\n/evil"):
            form = {"login": "anna", "password": PASSWORD, "next": trap}
            response = await client.post("/login", data=form, allow_redirects=False)
            assert response.headers["Location"] == "/"


async def test_every_answer_has_the_safe_headers(site: Site) -> None:
    """Pages, files, errors and the API: no scripts but ours, no frames, no sniffing, nothing kept."""
    async with site.visitor("anna") as client:
        for path in ("/", "/static/css/base.css", "/nowhere", "/api/v1/calls", "/api/v1/nowhere"):
            headers = (await client.get(path)).headers
            assert "default-src 'self'" in headers["Content-Security-Policy"]
            assert "unsafe" not in headers["Content-Security-Policy"]
            assert headers["X-Frame-Options"] == "DENY"
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Cache-Control"] == ("no-cache" if "static" in path else "no-store")


async def test_a_token_acts_as_its_login_until_it_ends(site: Site) -> None:
    """It opens the API and no page; it ends by revoking, by time and with its login."""
    async with site.engine.begin() as connection:
        token = await users.create_token(connection, "anna", "crm")
        old = await users.create_token(connection, "anna", "old", datetime.now(UTC) - timedelta(seconds=1))
    async with site.engine.connect() as connection:
        assert token not in str((await connection.execute(select(tokens))).all())
    async with site.visitor(Authorization=f"Bearer {token}") as client:
        assert (await client.get("/api/v1/calls")).status == 200
        assert (await client.get("/", allow_redirects=False)).status == 303
        async with site.engine.begin() as connection:
            assert await users.revoke_tokens(connection, "anna", "crm") == 1
        assert (await client.get("/api/v1/calls")).status == 401
    for wrong in (f"Bearer {old}", "Bearer ", "Bearer sh_wrong", "Basic YW5uYTp4", token):
        async with site.visitor(Authorization=wrong) as client:
            assert (await client.get("/api/v1/calls")).status == 401


async def test_a_disabled_login_is_out_until_it_is_enabled(site: Site) -> None:
    """Its sessions and tokens end for good; enabled, it has its password and nothing else; the list tells each step."""

    async def told() -> tuple[bool, int, list[str]]:
        async with site.engine.connect() as connection:
            one = next(one for one in await users.listed(connection) if one.login == "anna")
        return one.disabled_at is not None, one.sessions, one.tokens

    async with site.engine.begin() as connection:
        token = await users.create_token(connection, "anna", "crm", users.expiry(30))
        await users.create_token(connection, "anna", "old", datetime.now(UTC) - timedelta(seconds=1))
    async with site.visitor("anna") as client, site.visitor(Authorization=f"Bearer {token}") as program:
        assert await told() == (False, 1, ["crm"])
        assert (await program.get("/api/v1/calls")).status == 200
        async with site.engine.begin() as connection:
            await users.disable(connection, "anna")
        assert await told() == (True, 0, [])
        form = {"login": "anna", "password": PASSWORD}
        assert (await client.post("/login", data=form)).status == 403
        async with site.engine.begin() as connection:
            await users.enable(connection, "anna")
        assert await told() == (False, 0, [])
        assert (await client.get("/", allow_redirects=False)).status == 303
        assert (await program.get("/api/v1/calls")).status == 401
        assert (await client.post("/login", data=form)).status == 200


async def test_tokens_that_cannot_be_are_refused_in_one_line(site: Site) -> None:
    """Days out of reach, and a name that nobody has."""
    for days in (0, -1, 10**9):
        with pytest.raises(UserError, match="days: must be from 1 to 3650"):
            users.expiry(days)
    async with site.engine.begin() as connection:
        with pytest.raises(UserError, match="name: anna has no token 'crm'"):
            await users.revoke_tokens(connection, "anna", "crm")
        for change in (users.disable, users.enable):
            with pytest.raises(UserError, match="there is no login 'ghost'"):
                await change(connection, "ghost")


async def test_the_command_line_keeps_the_logins(site: Site, database_url: str, tmp_path: Path) -> None:
    """List, token with an end, revoke, disable, enable; what cannot be is exit 2 with one line."""

    async def user(*words: str) -> tuple[int, str, str]:
        settings = {"DATABASE_URL": database_url, "SWITCHHOOK_DATA_DIR": str(tmp_path)}
        done = await asyncio.to_thread(switchhook, "user", *words, **settings)
        return done.returncode, done.stdout, done.stderr

    code, token, _ = await user("token", "anna", "--name", "crm", "--days", "7")
    assert (code, token[:3]) == (0, "sh_")
    async with site.engine.connect() as connection:
        expires_at = await connection.scalar(select(tokens.c.expires_at))
    assert expires_at is not None
    assert timedelta(days=6) < expires_at - datetime.now(UTC) <= timedelta(days=7)
    assert "anna   manager   anna    enabled  0         crm" in (await user("list"))[1].splitlines()
    assert (await user("revoke", "anna", "crm"))[0] == 0
    refused, never, done = await asyncio.gather(
        user("revoke", "anna", "crm"), user("token", "anna", "--days", "0"), user("disable", "anna")
    )
    assert refused == (2, "", "name: anna has no token 'crm'\n")
    assert (never[:2], done[0]) == ((2, ""), 0)
    row = next(one for one in json.loads((await user("list", "--json"))[1]) if one["login"] == "anna")
    assert row["disabled_at"]
    assert (row["sessions"], row["tokens"]) == (0, [])
    assert (await user("enable", "anna"))[0] == 0


async def test_logins_that_cannot_be_are_refused_in_one_line(site: Site) -> None:
    """The field and the value are named, and nothing is stored."""
    async with site.engine.begin() as connection:
        for told, how in {
            "login: 'anna' exists already": {"login": "anna", "role": "manager"},
            "role: must be one of": {"login": "new", "role": "king"},
            "person: nobody in the directory has the key 'ghost'": {"login": "new", "role": "head", "person": "ghost"},
            "password: must have at least 8": {"login": "new", "role": "head", "password": "short"},
            "login: must be letters": {"login": "a b", "role": "head"},
        }.items():
            with pytest.raises(UserError, match=told):
                await users.add(connection, **how)
        with pytest.raises(UserError, match="there is no login 'ghost'"):
            await users.set_password(connection, "ghost", PASSWORD)
        assert await connection.scalar(select(func.count()).select_from(logins)) == 5
