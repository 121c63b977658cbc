"""Why nobody talked with the caller: one cause from a closed list, its evidence, and who is to blame (pure).

Rules kept here:
1. Every missed call has exactly one cause. What cost the call first decides: the service, the queue, a telephone or the
   trunk that did not even ring, the schedule, and only then what people did.
2. Every cause is shown by evidence: keys with values, and the kinds of facts that they were read from.
3. A person is charged only where people are the cause, and only if their device was reachable, they were on shift, and
   it rang at least the line's minimum. Who was not rung, or hardly, is not to blame.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Literal

from calls import events as e
from calls.call import Call, facts
from calls.decision import Decision, decision_of
from calls.legs import Leg, is_outside
from calls.moves import forwarded_by

Group = Literal["caller", "people", "schedule", "telephony", "integration", "configuration", "unknown"]

GROUPS: Final[Mapping[str, Group]] = {
    "caller_gave_up_early": "caller",
    "rang_out": "people",
    "all_busy": "people",
    "rejected": "people",
    "nobody_on_shift": "schedule",
    "outside_hours": "schedule",
    "device_unreachable": "telephony",
    "do_not_disturb": "people",
    "queue_full": "schedule",
    "queue_timeout": "people",
    "menu_dead_end": "configuration",
    "transfer_failed": "people",
    "trunk_failure": "telephony",
    "no_route": "configuration",
    "routing_late": "integration",
    "crm_late": "integration",
    "service_down": "integration",
    "integration_lost": "integration",
    "unknown": "unknown",
}
"""Whose business each cause is."""

CAUSES: Final = tuple(GROUPS)
"""The closed list."""

_OF_PLAN: Final = ("outside_hours", "nobody_on_shift", "device_unreachable", "all_busy", "do_not_disturb", "no_route")
_LOOKED_UP_LATE: Final = frozenset({"owner_not_in_time", "crm_late", "crm_failed"})
_OF_QUEUE: Final = {
    "full": "queue_full",
    "timeout": "queue_timeout",
    "joinempty": "nobody_on_shift",
    "joinunavail": "nobody_on_shift",
    "leaveempty": "nobody_on_shift",
    "leaveunavail": "nobody_on_shift",
}
_NOT_FREE: Final = {
    "busy": "all_busy",
    "wrap_up": "all_busy",
    "calendar_busy": "all_busy",
    "do_not_disturb": "do_not_disturb",
    "unreachable": "device_unreachable",
}
"""Why people could not be rung while a caller held for them, the first that holds for anybody."""
_CANNOT_RING: Final = frozenset({"unavailable", "congestion", "failed"})
_UNREACHED_STEPS: Final = frozenset({"CHANUNAVAIL", "CONGESTION"})
_LEFT_RINGING: Final = frozenset({"no_answer", "cancelled", "rejected"})


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that shows the cause: a stable `key` with `values`, read from `facts`, kinds of events."""

    key: str
    values: tuple[tuple[str, str], ...] = ()
    facts: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give {"key", "values", "facts"}."""
        return {"key": self.key, "values": dict(self.values), "facts": list(self.facts)}


@dataclass(frozen=True, slots=True)
class Missed:
    """Why a call was missed; `charged_to` are keys of the people who are to blame, in the order they were rung."""

    cause: str
    evidence: tuple[Evidence, ...]
    charged_to: tuple[str, ...]

    @property
    def group(self) -> Group:
        """Whose business it is."""
        return GROUPS[self.cause]


def missed(call: Call, legs: tuple[Leg, ...], wait_seconds: float, *, gave_up: bool) -> Missed:
    """Why an ended inbound call without a talk was missed; `gave_up`: the caller ended it. Total."""
    case = _Case(call, legs, decision_of(call), wait_seconds, gave_up)
    cause = next(filter(None, (ask(case) for ask in _IN_ORDER)), "unknown")
    charged = tuple(_charged(case)) if GROUPS[cause] == "people" else ()
    return Missed(cause, tuple(_evidence(case)), tuple(dict.fromkeys(charged)))


@dataclass(frozen=True)
class _Case:
    """One missed call as it is weighed."""

    call: Call
    every_leg: tuple[Leg, ...]
    decision: Decision
    wait_seconds: float
    gave_up: bool

    @cached_property
    def legs(self) -> tuple[Leg, ...]:
        """Without the phones that only sent the call on."""
        sent_on = {forwarded_by(self.call, fact) for fact in facts(self.call, e.Forwarded)}
        return tuple(leg for leg in self.every_leg if leg.channel not in sent_on)

    @cached_property
    def outcomes(self) -> frozenset[str]:
        return frozenset(leg.outcome for leg in self.legs if leg.outcome)

    @cached_property
    def rang(self) -> bool:
        return any(leg.rang for leg in self.legs)

    @cached_property
    def gone(self) -> Mapping[str, datetime | None]:
        """Devices and trunks that could not be reached at some time of the call, and since when."""
        return {fact.device: fact.since for fact in facts(self.call, e.DeviceUnreachable)}

    @cached_property
    def early(self) -> bool:
        """The caller went before anybody had a fair chance."""
        return self.gave_up and self.wait_seconds < self.decision.ring_seconds_least

    @cached_property
    def held(self) -> bool:
        """Whether the caller held for somebody to come free."""
        begun = {fact.step for fact in facts(self.call, e.StepStarted)}
        return any(step.kind == "hold" for number, step in enumerate(self.decision.steps, 1) if number in begun)

    @cached_property
    def was_up(self) -> bool:
        """Whether somebody, or the PBX itself, answered a channel."""
        return any(channel.up_at for channel in self.call.channels.values())

    def has(self, *kinds: type[e.Event]) -> bool:
        return any(isinstance(fact, kinds) for fact in self.call.facts)

    def died_ringing(self, leg: Leg) -> bool:
        """Whether the phone, or the trunk, was gone after it began to ring; what rings is there."""
        since = self.gone.get(leg.device)
        return since is not None and leg.rang_at is not None and since >= leg.rang_at

    def through_trunk(self, leg: Leg) -> bool:
        """Whether the leg was to the outside: a mobile."""
        return leg.device in self.decision.trunks or is_outside(leg.number)


def _service(case: _Case) -> str:
    """The PBX went on by itself and lost the call; with a plan of no steps there was no route at all."""
    reasons = {fact.reason for fact in facts(case.call, e.FallbackTaken)}
    if not reasons:
        return ""
    if "empty" in reasons or ("down" not in reasons and case.decision.rule == "not_ready"):
        return "no_route"
    # A reason that only CEL could have told is not told: nobody listened then.
    return "routing_late" if "late" in reasons or (reasons == {""} and case.decision.made) else "service_down"


def _transfer(case: _Case) -> str:
    return "transfer_failed" if case.has(e.Transferred) else ""


def _call_back(case: _Case) -> str:
    """The caller did not wait on, but left to be called back before any phone rang: why was nobody free?"""
    if case.rang or not case.has(e.CallbackRequested):
        return ""
    why = {one.key for one in case.decision.considered}
    return next((cause for key, cause in _NOT_FREE.items() if key in why), "all_busy")


def _queue(case: _Case) -> str:
    told = {fact.outcome for fact in facts(case.call, e.QueueLeft)}
    return next((cause for outcome, cause in _OF_QUEUE.items() if outcome in told), "")


def _trunk(case: _Case) -> str:
    """No mobile could be called, since the trunk refused or was gone, and nobody else was rung."""
    mobiles = [leg for leg in case.legs if case.through_trunk(leg)]
    if case.rang:
        rang = [leg for leg in case.legs if leg.rang]
        return "trunk_failure" if all(leg in mobiles and case.died_ringing(leg) for leg in rang) else ""
    if case.outcomes & {"busy", "rejected"}:
        return ""
    refused = [leg for leg in case.legs if leg.outcome == "congestion"]
    gone = [leg for leg in mobiles if leg.device in case.gone]
    steps = [step for step in _unreached(case) if all(target.kind == "mobile" for target in step)]
    return "trunk_failure" if refused or gone or (steps and not case.legs) else ""


def _telephone(case: _Case) -> str:
    """What was to ring could not: it was busy, declined at once, or was not there."""
    if case.rang:
        return "device_unreachable" if all(case.died_ringing(leg) for leg in case.legs if leg.rang) else ""
    if "busy" in case.outcomes:
        return "all_busy"
    if "rejected" in case.outcomes:
        return "rejected"
    # A forward that no channel followed went to something that is not there.
    lost = not case.legs and (any(_unreached(case)) or case.has(e.Forwarded))
    if lost or case.outcomes & _CANNOT_RING:
        return "device_unreachable"
    return ""


def _schedule(case: _Case) -> str:
    """The plan rang nobody, and says why."""
    if case.rang or any(step.kind == "ring" for step in case.decision.steps):
        return ""
    return next((key for key in _OF_PLAN if key in case.decision.keys), "")


def _nobody_rang(case: _Case) -> str:
    """The caller waited, and no device of anybody was even tried."""
    if case.rang:
        return ""
    if "blocked" in case.decision.keys:
        return "no_route"
    if (case.has(e.QueueJoined) or case.held) and not case.early:
        return "queue_timeout"
    if case.gave_up or (not case.was_up and case.has(e.Arrived, e.Routed, e.StepStarted)):
        return "caller_gave_up_early"
    # The PBX answered by itself, and nobody was dialled: a menu or a message without a way on (tape menu).
    return "menu_dead_end" if case.was_up else "no_route"


def _look_up(case: _Case) -> str:
    """Others rang than the caller's owner, for the CRM did not say in time whose they are."""
    late = case.decision.keys & _LOOKED_UP_LATE
    return "crm_late" if late and not case.early and case.outcomes & _LEFT_RINGING else ""


