"""The link against a real Asterisk, through a proxy that cuts, delays and swallows."""

import logging
from collections.abc import AsyncIterator
from functools import partial

import pytest
from structlog.testing import capture_logs

from service.pbx import Pbx
from telephony.link import Link
from telephony.pbx import ActionRefused, ActionTimeout, LinkDown, Message, UnsafeValue
from tests.fakes.ami_proxy import AmiProxy
from tests.fakes.office import Office, until, working


@pytest.fixture
async def proxy(pbx: Pbx) -> AsyncIterator[AmiProxy]:
    async with AmiProxy(pbx.host, pbx.ami_port) as between:
        yield between


async def test_letters_cut_by_tcp_survive(pbx: Pbx, proxy: AmiProxy) -> None:
    """Names arrive whole though every byte comes in a read of its own."""
    office = Office(pbx, proxy)
    async with working(office):
        proxy.piece_bytes = 1
        await office.say("Щёголь Ёлкин", "你好 😀")
        await until(lambda: len(office.texts()) == 2)
    assert office.texts() == ["Щёголь Ёлкин", "你好 😀"]


async def test_a_consumers_exception_costs_its_own_event_alone(pbx: Pbx, proxy: AmiProxy) -> None:
    """The events after it, also of the same read, arrive, on the same connection; it is counted and said."""
    office = Office(pbx, proxy)

    def stumble(message: Message) -> None:
        if message.get("Text") == "2":
            raise RuntimeError("79161234567")
        office.heard.append(message)

    async with working(office) as link:
        office.deliver = stumble
        with capture_logs() as logs:
            await office.say("1", "2", "3")
            await until(lambda: "3" in office.texts())
        assert office.texts() == ["1", "3"]
        assert (link.state.deliver_errors_total, link.state.connects_total) == (1, 1)
    (line,) = [line for line in logs if line["log_level"] == "error"]
    assert line["error"] == "RuntimeError"


async def test_events_come_in_the_pbxs_order(pbx: Pbx, proxy: AmiProxy) -> None:
    """What is delivered is delivered in order, however it was cut."""
    office = Office(pbx, proxy, ping_deadline_seconds=10.0)  # so small pieces take a busy machine longer than usual
    texts = [str(number) for number in range(300)]
    async with working(office):
        proxy.piece_bytes = 37
        await office.say(*texts)
        await until(lambda: len(office.texts()) == len(texts))
    assert office.texts() == texts


async def test_asking_before_the_connection_is_a_clear_error(pbx: Pbx, proxy: AmiProxy) -> None:
    """Not an AttributeError from the inside."""
    with pytest.raises(LinkDown, match="not connected yet"):
        await Office(pbx, proxy).link.action({"Action": "Ping"})


async def test_a_value_with_a_line_break_never_leaves(pbx: Pbx, proxy: AmiProxy) -> None:
    """A caller's name cannot become an action."""
    office = Office(pbx, proxy)
    async with working(office) as link:
        with pytest.raises(UnsafeValue):
            await office.say("fine", "x\r\n\r\nAction: Originate")
        await link.action({"Action": "Ping"})
    assert not any(b"Originate" in data or b"fine" in data for data in proxy.writes)


async def test_a_refusal_tells_the_pbxs_words(pbx: Pbx, proxy: AmiProxy) -> None:
    """What the user may not do, or what does not exist, is an error of its own kind."""
    async with working(Office(pbx, proxy)) as link:
        with pytest.raises(ActionRefused, match="Permission denied"):
            await link.action({"Action": "Command", "Command": "core show version"})
        with pytest.raises(ActionRefused, match="No such channel"):
            await link.action({"Action": "Setvar", "Channel": "PJSIP/nobody-1", "Variable": "A", "Value": "1"})


@pytest.mark.parametrize("action", ["CoreShowChannels", "Status", "DeviceStateList", "BridgeList", "QueueStatus"])
async def test_lists_are_gathered_to_their_end(pbx: Pbx, proxy: AmiProxy, action: str) -> None:
    """Also an empty one, and also in pieces; none of it reaches the consumer of events."""
    office = Office(pbx, proxy)
    async with working(office) as link:
        proxy.piece_bytes = 13
        reply = await link.action({"Action": action})
    assert str(reply.events[-1]["Event"]).endswith("Complete")
    assert all("ActionID" not in message for message in office.heard)
    if action == "DeviceStateList":
        assert {"PJSIP/anna-desk", "PJSIP/boris-desk"} <= {str(event.get("Device")) for event in reply.events}


