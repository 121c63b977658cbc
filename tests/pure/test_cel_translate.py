"""CEL rows become events, in every spelling that Asterisk's writers use."""

import csv
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calls import events as e
from calls.events import Event
from calls.record import event_from_json, event_json
from telephony import cel
from telephony.told import moment

TAPES = sorted((Path(__file__).parents[1] / "tapes").glob("*.cel.csv"))
AT = datetime(2026, 11, 23, 9, 41, 19, 899001, tzinfo=UTC)
WHERE: dict[str, Any] = {
    "pbx": "office",
    "channel": "1795426879.40806",
    "at": AT,
    "linkedid": "1795426879.40800",
    "name": "PJSIP/trunk-00009e52",
}
ROW = {
    "eventtime": "1795426879.899001",
    "cid_name": "Клиент",
    "cid_num": "79161234567",
    "channame": "PJSIP/trunk-00009e52",
    "uniqueid": "1795426879.40806",
    "linkedid": "1795426879.40800",
}


def told(kind: str, extra: Mapping[str, object] | None = None, /, **columns: str) -> list[Event]:
    detail = {"eventextra": json.dumps(extra)} if extra else {}
    return cel.translate("office", {"eventtype": kind, **ROW, **columns, **detail})


@pytest.mark.parametrize(
    "exten, channel, incoming",
    [
        ("500", "PJSIP/trunk-00000001", True),
        ("s", "PJSIP/m1-00000002", False),
        ("", "PJSIP/m1-00000002", False),
        ("504", "Local/504@mobile-00000003;1", False),
        ("504", "Local/504@mobile-00000003;2", True),
    ],
)
def test_a_started_channel_tells_who_called_whom(exten: str, channel: str, incoming: bool) -> None:
    """A channel that we dial has no extension yet; of a Local channel the first half is the one dialled."""
    assert told("CHAN_START", exten=exten, channame=channel, context="from-trunk") == [
        e.ChannelCreated(
            **{**WHERE, "name": channel},
            number="79161234567",
            caller_name="Клиент",
            dialed=exten,
            context="from-trunk",
            incoming=incoming,
        )
    ]


def test_an_answer_tells_the_number_of_a_dialled_trunk_channel() -> None:
    """A trunk channel starts without a number; its answer and its end carry it."""
    named = e.CallerNamed(**WHERE, number="79161234567", caller_name="Клиент")
    assert told("ANSWER") == [e.ChannelUp(**WHERE), named]
    assert told("ANSWER", cid_num="") == [e.ChannelUp(**WHERE)]
    assert named in told("HANGUP")


def test_a_hangup_has_its_cause_and_the_dials_outcome() -> None:
    """The extra holds both; without it, or with CHAN_END alone, the channel still ends."""
    extra = {"hangupcause": 17, "hangupsource": "dialplan/builtin", "dialstatus": "BUSY"}
    ended, finished, _ = told("HANGUP", extra)
    assert ended == e.ChannelHungUp(**WHERE, cause=17)
    assert finished == e.DialFinished(**WHERE, status="BUSY")
    assert told("HANGUP")[0] == e.ChannelHungUp(**WHERE, cause=None)
    assert told("CHAN_END") == [e.ChannelHungUp(**WHERE, cause=None)]


def test_bridges_tell_whether_they_hold() -> None:
    """A parked caller is in a holding bridge, where nobody hears anybody."""
    extra = {"bridge_id": "b-1", "bridge_technology": "holding_bridge"}
    assert told("BRIDGE_ENTER", extra) == [e.BridgeEntered(**WHERE, bridge="b-1", holding=True)]
    conference = [e.BridgeEntered(**WHERE, bridge="b-1"), e.ConferenceJoined(**WHERE, bridge="b-1")]
    assert told("BRIDGE_ENTER", {**extra, "bridge_technology": "softmix"}) == conference
    assert told("BRIDGE_EXIT", extra) == [e.BridgeLeft(**WHERE, bridge="b-1")]