def _people(case: _Case) -> str:
    if "cancelled" in case.outcomes and case.wait_seconds < case.decision.ring_seconds_least:
        return "caller_gave_up_early"
    if "busy" in case.outcomes and case.outcomes <= {"busy", "unavailable"}:
        return "all_busy"
    if "rejected" in case.outcomes and not case.outcomes & {"no_answer", "cancelled"}:
        return "rejected"
    if case.outcomes & {"no_answer", "cancelled"}:
        return "rang_out"
    # Somebody picked up and met nobody: the caller was gone, or went at that moment.
    return "caller_gave_up_early" if case.early else "rang_out" if case.outcomes else ""


_IN_ORDER: Final = (
    _service,
    _transfer,
    _call_back,
    _queue,
    _trunk,
    _telephone,
    _schedule,
    _nobody_rang,
    _look_up,
    _people,
)


def _unreached(case: _Case) -> Iterator[tuple[Any, ...]]:
    """The targets of each step of the plan that the PBX could not ring at all."""
    for ended in facts(case.call, e.StepEnded):
        if ended.status in _UNREACHED_STEPS and 0 < ended.step <= len(case.decision.steps):
            targets = case.decision.steps[ended.step - 1].targets
            if targets:
                yield targets


def _charged(case: _Case) -> Iterator[str]:
    """The people who let a reachable device of theirs ring long enough, on their shift."""
    taken = {one.device: one.person for one in case.decision.considered if one.taken}
    for leg in case.legs:
        person = taken.get(leg.device) or taken.get(leg.number)
        rang = leg.rang and leg.outcome in _LEFT_RINGING and _rang_seconds(leg) >= case.decision.ring_seconds_least
        if person and rang and not case.died_ringing(leg):
            yield person


