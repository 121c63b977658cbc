"""Logging in by a provider of OpenID Connect: who is let in, and every answer of it that is not believed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine
from yarl import URL

from directory.tables import sessions
from directory.tables import users as logins
from recordings.privacy_tables import audit
from tests.fakes.oidc import Provider, provider
from tests.fakes.site import Site, open_site
from tests.fakes.story import PASSWORD
from web import attempts, users
from web.access import provider as speaking
from web.access.oidc import Client
from web.access.provider import SingleSignOn
from web.tables import password_tries

Sso = tuple[Site, Provider]


@pytest.fixture
async def sso(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Sso]:
    """The web role beside a provider that knows it; Анна's login has no password."""
    async with provider() as other, open_site(engine, tmp_path) as site:
        async with engine.begin() as connection:
            await connection.execute(logins.update().where(logins.c.login == "anna").values(password_hash=None))
        other.back = f"{site.url}/login/oidc/return"
        await with_provider(site, other.client)
        yield site, other


async def with_provider(site: Site, client: Client) -> None:
    """Start the web role anew, which is that client now."""
    await site.stop()
    site.sign_on = SingleSignOn(client)
    await site.start()


async def log_in(client: ClientSession, wanted: str = "/calls") -> tuple[int, str, str]:
    """Go the way of a browser; (status, path, text) of where it ends."""
    async with client.get("/login/oidc", params={"next": wanted}) as response:
        return response.status, response.url.path, await response.text()


async def told(site: Site) -> list[tuple[str, str]]:
    """(who, what) of the audit so far."""
    async with site.engine.connect() as connection:
        rows = await connection.execute(select(audit.c.actor, audit.c.action).order_by(audit.c.id))
        return [(row.actor, row.action) for row in rows]


async def test_who_the_provider_names_comes_in_as_a_login_that_was_there(sso: Sso) -> None:
    """And goes on to the page that was wanted; the button stands on the login page; nothing but the login is theirs."""
    site, other = sso
    async with site.visitor() as client:
        page = await (await client.get("/login?next=/calls")).text()
        assert "Войти через Ромашка" in page
        status, path, text = await log_in(client)
        assert (status, path) == (200, "/calls")
        assert "Анна Смирнова" in text
        assert (await client.get("/admin/users")).status == 403
        kept = [cookie.key for cookie in client.cookie_jar]
    assert kept == ["switchhook"], "what the browser kept for the login is gone"
    assert other.refused == []
    assert await told(site) == [("anna", "provider_connected"), ("anna", "logged_in")]


async def test_from_then_on_the_login_is_that_subjects_whatever_it_is_called(sso: Sso) -> None:
    """A renamed account stays who it was; another account with the name is kept out until an admin says otherwise."""
    site, other = sso
    async with site.visitor() as client:
        assert (await log_in(client))[0] == 200
    other.user = {"sub": "42", "preferred_username": "boris"}
    async with site.visitor() as client:
        assert "Анна Смирнова" in (await log_in(client))[2]
    other.user = {"sub": "43", "preferred_username": "anna"}
    async with site.visitor() as client:
        status, _, text = await log_in(client)
        assert (status, "привязан к другой" in text) == (403, True)
    async with site.engine.begin() as connection:
        await users.add(connection, "ilya", "admin")
        anna = await users.id_of(connection, "anna")
    async with site.visitor("ilya") as client:
        await client.post(f"/admin/users/{anna}", data={"do": "forget_provider"})
    async with site.visitor() as client:
        assert (await log_in(client))[0] == 200


@pytest.mark.parametrize(
    "user", [{"sub": "7", "preferred_username": "nobody"}, {"sub": "7"}, {"sub": "7", "preferred_username": 3}]
)
async def test_nobody_gets_a_login_by_what_a_provider_says(sso: Sso, user: dict[str, Any]) -> None:
    """An account without a login here is refused, also when it says that it is an admin; no row is made."""
    site, other = sso
    other.user = user | {"role": "admin", "groups": ["admin"]}
    async with site.visitor() as client:
        status, _, text = await log_in(client)
        assert (status, "нет входа" in text) == (403, True)
        assert (await client.get("/", allow_redirects=False)).status == 303
    async with site.engine.connect() as connection:
        assert (await connection.execute(select(sessions))).all() == []
        assert len((await connection.execute(select(logins))).all()) == 5


