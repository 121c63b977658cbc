"""Click-to-call by the API: who may have whom call, once a key, and a refusal that says why."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from sqlalchemy.ext.asyncio import AsyncEngine

from routing.placing import FAILURES
from routing.requests import ASKED_PER_MINUTE_MOST
from tests.fakes.site import Site, open_site
from web.api.operations import PREFIX as API
from web.words import LANGUAGES, say

CLIENT = "8 916 123-45-67"


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(engine, tmp_path) as running:
        yield running


async def call(client: ClientSession, status: int, key: str | None = None, **body: object) -> dict[str, Any]:
    """Ask for a call; the answer, or the problem."""
    headers = {"Idempotency-Key": key} if key is not None else {}
    async with client.post(f"{API}/calls", json=body, headers=headers) as response:
        told: dict[str, Any] = await response.json()
        assert response.status == status, told
        return told


async def test_a_manager_calls_as_themselves_and_follows_the_call(site: Site) -> None:
    async with site.visitor("anna") as client:
        told = await call(client, 202, to=CLIENT)
        assert (told["state"], told["to"], told["person"], told["purpose"]) == (
            "wanted",
            "79161234567",
            "anna",
            "click",
        )
        async with client.get(f"{API}/outgoing-calls/{told['id']}") as response:
            assert await response.json() == told
    async with site.visitor("gleb") as client:
        assert (await client.get(f"{API}/outgoing-calls/{told['id']}")).status == 403
        assert (await client.get(f"{API}/outgoing-calls/{told['id'][:-1]}")).status == 404


async def test_only_heads_have_others_call(site: Site) -> None:
    async with site.visitor("anna") as client:
        assert (await call(client, 403, to=CLIENT, from_person="boris"))["detail"].startswith("from_person")
    async with site.visitor("vera") as client:
        assert (await call(client, 202, to=CLIENT, from_person="boris"))["person"] == "boris"
        assert (await call(client, 400, to=CLIENT, from_person="nobody"))["detail"].startswith("from_person")
    async with site.visitor("olga") as client:
        assert (await call(client, 400, to=CLIENT))["detail"].startswith("from_person")
        await call(client, 403, to=CLIENT, from_person="anna")
    async with site.visitor() as client:
        await call(client, 401, to=CLIENT)


async def test_a_refusal_is_a_problem_with_its_reason(site: Site) -> None:
    """In the viewer's language, with a key that does not change."""
    async with site.visitor("anna") as client:
        told = await call(client, 422, to="+49 30 901820")
        assert (told["reason"], told["status"]) == ("international", 422)
        assert told["detail"] == say("ru", "not_called.international")
        assert (await call(client, 422, to="1"))["reason"] == "not_a_number"


async def test_a_key_sent_again_is_the_same_call(site: Site) -> None:
    async with site.visitor("anna") as client:
        first = await call(client, 202, key="a", to=CLIENT)
        assert await call(client, 202, key="a", to="+79161234567") == first
        await call(client, 409, key="a", to="+79161234568")
        assert (await call(client, 202, key="b", to=CLIENT))["id"] != first["id"]
        assert (await call(client, 400, key="x" * 201, to=CLIENT))["detail"].startswith("Idempotency-Key")


async def test_a_body_that_does_not_fit_is_a_named_problem(site: Site) -> None:
    async with site.visitor("anna") as client:
        for body in ({}, {"to": 5}, {"to": ""}, {"to": "1\0"}, {"to": CLIENT, "colour": "red"}, {"to": "1" * 41}):
            assert (await call(client, 400, **body))["detail"].split(":")[0] in {"to", "colour"}, body
        async with client.post(f"{API}/calls", data=b"{") as response:
            assert response.status == 400
        headers = {"Sec-Fetch-Site": "cross-site"}
        assert (await client.post(f"{API}/calls", json={"to": CLIENT}, headers=headers)).status == 403


def test_every_failure_has_words_in_both_languages() -> None:
    assert all(say(language, f"not_called.{key}") for key in FAILURES for language in LANGUAGES)


async def test_a_login_may_ask_for_so_many_calls_a_minute(site: Site) -> None:
    """Whatever becomes of them, emergency numbers too; the same key asked again is no new call."""
    async with site.visitor("anna") as client:
        first = await call(client, 202, "k", to="112")
        for _ in range(ASKED_PER_MINUTE_MOST - 1):
            await call(client, 422, to="8 809 123 45 67")
        assert (await call(client, 429, to="112"))["status"] == 429
        assert (await call(client, 202, "k", to="112"))["id"] == first["id"]
