"""What the PBX says about devices, as it was said on real tapes."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from telephony.devices import DeviceChange, Devices, device_change, live_change
from telephony.pbx import Message

TAPES = Path(__file__).parent.parent / "tapes"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def messages(tape: str) -> list[Message]:
    blocks = (TAPES / tape).read_text().replace("\r", "").split("\n\n")
    headers = ([line.partition(": ") for line in block.split("\n")] for block in blocks)
    return [{name: value for name, colon, value in some if colon} for some in headers]


def contact(status: str, uri: str = "sip:m1@127.0.0.1:5061") -> Message:
    return {"Event": "ContactStatus", "URI": uri, "ContactStatus": status, "AOR": "m1", "EndpointName": "m1"}


def test_a_phone_of_one_call_is_busy_until_it_ends() -> None:
    """The answered call's tape tells the life of one phone (device_state_busy_at=1: busy from the first ring on)."""
    devices = Devices("main")
    changes = [change for message in messages("answered.ami") if (change := device_change(message))]
    states = [state.state for change in changes if (state := devices.note(change)) and state.device == "PJSIP/m1"]
    assert states == ["busy", "not_inuse"]


@pytest.mark.parametrize("tape", sorted(path.name for path in TAPES.glob("*.ami")))
def test_no_tape_holds_a_state_that_is_not_known(tape: str) -> None:
    """Every DeviceStateChange of a phone is understood; but for contacts, everything else says nothing of devices."""
    for message in messages(tape):
        change = device_change(message)
        if message.get("Event") == "DeviceStateChange" and str(message["Device"]).startswith("PJSIP/"):
            assert change is not None
            assert change.at.year == 2026
        elif message.get("Event") not in {"DeviceStateChange", "ContactStatus"}:
            assert change is None


@pytest.mark.parametrize("device", ["Queue:sales_avail", "Local/5@x", "Custom:night", "PJSIP/", ""])
def test_what_is_no_device_is_left_out(device: str) -> None:
    """Queues, hints and Local channels have states, and nobody's ear."""
    assert device_change({"Event": "DeviceStateChange", "Device": device, "State": "INUSE"}) is None


@pytest.mark.parametrize(
    "message, device, state",
    [
        ({"Event": "DeviceStateChange", "Device": "Custom:DND101", "State": "BUSY"}, "Custom:DND101", "dnd"),
        ({"Event": "DeviceStateChange", "Device": "Custom:DND101", "State": "INUSE"}, "Custom:DND101", "dnd"),
        ({"Event": "DeviceStateChange", "Device": "Custom:DND101", "State": "NOT_INUSE"}, "Custom:DND101", "not_inuse"),
        ({"Event": "DeviceStateChange", "Device": "Custom:DEVDND7", "State": "UNKNOWN"}, "Custom:DEVDND7", "not_inuse"),
        (
            {"Event": "PresenceStateChange", "Presentity": "CustomPresence:101", "Status": "dnd"},
            "CustomPresence:101",
            "dnd",
        ),
        (
            {"Event": "PresenceStateChange", "Presentity": "CustomPresence:101", "Status": "away"},
            "CustomPresence:101",
            "not_inuse",
        ),
    ],
)
def test_do_not_disturb_of_the_pbx_is_kept_under_its_own_name(message: Message, device: str, state: str) -> None:
    """Whose it is the directory says, by the extension or the name of the device."""
    devices = Devices("main")
    told = devices.note(_change(message))
    assert told is not None
    assert (told.device, told.state, told.reachable) == (device, state, True)


def test_a_presence_of_something_else_says_nothing_of_devices() -> None:
    assert device_change({"Event": "PresenceStateChange", "Presentity": "XMPP:anna", "Status": "dnd"}) is None


@pytest.mark.parametrize("message", [{}, {"Event": "ContactStatus"}, {"Event": "DeviceStateChange", "State": "NEW"}])
def test_half_a_message_says_nothing(message: Message) -> None:
    """The PBX is a witness: what cannot be understood is skipped."""
    assert device_change(message) is None


def test_a_phone_that_dies_while_it_talks_is_not_reachable() -> None:
    """Its state stays INUSE, its contact tells; the next state settles it."""
    devices = Devices("main")
    devices.note(_change(contact("Reachable")))
    devices.note(_change({"Event": "DeviceStateChange", "Device": "PJSIP/m1", "State": "INUSE"}))
    dead = devices.note(_change(contact("Unreachable")))
    assert dead is not None
    assert (dead.state, dead.reachable) == ("inuse", False)
    gone = devices.note(_change({"Event": "DeviceStateChange", "Device": "PJSIP/m1", "State": "UNAVAILABLE"}))
    assert gone is not None
    assert (gone.state, gone.reachable) == ("unavailable", False)


def test_one_of_two_contacts_is_enough() -> None:
    """A softphone that goes away leaves the desk phone of the same address to ring."""
    devices = Devices("main")
    desk, soft = "sip:m1@127.0.0.1:5061", "sip:m1@127.0.0.1:5062"
    inuse: Message = {"Event": "DeviceStateChange", "Device": "PJSIP/m1", "State": "INUSE"}
    for message in (contact("Reachable", desk), contact("Reachable", soft), inuse, contact("Removed", soft)):
        devices.note(_change(message))
    assert devices.known["PJSIP/m1"].reachable


def test_the_same_news_twice_is_no_news() -> None:
    """Only what is different wakes the page and the router."""
    devices = Devices("main")
    change = DeviceChange("PJSIP/m1", NOW, state="inuse")
    assert devices.note(change) is not None
    assert devices.note(change) is None


@pytest.mark.parametrize(
    "message", [contact("Removed"), {"Event": "DeviceStateChange", "Device": "PJSIP/m1", "State": "BUSY"}]
)
def test_an_event_without_a_time_says_nothing(message: Message) -> None:
    """The PBX dates every event; one that has no date was not raised by it."""
    assert live_change(message) is None
    assert live_change({**message, "Timestamp": "1795426879.898793"}) is not None


def _change(message: Message) -> DeviceChange:
    change = device_change(message)
    assert change is not None
    return change
