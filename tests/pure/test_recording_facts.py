"""What a call tells of its recording: which channels, paused when, refused why."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from calls import events as e
from calls.call import Call, apply
from calls.record import state_call, state_json
from calls.view import CallView, Muted, view
from telephony import ami, cel
from tests.fakes.recorded import T0, settled_call

UID = "1795427050.1"


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def mute(seconds: float, *, muted: bool, channel: str = UID) -> e.RecordingMuted:
    return e.RecordingMuted(pbx="pbx", channel=channel, linkedid=UID, at=at(seconds), muted=muted)


def seen(*events: e.Event) -> CallView:
    call = Call(pbx="pbx")
    for event in events:
        call = apply(call, event)
    return view(state_call(state_json(call)))


def test_a_pause_lasts_until_it_is_ended_or_the_channel_is() -> None:
    """In whatever order it is told, and told twice."""
    told = [mute(4, muted=True), mute(4.5, muted=True), mute(5, muted=False), mute(7, muted=True)]
    expected = (Muted(UID, at(4), at(5)), Muted(UID, at(7), at(9)))
    assert seen(*settled_call(UID), *told).muted == expected
    assert seen(*reversed(told), *told, *settled_call(UID)).muted == expected


def test_a_pause_that_goes_on_has_no_end() -> None:
    going_on = [event for event in settled_call(UID) if not isinstance(event, e.ChannelHungUp | e.Settled)]
    assert seen(*going_on, mute(4, muted=True)).muted == (Muted(UID, at(4), None),)


def test_a_resume_without_a_pause_is_nothing() -> None:
    assert seen(*settled_call(UID), mute(5, muted=False)).muted == ()


def test_the_recorded_channels_are_known_without_their_files() -> None:
    """AMI tells the channel alone, CEL the files too."""
    by_ami = e.RecordingStarted(pbx="pbx", channel=f"{UID}2", linkedid=UID, at=at(1))
    by_cel = e.RecordingStarted(pbx="pbx", channel=f"{UID}2", linkedid=UID, at=at(1), path="/rec/x-caller.wav")
    for told, files in (([by_ami], ()), ([by_ami, by_cel], ("/rec/x-caller.wav",))):
        one = seen(*settled_call(UID), *told)
        assert (one.recorded, one.recordings) == ((f"{UID}2",), files)


def test_mixmonitor_tells_its_channel_by_ami() -> None:
    message = {"Event": "MixMonitorStart", "Channel": "PJSIP/trunk-1", "Uniqueid": UID, "Linkedid": UID}
    (told,) = ami.translate("pbx", message)
    assert told == e.RecordingStarted(pbx="pbx", channel=UID, linkedid=UID, name="PJSIP/trunk-1")


@pytest.mark.parametrize("reason", ["caller", "unannounced"])
def test_a_refusal_is_told_alike_by_both_witnesses(reason: str) -> None:
    where = {"Channel": "PJSIP/trunk-1", "Uniqueid": UID, "Linkedid": UID}
    message = {"Event": "UserEvent", **where, "UserEvent": "SwitchhookRecordingRefused", "Reason": reason}
    row = {"eventtype": "SwitchhookRecordingRefused", "channame": "PJSIP/trunk-1", "uniqueid": UID, "linkedid": UID}
    (by_ami,), (by_cel,) = ami.translate("pbx", message), cel.translate("pbx", row | {"eventextra": _extra(reason)})
    assert (
        by_ami
        == by_cel
        == e.RecordingRefused(pbx="pbx", channel=UID, linkedid=UID, name="PJSIP/trunk-1", reason=reason)
    )
    assert seen(*settled_call(UID), by_ami).refused == reason


def test_a_refusal_of_no_known_reason_is_none() -> None:
    message = {"Event": "UserEvent", "Uniqueid": UID, "UserEvent": "SwitchhookRecordingRefused", "Reason": "x"}
    assert ami.translate("pbx", message) == []
    assert seen(*settled_call(UID)).refused == ""


def _extra(value: str) -> str:
    return f'{{"extra":"{value}"}}'
