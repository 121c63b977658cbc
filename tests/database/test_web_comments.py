"""Comments on a moment: for who may hear the call, deleted by their authors and heads, exported and removed with it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import ClientSession
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from directory import store
from directory.masking import Masking
from directory.retention import Retention
from recordings.comments import MOST, TEXT_MOST
from recordings.store import Store
from recordings.tables import comments
from service.removing import Remover
from service.retention import keep_to
from tests.fakes.site import Site, open_site
from tests.fakes.story import HOUSE, Told

API: Final = "/api/v1"


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """The web role with its house."""
    async with open_site(engine, tmp_path / "store") as opened:
        yield opened


async def talked(site: Site, ago: timedelta = timedelta(minutes=10)) -> Told:
    """A call of Anna's team with its sound and text."""
    call = Told(site.engine, at=datetime.now(UTC) - ago)
    await call.arrives()
    await call.rings("PJSIP/anna-desk")
    await call.answers("PJSIP/anna-desk")
    await call.hangs_up(after=10)
    await call.keeps(site.store, [("caller", "Здравствуйте сколько стоит"), ("staff", "Добрый день")])
    return call


async def told(client: ClientSession, path: str, wish: dict[str, Any] | None = None) -> tuple[int, Any]:
    """(status, JSON) of a GET, or with something to send a POST."""
    async with client.request("GET" if wish is None else "POST", f"{API}{path}", json=wish) as response:
        return response.status, await response.json()


async def test_a_comment_is_read_by_who_may_hear_and_deleted_by_its_author_and_heads(site: Site) -> None:
    """A colleague of the team sees it and cannot delete it; what is deleted leaves its words nowhere."""
    call = await talked(site)
    where = f"/calls/{call.id}/comments"
    async with site.visitor("anna") as anna, site.visitor("boris") as boris, site.visitor("vera") as vera:
        status, made = await told(anna, where, {"at": 1.256, "text": "  Назвать цену\r\nсразу "})
        assert (status, made["at"], made["by"], made["text"]) == (200, 1.26, "anna", "Назвать цену\nсразу")
        await told(anna, where, {"at": 0, "text": "Хорошее начало"})
        seen = (await told(boris, where))[1]["items"]
        assert [(one["at"], one["mine"]) for one in seen] == [(0.0, False), (1.26, False)]
        assert (await told(boris, f"/comments/{made['id']}/delete", {}))[0] == 403
        assert (await told(anna, f"/comments/{made['id']}/delete", {})) == (200, {"id": made["id"]})
        assert (await told(anna, f"/comments/{made['id']}/delete", {}))[0] == 404
        other = seen[0]["id"]
        assert (await told(vera, f"/comments/{other}/delete", {}))[0] == 200
        assert (await told(anna, where))[1] == {"items": []}
    async with site.engine.connect() as connection:
        asked = select(comments.c.text, comments.c.by, comments.c.deleted_by).order_by(comments.c.id)
        assert [tuple(row) for row in await connection.execute(asked)] == [
            (None, "anna", "anna"),
            (None, "anna", "vera"),
        ]


async def test_what_is_no_comment_is_refused_by_its_field(site: Site) -> None:
    """A moment outside the talk, no words, too many, what a terminal would obey; a call without any talk is 404."""
    call, silent = await talked(site), Told(site.engine)
    await silent.arrives()
    await silent.hangs_up(after=5)
    where = f"/calls/{call.id}/comments"
    async with site.visitor("anna") as client:
        for wish, field in (
            ({"at": 99.5, "text": "поздно"}, "at"),
            ({"at": 1, "text": " \n "}, "text"),
            ({"at": 1, "text": "сигнал\x1b[0m"}, "text"),
        ):
            status, problem = await told(client, where, wish)
            assert (status, problem["field"]) == (422, field)
        for wrong in ({"at": -1, "text": "рано"}, {"at": 1, "text": "о" * (TEXT_MOST + 1)}, {"text": "где"}):
            assert (await told(client, where, wrong))[0] == 400
        assert (await told(client, f"/calls/{silent.id}/comments", {"at": 0, "text": "тихо"}))[0] == 404
        async with site.engine.begin() as connection:
            row = {"call_id": call.id, "at": 1.0, "by": "boris", "text": "ещё"}
            await connection.execute(comments.insert(), [row] * MOST)
        status, problem = await told(client, where, {"at": 1, "text": "лишний"})
        assert (status, problem["field"]) == (422, "call")


async def test_who_may_not_hear_the_call_yet_reads_no_comment_on_it(site: Site) -> None:
    """Before its numbers are muted a call is heard by the one role that may; comments tell what is said there too."""
    call = await talked(site)
    where = f"/calls/{call.id}/comments"
    async with site.visitor("anna") as client:
        await told(client, where, {"at": 1, "text": "Диктует карту"})
        masks = replace(HOUSE, company=replace(HOUSE.company, masking=Masking()))
        async with site.engine.begin() as connection:
            await store.apply(connection, masks)
        await site.knows_anew()
        assert (await told(client, where))[0] == 403
        assert (await told(client, where, {"at": 1, "text": "ещё"}))[0] == 403
        page = await (await client.get(f"/calls/{call.id}")).text()
        assert "Диктует карту" not in page


async def test_the_page_says_beside_the_field_what_is_wrong_and_loses_nothing(site: Site) -> None:
    """A good one leads to its moment, and stands on the page as text."""
    call = await talked(site)
    page = f"/calls/{call.id}"
    async with site.visitor("anna") as client:
        form = {"at": "завтра", "text": "<b>Цена</b>"}
        async with client.post(f"{page}/comments", data=form) as response:
            body = await response.text()
            assert response.status == 400
        assert 'id="wrong-comment-at"' in body
        assert "&lt;b&gt;Цена&lt;/b&gt;</textarea>" in body
        async with client.post(f"{page}/comments", data=form | {"at": "0:01,5"}, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, f"{page}#t=1.5")
        body = await (await client.get(page)).text()
        assert 'data-start="1.5"' in body
        assert "&lt;b&gt;Цена&lt;/b&gt;" in body
        assert "<b>Цена</b>" not in body
        number = (await told(client, f"{page}/comments"))[1]["items"][0]["id"]
        async with client.post(f"/comments/{number}/delete", data={"call": str(call.id)}) as response:
            assert "Цена" not in await response.text()


async def test_comments_leave_with_the_call_by_export_and_by_policy(site: Site, tmp_path: Path) -> None:
    """The zip has them; when the text of talks is past its days, they are gone with it."""
    call = await talked(site, ago=timedelta(days=2))
    async with site.visitor("anna") as client:
        await told(client, f"/calls/{call.id}/comments", {"at": 1.5, "text": "Назвать цену"})
        body = await (await client.get(f"{API}/calls/{call.id}/export")).read()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        (kept,) = json.loads(archive.read("comments.json"))
    assert (kept["at"], kept["by"], kept["text"]) == (1.5, "anna", "Назвать цену")
    async with site.engine.begin() as connection:
        short = replace(HOUSE.company, retention=Retention(transcript_days=1))
        await store.apply(connection, replace(HOUSE, company=short))
    await keep_to(site.engine, Remover(Store.in_folder(site.store), {"main": tmp_path}), datetime.now(UTC))
    async with site.engine.connect() as connection:
        assert (await connection.execute(select(comments.c.id))).all() == []
