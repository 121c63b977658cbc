"""No number and no extension that a caller can send makes a message that is believed; every real message is."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.whole import Missing, begins, judge

TAPES = sorted((Path(__file__).parent.parent / "tapes").glob("*.ami"))
MOST = 79
"""Characters of a number or an extension that Asterisk keeps."""

HEAD = "Event: {event}\r\nPrivilege: call,all\r\nTimestamp: 1795426879.898793\r\nChannel: PJSIP/trunk-00000001\r\n"
SNAPSHOT = (
    "ChannelState: 4\r\nChannelStateDesc: Ring\r\nCallerIDNum: {number}\r\nCallerIDName: x\r\n"
    "ConnectedLineNum: {connected}\r\nConnectedLineName: <unknown>\r\nLanguage: en\r\nAccountCode: \r\n"
    "Context: from-trunk\r\nExten: {exten}\r\nPriority: 1\r\nUniqueid: 9.9\r\nLinkedid: 9.9\r\n"
)
NEXT = (
    "Event: DeviceStateChange\r\nPrivilege: call,all\r\nTimestamp: 1.000000\r\nDevice: PJSIP/a\r\nState: BUSY\r\n\r\n"
)
LINES = [
    "Event: Hold",
    "Event: DeviceStateChange",
    "Privilege: a",
    "Timestamp: 1.000000",
    "CallerIDNum: 1",
    "CallerIDName: ",
    "Priority: ",
    "Uniqueid: ",
    "Linkedid: ",
    "Priority: 1",
    "Linkedid: 1",
    "Uniqueid: 1.5",
    "Cause: 16",
    "",
    "",
    "7",
]
SENT = st.lists(st.sampled_from(LINES), max_size=9).map(lambda lines: ("7\r\n" + "\r\n".join(lines))[:MOST])


def event(number: str = "7", exten: str = "1", connected: str = "<unknown>") -> str:
    snapshot = SNAPSHOT.format(number=number, exten=exten, connected=connected)
    return HEAD.format(event="Newstate") + snapshot + "Cause: 17\r\n\r\n"


def believed(stream: str) -> tuple[list[str], Missing]:
    missing: Missing = ()
    taken = []
    blocks = [text.lstrip("\r\n") for text in stream.split("\r\n\r\n")]
    for block, following in pairwise(blocks):
        good, missing = judge(block, missing, asked=False)
        if good and begins(following):
            taken.append(block)
    return taken, missing


@pytest.mark.parametrize(
    "exten",
    [
        "7\r\nPriority: 1\r\nUniqueid: 1795426800.41\r\nLinkedid: 1\r\nCause: 16\r\n\r\n",
        "1\r\nPriority: 1\r\nUniqueid: 1700000000.5\r\nLinkedid: 1\r\n\r\n",
    ],
)
def test_a_snapshot_that_a_caller_ends_himself_is_not_believed(exten: str) -> None:
    """Three short headers follow the extension and fit into what can be dialled; the true end gives it away."""
    assert len(exten) <= MOST
    taken, _ = believed(event(exten=exten) + NEXT)
    assert taken == [NEXT.removesuffix("\r\n\r\n")]


@pytest.mark.parametrize("kind", ["Hangup", "Hold", "hold", "DialEnd"])
def test_a_number_dialled_outside_ends_nobody_elses_call(kind: str) -> None:
    """DialString stands behind both snapshots and tells the number as dialled: a message in it has none of its own."""
    number = f"7\r\n\r\nEvent: {kind}\r\nPrivilege: c\r\nTimestamp: 0.000000\r\nUniqueid: 1795426800.7\r\n"
    snapshots = SNAPSHOT.format(number="1", connected="2", exten="3")
    dialled = HEAD.format(event="DialBegin") + snapshots + f"DialString: {number}@trunk\r\n\r\n"
    taken, _ = believed(dialled + event())
    assert [text.partition("\r\n")[0] for text in taken] == ["Event: DialBegin", "Event: Newstate"]


@pytest.mark.parametrize("tape", TAPES, ids=lambda path: path.stem)
def test_every_message_of_every_tape_is_whole(tape: Path) -> None:
    """Real Asterisks' snapshots, prefixed and several in one event, answers of lists too."""
    missing: Missing = ()
    for text in tape.read_bytes().decode(errors="replace").split("\r\n\r\n"):
        block = text.lstrip("\r\n")
        if block.startswith("Event: "):
            good, missing = judge(block, missing, asked="\r\nActionID: " in block)
            assert good, block
            assert not missing


@given(number=SENT, exten=SENT, connected=SENT)
def test_nothing_that_a_caller_sends_is_believed(number: str, exten: str, connected: str) -> None:
    """Whatever breaks a line in number, extension and connected number: the event is left out, none made of it."""
    taken, _ = believed(event(number, exten, connected))
    assert taken == []


@given(number=SENT)
def test_after_a_torn_event_the_next_one_is_believed(number: str) -> None:
    """One dirty number costs its own events only."""
    taken, missing = believed(event(number) + NEXT)
    assert taken == [NEXT.strip()]
    assert missing == ()


@given(number=SENT, exten=SENT)
def test_after_a_twice_torn_event_the_next_snapshot_is_believed(number: str, exten: str) -> None:
    """However torn, the next whole snapshot ends it."""
    taken, missing = believed(event(number, exten) + event())
    assert taken == [event().strip()]
    assert missing == ()


def test_an_answer_to_our_question_needs_no_time() -> None:
    """Items of a list come without privilege and time, but with our ActionID; a torn one is left out all the same."""
    item = "Event: CoreShowChannel\r\nActionID: a/1\r\nChannel: PJSIP/trunk-00000001\r\n"
    whole = item + SNAPSHOT.format(number="7", exten="1", connected="2")
    assert judge(whole.strip(), (), asked=True) == (True, ())
    assert judge(whole.strip(), (), asked=False) == (False, ())
    good, missing = judge(item + "CallerIDNum: 7", (), asked=True)
    assert not good
    assert len(missing) == 10
    assert judge("Response: Success\r\nActionID: a/2\r\nPing: Pong", missing, asked=True) == (True, ())


def test_who_waits_in_a_queue_is_told_with_less_than_a_snapshot() -> None:
    """QueueStatus lists the caller's id alone (Asterisk 22.10): believed as our answer, and nothing is owed after."""
    item = (
        "Event: QueueEntry\r\nQueue: sales\r\nPosition: 1\r\nChannel: PJSIP/t-1\r\nUniqueid: 1.1\r\nCallerIDNum: 7\r\n"
        "CallerIDName: Ivan\r\nConnectedLineNum: unknown\r\nConnectedLineName: unknown\r\nWait: 3\r\nPriority: 0\r\n"
    )
    assert judge(item + "ActionID: a/1", (), asked=True) == (True, ())
    assert judge(item.strip(), (), asked=False)[0] is False
