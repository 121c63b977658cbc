"""What may be seen and heard, by whom, and that the API is what its description says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from aiohttp import ClientSession, web
from sqlalchemy import delete, event, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from directory.tables import sessions, tokens
from directory.tables import users as logins
from telephony.clocks import keep
from tests.fakes.office import until
from tests.fakes.site import Site, open_site
from tests.fakes.story import SUPPORT, Told
from web import desk, guard, health, users, watching
from web.background import read_live
from web.live import LIVE
from web.render import render
from web.services import Part
from web.sessions import Viewer
from web.tables import listens

SAID = [("staff", "Компания Ромашка добрый день"), ("caller", "Здравствуйте хочу посмотреть квартиру")]
API = "/api/v1"


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """The web role with its house."""
    async with open_site(engine, tmp_path) as opened:
        yield opened


async def talk(site: Site, **how: Any) -> Told:
    """An answered call with its recording and text."""
    call = Told(site.engine, **how)
    await call.arrives()
    await call.rings("PJSIP/anna-desk", "PJSIP/boris-soft")
    await call.answers("PJSIP/anna-desk")
    await call.hangs_up(after=10)
    await call.keeps(site.store, SAID)
    return call


async def missed(site: Site, *devices: str, **how: Any) -> Told:
    """A call that nobody answered, and the promise to call back."""
    call = Told(site.engine, **how)
    await call.arrives()
    await call.rings(*(devices or ("PJSIP/anna-desk",)))
    await call.hangs_up(after=30)
    await call.is_promised()
    return call


async def told(client: ClientSession, path: str, status: int = 200) -> Any:
    """The JSON of an answer."""
    response = await client.get(API + path)
    assert response.status == status, await response.text()
    return await response.json(content_type=None)


async def test_a_recording_is_for_those_who_may_hear_it(site: Site) -> None:
    """401 for the unknown, 403 for another team, sound for the team and the head."""
    call = await talk(site)
    path = f"{API}/calls/{call.id}/recording"
    for login, status in ((None, 401), ("gleb", 403), ("olga", 403), ("anna", 200), ("boris", 200), ("vera", 200)):
        async with site.visitor(login) as client:
            for part in ("", "?side=caller", "?side=staff", "/outline"):
                response = await client.get(path + part)
                assert response.status == status, (login, part)


async def test_every_listening_is_written_down(site: Site) -> None:
    """Who, what and from where, before the first byte; a refused one is none."""
    call = await talk(site)
    for login in ("anna", "gleb"):
        async with site.visitor(login) as client:
            await client.get(f"{API}/calls/{call.id}/recording?side=caller")
            await client.get(f"{API}/calls/{call.id}/recording")
            await client.get(f"{API}/calls/{call.id}/transcript")
    async with site.engine.connect() as connection:
        rows = (await connection.execute(select(listens).order_by(listens.c.id))).all()
    assert [(row.login, row.what) for row in rows] == [("anna", "caller"), ("anna", "both"), ("anna", "transcript")]
    assert {(row.call_id, str(row.address)) for row in rows} == {(call.id, "127.0.0.1")}


async def test_a_listening_through_a_proxy_names_the_client(engine: AsyncEngine, tmp_path: Path) -> None:
    """Not the proxy, and not what the client claims."""
    async with open_site(engine, tmp_path, trusted_proxies=[ip_network("127.0.0.1/32")]) as site:
        call = await talk(site)
        async with site.visitor("anna", **{"X-Forwarded-For": "10.9.9.9, 2001:db8::7"}) as client:
            assert (await client.get(f"{API}/calls/{call.id}/transcript")).status == 200
        async with site.engine.connect() as connection:
            assert str(await connection.scalar(select(listens.c.address))) == "2001:db8::7"


@pytest.mark.parametrize("side", ["both", "caller", "staff"])
async def test_any_range_of_a_recording_is_the_same_as_that_part_of_the_whole(site: Site, side: str) -> None:
    """First bytes, a middle at odd offsets, a tail, beyond the end, and HEAD."""
    call = await talk(site)
    path = f"{API}/calls/{call.id}/recording?side={side}"
    async with site.visitor("anna") as client:
        response = await client.get(path)
        whole = await response.read()
        assert response.headers["Content-Type"] == "audio/wav"
        assert response.headers["Accept-Ranges"] == "bytes"
        assert whole[:4] == b"RIFF"
        size = len(whole)
        for asked, start, stop in (
            ("0-99", 0, 100),
            ("37-4001", 37, 4002),
            ("1001-1001", 1001, 1002),
            (f"{size - 7}-", size - 7, size),
            ("-333", size - 333, size),
            (f"5000-{size * 2}", 5000, size),
        ):
            response = await client.get(path, headers={"Range": f"bytes={asked}"})
            assert response.status == 206, asked
            assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{size}"
            assert await response.read() == whole[start:stop], asked
        response = await client.get(path, headers={"Range": f"bytes={size}-"})
        assert (response.status, response.headers["Content-Range"]) == (416, f"bytes */{size}")
        response = await client.head(path)
        assert (response.status, response.headers["Content-Length"]) == (200, str(size))


async def test_a_lost_file_is_not_found_and_nothing_breaks(site: Site) -> None:
    """The row says stored, the disk says no: 404, in words."""
    call = await talk(site)
    for file in site.store.rglob("*.wav"):
        file.unlink()
    async with site.visitor("anna") as client:
        for part in ("", "?side=caller", "/outline"):
            problem = await told(client, f"/calls/{call.id}/recording{part}", 404)
            assert problem["title"] == "Not Found"


async def test_each_sees_what_they_may(site: Site) -> None:
    """A manager: own and team's; a head: all; an operator: what goes on now."""
    sales = await talk(site)
    support = Told(site.engine, line=SUPPORT, number="79165550102")
    await support.arrives()
    await support.rings("PJSIP/gleb-desk")
    expected = {
        "anna": {sales.id},
        "boris": {sales.id},
        "gleb": {support.id},
        "vera": {sales.id, support.id},
        "olga": {support.id},
    }
    for login, ids in expected.items():
        async with site.visitor(login) as client:
            items = (await told(client, "/calls"))["items"]
            assert {item["id"] for item in items} == {str(id_) for id_ in ids}, login
            for call in (sales, support):
                status = 200 if call.id in ids else 403
                for part in ("", "/timeline", "/decision"):
                    await told(client, f"/calls/{call.id}{part}", status)


