"""AMI messages become events: one promise an event, and none ever raises."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls import events as e
from calls.events import Event
from calls.record import event_from_json, event_json
from telephony import ami
from telephony.silent import REASONS
from telephony.tape import messages, read

TAPES = sorted((Path(__file__).parents[1] / "tapes").glob("*.ami"))
AT = datetime(2026, 11, 23, 9, 41, 19, 899022, tzinfo=UTC)
WHERE: dict[str, Any] = {
    "pbx": "office",
    "channel": "1795426879.40806",
    "at": AT,
    "linkedid": "1795426879.40800",
    "name": "PJSIP/trunk-00009e52",
}
TOLD = {
    "Timestamp": "1795426879.899022",
    "Channel": "PJSIP/trunk-00009e52",
    "Uniqueid": "1795426879.40806",
    "Linkedid": "1795426879.40800",
    "CallerIDNum": "79161234567",
    "CallerIDName": "Клиент",
}
DEST = {"DestChannel": "PJSIP/m1-00009e53", "DestUniqueid": "1795426879.40807", "DestLinkedid": "1795426879.40800"}


def said(name: str, /, **headers: str) -> list[Event]:
    return ami.translate("office", {"Event": name, **TOLD, **headers})


def only(name: str, /, **headers: str) -> Event:
    (event,) = said(name, **headers)
    return event


@pytest.mark.parametrize("state, incoming", [("4", True), ("0", False), ("6", None)])
def test_a_new_channel_tells_who_called_whom(state: str, incoming: bool | None) -> None:
    """State Ring is a far side that called us, Down one that we are about to dial, anything else is not guessed."""
    assert only("Newchannel", ChannelState=state, Exten="500", Context="from-trunk") == e.ChannelCreated(
        **WHERE, number="79161234567", caller_name="Клиент", dialed="500", context="from-trunk", incoming=incoming
    )


def test_what_asterisk_does_not_know_is_empty() -> None:
    """`<unknown>` is how AMI writes nothing."""
    event = only("Newchannel", CallerIDNum="<unknown>", CallerIDName="<unknown>")
    assert isinstance(event, e.ChannelCreated)
    assert (event.number, event.caller_name) == ("", "")


def test_states_tell_ringing_and_up() -> None:
    """Newstate 5 is a ringing device, 6 a channel that is up, the others tell nothing."""
    assert only("Newstate", ChannelState="5") == e.ChannelRang(**WHERE)
    assert only("Newstate", ChannelState="6") == e.ChannelUp(**WHERE)
    assert said("Newstate", ChannelState="7") == []


def test_dialling_ties_both_channels() -> None:
    """DialBegin, DialState and DialEnd name the one who dials and the one dialled."""
    target: dict[str, Any] = {"target": "1795426879.40807", "target_name": "PJSIP/m1-00009e53"}
    assert only("DialBegin", **DEST, DialString="m1") == e.Dialed(
        **WHERE, **target, target_linkedid="1795426879.40800", dial_string="m1"
    )
    assert only("DialEnd", **DEST, DialStatus="BUSY") == e.DialEnded(**WHERE, **target, status="BUSY")
    rang = {**WHERE, "channel": "1795426879.40807", "name": "PJSIP/m1-00009e53"}
    assert only("DialState", **DEST, DialStatus="RINGING") == e.ChannelRang(**rang)
    assert only("DialState", **DEST, DialStatus="PROGRESS") == e.ChannelRang(**rang)
    assert said("DialState", **DEST, DialStatus="PROCEEDING") == []


def test_nobody_dials_an_originate() -> None:
    """An originate's DialBegin has no channel of its own: the dialled one stands for both, so names still join."""
    (event,) = ami.translate("office", {"Event": "DialBegin", "Timestamp": TOLD["Timestamp"], **DEST})
    assert isinstance(event, e.Dialed)
    assert event.channel == event.target == "1795426879.40807"
    assert event.linkedid == "1795426879.40800"


def test_an_originate_through_a_trunk_names_whom_it_calls() -> None:
    """The channel has no number yet, so the dial string's is its own; a device in the dial string is no number."""
    dial = {"Event": "DialBegin", "Timestamp": TOLD["Timestamp"], **DEST, "DestCallerIDNum": "<unknown>"}
    _, named = ami.translate("office", {**dial, "DialString": "79160000022@trunk"})
    assert isinstance(named, e.CallerNamed)
    assert (named.channel, named.number) == ("1795426879.40807", "79160000022")
    for known in ({"DialString": "m1"}, {"DialString": "79160000022@trunk", "DestCallerIDNum": "101"}):
        assert len(ami.translate("office", dial | known)) == 1


