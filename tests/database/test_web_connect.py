"""The pages on which an administrator connects CRMs: forms made from each kind, steps, and what is never shown."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync import connections, kinds, people
from crm_sync.grants import Grant, keep_grant
from crm_sync.secrets import Keeper
from metrics.crm_questions import CONNECTED
from service.crm.connecting import Connecting
from service.settings import Settings
from tests.fakes import pretended
from tests.fakes.amocrm import ANNA, Amo, open_amo
from tests.fakes.ledger import SECRET_KEY
from tests.fakes.site import Site, open_site
from tests.fakes.story import PASSWORD
from tests.fakes.webhooks import open_receiver
from web import users


@pytest.fixture
def settings(database_url: str) -> Settings:
    told: Any = {
        "database_url": database_url,
        "secret_key": SECRET_KEY,
        "web": {"public_url": "https://calls.example.com"},
        "crm": {"networks": ["127.0.0.0/8"]},
    }
    return Settings(**told)


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path, settings: Settings) -> AsyncIterator[Site]:
    """The web role with its house and an admin."""
    async with open_site(engine, tmp_path, connects=Connecting(settings, engine)) as opened:
        async with engine.begin() as connection:
            await users.add(connection, "ilya", "admin", password=PASSWORD)
            await connection.execute(text(f"update people set email = 'User{ANNA}@example.com' where key = 'anna'"))
        yield opened


@pytest.fixture
async def ilya(site: Site) -> AsyncIterator[ClientSession]:
    async with site.visitor("ilya") as client:
        yield client


async def rows(site: Site, sql: str) -> list[tuple[Any, ...]]:
    async with site.engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(sql))]


async def secrets_of(site: Site, key: str) -> dict[str, Any]:
    async with site.engine.connect() as connection:
        to = await connections.read(connection, key)
    assert to is not None
    return Keeper(SECRET_KEY).open(key, to.secrets)


async def send(client: ClientSession, path: str, **form: str) -> tuple[int, str]:
    async with client.post(path, data=form) as answer:
        return answer.status, await answer.text()


async def test_every_kind_is_asked_for_by_its_own_fields(ilya: ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer's adapter too, which has no words of its own: by the names of its settings and secrets."""
    monkeypatch.setitem(kinds.KINDS, "pretended", pretended.KIND)
    chosen = await (await ilya.get("/crm/new")).text()
    for kind in kinds.KINDS.values():
        assert f'href="/crm/new/{kind.name}"' in chosen
        page = await (await ilya.get(f"/crm/new/{kind.name}?connection=of-tests")).text()
        form = page.partition('class="asked"')[2].partition("</form>")[0]
        for field in kind.fields:
            assert form.count(f'name="{field.name}"') == (field.name != kind.door), field.name
        if kind.consent is not None:
            assert "https://calls.example.com/crm/of-tests/oauth" in page
    assert (await ilya.get("/crm/new/other")).status == 404


async def connect_amo(ilya: ClientSession, account: Amo, **more: str) -> tuple[int, str]:
    form = {"connection": "amo", "account": account.url, "way": "0", "link_days": "30"} | more
    return await send(ilya, "/crm/new/amocrm", **form)


async def test_what_is_wrong_stands_at_its_field_and_no_secret_comes_back(site: Site, ilya: ClientSession) -> None:
    """All of it at once; nothing is written, and a name that is taken is said so."""
    form = {
        "connection": "Amo",
        "account": "romashka",
        "way": "1",
        "client_secret": "a-secret-of-tests",
        "pipeline": "first",
    }
    status, page = await send(ilya, "/crm/new/amocrm", **form, link_days="0")
    assert status == 422
    wrong = dict(re.findall(r'id="f-(\w+)-wrong"[^>]*>([^<]+)<', page))
    assert set(wrong) == {"client_id", "pipeline"}
    status, page = await send(ilya, "/crm/new/amocrm", **form | {"client_id": "7", "pipeline": ""}, link_days="0")
    wrong = dict(re.findall(r'id="f-(\w+)-wrong"[^>]*>([^<]+)<', page))
    assert set(wrong) == {"account"}
    assert "https://romashka.amocrm.ru" in wrong["account"]
    good = form | {"client_id": "7", "pipeline": "", "account": "https://romashka.amocrm.ru"}
    status, page = await send(ilya, "/crm/new/amocrm", **good, link_days="0")
    assert set(re.findall(r'id="f-(\w+)-wrong"', page)) == {"connection", "link_days"}
    assert "a-secret-of-tests" not in page
    inside = good | {"connection": "amo", "account": "https://10.1.2.3"}
    status, page = await send(ilya, "/crm/new/amocrm", **inside, link_days="30")
    assert "crm.networks" in dict(re.findall(r'id="f-(\w+)-wrong"[^>]*>([^<]+)<', page))["account"]
    assert await rows(site, "select key from crm_connections") == []


