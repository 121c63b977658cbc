"""The archive of a call, to whoever may hear it: whole, in parts, and one side of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from aiohttp import ClientSession
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from recordings import opus
from recordings.archive_rows import Archive, archive_of
from recordings.archiving import ArchivingJobs
from recordings.processes import Processes
from recordings.store import Store
from tests.fakes.bucket import serving
from tests.fakes.site import Site, open_site
from tests.fakes.story import Told
from web.tables import listens

API = "/api/v1"
SAID = [("staff", "Компания Ромашка добрый день"), ("caller", "Здравствуйте хочу посмотреть квартиру на Лесной")]


@pytest.fixture(scope="module")
async def processes() -> AsyncIterator[Processes]:
    """One process that makes the archives of this file."""
    told = Processes(1)
    yield told
    await told.close()


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """The pages over a store in a folder."""
    async with open_site(engine, tmp_path / "store") as site:
        yield site


async def talked(site: Site) -> Told:
    """An answered call with its recording and text."""
    call = Told(site.engine, at=datetime.now(UTC) - timedelta(minutes=10))
    await call.arrives(owner="anna")
    await call.rings("PJSIP/anna-desk")
    await call.answers("PJSIP/anna-desk")
    await call.hangs_up(after=12)
    await call.keeps(site.store, SAID)
    return call


async def archived(site: Site, call: Told, processes: Processes, store: Store | None = None) -> Archive:
    """Its archive, made as the worker makes it."""
    assert call.id is not None
    kept = store or Store.in_folder(site.store)
    await ArchivingJobs(engine=site.engine, store=kept, processes=processes).archive(call.id, 0)
    async with site.engine.connect() as connection:
        made = await archive_of(connection, call.id)
    assert made is not None
    return made


async def answer(client: ClientSession, path: str, **headers: str) -> int:
    """What the answer is, once it is read whole."""
    async with client.get(path, headers=headers) as response:
        await response.read()
        return response.status


async def test_the_archive_is_sent_whole_and_in_any_part(site: Site, processes: Processes) -> None:
    """Its very bytes; a part only of that very file; nothing again to whoever has it."""
    call = await talked(site)
    made = await archived(site, call, processes)
    whole = (site.store / made.path).read_bytes()
    path = f"{API}/calls/{call.id}/recording"
    async with site.visitor("anna") as client:
        response = await client.get(path)
        assert (response.status, await response.read()) == (200, whole)
        assert response.headers["Content-Type"] == "audio/ogg"
        assert response.headers["Cache-Control"] == "private, no-store"
        tag, size = response.headers["ETag"], len(whole)
        for asked, start, stop in (("0-99", 0, 100), ("37-401", 37, 402), ("-33", size - 33, size), ("9-", 9, size)):
            response = await client.get(path, headers={"Range": f"bytes={asked}", "If-Range": tag})
            assert response.status == 206, asked
            assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{size}"
            assert await response.read() == whole[start:stop], asked
        response = await client.get(path, headers={"Range": "bytes=0-9", "If-Range": '"another"'})
        assert (response.status, len(await response.read())) == (200, size)
        response = await client.get(path, headers={"Range": f"bytes={size}-"})
        assert (response.status, response.headers["Content-Range"]) == (416, f"bytes */{size}")
        response = await client.head(path)
        assert (response.status, response.headers["Content-Length"]) == (200, str(size))
        assert await answer(client, path, **{"If-None-Match": tag}) == 304


async def test_what_is_drawn_and_shown_comes_from_the_archive(site: Site, processes: Processes) -> None:
    """The outline before and after is the same talk, and the page knows its length."""
    call = await talked(site)
    async with site.visitor("anna") as client:
        before = await (await client.get(f"{API}/calls/{call.id}/recording/outline")).json()
        made = await archived(site, call, processes)
        after = await (await client.get(f"{API}/calls/{call.id}/recording/outline")).json()
        assert after == {"seconds": made.seconds, **made.outline}
        assert abs(before["seconds"] - after["seconds"]) < 0.01
        assert np.corrcoef(before["caller"], after["caller"])[0, 1] > 0.99
        page = await (await client.get(f"/calls/{call.id}")).text()
    assert f'max="{made.seconds}"' in page
    assert f'download="{call.id}.ogg"' in page


@pytest.mark.parametrize("query, sides", [("side=staff", ("staff",)), ("channel={uid}", opus.SIDES)])
async def test_one_side_or_channel_of_the_archive_is_sent_as_wav(
    site: Site, processes: Processes, query: str, sides: tuple[str, ...]
) -> None:
    """Decoded as it is sent; of a channel that is not in it nothing."""
    call = await talked(site)
    made = await archived(site, call, processes)
    async with site.visitor("anna") as client:
        response = await client.get(f"{API}/calls/{call.id}/recording?{query.format(uid=call.uid)}")
        sound = await response.read()
        assert (response.status, response.headers["Content-Type"]) == (200, "audio/wav")
        assert len(sound) == int(response.headers["Content-Length"]) == 44 + round(made.seconds * 8000) * 2 * len(sides)
        told = np.frombuffer(sound[44:], np.int16).reshape(-1, len(sides)).T
        decoded = np.concatenate(list(opus.decode(site.store / made.path)), axis=1)
        for side, samples in zip(sides, told, strict=True):
            assert np.array_equal(samples, decoded[opus.SIDES.index(side)][: len(samples)])
        assert await answer(client, f"{API}/calls/{call.id}/recording?channel=9.9") == 404


async def test_listening_to_the_archive_is_written_down_and_for_the_rightful_alone(
    site: Site, processes: Processes
) -> None:
    """401, 403, and of those who may each hearing is kept."""
    call = await talked(site)
    await archived(site, call, processes)
    for login, status in ((None, 401), ("gleb", 403), ("anna", 200)):
        async with site.visitor(login) as client:
            for part in ("", "?side=staff", f"?channel={call.uid}", "/outline"):
                assert await answer(client, f"{API}/calls/{call.id}/recording{part}") == status, (login, part)
    async with site.engine.connect() as connection:
        rows = (await connection.execute(select(listens.c.login, listens.c.what).order_by(listens.c.id))).all()
    assert [tuple(row) for row in rows] == [("anna", "both"), ("anna", "staff"), ("anna", "both")]


async def test_a_lost_archive_is_not_found(site: Site, processes: Processes) -> None:
    """In words, before the first byte."""
    call = await talked(site)
    (site.store / (await archived(site, call, processes)).path).unlink()
    async with site.visitor("anna") as client:
        for part in ("", "?side=staff"):
            assert await answer(client, f"{API}/calls/{call.id}/recording{part}") == 404, part


async def test_pages_play_from_a_bucket_and_say_when_it_is_away(
    engine: AsyncEngine, tmp_path: Path, processes: Processes
) -> None:
    """The sides before, the archive after; a bucket that nobody serves any more is trouble of ours, not of the call."""
    with ExitStack() as server:
        store = Store.in_bucket(server.enter_context(serving(tmp_path / "s3")))
        async with open_site(engine, tmp_path / "local", recordings=store) as site, site.visitor("anna") as client:
            call = await talked(site)
            await _move(tmp_path / "local", store)
            path = f"{API}/calls/{call.id}/recording"
            response = await client.get(path, headers={"Range": "bytes=40-4043"})
            assert (response.status, len(await response.read())) == (206, 4004)
            assert await answer(client, f"{path}/outline") == 200
            made = await archived(site, call, processes, store)
            assert [one.path async for one in store.walk()] == [made.path]
            response = await client.get(path, headers={"Range": "bytes=0-3"})
            assert (response.status, await response.read()) == (206, b"OggS")
            assert await answer(client, f"{path}?side=caller") == 200
            await asyncio.to_thread(server.close)
            for part in ("", "?side=caller"):
                assert await answer(client, f"{path}{part}") == 503, part


async def _move(folder: Path, store: Store) -> None:
    """What lies in a folder, put into a bucket under the same names."""
    for path in folder.rglob("*.wav"):
        await store.put_bytes(str(path.relative_to(folder)), path.read_bytes())