def test_applications_that_matter_start() -> None:
    """Dial, Queue, VoiceMail and MixMonitor; a queue is joined, a recording begins; Playback does not matter."""
    assert told("APP_START", appname="Dial", appdata="PJSIP/m1,6") == [
        e.AppStarted(**WHERE, app="Dial", data="PJSIP/m1,6")
    ]
    assert told("APP_START", appname="Queue", appdata="sales,tT")[-1] == e.QueueJoined(**WHERE, queue="sales")
    assert told("APP_END", appname="Queue", appdata="sales,tT") == [e.QueueLeft(**WHERE, queue="sales")]
    assert told("APP_START", appname="MixMonitor", appdata="/rec/1.wav,b")[-1] == e.RecordingStarted(
        **WHERE, path="/rec/1.wav"
    )
    assert told("APP_START", appname="voicemail", appdata="101@default", exten="602") == [
        e.AppStarted(**WHERE, app="VoiceMail", data="101@default", exten="602")
    ]
    assert told("APP_START", appname="Playback", appdata="beep") == []


def test_transfers_name_everybody() -> None:
    """Who transferred whom to what; `N/A` is nobody; a feature-code transfer has no second channel."""
    blind = {"extension": "102", "transferee_channel_uniqueid": "1.1", "bridge_id": "b-1"}
    assert told("BLINDTRANSFER", blind) == [e.Transferred(**WHERE, way="blind", to="102", transferee="1.1")]
    attended = {
        "channel2_uniqueid": "1.3",
        "transferee_channel_uniqueid": "N/A",
        "transfer_target_channel_uniqueid": "1.4",
    }
    assert told("ATTENDEDTRANSFER", attended) == [e.Transferred(**WHERE, way="attended", second="1.3", target="1.4")]
    same = {**attended, "channel2_uniqueid": WHERE["channel"]}
    assert told("ATTENDEDTRANSFER", same) == [e.Transferred(**WHERE, way="attended", target="1.4")]


def test_the_one_who_picks_up_is_in_the_extra() -> None:
    """The row is the ringing channel's; without eventextra nobody is known to have picked up."""
    extra = {"pickup_channel": "PJSIP/m2-00000007", "pickup_channel_uniqueid": "1.7"}
    where = {**WHERE, "channel": "1.7", "name": "PJSIP/m2-00000007"}
    assert told("PICKUP", extra) == [e.PickedUp(**where, target=WHERE["channel"])]
    assert told("PICKUP") == []


def test_parking_tells_who_parked_and_how_it_ended() -> None:
    """CEL knows neither the space nor the taker's uniqueid; reasons are named as in cel.c."""
    start = told("PARK_START", {"parker_dial_string": "PJSIP/m1", "parking_lot": "default"})
    assert start == [e.Parked(**WHERE, lot="default", by="PJSIP/m1")]
    reasons = {
        "ParkedCallUnparked": "taken",
        "ParkedCallTimeOut": "timed_out",
        "ParkedCallGiveUp": "abandoned",
        "ParkedCallSwap": "swapped",
        "ParkedCallFailed": "failed",
        "": "",
    }
    for reason, outcome in reasons.items():
        end = told("PARK_END", {"reason": reason, "retriever": "PJSIP/m2-9"})
        assert end == [e.Unparked(**WHERE, outcome=outcome, by_name="PJSIP/m2-9")]


def test_the_source_of_a_hangup_is_its_own_channel_or_another() -> None:
    """Only the channel whose far side hung up says so; the dialplan and the other side's channel do not."""
    assert e.HangupRequested(**WHERE) in told("HANGUP", {"hangupsource": WHERE["name"]})
    for other in ("PJSIP/m1-1", "dialplan/builtin", ""):
        assert e.HangupRequested(**WHERE) not in told("HANGUP", {"hangupsource": other})


