"""When the audio of a call is complete, and how loud a side must be to be a side at all."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls import events as e
from calls.call import Call, apply
from calls.moves import ForwardView, PickupView, TransferView
from calls.view import view
from calls.waits import ParkView, QueueView
from recordings import gaps
from recordings.gaps import Sound, judge, talk_owed, transfer, trunk, worst
from recordings.loudness import measure
from recordings.wav import HEAD_BYTES, header, read_header
from tests.fakes.recorded import T0, settled_call, speech, tone

UID, OTHER = "1795427050.1", "1795427050.12"
SPOKEN = Sound(60.0, 31.0, -19.5)


def folded(*events: e.Event) -> Call:
    call = Call(pbx="pbx")
    for event in events:
        call = apply(call, event)
    return call


def at(seconds: float, kind: Any, channel: str = UID, **told: object) -> e.Event:
    event: e.Event = kind(pbx="pbx", channel=channel, linkedid=UID, at=T0 + timedelta(seconds=seconds), **told)
    return event


@pytest.mark.parametrize(
    "talk, sound, state, reason",
    [
        (60.0, SPOKEN, "stored", None),
        (61.9, SPOKEN, "stored", None),
        (62.1, SPOKEN, "short", "60.0 s of sound for 62.1 s of talk"),
        (20.0, SPOKEN, "stored", None),
        (60.0, Sound(60.0, 0.02, -48.2), "silent", "nothing louder than -48 dBFS in 60.0 s of talk"),
        (60.0, Sound(60.0, 0.0, None), "silent", "no sound at all in 60.0 s of talk"),
        (60.0, Sound(2.0, 0.0, -72.0), "silent", "nothing louder than -72 dBFS in 60.0 s of talk"),
        (4.9, Sound(5.0, 0.0, None), "stored", None),
        (60.0, Sound(60.0), "stored", None),
        (0.0, Sound(3.0, 0.0, None), "stored", None),
    ],
)
def test_a_side_is_judged_by_its_length_and_by_its_sound(
    talk: float, sound: Sound, state: str, reason: str | None
) -> None:
    """Two seconds less than the talk are no gap; a short talk may be silent; what was not measured is believed."""
    assert judge(talk, sound) == gaps.Verdict(state, reason)


@given(st.floats(0, 1e5), st.floats(0, 1e5), st.floats(0, 1e5) | st.none(), st.floats(-120, 0) | st.none())
def test_whatever_is_measured_has_one_state_of_the_list(
    talk: float, seconds: float, loud: float | None, loudest: float | None
) -> None:
    """Judging is total, and says why whenever it is not well."""
    verdict = judge(talk, Sound(seconds, loud, loudest))
    assert verdict.state in gaps.KEPT
    assert (verdict.state == "stored") == (verdict.reason is None)


def test_what_somebody_held_or_was_apart_in_owes_no_sound() -> None:
    """Six seconds of talk, two of them on hold: nothing need come from either side then."""
    call = folded(*settled_call(UID))
    assert talk_owed(call, view(call)) == {UID: 6.0, OTHER: 6.0}
    held = folded(*settled_call(UID), at(4, e.Held, OTHER), at(6, e.Resumed, OTHER))
    assert talk_owed(held, view(held)) == {UID: 4.0, OTHER: 4.0}
    ever = folded(*settled_call(UID), at(5, e.Held, OTHER))
    assert talk_owed(ever, view(ever)) == {UID: 2.0, OTHER: 2.0}


def test_a_channel_that_nobody_talked_on_owes_nothing() -> None:
    """Neither a call that rang in vain, nor a second caller who was never connected."""
    missed = folded(*settled_call(UID, answered=False))
    assert talk_owed(missed, view(missed)) == {}
    second = at(2, e.ChannelCreated, "9.9", name="PJSIP/trunk-9", number="79160000009", incoming=True)
    call = folded(*settled_call(UID), second)
    assert "9.9" not in talk_owed(call, view(call))


def test_a_call_is_as_bad_as_its_worst_side() -> None:
    assert worst(["stored", "short", "silent"]) == "silent"
    assert worst(["empty", "unreadable", "missing"]) == "missing"
    assert worst(["stored", "stored"]) == "stored"
    assert worst([]) is None


def test_the_kind_of_transfer_is_what_puts_the_most_strain_on_a_recording() -> None:
    """One word a call, of a closed list, from the facts of the call."""
    seen = view(folded(*settled_call(UID)))
    moves = {
        kind: TransferView(kind, "PJSIP/anna-desk", "102", (), True, T0) for kind in ("blind", "attended", "blonde")
    }
    queue = QueueView("sales", T0, T0, "answered")
    assert transfer(seen) == "none"
    assert transfer(replace(seen, queues=(queue,))) == "queue"
    assert transfer(replace(seen, queues=(queue,), pickups=(PickupView("a", "b", T0),))) == "pickup"
    assert transfer(replace(seen, forwards=(ForwardView("a", "102", T0),))) == "forward"
    assert transfer(replace(seen, queues=(queue,), parks=(ParkView("a", "701", T0, T0, "taken", "b"),))) == "parked"
    for kind, move in moves.items():
        assert transfer(replace(seen, queues=(queue,), transfers=(move,))) == kind
    assert transfer(replace(seen, transfers=tuple(moves.values()))) == "attended"
    assert transfer(replace(seen, transfers=(moves["attended"],), conference=True)) == "conference"


def test_the_trunk_is_where_whoever_is_outside_came_from() -> None:
    inbound = view(folded(*settled_call(UID)))
    assert trunk(inbound) == "PJSIP/trunk"
    inside = replace(inbound, direction="internal")
    assert trunk(inside) == ""
    leg = replace(inbound.legs[0], device="PJSIP/second-trunk", number="79160000001")
    assert trunk(replace(inbound, direction="outbound", legs=(*inbound.legs, leg))) == "PJSIP/second-trunk"


def sound_of(samples: bytes, *, channels: int = 1) -> Sound:
    data = header(channels, 8000, 2, len(samples)) + samples
    return measure(io.BytesIO(data), read_header(data[:HEAD_BYTES], len(data)))


def quieter(samples: bytes, decibels: float) -> bytes:
    by = 10 ** (-decibels / 20)
    told = memoryview(samples).cast("h")
    return b"".join(round(one * by).to_bytes(2, "little", signed=True) for one in told)


@pytest.mark.parametrize("prompt", ["ru/vm-goodbye", "en/vm-goodbye"])
def test_a_voice_is_heard_even_of_who_speaks_very_low(prompt: str) -> None:
    """Real prompts of 8 kHz, 20 dB below the loudness that they were recorded with, between long pauses."""
    voice = quieter(speech(prompt), 20)
    found = sound_of(bytes(160_000) + voice + bytes(160_000))
    assert found.loud_seconds is not None
    assert found.loud_seconds > 0.3
    assert judge(found.seconds, found).state == "stored"


def test_the_noise_of_an_idle_line_is_no_voice() -> None:
    """Nothing at all, the silence of A-law, and a hum 5 dB below the limit; nor is a click."""
    for idle in (bytes(160_000), b"\x08\x00" * 80_000, quieter(tone(10), 35)):
        found = sound_of(idle)
        assert (found.seconds, found.loud_seconds) == (10.0, 0.0)
        assert judge(10.0, found).state == "silent"
    click = sound_of(bytes(80_000) + tone(0.04) + bytes(80_000))
    assert judge(10.0, click).state == "silent"


def test_loudness_is_told_in_decibels_below_full_scale() -> None:
    found = sound_of(tone(2))
    assert found.loudest_dbfs == pytest.approx(-20.1, abs=0.2)
    assert found.loud_seconds == pytest.approx(2.0)


def test_what_is_not_plain_mono_is_not_listened_to() -> None:
    """Its length counts all the same."""
    assert sound_of(tone(2), channels=2) == Sound(1.0)