def test_bridges_tell_whether_they_hold() -> None:
    """A holding bridge (parking, music) is not a talk."""
    bridge = {"BridgeUniqueid": "b-1"}
    assert only("BridgeEnter", **bridge, BridgeTechnology="native_rtp") == e.BridgeEntered(**WHERE, bridge="b-1")
    parked = only("BridgeEnter", **bridge, BridgeTechnology="holding_bridge")
    assert parked == e.BridgeEntered(**WHERE, bridge="b-1", holding=True)
    assert only("BridgeLeave", **bridge) == e.BridgeLeft(**WHERE, bridge="b-1")


def test_a_conference_ties_who_meets_in_it() -> None:
    """A softmix bridge is a conference: its id is a name of the call for all who enter."""
    entered, joined = said("BridgeEnter", BridgeUniqueid="b-1", BridgeTechnology="softmix")
    assert entered == e.BridgeEntered(**WHERE, bridge="b-1")
    assert joined == e.ConferenceJoined(**WHERE, bridge="b-1")
    assert "b-1" in e.names(joined)


def test_hangup_keeps_its_cause() -> None:
    """Cause is a number; a torn one is no cause, never an error."""
    assert only("Hangup", Cause="26") == e.ChannelHungUp(**WHERE, cause=26)
    assert only("Hangup", Cause="soon") == e.ChannelHungUp(**WHERE, cause=None)


def test_a_failed_transfer_is_told_as_failed() -> None:
    """A transfer has the one who transfers as its channel, and says whether Asterisk did it."""
    moved = {"TransfererUniqueid": "1.2", "TransfererChannel": "PJSIP/m1-1", "TransfereeUniqueid": "1.1"}
    event = only("BlindTransfer", **moved, Extension="102", Result="Fail")
    assert event == e.Transferred(
        pbx="office", channel="1.2", at=AT, name="PJSIP/m1-1", to="102", transferee="1.1", succeeded=False
    )


def test_an_attended_transfer_by_feature_code_has_one_channel() -> None:
    """With a feature code the transferrer has no second channel, and none is invented."""
    first = {"OrigTransfererUniqueid": "1.2", "OrigTransfererChannel": "PJSIP/m1-1", "Result": "Success"}
    event = only("AttendedTransfer", **first, SecondTransfererUniqueid="1.2", TransferTargetUniqueid="1.3")
    assert event == e.Transferred(pbx="office", channel="1.2", at=AT, name="PJSIP/m1-1", way="attended", target="1.3")


def test_queues_tell_how_the_wait_ended() -> None:
    """Joining, leaving, giving up, and the dialplan's QUEUESTATUS."""
    assert only("QueueCallerJoin", Queue="sales") == e.QueueJoined(**WHERE, queue="sales")
    assert only("QueueCallerLeave", Queue="sales") == e.QueueLeft(**WHERE, queue="sales")
    assert only("QueueCallerAbandon", Queue="sales") == e.QueueLeft(**WHERE, queue="sales", outcome="abandoned")
    assert only("VarSet", Variable="QUEUESTATUS", Value="TIMEOUT") == e.QueueLeft(**WHERE, outcome="timeout")


def test_the_step_of_our_dialplan_tells_how_a_queue_ended() -> None:
    """The shipped rights hear no QUEUESTATUS; a caller who gave up, and another kind of step, tell no queue's end."""
    for status in ("FULL", "TIMEOUT", "JOINEMPTY"):
        ended, left = said("UserEvent", UserEvent="SwitchhookStepEnd", Step="1", Kind="queue", Status=status)
        assert ended == e.StepEnded(**WHERE, step=1, status=status)
        assert left == e.QueueLeft(**WHERE, outcome=status.lower())
    for kind, status in (("queue", "CANCEL"), ("queue", "ANSWER"), ("hold", "TIMEOUT")):
        assert len(said("UserEvent", UserEvent="SwitchhookStepEnd", Step="1", Kind=kind, Status=status)) == 1


PARKEE = {"ParkeeChannel": "PJSIP/trunk-1", "ParkeeUniqueid": "1.1", "ParkeeLinkedid": "1.0"}
PARKED: dict[str, Any] = {"pbx": "office", "channel": "1.1", "at": AT, "linkedid": "1.0", "name": "PJSIP/trunk-1"}


def test_parking_tells_where_and_by_whom() -> None:
    """The one parked is the event's channel; who parked is told by their device (tape park)."""
    event = only("ParkedCall", **PARKEE, ParkerDialString="PJSIP/m1", Parkinglot="default", ParkingSpace="701")
    assert event == e.Parked(**PARKED, lot="default", space="701", by="PJSIP/m1")


