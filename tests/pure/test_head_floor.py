"""Who does what now, who talks in a call, and what the PBX is told to have somebody overhear it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from directory.presence import Absence, Presence
from service.overhearing import telephone
from telephony import ami, cel, chan_spy
from telephony.devices import DeviceState
from telephony.plan_variables import UnsafeDialError
from tests.fakes.story import HOUSE, LINE, SUPPORT
from web.cards import LiveCall, Reach
from web.head.floor import floor, of_teams, people_in, talking_in
from web.rights import may_overhear, teams_led
from web.sessions import Viewer

AT = datetime(2026, 11, 26, 10, tzinfo=UTC)
ID = UUID(int=7)


def call(**changed: Any) -> LiveCall:
    """Анна talks with a client since AT."""
    reach = Reach("anna", "PJSIP/anna-desk", "101", "answered", AT, AT, None)
    told: dict[str, Any] = {
        "id": ID,
        "direction": "inbound",
        "status": "talking",
        "line": LINE,
        "caller_number": "79161234567",
        "caller_name": None,
        "dialed": LINE,
        "started_at": AT,
        "answered_at": AT,
        "ended_at": None,
        "missed_cause": None,
        "person": "anna",
        "talk_seconds": 0.0,
        "reaches": (reach,),
    }
    return LiveCall(**told | changed)


def doing(*calls: LiveCall, states: dict[str, str] | None = None, **presences: Presence) -> dict[str, str]:
    """What everybody does."""
    known = {device: DeviceState(device, state) for device, state in (states or {}).items()}
    return {one.person.key: one.doing for one in floor(HOUSE, presences, known, calls)}


def test_everybody_does_one_thing_and_a_call_comes_before_all_that_keeps_them_else() -> None:
    away = Presence(status="away")
    absent = Presence(absence=Absence(1, AT, AT + timedelta(days=1), "boris"))
    assert doing() == {"anna": "free", "boris": "free", "gleb": "free"}
    assert doing(call(), anna=away)["anna"] == "talking"
    assert doing(anna=away, boris=absent, gleb=Presence(on_shift=False)) == {
        "anna": "away",
        "boris": "absent",
        "gleb": "off_shift",
    }
    assert doing(gleb=Presence(calendar_until=AT))["gleb"] == "calendar"
    # A mobile could ring still, where the desk phone is gone; a telephone in use elsewhere is no free person's.
    states = {"PJSIP/anna-desk": "unavailable", "PJSIP/boris-soft": "unavailable", "PJSIP/gleb-desk": "inuse"}
    assert doing(states=states) == {"anna": "free", "boris": "unreachable", "gleb": "on_phone"}


def test_who_rings_and_who_called_out_are_in_the_call_too() -> None:
    """A call out reached nobody of ours, and is of who called. Times are by our clock."""
    rings = call(status="ringing", reaches=(replace(call().reaches[0], outcome=None, answered_at=None),))
    out = call(direction="outbound", caller_number="102", reaches=(), person="boris", ahead=timedelta(seconds=5))
    assert doing(rings, out) == {"anna": "ringing", "boris": "talking", "gleb": "free"}
    assert people_in(out, HOUSE) == {"boris"}
    assert (talking_in(out, HOUSE), talking_in(rings, HOUSE), talking_in(call(), HOUSE)) == (["boris"], [], ["anna"])
    boris = next(one for one in floor(HOUSE, {}, {}, [out]) if one.person.key == "boris")
    assert boris.since == AT - timedelta(seconds=5)


@pytest.mark.parametrize("direction, person", [("outbound", "boris"), ("internal", "anna")])
def test_who_began_a_call_talks_until_they_hang_up_and_others_talk_on(direction: str, person: str) -> None:
    """Борис called, and hands over to Анна; she gives it back to him, and he leaves once more."""
    anna = call().reaches[0]
    began = call(direction=direction, caller_number="102", person=person, reaches=(anna,))
    left = replace(began, caller_ended_at=AT)
    assert (talking_in(began, HOUSE), talking_in(left, HOUSE)) == (["boris", "anna"], ["anna"])
    assert doing(left) == {"anna": "talking", "boris": "free", "gleb": "free"}
    boris = Reach("boris", "PJSIP/boris-soft", "102", "answered", AT, AT, None)
    over = replace(anna, ended_at=AT)
    assert talking_in(replace(left, reaches=(over, boris)), HOUSE) == ["boris"]
    gone = (over, replace(boris, ended_at=AT))
    assert talking_in(replace(left, reaches=gone), HOUSE) == []
    # The PBX called the client first, whose channel began the call.
    assert talking_in(replace(began, reaches=gone), HOUSE) == []


def test_who_sends_a_caller_outside_talks_no_more() -> None:
    over = replace(call().reaches[0], ended_at=AT)
    outside = Reach(None, "PJSIP/trunk", "79165550177", "answered", AT, AT, None)
    assert talking_in(call(reaches=(over, outside)), HOUSE) == []


def test_a_team_has_its_lines_calls_and_its_peoples() -> None:
    """Also those on another team's line."""
    support, sent_on, over = call(line=SUPPORT, reaches=()), call(line=SUPPORT), call(ended_at=AT)
    found = of_teams(HOUSE, [call(), support, sent_on, over], frozenset({"sales"}))
    assert found == [call(), sent_on]
    assert of_teams(HOUSE, [support], None) == [support]