async def test_pages_of_calls_have_every_call_once(site: Site) -> None:
    """The cursor goes through all, newest first, also when calls begin in the same instant."""
    first = Told(site.engine)
    for _ in range(7):
        call = Told(site.engine, at=first.at)
        await call.arrives()
    async with site.visitor("vera") as client:
        seen, cursor = [], ""
        while True:
            page = await told(client, f"/calls?limit=3{cursor}")
            seen += [item["id"] for item in page["items"]]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        assert len(seen) == len(set(seen)) == 7


async def test_filters_leave_what_was_asked_for(site: Site) -> None:
    """By time, number, result and person."""
    call = await talk(site)
    missed = Told(site.engine, number="79165550102")
    await missed.arrives()
    await missed.hangs_up(after=3)
    async with site.visitor("vera") as client:
        for query, ids in (
            ("status=missed", [missed.id]),
            ("person=anna", [call.id]),
            ("number=%2B7+916+555", [missed.id]),
            ("number=89161234567", [call.id]),
            ("since=2100-01-01T00:00:00Z", []),
            ("until=2001-01-01T00:00:00%2B03:00", []),
            ("line=74951234567&status=answered", [call.id]),
        ):
            items = (await told(client, f"/calls?{query}"))["items"]
            assert [item["id"] for item in items] == [str(id_) for id_ in ids], query