@pytest.mark.parametrize(
    "name, outcome",
    [
        ("UnParkedCall", "taken"),
        ("ParkedCallTimeOut", "timed_out"),
        ("ParkedCallGiveUp", "abandoned"),
        ("ParkedCallSwap", "swapped"),
    ],
)
def test_leaving_the_parking_space_tells_how_and_to_whom(name: str, outcome: str) -> None:
    """Who takes the call joins it: their channel had a linkedid of its own."""
    taker = {"RetrieverUniqueid": "1.9", "RetrieverChannel": "PJSIP/m2-9"}
    event = only(name, **PARKEE, **taker)
    assert event == e.Unparked(**PARKED, outcome=outcome, by="1.9", by_name="PJSIP/m2-9")
    assert "1.9" in e.names(event)
    assert only(name, **PARKEE) == e.Unparked(**PARKED, outcome=outcome)


def test_a_far_side_that_hangs_up_is_told_apart_from_the_pbx() -> None:
    """HangupRequest is the device's or the network's own wish, SoftHangupRequest the PBX's."""
    assert only("HangupRequest", Cause="16") == e.HangupRequested(**WHERE)
    assert said("SoftHangupRequest", Cause="16") == []


def test_an_attended_transfer_out_of_an_application_names_the_bridged_channel_first() -> None:
    """Both witnesses name one channel for it, so that it is one transfer (cel.c)."""
    first = {"OrigTransfererUniqueid": "1.2", "OrigTransfererChannel": "PJSIP/m1-2"}
    second = {"SecondTransfererUniqueid": "1.3", "SecondTransfererChannel": "PJSIP/m1-3"}
    moved = {"TransfereeUniqueid": "1.1", "Result": "Success", "SecondBridgeUniqueid": "b"}
    event = only("AttendedTransfer", **first, **second, **moved)
    assert isinstance(event, e.Transferred)
    assert (event.channel, event.second) == ("1.3", "1.2")
    event = only("AttendedTransfer", **first, **second, **moved, OrigBridgeUniqueid="a")
    assert isinstance(event, e.Transferred)
    assert (event.channel, event.second) == ("1.2", "1.3")


@pytest.mark.parametrize("name", ["Arrival", "Fallback", "Step", "StepEnd", "PlanEnd", "Confirmed", "Refused"])
def test_an_ami_user_cannot_speak_for_the_dialplan(name: str) -> None:
    """What an AMI user says of a channel comes after the header UserEvent, what the dialplan says before it."""
    body = {"Line": "500", "From": "1", "Name": "", "Reason": "down", "Step": "1", "Status": "BUSY", "Number": "1"}
    channel = {"Channel": "PJSIP/trunk-1", "Uniqueid": "1.1", "Linkedid": "1.1"}
    label = {"UserEvent": f"Switchhook{name}"}
    assert len(ami.translate("office", {"Event": "UserEvent", **channel, **label, **body})) == 1
    assert ami.translate("office", {"Event": "UserEvent", **label, **channel, **body}) == []


def test_a_muted_recording_says_so() -> None:
    """State 1 leaves sound out, 0 takes it in again (app_mixmonitor.c)."""
    assert only("MixMonitorMute", State="1", Direction="both") == e.RecordingMuted(**WHERE, muted=True)
    assert only("MixMonitorMute", State="0", Direction="both") == e.RecordingMuted(**WHERE, muted=False)


def test_a_recording_of_two_sides_is_two_recordings() -> None:
    """MixMonitor's r() and t() write one file a side; its command may contain commas."""
    data = "both.wav,b r(/rec/1-caller.wav) t(/rec/1-staff.wav),touch /rec/1.done,x"
    started = said("Newexten", Extension="500", Application="MixMonitor", AppData=data)
    assert started[0] == e.AppStarted(**WHERE, app="MixMonitor", data=data, exten="500")
    assert [one.path for one in started if isinstance(one, e.RecordingStarted)] == [
        "/rec/1-caller.wav",
        "/rec/1-staff.wav",
    ]
    told = only("VarSet", Variable="MIXMONITOR_FILENAME", Value="/rec/both.wav")
    assert told == e.RecordingStarted(**WHERE, path="/rec/both.wav")


