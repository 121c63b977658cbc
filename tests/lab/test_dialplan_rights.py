"""What a caller may say, what the AMI user may do and hear, and what CEL tells."""

from __future__ import annotations

import asyncio
import csv

import pytest

from service.demo_world import OutsideWorld, answer
from service.pbx import Pbx
from telephony.hand_over import WAKE
from tests.lab.stand_in import StandIn

CALLER = "79161234567"
SHORT = ("ru/hello",)


@pytest.mark.parametrize(
    "name",
    [
        "ООО Рога, и копыта",
        "${SHELL(touch pwned)}",
        "x,Line: 666,From: 777",
        "a\\,b)${EPOCH}",
        "'; touch pwned; '",
        "$[1+1] `id` &|<>",
        "Ж" * 120,
    ],
)
async def test_name_of_a_caller_is_only_ever_text(
    pbx: Pbx, outside: OutsideWorld, service: StandIn, line: str, name: str
) -> None:
    """Nothing in it is evaluated, run, or taken for another header."""
    service.plan = [("ring", "PJSIP/anna-desk", 10)]
    call = await outside.call(CALLER, name, line)
    await outside.phone("anna-desk").rings()
    arrival = await service.seen(UserEvent="SwitchhookArrival")
    await call.hangup()
    assert (arrival["Line"], arrival["From"]) == (line, CALLER)
    kept = "".join(letter for letter in name if letter not in '"\\')
    assert arrival["Name"][:35] == kept[:35]
    assert not list(pbx.folder.rglob("pwned"))


async def test_dialled_digits_are_only_ever_digits(pbx: Pbx, outside: OutsideWorld, service: StandIn) -> None:
    service.plan = [("ring", "PJSIP/anna-desk", 10)]
    call = await outside.call(CALLER, "К", "+7495;x=${EPOCH}&yes")
    await outside.phone("anna-desk").rings()
    assert (await service.seen(UserEvent="SwitchhookArrival"))["Line"].isdigit()
    await call.hangup()


async def test_shipped_user_may_ask_and_decide_and_nothing_more(pbx: Pbx, service: StandIn) -> None:
    """Every action the service sends is allowed; what could harm the PBX is refused."""
    for name in ("Ping", "CoreShowChannels", "Status", "BridgeList", "QueueStatus", "DeviceStateList", "ParkedCalls"):
        assert (await service.action(Action=name))["Response"] == "Success", name
    refused: dict[str, dict[str, str]] = {
        "Command": {"Command": "core show version"},
        "Originate": {"Channel": "PJSIP/anna-desk", "Application": "System", "Data": "id"},
        "DBPut": {"Family": "a", "Key": "b", "Val": "c"},
        "ModuleLoad": {"LoadType": "unload", "Module": "app_dial.so"},
        "UpdateConfig": {"SrcFilename": "manager.conf"},
        "GetConfig": {"Filename": "manager.conf"},
    }
    for name, fields in refused.items():
        assert (await service.action(Action=name, **fields))["Response"] == "Error", name
    for name in ("PlayDTMF", "Setvar"):
        answer = await service.action(Action=name, Channel="PJSIP/nobody-1", Variable="X", Value="1", **WAKE)
        assert answer["Message"].lower() in {"no such channel", "channel not found"}, answer
    blocked = await service.action(Action="Setvar", Variable="SHELL(id)", Value="x")
    assert blocked["Response"] == "Error"


async def test_only_the_events_of_the_list_come(pbx: Pbx, outside: OutsideWorld, service: StandIn, line: str) -> None:
    """A whole call makes some twenty events, none of them beyond the shipped allow-list."""
    everything: list[dict[str, str]] = []
    service.plan = [("ring", "PJSIP/anna-desk", 10)]
    await outside.phone("anna-desk").behave(answer(0.1, speak=SHORT))
    service.events.clear()
    call = await outside.call(CALLER, "Клиент", line, speak=SHORT)
    await call.ended()
    await service.seen(UserEvent="SwitchhookHangup")
    await service.seen(Event="Hangup", ConnectedLineNum="101")
    listed = {
        row.partition("name(")[2].partition(")")[0]
        for row in (pbx.folder / "etc/manager.conf").read_text().splitlines()
        if row.startswith("eventfilter(")
    }
    everything = [event for event in service.events if event.get("Event")]
    assert {event["Event"] for event in everything} <= listed
    assert 12 < len(everything) < 45
    assert all("Timestamp" in event for event in everything)


async def test_phone_that_leaves_and_comes_back_is_told_with_the_shipped_rights(
    outside: OutsideWorld, service: StandIn
) -> None:
    await outside.phone("anna-desk").unplug()
    await service.seen(Event="ContactStatus", EndpointName="anna-desk", ContactStatus="Removed")
    await service.seen(Event="DeviceStateChange", Device="PJSIP/anna-desk", State="UNAVAILABLE")
    await outside.phone("anna-desk").plug()
    await service.seen(Event="ContactStatus", EndpointName="anna-desk", ContactStatus="Reachable")
    await service.seen(Event="DeviceStateChange", Device="PJSIP/anna-desk", State="NOT_INUSE")


async def test_cel_tells_the_call_in_the_promised_columns(
    pbx: Pbx, outside: OutsideWorld, service: StandIn, line: str
) -> None:
    service.plan = [("ring", "PJSIP/anna-desk", 10)]
    await outside.phone("anna-desk").behave(answer(0.1, speak=SHORT))
    call = await outside.call(CALLER, 'Ж "и" К', line, speak=SHORT)
    arrival = await service.seen(UserEvent="SwitchhookArrival", Line=line)
    await call.ended()
    await service.seen(Event="Hangup", Uniqueid=arrival["Uniqueid"])
    async with asyncio.timeout(30):
        while "LINKEDID_END" not in (rows := _cel(pbx, arrival["Linkedid"])):
            await asyncio.sleep(0.02)
    assert {"CHAN_START", "APP_START", "ANSWER", "BRIDGE_ENTER", "BRIDGE_EXIT", "HANGUP", "CHAN_END"} <= rows.keys()
    assert all(len(row) == 21 for row in rows.values())
    assert '"hangupcause":16' in rows["HANGUP"][20]


def _cel(pbx: Pbx, linkedid: str) -> dict[str, list[str]]:
    with pbx.cel_file.open(newline="") as file:
        return {row[0]: row for row in csv.reader(file) if row[15] == linkedid}