def _rang_seconds(leg: Leg) -> float:
    began = leg.rang_at or (leg.started_at if leg.rang else None)
    return (leg.ended_at - began).total_seconds() if began and leg.ended_at else 0.0


def _evidence(case: _Case) -> Iterator[Evidence]:
    """All that speaks for the cause, in the order a person asks: service, decision, devices, queue, caller."""
    decision = case.decision
    for fallback in sorted(facts(case.call, e.FallbackTaken), key=lambda fact: not fact.reason)[:1]:
        yield _shown("fallback", ("FallbackTaken",), reason=fallback.reason, line=fallback.line)
    if decision.made:
        keys = [key for key, _ in decision.reasons if key in (*_OF_PLAN, *_LOOKED_UP_LATE)]
        spent = f"{decision.seconds:.3f}"
        yield _shown("decided", ("Routed",), rule=decision.rule, outcome=decision.outcome, seconds=spent)
        yield from (_shown("reason", ("Routed",), reason=key) for key in dict.fromkeys(keys))
        for one in decision.considered:
            if not one.taken:
                yield _shown("passed_over", ("Routed",), person=one.person, device=one.device, why=one.key)
    if not decision.made and not case.every_leg and case.was_up:
        yield _shown("answered_by_pbx", ("ChannelUp",))
    for step in facts(case.call, e.StepEnded):
        if step.status in _UNREACHED_STEPS:
            yield _shown("step_unreached", ("StepEnded",), step=str(step.step), status=step.status)
    for device, since in sorted(case.gone.items()):
        yield _shown("unreachable", ("DeviceUnreachable",), device=device, since=since.isoformat() if since else "")
    yield from (_of_leg(case, leg) for leg in case.every_leg)
    for queue in facts(case.call, e.QueueLeft):
        if queue.outcome:
            yield _shown("queue", ("QueueLeft",), queue=queue.queue, outcome=queue.outcome)
    for moved in facts(case.call, e.Transferred)[:1]:
        yield _shown("transfer", ("Transferred",), to=moved.to, way=moved.way)
    waited = f"{case.wait_seconds:.1f}"
    yield _shown("caller_left" if case.gave_up else "pbx_ended", ("ChannelHungUp",), seconds=waited)


def _of_leg(case: _Case, leg: Leg) -> Evidence:
    person = {one.device: one.person for one in case.decision.considered}
    rang = f"{_rang_seconds(leg):.1f}" if leg.rang else "0.0"
    return _shown(
        "leg",
        ("Dialed", "ChannelRang", "DialEnded", "ChannelHungUp"),
        device=leg.device,
        person=person.get(leg.device) or person.get(leg.number) or "",
        outcome=leg.outcome or "",
        rang_seconds=rang,
        hangup_cause="" if leg.hangup_cause is None else str(leg.hangup_cause),
    )


def _shown(key: str, told_by: Iterable[str], **values: str) -> Evidence:
    return Evidence(key, tuple((name, value) for name, value in values.items() if value), tuple(told_by))
