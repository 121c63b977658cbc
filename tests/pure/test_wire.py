"""What the bytes of AMI become, whatever TCP does to them, and how actions find their answers."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from telephony.pbx import ActionTimeout, LinkDown, Message, UnsafeValue
from telephony.wire import Wire

TAPE = Path(__file__).parent.parent / "tapes" / "atxfer_refer.ami"
LIVE = "Privilege: call,all\r\nTimestamp: 1795426879.898793\r\n"  # what every event of a running PBX tells first
TOLD = {"Privilege": "call,all", "Timestamp": "1795426879.898793"}
GREETING = b"Asterisk Call Manager/11.0.0\r\n"


class _Transport(asyncio.Transport):
    """Keeps what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


class _Asterisk:
    """The other end of a wire without a network: what was written, and a way to answer."""

    def __init__(self, greeting: bytes = GREETING) -> None:
        self.heard: list[Message] = []
        self.transport = _Transport()
        self.torn_count = 0
        self.wire = Wire(self.heard.append, self._torn)
        self.wire.connection_made(self.transport)
        self.say(greeting)

    def all_heard(self) -> list[Message]:
        self.wire.receive_gathered()
        return self.heard

    def _torn(self) -> None:
        self.torn_count += 1

    def say(self, data: bytes) -> None:
        self.wire.data_received(data)

    @property
    def written(self) -> list[bytes]:
        return self.transport.written

    def action_ids(self) -> list[str]:
        lines = b"".join(self.written).decode().split("\r\n")
        return [line.removeprefix("ActionID: ") for line in lines if line.startswith("ActionID: ")]

    async def ask(self, *many: dict[str, str], seconds: float = 5.0) -> "asyncio.Task[Any]":
        task = asyncio.create_task(self.wire.ask(many, seconds))
        while not self.written:
            await asyncio.sleep(0)
        return task

    def answer(self, number: int, *headers: str) -> None:
        self.say("\r\n".join([headers[0], f"ActionID: {self.action_ids()[number]}", *headers[1:], "", ""]).encode())


def _messages(pieces: Sequence[bytes]) -> list[Message]:
    asterisk = _Asterisk()
    for piece in pieces:
        asterisk.say(piece)
    return asterisk.all_heard()


async def test_every_cut_of_a_stream_gives_the_same_messages() -> None:
    """Wherever TCP cuts, between two letters, inside one, inside a line's end, every message arrives whole."""
    name = f"Event: UserEvent\r\n{LIVE}UserEvent: Имя\r\nName: Щёголь 你好\r\n\r\n".encode()
    stream = name + TAPE.read_bytes()[:1200].rpartition(b"\r\n\r\n")[0] + b"\r\n\r\n" + name
    whole = _messages([stream])
    assert whole[0] == whole[-1] == {"Event": "UserEvent", **TOLD, "UserEvent": "Имя", "Name": "Щёголь 你好"}
    for cut in range(1, len(stream)):
        assert _messages([stream[:cut], stream[cut:]]) == whole
    assert _messages([bytes([byte]) for byte in stream]) == whole


async def test_a_whole_tape_read_in_odd_pieces_loses_nothing() -> None:
    """A long stream in pieces of 7 bytes gives as many events as it has."""
    stream = TAPE.read_bytes()
    messages = _messages([stream[first : first + 7] for first in range(0, len(stream), 7)])
    assert len(messages) == stream.count(b"\nEvent: ") + stream.startswith(b"Event: ")


async def test_a_repeated_header_becomes_a_list() -> None:
    """Variables of an event come as many headers of one name."""
    (message,) = _messages([f"Event: Status\r\n{LIVE}ChanVariable: A=1\r\nChanVariable: B=2\r\n\r\n".encode()])
    assert message["ChanVariable"] == ["A=1", "B=2"]


async def test_an_empty_last_header_is_kept() -> None:
    """A header without a value is a fact too, also in the last line."""
    (message,) = _messages([f"Event: Status\r\n{LIVE}AccountCode: \r\n\r\n".encode()])
    assert message == {"Event": "Status", **TOLD, "AccountCode": ""}