def test_the_extra_of_asterisk_11_is_read_too() -> None:
    """Before JSON a hang-up's extra was cause, source and dial status (channel.c of Asterisk 11)."""
    row = {**ROW, "eventtype": "HANGUP", "eventextra": "17,PJSIP/m1-00000001,BUSY"}
    assert cel.translate("office", row)[:2] == [
        e.ChannelHungUp(**WHERE, cause=17),
        e.DialFinished(**WHERE, status="BUSY"),
    ]


def test_a_rows_true_type_counts_where_it_is_told() -> None:
    """cel_custom writes a user-defined row's own name as its type; `eventenum` beside it tells the truth."""
    assert told("HANGUP", eventenum="USER_DEFINED") == []
    assert told("", eventenum="CHAN_END") == [e.ChannelHungUp(**WHERE)]


def test_a_retired_linkedid_is_told() -> None:
    assert told("LINKEDID_END") == [e.LinkedidEnded(**WHERE)]


def test_rows_that_say_nothing_of_a_call_are_known_and_silent() -> None:
    """Streams, digits, Local channels and the dialplan's own rows; an unknown type is not known."""
    for kind in ("STREAM_BEGIN", "DTMF", "LOCAL_OPTIMIZE", "LOCAL_OPTIMIZE_BEGIN", "USER_DEFINED"):
        assert told(kind) == []
        assert cel.event_type(kind) == kind
    assert told("FUTURE_TYPE") == []
    assert cel.event_type("FUTURE_TYPE") == ""


SPELLINGS = [
    {},
    {"cid_num": "cidnum", "cid_name": "cidname"},
    {"cid_num": "num", "cid_name": "name", "channame": "chan_name"},
    {
        "eventtype": "EventName",
        "eventtime": "EventTime",
        "cid_num": "CallerIDnum",
        "cid_name": "CallerIDname",
        "channame": "Channel",
        "uniqueid": "UniqueID",
        "linkedid": "LinkedID",
        "exten": "Exten",
        "context": "Context",
    },
]


@pytest.mark.parametrize("spelling", SPELLINGS, ids=["cel_pgsql", "cel_sqlite3_custom", "cel_custom", "cel_manager"])
@pytest.mark.parametrize("kind", ["CHAN_START", "1"])
def test_every_spelling_tells_the_same(spelling: Mapping[str, str], kind: str) -> None:
    """Column names and event types as names or numbers."""
    row = {"eventtype": kind, **ROW, "exten": "500", "context": "from-trunk"}
    spelt = {spelling.get(column, column): value for column, value in row.items()}
    assert cel.translate("office", spelt) == told("CHAN_START", exten="500", context="from-trunk")


@pytest.mark.parametrize(
    "written, at",
    [
        ("1795426879.899001", AT),
        ("1795426879", AT.replace(microsecond=0)),
        ("1795426879.5", AT.replace(microsecond=500000)),
        ("2026-11-23 09:41:19.899001", AT),
        ("2026-11-23 09:41:19", AT.replace(microsecond=0)),
        ("2026-11-23T12:41:19.899001+03:00", AT),
        ("2026-11-23 12:41:19.899001+0300", AT),
        ("2026-11-23T09:41:19Z", AT.replace(microsecond=0)),
        ("yesterday", None),
        ("", None),
        ("9" * 40, None),
    ],
)
def test_every_form_of_time_is_read(written: str, at: datetime | None) -> None:
    """Epoch with or without a fraction, a date with or without a zone (then UTC); nonsense is no time."""
    assert moment(written) == at
    assert cel.translate("office", {**ROW, "eventtype": "CHAN_END", "eventtime": written})[0].at == at


def test_a_date_without_a_zone_is_read_in_the_given_one() -> None:
    row = {**ROW, "eventtype": "CHAN_END", "eventtime": "2026-11-23 12:41:19.899001"}
    (event,) = cel.translate("office", row, timezone(timedelta(hours=3)))
    assert event.at == AT


def rows(tape: Path) -> list[dict[str, str]]:
    with tape.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: tape.name.partition(".")[0])
