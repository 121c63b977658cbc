"""What I say of myself, on my desk and through the doors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import ClientResponse
from sqlalchemy.ext.asyncio import AsyncEngine

from directory import presence_store
from directory.presence import Absence, StatusSet
from directory.presence_store import begin_wrap_up, send_away
from tests.fakes.site import Site, open_site


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """The web role with its house."""
    async with open_site(engine, tmp_path) as opened:
        yield opened


async def said(site: Site) -> dict[str, StatusSet]:
    async with site.engine.connect() as connection:
        return dict((await presence_store.read(connection)).statuses)


async def test_what_i_say_of_myself_is_kept_and_shown(site: Site) -> None:
    """For so many minutes, or until I say otherwise; and it is mine alone."""
    async with site.visitor("anna") as client:
        assert "На связи" in await (await client.get("/")).text()
        response = await client.post("/desk/status", data={"status": "do_not_disturb", "minutes": "30"})
        assert response.status == 200
        assert "Не беспокоить" in await response.text()
        told = (await said(site))["anna"]
        assert told.until is not None
        assert timedelta(minutes=29) < told.until - datetime.now(UTC) <= timedelta(minutes=30)
        await client.post("/desk/status", data={"status": "away", "minutes": ""})
        assert await said(site) == {"anna": StatusSet("away")}
        await client.post("/desk/status", data={"status": "available"})
        assert await said(site) == {"anna": StatusSet("available")}


@pytest.mark.parametrize(
    "login, form, status",
    [
        ("anna", {"status": "wrap_up"}, 400),
        ("anna", {"status": "on_the_moon"}, 400),
        ("anna", {"status": "away", "minutes": "100000"}, 400),
        ("anna", {"status": "away", "minutes": "-1"}, 400),
        ("anna", {}, 400),
        ("olga", {"status": "away"}, 403),
    ],
)
async def test_what_cannot_be_said_is_refused_and_changes_nothing(
    site: Site, login: str, form: dict[str, str], status: int
) -> None:
    async with site.visitor(login) as client:
        assert (await client.post("/desk/status", data=form)).status == status
    assert await said(site) == {}


async def test_another_site_and_the_unknown_say_nothing_for_me(site: Site) -> None:
    async with site.visitor("anna", **{"Sec-Fetch-Site": "cross-site"}) as client:
        assert (await client.post("/desk/status", data={"status": "away"})).status == 403
    async with site.visitor() as client:
        response = await client.post("/desk/status", data={"status": "away"}, allow_redirects=False)
        assert (response.status, response.headers["Location"].partition("?")[0]) == (303, "/login")
    assert await said(site) == {}


async def test_a_wrap_up_shows_by_itself_and_is_ended_by_being_ready(site: Site) -> None:
    """The open desk is told of it, and asks for the control anew."""
    async with site.visitor("anna") as client, asyncio.timeout(20):
        while not site.listening:
            await asyncio.sleep(0.01)
        async with client.get("/desk/stream") as stream:
            async with site.engine.begin() as connection:
                await begin_wrap_up(connection, "anna", datetime.now(UTC) + timedelta(minutes=1))
            async for line in stream.content:
                if line.startswith(b"event: status"):
                    break
        text = await (await client.get("/desk/status")).text()
        assert "Завершаю звонок" in text
        assert "load delay:" in text
        await client.post("/desk/status", data={"status": "available"})
        assert await said(site) == {"anna": StatusSet("available")}


async def test_the_absent_read_until_when(site: Site) -> None:
    now = datetime.now(UTC)
    async with site.engine.begin() as connection:
        await send_away(connection, "anna", Absence(0, now - timedelta(hours=1), now + timedelta(hours=5)))
    async with site.visitor("anna") as client:
        assert "Вас нет до: " in await (await client.get("/")).text()


async def test_a_login_without_a_person_has_no_status(site: Site) -> None:
    async with site.visitor("olga") as client:
        assert "На связи" not in await (await client.get("/")).text()
        assert (await client.get("/desk/status")).status == 200


async def test_the_api_says_it_for_oneself_and_for_others_only_by_heads(site: Site) -> None:
    """And tells of everybody whether they are there; a command that cannot be read names its field."""
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    async with site.visitor("anna") as client:
        response = await client.post("/api/v1/status", json={"status": "away", "until": until})
        assert (response.status, (await response.json())["person"]) == (200, "anna")
        assert (await client.post("/api/v1/status", json={"status": "away", "person": "boris"})).status == 403
        for body, named in (
            ({"status": "wrap_up"}, "status"),
            ({"status": "away", "until": "2026-11-23T10:00"}, "until"),
            ({"status": "away", "until": "2026-11-23T10:00Z"}, "until: must be in the future"),
            ({"status": "away", "mood": "low"}, "mood"),
        ):
            response = await client.post("/api/v1/status", json=body)
            assert response.status == 400
            assert named in (await response.json(content_type="application/problem+json"))["detail"]
        people = {it["key"]: it for it in (await (await client.get("/api/v1/people")).json())["items"]}
        assert (people["anna"]["there"], people["anna"]["status"]) == (False, "away")
        assert (people["boris"]["there"], people["boris"]["substitute"]) == (True, None)
    async with site.visitor("vera") as client:
        assert (await client.post("/api/v1/status", json={"status": "away", "person": "boris"})).status == 200
        assert (await client.post("/api/v1/status", json={"status": "away", "person": "bob"})).status == 400
    async with site.visitor("olga") as client:
        assert (await client.post("/api/v1/status", json={"status": "away"})).status == 400
    assert {key: it.status for key, it in (await said(site)).items()} == {"anna": "away", "boris": "away"}


async def problem(response: ClientResponse, status: int) -> str:
    assert response.status == status, await response.text()
    return str((await response.json(content_type="application/problem+json"))["detail"])


async def test_the_api_sends_oneself_away_and_others_only_by_heads(site: Site) -> None:
    """With who stands in; what cannot be names its field, and an absence that is over cannot be ended again."""
    now = datetime.now(UTC)
    span = {"from": (now - timedelta(hours=1)).isoformat(), "to": (now + timedelta(days=2)).isoformat()}
    wish = span | {"substitute": "boris", "reason": "отпуск"}
    async with site.visitor("anna") as client:
        response = await client.post("/api/v1/absences", json=wish)
        told = await response.json()
        assert response.status == 200
        assert told == wish | {"id": told["id"], "person": "anna", "from": told["from"], "to": told["to"]}
        people = {it["key"]: it for it in (await (await client.get("/api/v1/people")).json())["items"]}
        assert (people["anna"]["there"], people["anna"]["substitute"]) == (False, "boris")
        for body, named in (
            (wish, f"from: 'anna' is away then already, from {told['from'][:10]}"),
            (span | {"to": span["from"]}, "to: must be after from"),
            (span | {"to": "tomorrow"}, "to: "),
            ({"to": span["to"]}, "from: "),
        ):
            assert named in await problem(await client.post("/api/v1/absences", json=body), 400)
        await problem(await client.post("/api/v1/absences", json=span | {"person": "gleb"}), 403)
    async with site.visitor("vera") as client:
        refused = await client.post("/api/v1/absences", json=wish | {"person": "boris", "substitute": "anna"})
        assert "substitute: " in await problem(refused, 400)
        response = await client.post("/api/v1/absences", json=span | {"person": "gleb"})
        assert (await response.json())["person"] == "gleb"
        other = (await response.json())["id"]
    async with site.visitor("anna") as client:
        await problem(await client.post(f"/api/v1/absences/{other}/end", json={}), 403)
        ended = await (await client.post(f"/api/v1/absences/{told['id']}/end", json={})).json()
        assert datetime.fromisoformat(ended["to"]) < now + timedelta(minutes=1)
        again = await client.post(f"/api/v1/absences/{told['id']}/end", json={})
        assert "has no absence" in await problem(again, 400)
        for number in ("0", "x", "99999", str(2**70)):
            await problem(await client.post(f"/api/v1/absences/{number}/end", json={}), 404)
    async with site.visitor() as client:
        assert (await client.post("/api/v1/absences", json=wish)).status == 401