async def test_a_login_with_a_password_or_an_admins_is_taken_over_by_no_name(sso: Sso) -> None:
    """The first time; who came so before goes on as what they became."""
    site, other = sso
    anna = logins.update().where(logins.c.login == "anna")
    hashed = await users.hash_password(PASSWORD)
    for now in ({"password_hash": hashed}, {"role": "admin", "password_hash": None}):
        async with site.engine.begin() as connection:
            await connection.execute(anna.values(now))
        async with site.visitor() as client:
            status, _, text = await log_in(client)
            assert (status, "нет входа" in text) == (403, True)
    async with site.engine.begin() as connection:
        await connection.execute(anna.values(role="manager"))
    async with site.visitor() as client:
        assert (await log_in(client))[0] == 200
    async with site.engine.begin() as connection:
        await connection.execute(anna.values(role="admin", password_hash=hashed))
    async with site.visitor() as client:
        assert (await log_in(client))[0] == 200
    assert (other.refused, await told(site)) == ([], [("anna", "provider_connected"), *[("anna", "logged_in")] * 2])


async def test_a_disabled_login_stays_out(sso: Sso) -> None:
    """Before it came by the provider, and after."""
    site, _ = sso
    async with site.visitor() as client:
        assert (await log_in(client))[0] == 200
    async with site.engine.begin() as connection:
        await users.disable(connection, "anna")
    async with site.visitor() as client:
        assert (await log_in(client))[0] == 403


async def test_a_login_that_is_disabled_while_it_comes_stays_out(sso: Sso) -> None:
    """The disabling that is not over yet is waited for."""
    site, _ = sso
    waits = text(
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    )
    async with site.visitor() as client:
        assert (await log_in(client))[0] == 200
    async with site.visitor() as client, site.engine.begin() as connection:
        await users.disable(connection, "anna")
        coming = asyncio.create_task(log_in(client))
        async with asyncio.timeout(20), site.engine.connect() as other:
            while not coming.done() and not await other.scalar(waits):
                await other.rollback()
                await asyncio.sleep(0.02)
        await connection.commit()
        assert (await coming)[0] == 403


LIES: dict[str, list[Any]] = {
    "iss": ["https://elsewhere.example", None],
    "aud": ["another", ["another"], ["switchhook", "another"], None],
    "azp": ["another"],
    "exp": [1, None, "later", True],
    "iat": [1, None, 2**40],
    "nbf": [2**40, "now"],
    "nonce": ["another", None],
    "sub": ["", None, 7, "s" * 256],
}
"""Each of them in place of what is true; None: nothing."""


async def test_a_token_that_is_not_wholly_right_is_refused(sso: Sso) -> None:
    """Of another issuer, audience, time or login, over, unsigned, or signed by what is no key of theirs."""
    site, other = sso
    let_in: list[Any] = []
    for claims in ({name: lie} for name, lies in LIES.items() for lie in lies):
        other.lie = claims
        let_in += [claims] if await is_let_in(site) else []
    other.lie = {}
    for sign in ("none", "HS256", "forged"):
        other.sign = sign
        let_in += [sign] if await is_let_in(site) else []
    assert let_in == []
    assert await told(site) == []
    other.sign = ""
    assert await is_let_in(site), "without a lie it is believed"


async def is_let_in(site: Site) -> bool:
    """Whether a new browser comes in; its tries are forgiven."""
    async with site.engine.begin() as connection:
        await connection.execute(password_tries.delete())
    async with site.visitor() as client:
        return (await log_in(client))[0] == 200