async def test_broken_letters_become_marks_and_cost_nothing_else() -> None:
    """Bytes that are no UTF-8 are shown as such; the message and the next ones stay whole."""
    first, second = _messages(
        [b"Event: A\r\n" + LIVE.encode() + b"Name: \xff\xfe!\r\n\r\nEvent: B\r\n" + LIVE.encode() + b"\r\n"]
    )
    assert first["Name"] == "��!"
    assert second == {"Event": "B", **TOLD}


@pytest.mark.parametrize("answer", ["Originate successfully queued", "Added interface to queue", "Variable Set"])
async def test_single_answers_end_their_action(answer: str) -> None:
    """An action with one answer is done with it, whatever the words of the answer are."""
    asterisk = _Asterisk()
    asking = await asterisk.ask({"Action": "Originate", "Channel": "PJSIP/anna-desk"})
    asterisk.answer(0, "Response: Success", f"Message: {answer}")
    (reply,) = await asking
    assert (reply.success, reply.message, reply.events) == (True, answer, ())


async def test_a_refused_list_ends_at_once() -> None:
    """A list action that is answered with Error waits for no list."""
    asterisk = _Asterisk()
    asking = await asterisk.ask({"Action": "PJSIPShowContacts"})
    asterisk.answer(0, "Response: Error", "Message: No Contacts found")
    (reply,) = await asking
    assert not reply.success


async def test_an_arrival_waits_for_no_other_event() -> None:
    """It is handed on at once, what came before it a moment later and in its order, also when the connection ends."""
    asterisk = _Asterisk()
    arrival = f"Event: UserEvent\r\n{LIVE}UserEvent: SwitchhookArrival\r\n\r\n"
    others = [f"Event: {name}\r\n{LIVE}\r\n" for name in ("A", "B", "C")]
    asterisk.say("".join([*others[:2], arrival, others[2]]).encode())
    assert [message["Event"] for message in asterisk.heard] == ["UserEvent"]
    async with asyncio.timeout(30):
        while len(asterisk.heard) < 4:
            await asyncio.sleep(0)
    assert [message["Event"] for message in asterisk.heard] == ["UserEvent", "A", "B", "C"]
    asterisk.say(others[0].encode())
    asterisk.wire.connection_lost(None)
    assert [message["Event"] for message in asterisk.heard][4:] == ["A"]


async def test_a_list_gathers_its_events_and_lets_others_pass() -> None:
    """Events of the list belong to the reply, live events between them to the consumer."""
    asterisk = _Asterisk()
    asking = await asterisk.ask({"Action": "CoreShowChannels"})
    asterisk.answer(0, "Response: Success", "EventList: start", "Message: Channels will follow")
    asterisk.answer(0, "Event: CoreShowChannel", "Channel: PJSIP/anna-desk-00000001")
    asterisk.say(f"Event: PeerStatus\r\n{LIVE}Peer: PJSIP/trunk\r\n\r\n".encode())
    asterisk.answer(0, "Event: CoreShowChannelsComplete", "EventList: Complete")
    (reply,) = await asking
    assert [event["Event"] for event in reply.events] == ["CoreShowChannel", "CoreShowChannelsComplete"]
    assert [message["Event"] for message in asterisk.all_heard()] == ["PeerStatus"]


async def test_an_event_that_carries_an_actions_id_is_still_an_event() -> None:
    """Asterisk copies the ActionID of UserEvent and Originate into events, before or after the answer."""
    asterisk = _Asterisk()
    asking = await asterisk.ask({"Action": "UserEvent", "UserEvent": "Test"})
    asterisk.answer(0, "Event: UserEvent", "UserEvent: Test")
    asterisk.answer(0, "Response: Success", "Message: Event Sent")
    asterisk.say(f"Event: OriginateResponse\r\n{LIVE}ActionID: {asterisk.action_ids()[0]}\r\n\r\n".encode())
    assert (await asking)[0].success
    assert [message["Event"] for message in asterisk.all_heard()] == ["UserEvent", "OriginateResponse"]