async def test_a_token_is_kept_sealed_checked_replaced_and_the_connection_removed(
    site: Site, ilya: ClientSession
) -> None:
    """People are known by their mailbox; what lets nobody in is not kept once it runs; every step is in the audit."""
    async with open_amo() as account:
        token = account.give_long_lived()
        status, page = await connect_amo(ilya, account, token=token)
        assert status == 200
        assert token not in page
        assert await rows(site, "select state, stopped_by from crm_connections") == [("stopped", "new")]
        assert await rows(site, CONNECTED) == [("amo", 1)]  # no alert of one that nobody started yet
        account.may_read_users = False
        page = (await send(ilya, "/crm/amo/setup", do="check"))[1]
        assert "Сотрудников видит только администратор" in page
        assert "Сотрудников видит только администратор" in await (await ilya.get("/crm/amo")).text()
        account.may_read_users = True
        page = (await send(ilya, "/crm/amo/setup", do="check"))[1]
        assert re.search(r"<th scope=\"row\"><span>Анна</span>.*?<small>по почте</small>", page, re.DOTALL)
        status, page = await send(ilya, "/crm/amo/setup", do="door")
        secret = re.search(r"/crm/amo/events\?secret=([\w-]+)", page)
        assert secret is not None
        assert (await secrets_of(site, "amo")) == {"token": token, "inbound": secret[1]}
        assert secret[1] not in await (await ilya.get("/crm/amo/setup")).text()
        later = (datetime.now(UTC) + timedelta(days=2)).isoformat()[:16]
        status, page = await send(ilya, "/crm/amo/setup", do="start", since=later)
        assert (status, "не позже, чем сейчас" in page) == (422, True)
        await send(ilya, "/crm/amo/setup", do="start", since="2026-11-01T00:00")
        ((state, since),) = await rows(site, "select state, since from crm_connections")
        assert (state, since) == ("active", datetime(2026, 10, 31, 21, tzinfo=UTC))
        changed = {"account": account.url, "way": "0", "link_days": "7", "unknown": "unsorted"}
        as_it_was = await rows(site, "select * from crm_connections")
        status, page = await send(ilya, "/crm/amo/settings", **changed, token="no-token-of-theirs")
        assert (status, "no-token-of-theirs" in page) == (422, False)
        assert await rows(site, "select * from crm_connections") == as_it_was  # nothing of it was, for any moment
        assert (await secrets_of(site, "amo"))["token"] == token
        elsewhere = changed | {"account": "https://another.amocrm.ru", "token": ""}
        status, page = await send(ilya, "/crm/amo/settings", **elsewhere)
        assert (status, 'id="f-token-wrong"' in page) == (422, True)
        assert (await secrets_of(site, "amo"))["token"] == token
        other = account.give_long_lived()
        assert (await send(ilya, "/crm/amo/settings", **changed, token=other))[0] == 200
        assert (await secrets_of(site, "amo")) == {"token": other, "inbound": secret[1]}
        told = "select settings->>'unknown', settings->>'link_days', state from crm_connections"
        assert await rows(site, told) == [("unsorted", "7", "active")]
    assert (await send(ilya, "/crm/amo", do="remove", confirm="am"))[0] == 422
    assert (await send(ilya, "/crm/amo", do="remove", confirm="amo"))[0] == 200
    assert await rows(site, "select key from crm_connections") == []
    done = await rows(site, "select action, actor from audit where subject = 'crm amo' order by id")
    assert [action for action, actor in done if actor == "ilya"] == [
        "crm_added", "crm_secret_made", "crm_started", "crm_changed",
        "crm_secret_made", "crm_removed",
    ]  # fmt: skip


