"""What a synthetic call is to the record, what it owes, what it counts, and at which step one failed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from calls import events as e
from calls import follow_up
from calls.call import Call, apply
from calls.due import Change
from calls.synthetic import PREFIX, STEPS
from calls.view import CallView, view
from crm_sync import due as crm_due
from crm_sync.ledger.owed import owed
from metrics.http import new_registry
from metrics.observe import Observed
from recordings import due as recordings_due
from routing import due as routing_due
from service.synthetic_steps import SAID, Progress, Seen, Side, progress
from telephony.plan_variables import UnsafeDialError
from telephony.synthetic import NUMBER, originate
from tests.fakes.synthetic import synthetic_call

AT = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
OWN = UUID(int=7)
LINE = "74951234567"
TOLD = synthetic_call(OWN, LINE, AT)
LATE = e.FallbackTaken(pbx="pbx", channel="c", linkedid=TOLD[0].linkedid, at=AT, reason="late")
WORDS = [{"side": side, "text": f" {word},"} for side, said in SAID["ru"].items() for word in said.split()]


def fold(events: Sequence[e.Event]) -> Call:
    call = Call()
    for event in events:
        call = apply(call, event)
    return call


def change(before: Sequence[e.Event] | None, after: Sequence[e.Event], *told: e.Event) -> Change:
    known: CallView | None = view(fold(before)) if before is not None else None
    return Change(uuid4(), known, view(fold(after)), told)


def seen(**more: Any) -> Seen:
    kept = {side: Side("stored", "", AT + timedelta(seconds=17)) for side in ("caller", "staff")}
    text = {"words": WORDS, "text_at": AT + timedelta(seconds=30)}
    return Seen(**{"call": fold(TOLD), "sides": kept, **text, **more})


def come(age: float = 40.0, **more: Any) -> Progress:
    return progress(seen(**more), AT, age, "ru", 900.0)


def test_it_is_a_call_that_two_sides_talked_on_and_of_a_direction_of_its_own() -> None:
    read = view(fold(TOLD))
    assert (read.direction, read.status, read.missed_cause, read.line) == ("synthetic", "answered", None, LINE)
    assert read.answered_by == ("Local/phone@switchhook-synthetic",)
    assert read.talk_seconds == pytest.approx(8.8)


def test_one_that_nobody_answered_is_no_missed_call() -> None:
    read = view(fold(synthetic_call(OWN, LINE, AT, answered=False)))
    assert (read.status, read.missed_cause, follow_up.origin_of(read)) == ("failed", None, None)


def test_a_caller_who_shows_its_number_and_its_name_is_a_caller() -> None:
    """Only uniqueids make a synthetic call, and those no caller chooses."""
    spoken = {"number": NUMBER, "caller_name": "switchhook-synthetic-7", "dialed": LINE, "incoming": True}
    created = e.ChannelCreated(pbx="pbx", channel="1.1", linkedid="1.1", at=AT, name="PJSIP/trunk-1", **spoken)  # type: ignore[arg-type]
    arrived = e.Arrived(pbx="pbx", channel="1.1", linkedid="1.1", at=AT, line=LINE, number=NUMBER)
    assert view(fold([created, arrived])).direction == "inbound"


@pytest.mark.parametrize("name", ["PJSIP/trunk-00000001", "Local/79161234567@switchhook-outside-00000003;1"])
@pytest.mark.parametrize("uniqueid", ["1.9", f"{PREFIX}9"], ids=["of_the_pbx", "of_the_kind"])
def test_a_call_with_a_real_channel_is_no_synthetic_one_whatever_its_uniqueids(uniqueid: str, name: str) -> None:
    """Whoever may name a channel hides no call from lists and figures by it."""
    joined = e.ChannelCreated(pbx="pbx", channel=uniqueid, linkedid=TOLD[0].linkedid, at=AT, name=name, incoming=True)
    assert view(fold([*TOLD, joined])).direction == "inbound"
    alone = replace(joined, channel=f"{PREFIX}1", linkedid=f"{PREFIX}1")
    assert view(fold([alone])).direction == "inbound"


def test_what_is_not_named_yet_does_not_take_its_kind_from_it() -> None:
    for told in (TOLD[:1], [*TOLD, replace(LATE, channel="1.9", linkedid=TOLD[0].linkedid)]):
        assert view(fold(told)).direction == "synthetic"


def test_it_owes_its_recording_and_nothing_that_concerns_people() -> None:
    settling = change(TOLD[:-1], TOLD, TOLD[-1])
    assert [job.task for job in recordings_due.due(settling)] == ["recordings.store_recording"]
    for room in (crm_due.due, routing_due.due, follow_up.due):
        assert list(room(settling)) == []


def test_what_crms_would_be_told_is_planned_in_shadow_alone() -> None:
    ringing = change(None, TOLD[:8])
    settling = change(TOLD[:-1], TOLD, TOLD[-1])
    stored = e.RecordingStored(pbx="pbx", channel="c", at=AT, side="caller", path="p", sha256="s", seconds=9.0)
    told = [*owed(ringing), *owed(settling), *owed(change(TOLD, TOLD, stored))]
    assert [one.step for one in told] == ["call_started", "call_finished", "recording"]
    assert all(one.shadow and not one.waits for one in told)


def test_it_is_counted_nowhere() -> None:
    registry = new_registry()
    observed = Observed(registry)
    before = {(one.name, *one.labels.values()): one.value for family in registry.collect() for one in family.samples}
    fallen = e.FallbackTaken(pbx="pbx", channel="c", at=AT, reason="late", line=LINE)
    routed = next(event for event in TOLD if isinstance(event, e.Routed))
    observed.observe(change(None, TOLD[:4], routed))
    observed.observe(change(TOLD[:4], TOLD, fallen))
    after = {(one.name, *one.labels.values()): one.value for family in registry.collect() for one in family.samples}
    ours = {name for name in after if name[0].startswith("switchhook_")}
    assert {name: after[name] for name in ours} == {name: before[name] for name in ours}


def test_a_whole_one_tells_when_each_step_was_done() -> None:
    told = come()
    assert told.whole
    assert list(told.steps) == list(STEPS)
    assert (told.steps["decided"], told.steps["answered"], told.steps["transcribed"]) == (0.002, 1.2, 30.0)


def test_what_is_not_there_yet_is_waited_for_until_its_time_is_over() -> None:
    early = come(100, sides={}, words=None, text_at=None)
    assert (early.failed, early.whole) == (None, False)
    assert come(181, sides={}, words=None, text_at=None).failed == "stored"
    assert come(899, words=None, text_at=None).failed is None
    assert come(901, words=None, text_at=None).failed == "transcribed"
    assert progress(Seen(), AT, 11.0, "ru", 900.0).failed == "arrived"


@pytest.mark.parametrize(
    "events, step, why",
    [
        (synthetic_call(OWN, LINE, AT, answered=False), "answered", "no_answer"),
        ([it for it in TOLD if not isinstance(it, e.RecordingStarted)], "recorded", "answered"),
        ([*TOLD, LATE], "decided", "late"),
    ],
    ids=["no_answer", "no_recording", "late"],
)
def test_a_call_that_is_over_fails_at_once_at_what_it_lacks(events: list[e.Event], step: str, why: str) -> None:
    told = come(16, call=fold(events), sides={}, words=None, text_at=None)
    assert told.failed == step
    assert why in told.why


def test_a_plan_that_rings_nobody_fails_at_the_decision() -> None:
    empty = [replace(it, plan='{"steps": []}') if isinstance(it, e.Routed) else it for it in TOLD]
    assert come(call=fold(empty)).failed == "decided"


def test_a_lost_file_and_a_text_of_other_words_are_told_with_their_reasons() -> None:
    lost = come(sides={"caller": Side("missing", "it is not there", AT), "staff": Side("stored", "", AT)})
    assert (lost.failed, lost.why) == ("stored", "caller: missing, it is not there")
    other = come(words=[word for word in WORDS if word["side"] == "caller"])
    assert (other.failed, other.why) == ("transcribed", "of what the staff says 0 of 6 words are in the text")
    half = WORDS[: len(WORDS) // 2] + [word for word in WORDS if word["side"] == "staff"]
    assert come(words=half).failed is None


def test_a_crm_that_is_owed_something_of_it_has_it_planned() -> None:
    owed_to = [("bitrix", "call_finished"), ("bitrix", "transcript")]
    waiting = come(owed=owed_to, planned={owed_to[0]: AT})
    assert "planned" not in waiting.steps
    assert come(931, owed=owed_to, planned={owed_to[0]: AT}).failed == "planned"
    assert come(owed=owed_to, planned=dict.fromkeys(owed_to, AT)).whole


@pytest.mark.parametrize(
    "line, language", [("74951234567/n&PJSIP/1", "ru"), ("", "ru"), (LINE, "ru,x"), (LINE, "../ru")]
)
def test_nothing_but_a_line_and_a_language_reaches_the_dialplan(line: str, language: str) -> None:
    with pytest.raises(UnsafeDialError):
        originate(OWN, line, language)