def viewer(role: Any, person: str | None = None) -> Viewer:
    return Viewer(1, "somebody", role, person, None)


def test_a_head_overhears_own_teams_and_those_without_a_head() -> None:
    """An admin everybody; managers and operators nobody, not even their own team."""
    vera = next(person for person in HOUSE.people if person.key == "vera")
    led = replace(HOUSE.teams[0], members=("anna", "boris", "vera"))
    gleb = replace(HOUSE.people[3], role="head")
    house = replace(HOUSE, teams=(led, HOUSE.teams[1]), people=(*HOUSE.people[:2], vera, gleb))
    assert teams_led(viewer("head", "vera"), house) == {"sales"}
    assert teams_led(viewer("head", "vera"), HOUSE) == {"sales", "support"}
    assert teams_led(viewer("admin"), house) == {"sales", "support"}
    assert may_overhear(viewer("head", "vera"), house, ["gleb"], LINE)
    assert may_overhear(viewer("head", "vera"), house, ["anna"], SUPPORT)
    assert not may_overhear(viewer("head", "vera"), house, ["gleb"], SUPPORT)
    for role in ("manager", "operator"):
        assert not may_overhear(viewer(role, "anna"), house, ["anna"], LINE)


def test_a_telephone_that_is_there_and_free_is_called_and_never_a_mobile() -> None:
    anna, boris = HOUSE.people[0], HOUSE.people[1]
    assert telephone(anna, {}) == "PJSIP/anna-desk"
    assert telephone(anna, {"PJSIP/anna-desk": DeviceState("PJSIP/anna-desk", "inuse")}) == "in_use"
    assert telephone(anna, {"PJSIP/anna-desk": DeviceState("PJSIP/anna-desk", reachable=False)}) == "no_device"
    assert telephone(replace(boris, devices=anna.devices[1:]), {}) == "no_device"


def test_what_the_pbx_is_told_holds_nothing_that_could_be_more_than_a_channel() -> None:
    told = chan_spy.originate(ID, "PJSIP/vera-desk", "1700000000.17", "whisper", shown="101")
    assert (told["Channel"], told["Context"], told["CallerID"]) == ("PJSIP/vera-desk", "switchhook-overhear", "<101>")
    assert told["Variable"] == ["SWITCHHOOK_OVERHEAR=1700000000.17", "SWITCHHOOK_OVERHEAR_MODE=w"]
    for heard in ("", "PJSIP/anna", "1.7,qB", "1.7)", "1.7&1.8", "x" * 200):
        with pytest.raises(UnsafeDialError):
            chan_spy.originate(ID, "PJSIP/vera-desk", heard, "listen")
    with pytest.raises(UnsafeDialError):
        chan_spy.originate(ID, "Local/123@anywhere", "1700000000.17", "listen")


def test_the_telephone_of_who_overhears_is_in_no_call() -> None:
    """Neither witness tells of its channel; of another with such a name somewhere inside it does."""
    for uid, count in ((chan_spy.channel_of(ID), 0), (f"x-{chan_spy.channel_of(ID)}", 1)):
        message = {"Event": "Newchannel", "Uniqueid": uid, "Linkedid": uid, "Channel": "PJSIP/vera-desk-1"}
        begun = {"Event": "DialBegin", "DestUniqueid": uid, "DestLinkedid": uid, "DestChannel": "PJSIP/vera-desk-1"}
        row = {"eventtype": "CHAN_START", "uniqueid": uid, "linkedid": uid, "channame": "PJSIP/vera-desk-1"}
        assert [len(ami.translate("pbx", one)) for one in (message, begun)] == [count, count]
        assert len(cel.translate("pbx", row)) == count