async def test_what_lets_us_in_at_one_account_is_shown_to_no_other(site: Site, ilya: ClientSession) -> None:
    """Neither a token that a person gave, nor a user paired by hand, nor the address for what happens outlives it."""
    async with open_amo() as account, open_amo() as another:
        form = {"connection": "amo", "account": account.url, "way": "1", "link_days": "30", "client_id": "7"}
        assert (await send(ilya, "/crm/new/amocrm", **form, client_secret="of-one"))[0] == 200
        grant = Grant(access="a", refresh="r", told={"account": account.url, "redirect_uri": ""})
        async with site.engine.begin() as connection:
            await keep_grant(connection, Keeper(SECRET_KEY), "amo", grant)
            await people.pair(connection, "amo", str(ANNA), "anna")
        await send(ilya, "/crm/amo/setup", do="door")
        await send(ilya, "/crm/amo/setup", do="start")
        moved = form | {"account": another.url}
        assert 'id="f-client_secret-wrong"' in (await send(ilya, "/crm/amo/settings", **moved))[1]
        assert await rows(site, "select count(*) from crm_grants") == [(1,)]
        assert (await send(ilya, "/crm/amo/settings", **moved, client_secret="of-two"))[0] == 200
        assert another.requests == []
        assert await secrets_of(site, "amo") == {"client_secret": "of-two"}
        for table in ("crm_grants", "crm_users"):
            assert await rows(site, f"select count(*) from {table}") == [(0,)]
        ((account_now,),) = await rows(site, "select account from crm_connections")
        assert account_now == f"amocrm {another.url.removeprefix('http://')}"


async def test_a_webhook_shows_its_key_once_and_is_told_what_was_chosen(site: Site, ilya: ClientSession) -> None:
    """The ping that it does not take is told as that; it may be connected all the same."""
    async with open_receiver() as receiver:
        form = {"connection": "hook", "url": receiver.url, "link_days": "30"}
        assert (await send(ilya, "/crm/new/webhook", **form))[0] == 422  # nothing to tell was chosen
        status, page = await send(ilya, "/crm/new/webhook", **form, **{"event.call.ended": "on"})
        assert status == 200
        (key,) = set(re.findall(r"whsec_[\w+/=]+", page))
        assert key == (await secrets_of(site, "hook"))["keys"][0]
        page = (await send(ilya, "/crm/hook/setup", do="check"))[1]
        assert "status 400" in page
        assert not {key, receiver.url} & set(re.findall(r"whsec_[\w+/=]+|http://[\w.:/]+", page))
        await send(ilya, "/crm/hook/setup", do="shadow")
    assert await rows(site, "select state, steps from crm_connections") == [("shadow", ["call_finished"])]


async def test_without_a_key_to_seal_with_the_page_says_what_to_set(
    engine: AsyncEngine, tmp_path: Path, settings: Settings
) -> None:
    """Before anything is asked; and nothing that is sent all the same is kept in clear."""
    bare = settings.model_copy(update={"secret_key": SecretStr("")})
    async with open_site(engine, tmp_path, connects=Connecting(bare, engine)) as site:
        async with engine.begin() as connection:
            await users.add(connection, "ilya", "admin", password=PASSWORD)
        async with site.visitor("ilya") as client:
            pages = [await (await client.get(path)).text() for path in ("/crm/new", "/crm/new/odoo")]
            form = {"connection": "odoo", "address": "https://odoo.example.com"}
            pages.append((await send(client, "/crm/new/odoo", **form, link_days="30"))[1])
            for page in pages:
                assert "SWITCHHOOK_SECRET_KEY=$(openssl rand -base64 32)" in page
        assert await rows(site, "select key from crm_connections") == []