def test_our_dialplan_is_understood() -> None:
    """Each UserEvent that the shipped dialplan raises is an event; others are not ours."""

    def user(name: str, **headers: str) -> Event:
        return only("UserEvent", UserEvent=name, **headers)

    assert user("SwitchhookArrival", Line="500", From="79161234567", Name="Клиент") == e.Arrived(
        **WHERE, line="500", number="79161234567", caller_name="Клиент"
    )
    assert user("SwitchhookFallback", Reason="late", Line="500") == e.FallbackTaken(**WHERE, reason="late", line="500")
    assert user("SwitchhookStep", Step="2") == e.StepStarted(**WHERE, step=2)
    assert user("SwitchhookStepEnd", Step="2", Status="NOANSWER") == e.StepEnded(**WHERE, step=2, status="NOANSWER")
    assert user("SwitchhookPlanEnd") == e.PlanEnded(**WHERE)
    assert user("SwitchhookConfirmed") == e.Confirmed(**WHERE, accepted=True)
    assert user("SwitchhookRefused", Key="2") == e.Confirmed(**WHERE, accepted=False)
    assert user("SwitchhookRefused", Key="") == e.Confirmed(**WHERE, accepted=False, silent=True)
    assert user("SwitchhookRefused") == e.Confirmed(**WHERE, accepted=False)
    assert said("UserEvent", UserEvent="CallEnd") == []


def test_a_live_channel_met_mid_call_is_known_without_a_guess() -> None:
    """The lists asked for at connect make the channel known, and up, without telling who called whom."""
    for name in ("CoreShowChannel", "Status"):
        created, up = said(name, ChannelState="6", Exten="503")
        assert created == e.ChannelCreated(**WHERE, number="79161234567", caller_name="Клиент")
        assert up == e.ChannelUp(**WHERE)


def test_a_cel_row_over_ami_has_the_messages_exact_time() -> None:
    """cel_manager's own EventTime is a date without zone; the message's Timestamp is exact."""
    row = {"EventName": "LINKEDID_END", "EventTime": "2026-11-23 12:41:19", "UniqueID": "1.1", "LinkedID": "1.0"}
    (event,) = ami.translate("office", {"Event": "CEL", "Timestamp": TOLD["Timestamp"], "Channel": "PJSIP/a-1", **row})
    assert event == e.LinkedidEnded(pbx="office", channel="1.1", at=AT, linkedid="1.0", name="PJSIP/a-1")


def test_a_message_without_time_still_tells_what_happened() -> None:
    """Without timestampevents the facts are kept untimed."""
    (event,) = ami.translate("office", {"Event": "Newstate", "Uniqueid": "1.1", "ChannelState": "6"})
    assert event == e.ChannelUp(pbx="office", channel="1.1")


def test_header_casing_does_not_matter() -> None:
    """Asterisk writes Uniqueid and UniqueID, Linkedid and LinkedID."""
    told = {"Event": "Newstate", **TOLD, "ChannelState": "6"}
    for casing in (str.upper, str.lower):
        assert ami.translate("office", {casing(name): value for name, value in told.items()}) == [e.ChannelUp(**WHERE)]


def test_the_first_of_a_repeated_header_is_asterisks_own() -> None:
    """A dialplan's UserEvent cannot pretend to be another channel."""
    spoken: dict[str, str | list[str]] = {
        "Event": "UserEvent",
        "Uniqueid": ["1", "2"],
        "UserEvent": "SwitchhookPlanEnd",
    }
    assert ami.translate("office", spoken) == [e.PlanEnded(pbx="office", channel="1")]


def test_an_unknown_event_is_counted_and_skipped() -> None:
    """What we have never heard of tells nothing, and is known not to be known."""
    assert said("FutureEvent") == []
    assert not ami.knows("FutureEvent")
    assert ami.knows("newchannel")
    assert ami.knows("RTCPSent")
    assert ami.knows("CoreShowChannelsComplete")


def test_no_event_is_both_read_and_silent() -> None:
    """Each name has one place; each reason is a whole sentence's worth."""
    silent = [name.lower() for names in REASONS.values() for name in names.split()]
    assert len(silent) == len(set(silent))
    assert not set(silent) & set(ami._MEANINGS)
    assert all(name.isascii() and names.split() for names in REASONS.values() for name in names.split())


def test_control_signs_do_not_reach_the_record() -> None:
    """A name may carry NUL or half a character; databases and terminals must never meet them."""
    event = only("NewCallerid", CallerIDName="Кли\x00е\ud83dнт\x1b[2J")
    assert event == e.CallerNamed(**WHERE, number="79161234567", caller_name="Клиент[2J")


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: tape.stem)
def test_every_tape_is_understood_whole(tape: Path) -> None:
    """No event of a real Asterisk is unknown, every translation is timed, named and of some call."""
    told = read(tape, "office")
    assert told.kind == "ami"
    assert told.skipped == 0
    assert all(event.at and event.channel and event.pbx == "office" for event in told.events)
    kinds = {event.kind for event in told.events}
    assert kinds >= {"ChannelCreated", "ChannelHungUp"}