async def test_a_provider_that_takes_a_new_key_is_believed_by_it(sso: Sso, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its keys are read again when a token names one that we do not know, and seldom: nobody has us ask at will."""
    site, other = sso
    assert await is_let_in(site)
    other.key = 1
    assert not await is_let_in(site)
    assert other.asked == ["discovery", "keys"]
    monkeypatch.setattr(speaking, "KEYS_AGAIN_SECONDS", 0.0)
    assert await is_let_in(site)
    assert other.asked == ["discovery", "keys", "keys"]


async def test_an_answer_belongs_to_the_browser_that_asked(sso: Sso) -> None:
    """A code without its cookie, with another's state, of another provider, or sent twice, opens nothing."""
    site, other = sso
    async with site.visitor() as client, site.visitor() as victim:
        back = await sent_back(client)
        assert (await victim.get(back)).status == 403, "no cookie"
        async with victim.get("/login/oidc", allow_redirects=False) as begun:
            assert begun.status == 303
        assert (await victim.get(back)).status == 403, "another's state: it would log the victim in as the attacker"
        assert (await client.get(back.update_query(iss="https://elsewhere.example"))).status == 403
        assert (await client.get(await sent_back(client), allow_redirects=False)).status == 303
        assert (await client.get(back)).status == 403, "it was begun before"
    assert other.refused == []


async def test_another_site_has_nobody_wait(sso: Sso) -> None:
    """What it has browsers ask for, answers to no login of theirs or to another's, is refused and counts as no try."""
    site, _ = sso
    async with site.visitor() as client, site.visitor() as other:
        back = await sent_back(other)
        for _ in range(attempts.PER_LOGIN + 1):
            assert (await client.get("/login/oidc/return?state=x&code=y")).status == 403
            async with client.get("/login/oidc", allow_redirects=False) as begun:
                assert begun.status == 303
            assert (await client.get(back)).status == 403
        async with site.engine.connect() as connection:
            assert (await connection.execute(select(password_tries.c.id))).all() == []
        assert (await log_in(client))[0] == 200


async def sent_back(client: ClientSession) -> URL:
    """With what address the provider sends the browser back, which is not opened yet."""
    async with client.get("/login/oidc", allow_redirects=False) as begun:
        where = begun.headers["Location"]
    async with client.get(URL(where, encoded=True), allow_redirects=False) as agreed:
        return URL(agreed.headers["Location"], encoded=True)


async def test_a_code_that_was_stolen_is_worth_nothing_without_the_verifier(sso: Sso) -> None:
    """The provider asks for what only the browser that began keeps."""
    site, other = sso
    async with site.visitor() as client, site.visitor() as thief:
        stolen = (await sent_back(client)).query["code"]
        own = await sent_back(thief)
        assert (await thief.get(own.update_query(code=stolen))).status == 403
    assert other.refused == ["invalid_grant"]


async def test_a_provider_that_denies_lies_about_its_name_or_is_away_lets_nobody_in(sso: Sso) -> None:
    """The login page says so, and passwords work as before."""
    site, other = sso
    other.denies = True
    async with site.visitor() as client:
        assert "отменён" in (await log_in(client))[2]
    other.denies = False
    for names, words in (("https://elsewhere.example", "не принят"), (None, "не отвечает")):
        other.names = names
        if names is None:
            other.port = 1  # nobody listens there
        await with_provider(site, other.client)
        async with site.visitor() as client:
            status, path, text = await log_in(client)
            assert (status, path, words in text) == (403, "/login/oidc", True)
            sent = {"login": "boris", "password": PASSWORD}
            assert (await client.post("/login", data=sent, allow_redirects=False)).status == 303


async def test_an_email_that_nobody_verified_names_nobody(sso: Sso) -> None:
    """With the claim email, which people may choose themselves at many providers."""
    site, other = sso
    await with_provider(site, replace(other.client, claim="email"))
    async with site.engine.begin() as connection:
        await users.add(connection, "anna@example.com", "manager", person="anna")
    for verified, let_in in ((None, False), (False, False), ("true", False), (True, True)):
        other.user = {"sub": "9", "email": "anna@example.com", "email_verified": verified}
        assert await is_let_in(site) is let_in, verified