async def test_a_query_that_cannot_be_read_is_a_named_problem(site: Site) -> None:
    """The name of the parameter is in the detail; nothing is guessed."""
    async with site.visitor("vera") as client:
        for query in ("limit=0", "limit=x", "since=yesterday", "since=2026-01-01T00:00:00", "status=lost", "cursor=x"):
            problem = await told(client, f"/calls?{query}", 400)
            assert problem["detail"].startswith(query.partition("=")[0]), query
        assert (await told(client, "/calls?colour=red", 400))["detail"].startswith("colour")
        for query in ("calls?line=%00", "calls?since=0001-01-01T00:00:00%2B14:00", "leads?cursor=99999999999999999999"):
            assert (await told(client, f"/{query}", 400))["detail"].startswith(
                query.partition("?")[2].partition("=")[0]
            )
        assert (await client.get("/calls?line=%00")).status == 400
        for path in ("/calls/none", "/calls/2f0c1a52-0000-4000-8000-000000000000", "/nowhere"):
            assert (await told(client, path, 404))["status"] == 404
        assert (await client.post(f"{API}/leads")).status == 405
        assert (await client.get("/calls?from=31.12.2026")).status == 400
        for query, status in (
            ("to=9999-12-31", 400),
            ("from=9999-12-31", 200),
            ("to=9999-12-30", 200),
            ("from=0001-01-01", 400),
            ("from=0001-01-02&to=0001-01-02", 200),
        ):
            assert (await client.get(f"/calls?{query}")).status == status, query


async def test_promises_are_for_their_owners_and_the_head(site: Site) -> None:
    """A manager sees their own, a head all; filters and pages hold, and the history is there."""
    await missed(site)
    await missed(site, "PJSIP/boris-soft", number="79161234568")
    await missed(site, "PJSIP/gleb-desk", number="79161234569", line=SUPPORT)
    for login, owners in (("anna", ["anna"]), ("boris", ["boris"]), ("vera", ["gleb", "boris", "anna"]), ("olga", [])):
        async with site.visitor(login) as client:
            page = await told(client, "/follow-ups")
            assert [item["owner"] for item in page["items"]] == owners, login
    async with site.visitor(None) as client:
        assert (await client.get(API + "/follow-ups")).status == 401
    async with site.visitor("vera") as client:
        first = await told(client, "/follow-ups?limit=2")
        rest = await told(client, f"/follow-ups?limit=2&cursor={first['next']}")
        assert ([len(first["items"]), len(rest["items"])], rest["next"]) == ([2, 1], None)
        assert [item["number"] for item in (await told(client, "/follow-ups?owner=boris"))["items"]] == ["79161234568"]
        assert len((await told(client, f"/follow-ups?line={SUPPORT}&open=true"))["items"]) == 1
        assert (await told(client, "/follow-ups?open=false"))["items"] == []
        assert (await told(client, "/follow-ups?overdue=true"))["items"] == []
        assert [action["what"] for action in first["items"][0]["history"]] == ["opened", "given"]
        await told(client, "/follow-ups?open=perhaps", 400)


async def test_a_head_closes_a_promise_for_a_reason_that_is_kept(site: Site) -> None:
    """Nobody else does; one that is closed stands as it is, whoever closes it again."""
    await missed(site)
    async with site.visitor("vera") as client:
        (promise,) = (await told(client, "/follow-ups"))["items"]
        close = f"{API}/follow-ups/{promise['id']}/close"
        for body in ({}, {"reason": ""}, {"reason": "  "}, {"reason": "a\nb"}, {"reason": "x" * 201}):
            async with client.post(close, json=body) as response:
                assert response.status == 400
                assert (await response.json())["detail"].startswith("reason: ")
        for number in (promise["id"] + 1, 2**63, "one"):
            async with client.post(f"{API}/follow-ups/{number}/close", json={"reason": "спам"}) as response:
                assert response.status == 404
    for login, status in (("anna", 403), ("olga", 403), (None, 401)):
        async with site.visitor(login) as client, client.post(close, json={"reason": "спам"}) as response:
            assert response.status == status
    async with site.visitor("vera") as client:
        assert (await told(client, "/follow-ups"))["items"] == [promise]
        async with client.post(close, json={"reason": "ошиблись номером"}) as response:
            closed = await response.json()
        assert (response.status, closed["closed_by"], closed["overdue"]) == (200, "hand", False)
        last = closed["history"][-1]
        assert (last["who"], last["what"], last["why"]) == ("vera", "closed", "ошиблись номером")
        async with client.post(close, json={"reason": "другая причина"}) as response:
            assert await response.json() == closed