def test_every_tape_is_understood_whole(tape: Path) -> None:
    """No row of a real Asterisk is unknown; every translation is timed and of some call; the last ends the linkedid."""
    for row in rows(tape):
        assert cel.event_type(row["eventtype"])
    events = [event for row in rows(tape) for event in cel.translate("office", row)]
    assert all(event.at and event.channel and event.linkedid for event in events)
    assert isinstance(events[0], e.ChannelCreated)
    assert isinstance(events[-1], e.LinkedidEnded)


COLUMNS = sorted({*cel.COLUMNS, "CallerIDnum", "num", "name", "Channel", "Extra", "EventName"})
values = (
    st.text()
    | st.binary().map(lambda data: data.decode(errors="surrogateescape"))
    | st.sampled_from(
        [
            "x" * 1_000_000,
            '{"a":' * 100_000,
            "",
            "s",
            "Queue",
            "MixMonitor",
            "{}",
            '{"bridge_id": 1}',
            '{"a": {"b": []}}',
            "N/A",
        ]
    )
)


@given(st.dictionaries(st.text(), st.text()))
def test_no_dictionary_of_text_makes_the_translator_raise(row: Mapping[str, str]) -> None:
    """A PBX is a witness: whatever it writes is heard out."""
    assert isinstance(cel.translate("office", row), list)


@given(st.sampled_from([*cel.NUMBERS.values(), "2"]), st.dictionaries(st.sampled_from(COLUMNS), values, max_size=12))
def test_no_value_of_a_known_row_makes_the_translator_raise(kind: str, row: Mapping[str, str]) -> None:
    """Every event that comes out has a channel and can be stored as JSON."""
    for event in cel.translate("office", {**row, "eventtype": kind}):
        assert event.channel
        assert event_from_json(event_json(event)) == event


@settings(max_examples=30)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_no_eventextra_makes_the_translator_raise(extra: object) -> None:
    """The extra may be any JSON, or none."""
    for kind in ("HANGUP", "PICKUP", "ATTENDEDTRANSFER"):
        row = {**ROW, "eventtype": kind, "eventextra": json.dumps(extra)}
        assert isinstance(cel.translate("office", row), list)


@pytest.mark.parametrize(
    "name, values, event",
    [
        (
            "SwitchhookHold",
            "sales|1795426870.125",
            e.QueueJoined(**{**WHERE, "at": datetime(2026, 11, 23, 9, 41, 10, 125000, tzinfo=UTC)}, queue="sales"),
        ),
        ("SwitchhookHoldEnd", "sales|TIMEOUT", e.QueueLeft(**WHERE, queue="sales", outcome="timeout")),
        ("SwitchhookCallback", "sales|2", e.CallbackRequested(**WHERE, team="sales", place=2)),
        ("SwitchhookVoicemail", "sales|9", e.VoicemailLeft(**WHERE, box="sales", seconds=9.0)),
        (
            "SwitchhookNpsAsked",
            "74951234567|79161234567",
            e.NpsAsked(**WHERE, line="74951234567", number="79161234567"),
        ),
        ("SwitchhookNpsAnswered", "10", e.NpsAnswered(**WHERE, score=10)),
    ],
)
def test_what_our_dialplan_writes_into_cel_is_read(name: str, values: str, event: Event) -> None:
    """cel_custom tells the name as the type (seen on Asterisk 22.10), the others beside it."""
    assert told(name, {"extra": values}) == [event]
    assert told("USER_DEFINED", {"extra": values}, userdeftype=name) == [event]
    assert told("13", {"extra": values}, userdeftype=name) == [event]


def test_what_another_dialplan_writes_into_cel_says_nothing() -> None:
    assert told("USER_DEFINED", {"extra": "sales|2"}, userdeftype="Theirs") == []
    assert told("Theirs", {"extra": "sales|2"}) == []
    assert told("SwitchhookHold") == []