async def test_several_actions_go_out_in_one_write_in_their_order() -> None:
    """A plan reaches the PBX as one piece."""
    asterisk = _Asterisk()
    asking = await asterisk.ask(*({"Action": "Setvar", "Variable": f"V{n}", "Value": "1"} for n in range(5)))
    assert len(asterisk.written) == 1
    assert [line for line in asterisk.written[0].decode().split("\r\n") if line.startswith("Variable")] == [
        f"Variable: V{n}" for n in range(5)
    ]
    for number in (4, 0, 2, 1, 3):
        asterisk.answer(number, "Response: Success", f"Message: {number}")
    assert [reply.message for reply in await asking] == ["0", "1", "2", "3", "4"]


async def test_a_lost_connection_fails_what_waits() -> None:
    """Nothing waits for an answer that cannot come."""
    asterisk = _Asterisk()
    asking = await asterisk.ask({"Action": "Ping"}, {"Action": "Ping"})
    asterisk.wire.connection_lost(ConnectionResetError("reset"))
    with pytest.raises(LinkDown):
        await asking
    assert "reset" in asterisk.wire.lost.result()


async def test_a_late_answer_is_dropped() -> None:
    """An action that timed out is over; its answer disturbs nobody."""
    asterisk = _Asterisk()
    asking = await asterisk.ask({"Action": "Ping"}, seconds=0.01)
    with pytest.raises(ActionTimeout, match="Ping"):
        await asking
    asterisk.answer(0, "Response: Success", "Ping: Pong")
    assert asterisk.all_heard() == []
    assert asterisk.wire.responses == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"Action": "Setvar", "Value": "x\r\nAction: Originate"},
        {"Action": "Setvar", "Value": "x\nAction: Originate"},
        {"Action": "Setvar", "Value": "x\r"},
        {"Action": "Setvar", "Value": "x\0"},
        {"Action": "Setvar\r\n"},
        {"Action": "Setvar", "Val: ue": "x"},
        {"Action": "Setvar", "Value\r\nX": "x"},
        {"Action": "Setvar", "Value": "x" * 1000},
        {"Action": "Setvar", "Value": "\ud800"},
    ],
)
async def test_a_header_that_would_be_read_as_something_else_is_refused(fields: dict[str, str]) -> None:
    """Line breaks inject actions, long lines vanish: nothing of all that is written."""
    asterisk = _Asterisk()
    with pytest.raises(UnsafeValue):
        await asterisk.wire.ask([{"Action": "Ping"}, fields], 1.0)
    assert asterisk.written == []


async def test_something_else_than_a_manager_is_left() -> None:
    """A wrong port is named as such."""
    wire = Wire(lambda _: None, lambda: None)
    transport = _Transport()
    wire.connection_made(transport)
    wire.data_received(b"SIP/2.0 400 Bad Request\r\n\r\n")
    wire.connection_lost(None)
    assert transport.aborted
    assert "AMI port" in wire.lost.result()


async def test_an_event_that_a_callers_number_wrote_is_left_out() -> None:
    """The torn event, the forged one and the torn one's rest reach nobody; what comes next does."""
    asterisk = _Asterisk()
    snapshot = TAPE.read_bytes().partition(b"Event: Newchannel")[2].partition(b"\r\n\r\n")[0]
    event = b"Event: Newchannel" + snapshot + b"\r\n\r\n"
    number, end, rest = event.partition(b"CallerIDNum: ")
    forged = b"7\r\n\r\nEvent: Hangup\r\nPrivilege: call,all\r\nTimestamp: 1.000000\r\nUniqueid: 1.5"
    asterisk.say(number + end + forged + rest[rest.index(b"\r\n") :])
    assert (asterisk.all_heard(), asterisk.torn_count) == ([], 2)
    asterisk.say(event)
    assert [message["Event"] for message in asterisk.all_heard()] == ["Newchannel"]


