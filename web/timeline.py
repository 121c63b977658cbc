"""One call told in order, in words: from what the call reads like and the facts around it (pure)."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from calls import events as e
from calls.call import UNTIMED, Call, facts
from calls.events import device
from calls.legs import Leg
from calls.moves import TransferView
from calls.view import CallView
from directory.model import Directory
from recordings.rows import Recording
from web.audio_gaps import gaps
from web.names import line_name, person_name
from web.refused import why_refused
from web.told import device_kind, reason
from web.wording import decimal, duration, phone
from web.words import has_words, say

_SOON = timedelta(seconds=0.2)


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the timeline; `tone` is plain, ring, talk, bad or quiet, `icon` a name of icons.svg."""

    at: datetime
    text: str
    icon: str
    tone: str = "plain"
    key: str = ""


@dataclass(frozen=True, slots=True)
class Teller:
    """Names people and devices for one reader."""

    directory: Directory
    language: str

    def say(self, key: str, **values: object) -> str:
        """Words of the timeline."""
        return say(self.language, f"time.{key}", **values)

    def who(self, device: str, number: str = "") -> str:
        """Whose device this is; the number, or the device's own name, when nobody's."""
        person = self.directory.person_of_device(device) or self.directory.person_of_number(number or device)
        return person.name if person else phone(number) or phone(device) or device

    def device(self, device: str, number: str = "") -> str:
        """What kind of device, in brackets, empty when unknown."""
        kind = device_kind(self.directory, device, number)
        return f" ({say(self.language, f'device.{kind}')})" if kind else ""


def timeline(
    call: Call, seen: CallView, directory: Directory, language: str, sides: Sequence[Recording] = ()
) -> list[Moment]:
    """Every moment worth telling, in the order of time; `sides` tell how the recording stands now."""
    teller = Teller(directory, language)
    parts: tuple[Callable[[Call, CallView, Teller], Iterator[Moment]], ...] = (
        _beginning, _routing, _waits, _promises, _answers, _holds, _legs, _talks, _moves, _end, _recorded, _books,
    )  # fmt: skip
    told = [moment for part in parts for moment in part(call, seen, teller)]
    if seen.ended_at and (wrong := gaps(sides, language)):
        told.append(Moment(seen.ended_at, teller.say("gap", what=". ".join(wrong)), "mic", "bad", key="audio_gap"))
    # The PBX tells of a transfer when it is done, some milliseconds after its people began to talk.
    return sorted(told, key=lambda moment: moment.at - (_SOON if moment.key == "transfer" else timedelta()))


def _beginning(_call: Call, seen: CallView, teller: Teller) -> Iterator[Moment]:
    if seen.started_at is None:
        return
    line = line_name(teller.directory, seen.line) or phone(seen.line) or seen.line
    if seen.direction == "inbound":
        who = seen.caller_name or phone(seen.caller_number) or say(teller.language, "card.hidden")
        text = teller.say("began" if line else "began_unknown", who=who, line=line)
        yield Moment(seen.started_at, text, "inbound", key="began")
    else:
        by, number = teller.who(seen.caller_device, seen.caller_number), teller.who("", seen.dialed)
        if number:
            text = teller.say("dialed", who=by or teller.say("program"), number=number)
        else:  # a program had a person called, who was never connected to anybody
            text = teller.say("program_calls", who=by or teller.say("somebody"))
        yield Moment(seen.started_at, text, "outbound", key="began")


def _routing(call: Call, _seen: CallView, teller: Teller) -> Iterator[Moment]:
    for routed in facts(call, e.Routed)[:1]:
        if routed.at:
            text = teller.say("routed", time=decimal(routed.seconds * 1000, teller.language))
            yield Moment(routed.at, text, "route", "quiet", key="routed")
    for taken in facts(call, e.FallbackTaken)[:1]:
        if taken.at:
            key = "fallback_late" if taken.reason == "late" else "fallback_down"
            yield Moment(taken.at, teller.say(key), "route", "bad", key="fallback")
    for judged in facts(call, e.OutgoingJudged)[:1]:
        if judged.at and (not judged.allowed or judged.purpose != "dialled"):
            key = f"judged_{judged.purpose}" if judged.allowed else "judged_refused"
            who, why = person_name(teller.directory, judged.person), why_refused(teller.language, judged.reason)
            text = teller.say(key, who=who, number=phone(judged.number) or judged.number, why=why)
            yield Moment(judged.at, text, "outbound", "quiet" if judged.allowed else "bad", key="judged")
    for recovered in facts(call, e.Recovered)[:1]:
        if recovered.at:
            yield Moment(recovered.at, say(teller.language, "call.recovered"), "clock", "quiet", key="recovered")


