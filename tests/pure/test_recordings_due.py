"""Which calls owe audio and text."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from calls import events as e
from calls.call import Call, apply
from calls.due import Change
from calls.view import CallView, view
from recordings.due import archive_job, due, look
from tests.fakes.recorded import T0, settled_call


def seen(events: list[e.Event]) -> CallView:
    call = Call(pbx="pbx")
    for event in events:
        call = apply(call, event)
    return view(call)


def owed(before: list[e.Event] | None, after: list[e.Event], *told: e.Event) -> list[str]:
    change = Change(uuid4(), seen(before) if before else None, seen(after), told)
    return [job.task for job in due(change)]


CALL = settled_call()
STORED = e.RecordingStored(pbx="pbx", channel="1795427050.1", at=T0, side="caller", path="p", sha256="s", seconds=6.0)


def test_a_settled_talk_owes_its_recording_once() -> None:
    """At settling, and never again."""
    assert owed(None, CALL[:-1]) == []
    assert owed(CALL[:-1], CALL) == ["recordings.store_recording"]
    assert owed(CALL, CALL) == []


def test_a_talk_that_comes_to_light_after_settling_owes_it_too() -> None:
    """Facts recovered later count like facts on time."""
    missed = settled_call(answered=False)
    assert owed(missed, CALL) == ["recordings.store_recording"]


def test_a_missed_call_owes_a_look_for_what_the_pbx_left() -> None:
    """The PBX makes its files before anybody answers; they are tidied up once."""
    missed = settled_call(answered=False)
    assert owed(missed[:-1], missed) == ["recordings.store_recording"]
    assert owed(missed, missed) == []


def test_a_call_between_colleagues_owes_audio_only_when_it_was_recorded() -> None:
    """Nothing is told missing that was never recorded."""
    inside = [
        e.ChannelCreated(pbx="pbx", channel="7.1", linkedid="7.1", at=T0, name="PJSIP/boris-desk-1", number="102",
                         dialed="101", incoming=True),
        *(event for event in settled_call("7.1", direction="internal")[1:]),
    ]  # fmt: skip
    assert seen(inside).direction == "internal"
    assert owed(None, inside) == []
    recorded = e.RecordingStarted(pbx="pbx", channel="7.1", linkedid="7.1", at=T0, path="7.1-caller.wav")
    assert owed(None, [*inside, recorded]) == ["recordings.store_recording"]


def test_a_call_out_that_was_let_out_owes_its_recording_though_the_pbx_said_nothing() -> None:
    """The dialplan that lets it out records it; that it does not is a gap, and nobody would look."""
    out = settled_call("7.1", number="79161234567", direction="outbound")
    out[0] = e.ChannelCreated(
        pbx="pbx", channel="7.1", linkedid="7.1", at=T0, name="PJSIP/boris-desk-1", number="102", dialed="79161234567",
        incoming=True,
    )  # fmt: skip
    assert seen(out).direction == "outbound"
    assert owed(None, out) == []
    judged = e.OutgoingJudged(pbx="pbx", channel="7.1", linkedid="7.1", at=T0, number="79161234567")
    assert owed(None, [*out, judged]) == ["recordings.store_recording"]
    refused = e.OutgoingJudged(pbx="pbx", channel="7.1", linkedid="7.1", at=T0, number="79161234567", allowed=False)
    assert owed(None, [*out, refused]) == []


def test_stored_audio_owes_its_text_once() -> None:
    """Both sides told together are one text."""
    assert owed(CALL, [*CALL, STORED], STORED, STORED) == ["recordings.transcribe"]
    assert owed(CALL, [*CALL, STORED]) == []


def test_the_newest_call_becomes_text_first() -> None:
    """The queue's priority grows with the time at which a call ended, and fits the queue's numbers."""
    priorities = []
    for day in (0, 1, 400):
        events = settled_call(at=T0 + timedelta(days=day))
        change = Change(uuid4(), seen(events), seen([*events, STORED]), (STORED,))
        priorities += [job.priority for job in due(change) if job.queue == "transcription"]
    assert priorities == sorted(set(priorities))
    assert priorities[0] > 0
    assert priorities[-1] < 2**31 - 1


def test_text_or_the_end_of_hope_for_it_owes_the_archive_behind_what_is_to_be_stored() -> None:
    """One lock for both, so that no side comes while others go."""
    heard = e.Transcribed(pbx="pbx", channel="1795427050.1", at=T0, language="ru", model="m", word_count=3)
    given_up = e.TranscriptionGivenUp(pbx="pbx", channel="1795427050.1", at=T0, reason="died")
    for told in (heard, given_up):
        assert owed(CALL, [*CALL, told], told) == ["recordings.archive"]
    assert archive_job("1").priority < look("1").priority
    assert archive_job("1").lock == look("1").lock