async def test_the_stream_tells_what_goes_on_and_what_changes(site: Site) -> None:
    """First the calls that go on, then each change, for those who may know."""
    call = Told(site.engine)
    await call.arrives()
    async with site.visitor("anna") as client, client.get(f"{API}/stream") as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        assert str(call.id).encode() in await response.content.readuntil(b"\r\n\r\n")
        await call.rings("PJSIP/anna-desk")
        await call.answers("PJSIP/anna-desk")
        while b'"talking"' not in (told_now := await response.content.readuntil(b"\r\n\r\n")):
            assert b"event: call" in told_now


async def test_any_number_of_web_processes_tell_the_same(site: Site, tmp_path: Path) -> None:
    """A login of one is good at the other, and both tell each change; who reconnects to the other misses nothing."""
    other = Site(site.engine, tmp_path)
    await other.start()
    cookie = {"Cookie": f"switchhook={await site.session('anna')}"}
    call = Told(site.engine)
    try:
        async with (
            asyncio.timeout(20),
            ClientSession(headers=cookie) as client,
            client.get(f"{site.url}{API}/stream") as at_one,
            client.get(f"{other.url}{API}/stream") as at_other,
        ):
            await call.arrives()
            for response in (at_one, at_other):
                assert str(call.id).encode() in await response.content.readuntil(b"\r\n\r\n")
            await site.stop()
            await call.rings("PJSIP/anna-desk")
            while b'"anna"' not in (heard := await at_other.content.readuntil(b"\r\n\r\n")):
                assert b"event: call" in heard
            async with client.get(f"{other.url}{API}/stream") as again:
                assert b'"anna"' in await again.content.readuntil(b"\r\n\r\n")
    finally:
        await other.stop()


STREAMS = (
    *(f"{API}/stream", "/desk/stream", "/leads/board/stream", "/missed/stream"),
    *("/head/stream", "/wallboard/stream"),
)