async def test_single_answers_end_their_actions(pbx: Pbx, proxy: AmiProxy) -> None:
    """A variable that was set can be read, one action after the other on one connection."""
    async with working(Office(pbx, proxy)) as link:
        await link.action({"Action": "Setvar", "Variable": "LAB_MARK", "Value": "Ёж"})
        reply = await link.action({"Action": "Getvar", "Variable": "LAB_MARK"})
    assert (reply.fields["Value"], reply.events) == ("Ёж", ())


async def test_an_answer_that_does_not_come_in_time_is_an_error(pbx: Pbx, proxy: AmiProxy) -> None:
    """The caller of an action decides; the connection goes on."""
    async with working(Office(pbx, proxy, ping_deadline_seconds=5)) as link:
        proxy.delay_seconds = 0.5
        with pytest.raises(ActionTimeout, match="CoreSettings"):
            await link.action({"Action": "CoreSettings"}, 0.1)
        proxy.delay_seconds = 0.0
        assert (await link.action({"Action": "CoreSettings"})).success
        assert link.state.connects_total == 1


async def test_several_actions_travel_in_one_write(pbx: Pbx, proxy: AmiProxy) -> None:
    """A plan of twenty variables is one piece on the wire."""
    async with working(Office(pbx, proxy)) as link:
        writes = [{"Action": "Setvar", "Variable": f"LAB_{n}", "Value": "x" * 40} for n in range(20)]
        assert all(reply.success for reply in await link.actions(writes))
    assert [data.count(b"Action: Setvar") for data in proxy.writes if b"LAB_" in data] == [20]


async def test_hooks_run_at_every_connection_and_harm_nothing(pbx: Pbx, proxy: AmiProxy) -> None:
    """The state is asked for anew each time; one hook's failure is counted and the next hook runs."""
    office = Office(pbx, proxy)
    told: list[str] = []

    async def broken(link: Link) -> None:
        raise RuntimeError

    async def asking(link: Link) -> None:
        told.append(str((await link.action({"Action": "CoreSettings"})).fields["Response"]))

    office.link.on_connect += [broken, asking]
    office.link.on_disconnect.append(lambda _: told.append("away"))
    async with working(office) as link:
        await until(lambda: len(told) == 1)
        proxy.drop()
        await until(lambda: len(told) == 3)
        assert link.state.hook_errors_total == 2
    assert told == ["Success", "away", "Success", "away"]


async def test_lateness_and_silent_loss_are_measured(pbx: Pbx, proxy: AmiProxy) -> None:
    """A heartbeat through the PBX shows what no connection state shows; nobody else sees it."""
    office = Office(pbx, proxy, ping_deadline_seconds=5)
    async with working(office) as link:
        await until(lambda: link.state.heartbeat_lag_seconds is not None)
        assert link.state.heartbeats_lost_total == 0
        proxy.delay_seconds = 0.3
        await until(lambda: (link.state.heartbeat_lag_seconds or 0) >= 0.3)
        await office.say("late")
        await until(lambda: office.texts() == ["late"])
        assert link.clock.age(office.heard[-1]) >= 0.25
        proxy.delay_seconds = 0.0
        proxy.swallow = b"SwitchhookHeartbeat"
        lost = link.state.heartbeats_lost_total
        await until(lambda: link.state.heartbeats_lost_total > lost + 2)
    assert not any(message.get("UserEvent") == "SwitchhookHeartbeat" for message in office.heard)


async def test_the_age_of_a_fresh_event_is_next_to_nothing(pbx: Pbx, proxy: AmiProxy) -> None:
    """The clocks are compared by Ping, so a fresh event is fresh."""
    office = Office(pbx, proxy)
    ages = []
    async with working(office) as link:
        for number in range(5):
            await office.say(str(number))
            await until(partial(lambda told: len(office.texts()) > told, number))
            ages.append(link.clock.age(office.heard[-1]))
    assert min(ages) < 0.1


async def test_the_log_holds_no_secret_and_no_caller(
    pbx: Pbx, proxy: AmiProxy, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither ours nor the library's, even when everything is logged."""
    caplog.set_level(logging.DEBUG)
    office = Office(pbx, proxy)
    with capture_logs() as logs:
        async with working(office):
            await office.say("79161234567")
            await until(lambda: office.texts() == ["79161234567"])
    said = caplog.text + repr(logs)
    assert pbx.ami_secret not in said
    assert "79161234567" not in said
