"""One call told in order, in words: from what the call reads like and the facts around it (pure)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from calls import events as e
from calls.call import Call, facts
from calls.legs import Leg
from calls.view import CallView
from directory.model import Directory
from web.names import line_name
from web.told import device_kind
from web.wording import duration, phone
from web.words import WORDS, say


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


def timeline(call: Call, seen: CallView, directory: Directory, language: str) -> list[Moment]:
    """Every moment worth telling, in the order of time."""
    teller = Teller(directory, language)
    parts: tuple[Callable[[Call, CallView, Teller], Iterator[Moment]], ...] = (
        _beginning, _routing, _legs, _talks, _moves, _end, _books,
    )  # fmt: skip
    told = [moment for part in parts for moment in part(call, seen, teller)]
    return sorted(told, key=lambda moment: moment.at)


def _beginning(_call: Call, seen: CallView, teller: Teller) -> Iterator[Moment]:
    if seen.started_at is None:
        return
    line = line_name(teller.directory, seen.line) or phone(seen.line) or seen.line
    who = seen.caller_name or phone(seen.caller_number) or say(teller.language, "card.hidden")
    if seen.direction == "inbound":
        yield Moment(seen.started_at, teller.say("began", who=who, line=line), "inbound", key="began")
    else:
        by = teller.who(seen.caller_device, seen.caller_number)
        yield Moment(
            seen.started_at, teller.say("dialed", who=by, number=phone(seen.dialed) or seen.dialed), "outbound"
        )


def _routing(call: Call, _seen: CallView, teller: Teller) -> Iterator[Moment]:
    for routed in facts(call, e.Routed)[:1]:
        if routed.at:
            took = f"{routed.seconds * 1000:.1f}"
            text = teller.say("routed", time=took.replace(".", ",") if teller.language == "ru" else took)
            yield Moment(routed.at, text, "route", "quiet", key="routed")
    for taken in facts(call, e.FallbackTaken)[:1]:
        if taken.at:
            key = "fallback_down" if taken.reason == "down" else "fallback_late"
            yield Moment(taken.at, teller.say(key), "route", "bad", key="fallback")
    for recovered in facts(call, e.Recovered)[:1]:
        if recovered.at:
            yield Moment(recovered.at, say(teller.language, "call.recovered"), "clock", "quiet", key="recovered")


def _legs(call: Call, seen: CallView, teller: Teller) -> Iterator[Moment]:
    refused = {fact.channel for fact in facts(call, e.Confirmed) if not fact.accepted}
    for leg in seen.legs:
        who, device = teller.who(leg.device, leg.number), teller.device(leg.device, leg.number)
        if leg.started_at:
            yield Moment(leg.started_at, teller.say("rings", who=who, device=device), "phone", "ring", key="rings")
        if leg.outcome in {None, "answered", "answered_elsewhere"} or not leg.ended_at:
            continue
        key = "not_confirmed" if leg.channel in refused else f"leg_{leg.outcome}"
        waited = duration(_seconds(leg))
        text = teller.say(key if f"time.{key}" in WORDS else "leg_failed", who=who, time=waited)
        yield Moment(leg.ended_at, text, "missed", "bad" if seen.status == "missed" else "quiet", key="leg_ended")


def _talks(_call: Call, seen: CallView, teller: Teller) -> Iterator[Moment]:
    numbers = {leg.device: leg.number for leg in seen.legs}
    for talk in seen.talks:
        if talk.since is None:
            continue
        ours = [side for side in talk.between if side not in {seen.caller_number, seen.caller_device}]
        who = ", ".join(teller.who(side, numbers.get(side, "")) for side in ours)
        yield Moment(talk.since, teller.say("talks", who=who), "mic", "talk", key="talks")


def _moves(call: Call, seen: CallView, teller: Teller) -> Iterator[Moment]:
    numbers = {leg.device: leg.number for leg in seen.legs}

    def who(device: str) -> str:
        return teller.who(device, numbers.get(device, ""))

    for transfer in seen.transfers:
        if transfer.at:
            reached = ", ".join(who(device) for device in transfer.reached) or transfer.to
            key = "transferred" if transfer.completed else "transfer_failed"
            tone = "plain" if transfer.completed else "bad"
            text = teller.say(key, by=who(transfer.by), to=reached)
            yield Moment(transfer.at, text, "transfer", tone, key="transfer")
    for pickup in seen.pickups:
        if pickup.at:
            text = teller.say("picked_up", by=who(pickup.by), of=who(pickup.of))
            yield Moment(pickup.at, text, "transfer", key="pickup")
    for queue in seen.queues:
        if queue.entered_at:
            yield Moment(queue.entered_at, teller.say("queued", name=queue.name), "clock", "quiet", key="queue")
    for held in facts(call, e.Held):
        if held.at:
            yield Moment(held.at, teller.say("held"), "pause", "quiet", key="held")
    for resumed in facts(call, e.Resumed):
        if resumed.at:
            yield Moment(resumed.at, teller.say("resumed"), "play", "quiet", key="resumed")


def _books(call: Call, _seen: CallView, teller: Teller) -> Iterator[Moment]:
    for stored in facts(call, e.RecordingStored)[:1]:
        if stored.at:
            yield Moment(stored.at, teller.say("stored"), "mic", "quiet", key="stored")
    for missing in facts(call, e.RecordingMissing)[:1]:
        if missing.at:
            yield Moment(missing.at, teller.say("not_stored"), "mic", "bad", key="not_stored")
    for written in facts(call, e.Transcribed)[:1]:
        if written.at:
            yield Moment(written.at, teller.say("written"), "text", "quiet", key="written")
    for linked in facts(call, e.PartyLinked)[:1]:
        if linked.at:
            yield Moment(linked.at, teller.say(f"linked_{linked.created}"), "user", "quiet", key="linked")


def _end(_call: Call, seen: CallView, teller: Teller) -> Iterator[Moment]:
    if seen.ended_at is None:
        return
    if seen.status == "missed":
        yield Moment(seen.ended_at, teller.say("ended_missed"), "missed", "bad", key="ended")
    else:
        text = teller.say("ended", time=duration(seen.talk_seconds))
        yield Moment(seen.ended_at, text, "check", key="ended")


def _seconds(leg: Leg) -> float:
    began = leg.rang_at or leg.started_at
    return (leg.ended_at - began).total_seconds() if began and leg.ended_at else 0.0