@pytest.mark.parametrize("path", STREAMS)
async def test_a_silent_stream_has_a_heartbeat(site: Site, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """A comment, which says to proxies and browsers that it is well."""
    assert watching.HEARTBEAT_SECONDS == 15
    monkeypatch.setattr(watching, "HEARTBEAT_SECONDS", 0.05)
    async with site.visitor("vera") as client, client.get(path) as response, asyncio.timeout(10):
        beats = 0
        while beats < 2:
            beats += (await response.content.readline()).startswith(b": ping")


async def test_so_many_streams_of_a_login_and_of_a_screen_are_open_at_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever they show; a page that is closed makes room at once, and others have their own."""
    monkeypatch.setattr(watching, "STREAMS_MOST", len(STREAMS))
    async with site.visitor("vera") as vera, site.visitor("anna") as anna, site.visitor() as screen:
        async with vera.post("/wallboard", data={"do": "make", "label": "Зал", "team": "sales"}) as made:
            wall = re.findall(r"(/wall/[\w-]+)", await made.text())[-1]

        async def knock(client: ClientSession, path: str) -> int:
            async with client.get(path) as response:
                return response.status

        async with asyncio.timeout(30):
            for client, paths in ((vera, STREAMS), (screen, [f"{wall}/stream"] * len(STREAMS))):
                opened = [await client.get(path) for path in paths]
                assert [one.status for one in opened] == [200] * len(STREAMS)
                assert {await knock(client, path) for path in paths} == {429}
                assert await knock(anna, "/desk/stream") == 200
                opened[0].close()
                while await knock(client, paths[0]) != 200:
                    await asyncio.sleep(0.02)
                for one in opened:
                    one.close()


async def test_a_page_that_was_just_woken_takes_what_happens_meanwhile_as_one(site: Site) -> None:
    """The first change at once; ten more within a tenth of a second are one."""
    live = site.app[LIVE]
    call = Told(site.engine)
    await call.arrives()
    page = live.open(lambda _call: True)
    try:
        while not live.calls:
            await page.wait(5)
        await page.wait(0.2)
        began, looks = monotonic(), 0
        busy = asyncio.create_task(busy_house(site))
        while monotonic() < began + 1:
            await page.wait(5)
            looks += 1
        busy.cancel()
        assert looks <= 12
        assert page.calls == live.calls
    finally:
        live.close(page)


async def test_a_call_of_others_is_drawn_once_for_all_who_see_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anew when it changes; and who called is not asked for again when a talk is over."""
    drawn: list[str] = []

    def counted(template: str, language: str, **context: Any) -> str:
        drawn.append(f"{template} {context['call'].status}")
        return render(template, language, **context)

    monkeypatch.setattr(desk, "render", counted)
    call, asked = Told(site.engine), list[str]()
    await call.arrives()
    await call.rings("PJSIP/anna-desk")
    async with site.visitor("boris") as boris, site.visitor("vera") as vera:
        for status in ("ringing", "talking"):
            if status == "talking":
                await call.answers("PJSIP/anna-desk")
            await until(partial(is_so, site, status))
            for client in (boris, vera, boris):
                assert f'id="other-{call.id}"' in await (await client.get("/")).text()
    # A notice of what was read already may come late, and has a call read and drawn once more.
    assert list(dict.fromkeys(drawn)) == ["other.html ringing", "other.html talking"]
    assert len(drawn) <= 4
    event.listen(site.engine.sync_engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    await call.hangs_up()
    await until(lambda: all(one.ended_at for one in site.app[LIVE].calls.values()))
    assert any("calls.direction" in one for one in asked)
    assert not any("party_numbers" in one for one in asked)


async def test_the_calls_that_go_on_are_found_by_the_time_they_began(site: Site) -> None:
    """However many there ever were; how far the clocks of PBXes are from ours is known before the first of them."""
    async with site.engine.begin() as connection:
        await keep(connection, "main", -90.0)
        await keep(connection, "branch", 30.0)
        past = "select 'main', '{}', 'inbound', 'missed', now() - n * interval '1 hour', now() - n * interval '1 hour'"
        into = "insert into calls (pbx, state, direction, status, started_at, ended_at)"
        await connection.execute(text(f"{into} {past} from generate_series(24, 20000) n"))
        await connection.execute(text("analyze calls"))
    call = Told(site.engine, at=datetime.now(UTC) - timedelta(hours=5, minutes=59, seconds=60))
    await call.arrives()
    statements: list[tuple[str, Any]] = []
    event.listen(site.engine.sync_engine, "before_cursor_execute", lambda *told: statements.append(told[2:4]))
    async with site.engine.connect() as connection:
        assert [one.id for one in await read_live(connection)] == [call.id]
        asked, values = next(told for told in statements if "calls.ended_at IS NULL" in told[0])
        driver: Any = (await connection.get_raw_connection()).driver_connection
        plan = "\n".join(row[0] for row in await driver.fetch(f"explain {asked}", *values))
    assert re.search(r"Index Cond: \(+started_at > ", plan), plan
    foreseen = re.search(r"rows=(\d+)", plan)
    assert int(foreseen[1] if foreseen else "1000") < 10, plan  # of what seems many, all calls are read


def is_so(site: Site, status: str) -> bool:
    """Whether the pages know one call, and that it is so far."""
    return [call.status for call in site.app[LIVE].calls.values()] == [status]


async def busy_house(site: Site) -> None:
    """Something changes all the time."""
    live = site.app[LIVE]
    while True:
        live._tell(list(live.calls.values()), monotonic())
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("door", ["cookie", "token"])
async def test_a_stream_ends_with_its_right_on_a_busy_house(
    site: Site, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    """Though something changes all the time, the login's end is seen; until then the stream goes on."""
    monkeypatch.setattr(watching, "CHECK_SECONDS", 0.3)
    call = Told(site.engine)
    await call.arrives()
    async with site.engine.begin() as connection:
        token = await users.create_token(connection, "anna", "wall")

    who = site.visitor("anna") if door == "cookie" else site.visitor(Authorization=f"Bearer {token}")
    async with who as client, client.get(f"{API}/stream") as response, asyncio.timeout(30):
        await response.content.readuntil(b"\r\n\r\n")
        busy = asyncio.create_task(busy_house(site))
        until = monotonic() + 1.0
        while monotonic() < until:
            await response.content.readuntil(b"\r\n\r\n")
        ends = update(tokens).values(revoked_at=func.now()) if door == "token" else delete(sessions)
        async with site.engine.begin() as connection:
            await connection.execute(ends)
        while await response.content.readline():
            assert not busy.done()
        busy.cancel()


async def test_a_desk_ends_with_its_login_on_a_busy_house(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for the pages."""
    monkeypatch.setattr(watching, "CHECK_SECONDS", 0.3)
    call = Told(site.engine)
    await call.arrives()
    await call.rings("PJSIP/anna-desk")
    async with site.visitor("anna") as client, client.get("/desk/stream") as response, asyncio.timeout(30):
        await response.content.readuntil(b"\r\n\r\n")
        async with site.engine.begin() as connection:
            await connection.execute(update(logins).values(disabled_at=func.now()))

        busy = asyncio.create_task(busy_house(site))
        while await response.content.readline():
            assert not busy.done()
        busy.cancel()


async def test_a_stream_follows_the_rights_of_its_viewer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever becomes a manager of another team sees no more of this one's calls."""
    monkeypatch.setattr(watching, "CHECK_SECONDS", 0.1)
    roles: list[str] = []

    async def looked(request: web.Request) -> Viewer | None:
        viewer = await guard.viewer_of(request)
        roles.append(viewer.role if viewer else "")
        return viewer

    monkeypatch.setattr(watching, "viewer_of", looked)
    call, other = Told(site.engine), Told(site.engine, line=SUPPORT, number="79165550102")
    await call.arrives()
    async with site.visitor("vera") as client, client.get(f"{API}/stream") as response, asyncio.timeout(30):
        await response.content.readuntil(b"\r\n\r\n")
        async with site.engine.begin() as connection:
            await connection.execute(
                update(logins).where(logins.c.login == "vera").values(role="manager", person_key="gleb")
            )
        while roles.count("manager") < 2:  # the second look begins when the first is over
            await asyncio.sleep(0.02)
        await call.rings("PJSIP/anna-desk")
        await other.arrives()
        heard = await response.content.readuntil(b"\r\n\r\n")
        # The arrival may have been told twice while the viewer was still a head; what came later is not told.
        while str(other.id).encode() not in heard:
            assert b'"anna"' not in heard
            heard = await response.content.readuntil(b"\r\n\r\n")


async def test_readiness_names_the_part(site: Site) -> None:
    """Nobody has to log in to ask."""
    async with site.visitor() as client:
        assert (await client.get("/healthz")).status == 200
        response = await client.get("/readyz")
        assert set((await response.json())["parts"]) == {"pages"}


async def test_readiness_gives_its_reasons_to_those_who_are_logged_in(engine: AsyncEngine, tmp_path: Path) -> None:
    """The unknown read names and flags, and why only the others; many who ask make the work of one."""
    asked = []

    async def parts() -> list[Part]:
        asked.append(monotonic())
        return [Part("pbx main", ready=False, reason="10.1.2.3: wrong secret"), Part("database", ready=True)]

    async with open_site(engine, tmp_path, readiness=parts) as site:
        until = monotonic() + 10
        while not site.listening and monotonic() < until:
            await asyncio.sleep(0.02)
        async with site.visitor() as client, site.visitor("olga") as known:
            await asyncio.gather(*(client.get("/readyz") for _ in range(10)))
            assert len(asked) <= 2
            response = await client.get("/readyz")
            assert response.status == 503
            told_now = (await response.json())["parts"]
            assert told_now == {"pbx main": {"ready": False}, "database": {"ready": True}, "pages": {"ready": True}}
            told_now = (await (await known.get("/readyz")).json())["parts"]
            assert told_now["pbx main"] == {"ready": False, "reason": "10.1.2.3: wrong secret"}
            await asyncio.sleep(health.FRESH_SECONDS)
            before = len(asked)
            await client.get("/readyz")
            assert len(asked) == before + 1