def test_values_of_a_tape_survive_json() -> None:
    """Events are stored as JSON: nothing is lost on the way there and back."""
    for tape in TAPES:
        for event in read(tape).events:
            assert event_from_json(event_json(event)) == event


# All tapes are read for them: by the one process that asks.
HEADERS = st.deferred(
    lambda: st.sampled_from(
        sorted(
            {name for tape in TAPES for message in messages(tape.read_text("utf-8").split("\n")) for name in message}
        )
    )
)
NAMES = sorted(ami._MEANINGS)
values = (
    st.text()
    | st.binary().map(lambda data: data.decode(errors="surrogateescape"))
    | st.sampled_from(
        [
            "",
            "4",
            "5",
            "6",
            "ANSWER",
            "RINGING",
            "1795426879.899022",
            "9" * 30,
            "<unknown>",
            "x" * 1_000_000,
            "{" * 100_000,
        ]
    )
)
spoken_values = values | st.lists(values, max_size=3)


@given(st.dictionaries(st.text(), spoken_values))
def test_no_dictionary_of_text_makes_the_translator_raise(message: Mapping[str, str | list[str]]) -> None:
    """A PBX is a witness: whatever it says is heard out."""
    assert isinstance(ami.translate("office", message), list)


@given(st.sampled_from(NAMES), st.dictionaries(HEADERS, spoken_values, max_size=12))
def test_no_value_of_a_known_event_makes_the_translator_raise(
    name: str, headers: Mapping[str, str | list[str]]
) -> None:
    """Every event that comes out has a channel and can be stored as JSON."""
    for event in ami.translate("office", {**headers, "Event": name}):
        assert event.channel
        assert event_from_json(event_json(event)) == event


SINCE = "1795426870.125"
BEGAN = {**WHERE, "at": datetime(2026, 11, 23, 9, 41, 10, 125000, tzinfo=UTC)}


@pytest.mark.parametrize(
    "name, headers, events",
    [
        ("SwitchhookHold", {"Team": "sales", "Since": SINCE}, [e.QueueJoined(**BEGAN, queue="sales")]),
        ("SwitchhookHold", {"Team": "sales", "Since": "x"}, [e.QueueJoined(**WHERE, queue="sales")]),
        ("SwitchhookHold", {"Since": SINCE}, []),
        ("SwitchhookHolding", {"Team": "sales", "Since": SINCE}, []),
        (
            "SwitchhookHoldEnd",
            {"Team": "sales", "Outcome": "ANSWER"},
            [e.QueueLeft(**WHERE, queue="sales", outcome="answered")],
        ),
        (
            "SwitchhookHoldEnd",
            {"Team": "sales", "Outcome": "DOWN"},
            [e.QueueLeft(**WHERE, queue="sales", outcome="down")],
        ),
        (
            "SwitchhookCallback",
            {"Team": "sales", "Place": "3"},
            [e.CallbackRequested(**WHERE, team="sales", place=3)],
        ),
        ("SwitchhookCallback", {"Team": "sales", "Place": ""}, [e.CallbackRequested(**WHERE, team="sales")]),
        (
            "SwitchhookVoicemail",
            {"Box": "sales", "Seconds": "12"},
            [e.VoicemailLeft(**WHERE, box="sales", seconds=12.0)],
        ),
        ("SwitchhookVoicemail", {"Seconds": "12"}, []),
        (
            "SwitchhookNpsAsked",
            {"Line": "74951234567", "Number": "79161234567"},
            [e.NpsAsked(**WHERE, line="74951234567", number="79161234567")],
        ),
        ("SwitchhookNpsAnswered", {"Score": "0"}, [e.NpsAnswered(**WHERE, score=0)]),
        ("SwitchhookNpsAnswered", {"Score": "10"}, [e.NpsAnswered(**WHERE, score=10)]),
        ("SwitchhookNpsAnswered", {"Score": "11"}, []),
        ("SwitchhookNpsAnswered", {"Score": ""}, []),
    ],
)
def test_a_wait_in_our_own_queue_a_message_and_an_answer_are_told(
    name: str, headers: dict[str, str], events: list[Event]
) -> None:
    """A wait begins when the dialplan says that it did, however late it says so; what is said again is nothing new."""
    assert ami.translate("office", {"Event": "UserEvent", **TOLD, "UserEvent": name, **headers}) == events