async def test_an_event_without_a_time_is_left_out_but_for_the_greeting() -> None:
    """Asterisk with timestampevents = yes tells each event's time; only FullyBooted has none."""
    asterisk = _Asterisk()
    asterisk.say(b"Event: FullyBooted\r\nPrivilege: system,all\r\nUptime: 1\r\nStatus: Fully Booted\r\n\r\n")
    asterisk.say(b"Event: DeviceStateChange\r\nDevice: PJSIP/anna-desk\r\nState: BUSY\r\n\r\n")
    assert [message["Event"] for message in asterisk.all_heard()] == ["FullyBooted"]
    assert asterisk.torn_count == 1


def event(name: str) -> bytes:
    """A whole event of that name."""
    return f"Event: {name}\r\n{LIVE}Device: PJSIP/m1\r\n\r\n".encode()


async def test_a_message_without_end_costs_itself_alone() -> None:
    """Ten megabytes of one header are left out as they come; the connection and what follows go on."""
    asterisk = _Asterisk()
    asterisk.say(b"Event: DeviceStateChange\r\nPrivilege: call,all\r\nTimestamp: 1.000000\r\nX: ")
    for _ in range(160):
        asterisk.say(b"x" * 65_536)
        assert len(asterisk.wire._unended) <= 2 * 65_536
    asterisk.say(b"\r\n\r\n" + event("DeviceStateChange"))
    assert [one["Event"] for one in asterisk.all_heard()] == ["DeviceStateChange"]
    assert not asterisk.transport.aborted
    assert asterisk.torn_count


async def test_what_follows_a_cut_in_a_long_message_is_not_believed() -> None:
    """A long event of an AMI user is left out, and so are lines in it that look like another's beginning."""
    asterisk = _Asterisk()
    asterisk.say(b"Event: UserEvent\r\nPrivilege: user,all\r\nTimestamp: 1.000000\r\nUserEvent: X\r\n")
    asterisk.say(b"Y: 0123456789\r\n" * 5000 + b"E")
    asterisk.say(event("ContactStatus")[1:] + event("DeviceStateChange"))
    assert [one["Event"] for one in asterisk.all_heard()] == ["DeviceStateChange"]


async def test_a_greeting_without_end_is_given_up() -> None:
    """Who begins like Asterisk and never ends the line is something else; nothing is gathered for it."""
    asterisk = _Asterisk(greeting=b"Asterisk Call Manager/")
    asterisk.say(b"1" * 65_536)
    assert asterisk.transport.aborted


async def test_two_messages_without_a_blank_line_are_neither() -> None:
    """Whose the headers are cannot be told any more; the next message is believed."""
    asterisk = _Asterisk()
    asterisk.say(event("DeviceStateChange").removesuffix(b"\r\n") + event("ContactStatus") + event("PeerStatus"))
    assert [one["Event"] for one in asterisk.all_heard()] == ["PeerStatus"]


async def test_an_ami_users_words_tear_nothing() -> None:
    """A CallerIDNum in a UserEvent of an AMI user begins no channel's snapshot: the events after it are believed."""
    asterisk = _Asterisk()
    words = b"Event: UserEvent\r\nPrivilege: user,all\r\nTimestamp: 1.000000\r\nUserEvent: X\r\nCallerIDNum: 1\r\n\r\n"
    asterisk.say(words + event("DeviceStateChange"))
    assert [one["Event"] for one in asterisk.all_heard()] == ["UserEvent", "DeviceStateChange"]
    assert asterisk.torn_count == 0


async def test_memory_stays_bounded_whatever_is_fed() -> None:
    """More than a hundred megabytes of what no Asterisk says leave little behind, and the next event is heard."""
    program = (sys.executable, "-m", "tests.fakes.ami_garbage")
    done = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2])
    out, _ = await done.communicate()
    assert done.returncode == 0
    fed, grown, heard = map(int, out.split())
    assert fed > 100_000_000
    assert grown < 48_000_000
    assert heard == 1