def _legs(call: Call, seen: CallView, teller: Teller) -> Iterator[Moment]:
    silent = {fact.channel for fact in facts(call, e.Confirmed) if not fact.accepted and fact.silent}
    forwarded = {one.by for one in seen.forwards}
    took = {one.by for one in seen.pickups} | {one.taken_by for one in seen.parks}
    for leg in seen.legs:
        who, device = teller.who(leg.device, leg.number), teller.device(leg.device, leg.number)
        called = leg.rang_at or leg.device not in took
        if leg.started_at and called and leg.outcome != "unavailable":
            yield Moment(leg.started_at, teller.say("rings", who=who, device=device), "phone", "ring", key="rings")
        if leg.outcome in {None, "answered", "answered_elsewhere"} or not leg.ended_at:
            continue
        if leg.outcome == "failed" and leg.device in forwarded:
            continue
        key = "not_confirmed" if leg.channel in silent and leg.outcome == "no_answer" else f"leg_{leg.outcome}"
        if key == "leg_failed" and leg.channel in call.channels and call.channels[leg.channel].up_at:
            key = "leg_met_nobody"
        waited = duration(_seconds(leg))
        text = teller.say(key if has_words(f"time.{key}") else "leg_failed", who=who, time=waited)
        yield Moment(leg.ended_at, text, "missed", "bad" if seen.status == "missed" else "quiet", key="leg_ended")


def _talks(_call: Call, seen: CallView, teller: Teller) -> Iterator[Moment]:
    who = _namer(seen, teller)
    outside = {seen.caller_number, seen.caller_device} if seen.direction == "inbound" else set()
    for talk in seen.talks:
        if talk.since is None:
            continue
        ours = [who(side) for side in talk.between if side not in outside]
        key = "talks" if len(ours) < 2 or seen.direction == "outbound" else "talks_inside"
        text = teller.say(key, who=" — ".join(ours))
        yield Moment(talk.since, text, "mic", "talk", key="talks")


def _moves(_call: Call, seen: CallView, teller: Teller) -> Iterator[Moment]:
    who = _namer(seen, teller)
    for one in seen.transfers:
        if one.at:
            by = who(one.by) if one.by else teller.say("program")
            to = (
                teller.who("", teller.directory.normal(one.to))
                or ", ".join(map(who, one.reached))
                or teller.say("somebody")
            )
            key = f"transferred_{one.kind}" if one.completed else "transfer_failed"
            if one.completed and _talks_on(seen, one):
                key = "brought_in"
            told = teller.say(key, by=by, to=to)
            yield Moment(one.at, told, "transfer", "plain" if one.completed else "bad", key="transfer")
    for pickup in seen.pickups:
        if pickup.at:
            text = teller.say("picked_up", by=who(pickup.by), of=who(pickup.of))
            yield Moment(pickup.at, text, "transfer", key="pickup")
    for forward in seen.forwards:
        if forward.at:
            by = who(forward.by) if forward.by else teller.say("phone")
            text = teller.say("forwarded", by=by, to=teller.who("", forward.to))
            yield Moment(forward.at, text, "transfer", key="forward")


def _waits(_call: Call, seen: CallView, teller: Teller) -> Iterator[Moment]:
    who = _namer(seen, teller)
    for queue in seen.queues:
        if queue.entered_at:
            yield Moment(queue.entered_at, teller.say("queued", name=queue.name), "clock", "quiet", key="queue")
        if queue.left_at and has_words(f"time.queue_{queue.outcome}"):
            text = teller.say(f"queue_{queue.outcome}", name=queue.name)
            yield Moment(queue.left_at, text, "clock", "bad", key="queue_left")
    for park in seen.parks:
        if park.since:
            text = teller.say("parked_at" if park.space else "parked", by=who(park.by), space=park.space)
            yield Moment(park.since, text, "pause", "quiet", key="parked")
        if park.until and has_words(f"time.park_{park.outcome}"):
            text = teller.say(f"park_{park.outcome}", by=who(park.taken_by or park.by))
            yield Moment(park.until, text, "play", "quiet", key="unparked")


def _promises(call: Call, _seen: CallView, teller: Teller) -> Iterator[Moment]:
    """What came of waiting: somebody was free, a promise to call back, a message."""
    for taken in facts(call, e.TakenOver):
        if taken.at:
            why = reason(json.loads(taken.reason), teller.language)
            yield Moment(taken.at, teller.say("taken_over", place=taken.place, why=why), "route", key="taken_over")
    for asked in facts(call, e.CallbackRequested)[:1]:
        if asked.at:
            yield Moment(asked.at, teller.say("callback_requested"), "clock", key="callback_requested")
    for left in facts(call, e.VoicemailLeft)[:1]:
        if left.at:
            yield Moment(left.at, teller.say("message_left", time=duration(left.seconds)), "mic", key="message_left")
    for at in sorted(_mailboxes(call).values()):
        yield Moment(at, teller.say("voicemail"), "mic", "quiet", key="voicemail")


