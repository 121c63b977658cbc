"""Bitrix24 and the house: connected by a person's consent, heard through a door that only it knows."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from yarl import URL

from crm_sync.heard import HeardJobs
from routing import look_up
from routing.owner import Copy
from service.crm import setup as crm_setup
from service.crm.doors import Doors, acts
from service.crm.probing import probe_due
from service.crm.setup import Wanted
from service.crm.workplaces import Adapters
from service.faults import UserFault
from service.settings import Settings
from tests.fakes.bitrix24 import CLIENT, CLIENT_SECRET, HOOK_CODE, Bitrix24, open_bitrix24
from tests.fakes.bitrix24_portal import User
from tests.fakes.ledger import SECRET_KEY
from tests.fakes.recorded import T0
from tests.fakes.site import open_site

NUMBER = "79161234567"


def settings_of(database_url: str) -> Settings:
    told: Any = {
        "database_url": database_url,
        "secret_key": SECRET_KEY,
        "web": {"public_url": "https://calls.example.com"},
        "crm": {"owner_from": "b24", "networks": ["127.0.0.0/8"], "budget_seconds": 1},
    }
    return Settings(**told)


def wanted_of(server: Bitrix24, **secrets: str) -> Wanted:
    settings = {"portal": server.url, "client": CLIENT, "user": "1", "token_server": f"{server.token_url}/oauth/token/"}
    return Wanted(kind="bitrix24", key="b24", settings=settings, secrets=secrets)


async def agree(server: Bitrix24, said: list[str], url: str, browser: aiohttp.ClientSession) -> None:
    """A person agrees at the address that they are told."""
    async with asyncio.timeout(20):
        while not any(line.startswith(server.url) for line in said):
            await asyncio.sleep(0.02)
    state = URL(said[-1]).query["state"]
    back = {"code": server.code(), "state": state, "domain": "portal.bitrix24.ru", "member_id": "x"}
    async with browser.get(f"{url}/crm/b24/oauth", params=back) as answer:
        assert answer.status == 200


async def test_a_portal_is_connected_by_consent_and_whose_a_client_became_there_is_known_here(
    engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    """A person agrees on the portal's page; users are known; an event names a lead by its id alone, once it is ours."""
    said: list[str] = []
    settings = settings_of(database_url)
    doors = Doors(settings, engine)
    async with (
        open_bitrix24() as server,
        open_site(engine, tmp_path, crm=doors) as site,
        aiohttp.ClientSession() as browser,
    ):
        server.portal.users[5] = User(5, "", "Борис")
        adding = asyncio.create_task(
            crm_setup.add(settings, wanted_of(server, client_secret=CLIENT_SECRET), said.append)
        )
        await agree(server, said, site.url, browser)
        await adding
        assert "2 users there, 0 of them known here" in said
        assert not any(line.startswith("missing") for line in said)
        await crm_setup.pair(settings, "b24", "5", "boris")
        lead = server.portal.add_entity("LEAD", "8 (916) 123-45-67", 5)
        async with engine.begin() as connection:
            await look_up.keep(connection, NUMBER, Copy(None, T0))
        event = server.event("ONCRMLEADUPDATE", {"FIELDS": {"ID": lead}})
        (door,) = {URL(handler) for _, handler in server.portal.bound}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        for query, status in (({}, 403), ({"door": "guessed"}, 403), (door.query, 200)):
            async with browser.post(f"{site.url}{door.path}", params=query, data=event, headers=kind) as answer:
                assert answer.status == status
        nested = "auth[application_token]" + "[]" * 60_000 + "=1"
        async with browser.post(f"{site.url}{door.path}", params=door.query, data=nested, headers=kind) as answer:
            assert answer.status == 403
        async with engine.connect() as connection:
            (heard,) = (await connection.execute(text("select id from crm_heard"))).scalars()
        await HeardJobs(engine=engine, acts=acts(settings, engine)).act_on_heard(heard, 0)
        async with engine.connect() as connection:
            copies = await look_up.read(connection, [NUMBER])
        assert copies[NUMBER].owner == "boris"
        assert server.leaked == []
    await doors.close()


async def test_a_connection_in_shadow_is_in_shadow_again_when_it_is_let_in_again(
    engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    """What stopped by itself is not told by itself what a person wants only shown."""
    said: list[str] = []
    settings, states = settings_of(database_url), []
    doors, adapters = Doors(settings, engine), Adapters(settings, engine)

    async def tell_state() -> None:
        async with engine.connect() as connection:
            states.append(await connection.scalar(text("select state from crm_connections")))

    async with (
        open_bitrix24() as server,
        open_site(engine, tmp_path, crm=doors) as site,
        aiohttp.ClientSession() as browser,
    ):
        wanted = replace(wanted_of(server, client_secret=CLIENT_SECRET), shadow=True, probe=False)
        await crm_setup.add(settings, wanted, said.append)
        await tell_state()
        await probe_due(engine, adapters)
        await tell_state()
        granting = asyncio.create_task(crm_setup.grant(settings, "b24", said.append))
        await agree(server, said, site.url, browser)
        await granting
        await tell_state()
    assert states == ["shadow", "stopped", "shadow"]
    await adapters.close()
    await doors.close()


async def test_a_webhook_that_may_not_register_is_told_at_once(engine: AsyncEngine, database_url: str) -> None:
    """What is missing is named; one that is not let in at all is not kept."""
    said: list[str] = []
    settings = settings_of(database_url)
    async with open_bitrix24() as server:
        await crm_setup.add(settings, wanted_of(server, webhook=f"{server.url}/rest/1/{HOOK_CODE}/"), said.append)
        assert any(line.startswith("missing: access of an application, not of a webhook. This portal") for line in said)
        async with engine.connect() as connection:
            kept = (
                await connection.execute(text("select cast(crm_connections as text) from crm_connections"))
            ).scalar()
        assert HOOK_CODE not in str(kept)
        other = replace(wanted_of(server, webhook=f"{server.url}/rest/1/wrong/"), key="b25")
        with pytest.raises(UserFault, match="NO_AUTH_FOUND"):
            await crm_setup.add(settings, other, said.append)
        with pytest.raises(UserFault, match="--portal: is required: portal, client, client_secret / webhook"):
            await crm_setup.add(settings, replace(other, settings={"user": "1"}, secrets={}), said.append)
        async with engine.connect() as connection:
            assert (await connection.execute(text("select key from crm_connections"))).scalars().all() == ["b24"]
