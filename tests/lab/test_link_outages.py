"""The link when the PBX is away, hangs, dies, refuses the login, or is another program."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from service.pbx import Pbx
from telephony.pbx import LinkDown, LinkSettings
from tests.fakes.ami_proxy import AmiProxy
from tests.fakes.office import Office, until, working


@pytest.fixture
async def proxy(pbx: Pbx) -> AsyncIterator[AmiProxy]:
    async with AmiProxy(pbx.host, pbx.ami_port) as between:
        yield between


async def test_nothing_is_sent_again_after_a_reconnect(pbx: Pbx, proxy: AmiProxy) -> None:
    """An action that went into a broken connection fails, and the PBX never hears of it later."""
    office = Office(pbx, proxy, ping_deadline_seconds=5)
    async with working(office) as link:
        proxy.hang()
        lost = asyncio.create_task(office.say("once"))
        await until(lambda: any(b"once" in data for data in proxy.writes))
        proxy.drop()
        with pytest.raises(LinkDown):
            await lost
        proxy.resume()
        await until(lambda: link.state.connects_total == 2)
        await office.say("after")
        await until(lambda: "after" in office.texts())
    assert sum(data.count(b"once") for data in proxy.writes) == 1
    assert office.texts() == ["after"]


async def test_a_wrong_secret_is_said_once_and_tried_slowly(pbx: Pbx, proxy: AmiProxy) -> None:
    """The reason tells the remedy, readiness can show it, and the log is not filled with it."""
    office = Office(pbx, proxy, secret="wrong")
    with capture_logs() as logs:
        async with working(office, connected=False) as link:
            await until(lambda: link.state.login_refusals_total == 3)
            assert not link.state.connected
            assert "manager.conf" in link.state.reason
            with pytest.raises(LinkDown, match=r"manager\.conf"):
                await link.action({"Action": "Ping"})
    assert [line["event"] for line in logs] == ["not connected"]
    assert LinkSettings("main").login_retry_seconds >= 30


async def test_a_hung_pbx_is_noticed_and_left(pbx: Pbx, proxy: AmiProxy) -> None:
    """A PBX that keeps the connection and answers nothing is not taken for a quiet one."""
    office = Office(pbx, proxy)
    async with working(office) as link:
        proxy.hang()
        await until(lambda: not link.state.connected)
        assert "Ping" in link.state.reason
        proxy.resume()
        await until(lambda: link.state.connected)


async def test_a_stopped_asterisk_is_noticed_and_found_again() -> None:
    """The real process hangs, then lives on; then it is killed and started anew."""
    async with Pbx(phones=[]) as own, AmiProxy(own.host, own.ami_port) as proxy:
        office = Office(own, proxy)
        async with working(office) as link:
            own.suspend()
            await until(lambda: not link.state.connected)
            own.resume()
            await until(lambda: link.state.connected)
            await own.kill()
            await until(lambda: not link.state.connected)
            await own.start()
            await until(lambda: link.state.connected, 30)
            await office.say("again")
            await until(lambda: office.texts() == ["again"])


async def test_a_pbx_that_is_away_is_not_hammered(pbx: Pbx, proxy: AmiProxy) -> None:
    """Attempts grow apart, the reason is said once, and the PBX is found when it is back."""
    office = Office(pbx, proxy, backoff_first_seconds=0.1, backoff_most_seconds=5)
    with capture_logs() as logs:
        async with working(office) as link:
            before = proxy.connections
            proxy.close_at_once = True
            proxy.drop()
            await until(lambda: proxy.connections > before)
            await asyncio.sleep(1)
            assert proxy.connections - before <= 5
            proxy.close_at_once = False
            await until(lambda: link.state.connected)
    assert len([line for line in logs if line["event"] == "not connected"]) <= 2


async def test_closing_in_an_outage_leaves_nothing_behind(pbx: Pbx, proxy: AmiProxy) -> None:
    """No task, no timer, no further attempt, also in the middle of a long pause."""
    loop = asyncio.get_running_loop()
    tasks, timers = asyncio.all_tasks(), _timers(loop)
    office = Office(pbx, proxy, backoff_first_seconds=500, backoff_most_seconds=1000)
    async with working(office) as link:
        await proxy.refuse()
        await until(lambda: not link.state.connected)
    await proxy.listen()
    before = proxy.connections
    assert {task for task in asyncio.all_tasks() - tasks if "telephony" in repr(task)} == set()
    assert _timers(loop) <= timers
    await asyncio.sleep(0.2)
    assert proxy.connections == before


def _timers(loop: asyncio.AbstractEventLoop) -> int:
    """Timers far in the future, as a forgotten reconnect would be."""
    scheduled = getattr(loop, "_scheduled", [])
    return len([timer for timer in scheduled if not timer.cancelled() and timer.when() > loop.time() + 100])


async def test_several_pbxes_do_not_depend_on_each_other(pbx: Pbx, proxy: AmiProxy) -> None:
    """While one is away the other is heard."""
    async with AmiProxy(pbx.host, pbx.ami_port) as other:
        first, second = Office(pbx, proxy), Office(pbx, other)
        async with working(first) as one, working(second) as two:
            await other.refuse()
            await until(lambda: not two.state.connected)
            await first.say("alive")
            await until(lambda: first.texts() == ["alive"])
            assert one.state.connected
            await until(lambda: two.state.reason.startswith("cannot connect"))


async def test_what_is_no_manager_is_named_as_such(pbx: Pbx) -> None:
    """A wrong port gives a reason that helps."""

    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(web, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, AmiProxy("127.0.0.1", port) as proxy, working(Office(pbx, proxy), connected=False) as link:
        await until(lambda: "AMI port" in link.state.reason)