def _answers(call: Call, _seen: CallView, teller: Teller) -> Iterator[Moment]:
    """A client who was called hears the question of NPS, and presses a key."""
    for asked in facts(call, e.NpsAsked)[:1]:
        if asked.at:
            yield Moment(asked.at, teller.say("nps_asked", number=phone(asked.number)), "outbound", key="nps_asked")
    for answered in facts(call, e.NpsAnswered)[:1]:
        if answered.at:
            yield Moment(answered.at, teller.say("nps_answered", score=answered.score), "check", key="nps_answered")


def _mailboxes(call: Call) -> dict[str, datetime]:
    """When each mailbox first took the call; both witnesses tell of it, and a transfer to it tells it again."""
    told = [(one.data.partition(",")[0], one.at) for one in facts(call, e.AppStarted) if one.app == "VoiceMail"]
    return {box: at for box, at in reversed(told) if at}


def _talks_on(seen: CallView, transfer: TransferView) -> bool:
    """Whether who transferred stayed: three talk with each other then (tape three_way)."""
    at = transfer.at
    return seen.conference and any(
        at and talk.since and talk.since >= at - _SOON and transfer.by in talk.between for talk in seen.talks
    )


def _holds(call: Call, _seen: CallView, teller: Teller) -> Iterator[Moment]:
    """Who put whom on hold; what was on hold already, or is not, tells nothing."""
    for channel in call.channels.values():
        by, on_hold = teller.who(device(channel.name[1]), channel.number[1]), False
        for at, held in sorted(channel.holds):
            if held is not on_hold and at != UNTIMED:
                key, icon = ("held", "pause") if held else ("resumed", "play")
                yield Moment(at, teller.say(key, who=by), icon, "quiet", key=key)
            on_hold = held


def _namer(seen: CallView, teller: Teller) -> Callable[[str], str]:
    """Who a device, or a number that stands for one, is in this call."""
    numbers = {leg.device: leg.number for leg in seen.legs} | {seen.caller_device: seen.caller_number}
    return lambda side: teller.who(side, numbers.get(side, ""))


def _recorded(call: Call, _seen: CallView, teller: Teller) -> Iterator[Moment]:
    for muted in facts(call, e.RecordingMuted):
        if muted.at:
            key = "record_muted" if muted.muted else "record_goes_on"
            yield Moment(muted.at, teller.say(key), "mic", "quiet", key=key)
    for refused in facts(call, e.RecordingRefused)[:1]:
        if refused.at:
            yield Moment(refused.at, teller.say(f"refused_{refused.reason}"), "mic", "quiet", key="record_refused")
    for stored in facts(call, e.RecordingStored)[:1]:
        if stored.at:
            yield Moment(stored.at, teller.say("stored"), "mic", "quiet", key="stored")


def _books(call: Call, _seen: CallView, teller: Teller) -> Iterator[Moment]:
    for written in facts(call, e.Transcribed)[:1]:
        if written.at:
            yield Moment(written.at, teller.say("written"), "text", "quiet", key="written")
    for unwritten in facts(call, e.TranscriptionGivenUp)[:1]:
        if unwritten.at and unwritten.reason and not facts(call, e.Transcribed):
            text = teller.say("not_written", reason=say(teller.language, f"unwritten.{unwritten.reason}"))
            yield Moment(unwritten.at, text, "text", "bad", key="not_written")
    for linked in facts(call, e.PartyLinked)[:1]:
        if linked.at:
            yield Moment(linked.at, teller.say(f"linked_{linked.created}"), "user", "quiet", key="linked")


def _end(_call: Call, seen: CallView, teller: Teller) -> Iterator[Moment]:
    if seen.ended_at is None:
        return
    if seen.erased:
        yield Moment(seen.ended_at, teller.say("erased"), "user", "quiet", key="erased")
    key = {"missed": "ended_missed", "voicemail": "ended_voicemail", "failed": "ended_failed"}.get(seen.status, "ended")
    by = f" {teller.say(f'ended_by_{seen.ended_by}')}" if seen.ended_by else ""
    text = teller.say(key, time=duration(seen.talk_seconds)) + by
    bad = seen.status in {"missed", "failed"}
    yield Moment(seen.ended_at, text, "missed" if bad else "check", "bad" if bad else "plain", key="ended")


def _seconds(leg: Leg) -> float:
    began = leg.rang_at or leg.started_at
    return (leg.ended_at - began).total_seconds() if began and leg.ended_at else 0.0
