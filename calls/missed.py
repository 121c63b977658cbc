"""Why nobody talked with the caller: one cause from the closed list of surfaces.md, from the facts alone (pure)."""

from __future__ import annotations

from calls import events as e
from calls.call import Call, facts
from calls.legs import Leg
from calls.moves import forwarded_by

GAVE_UP_EARLY_SECONDS = 10.0
"""A caller who hangs up sooner than this gave the people who were rung no fair chance."""

_BY_PLAN = ("outside_hours", "nobody_on_shift", "device_unreachable", "all_busy", "do_not_disturb", "no_route")
_BY_OUTCOME = {
    "busy": "all_busy",
    "unavailable": "device_unreachable",
    "congestion": "trunk_failure",
    "rejected": "rejected",
}
_BY_QUEUE = {
    "full": "queue_full",
    "timeout": "queue_timeout",
    "joinempty": "nobody_on_shift",
    "joinunavail": "nobody_on_shift",
    "leaveempty": "nobody_on_shift",
    "leaveunavail": "nobody_on_shift",
}


def missed_cause(call: Call, legs: tuple[Leg, ...], rule: str, wait_seconds: float, *, gave_up: bool) -> str:
    """The cause of an ended inbound call without a talk.

    `rule` is the key of the plan's deciding rule, or empty; `gave_up`: the caller ended the call.
    """
    fallback = next((fact for fact in call.facts if isinstance(fact, e.FallbackTaken)), None)
    if fallback is not None:
        return "service_down" if fallback.reason == "down" else "routing_late"
    if any(isinstance(fact, e.Transferred) for fact in call.facts):
        return "transfer_failed"
    queues = {fact.outcome for fact in call.facts if isinstance(fact, e.QueueLeft)}
    for told, cause in _BY_QUEUE.items():
        if told in queues:
            return cause
    sent_on = {forwarded_by(call, fact) for fact in facts(call, e.Forwarded)}
    legs = tuple(leg for leg in legs if leg.channel not in sent_on)
    outcomes = {leg.outcome for leg in legs}
    if not legs or not any(leg.rang for leg in legs):
        return _without_ringing(outcomes, rule, call, gave_up=gave_up)
    if "cancelled" in outcomes and wait_seconds < GAVE_UP_EARLY_SECONDS:
        return "caller_gave_up_early"
    if outcomes <= {"busy", "unavailable"} and "busy" in outcomes:
        return "all_busy"
    if "rejected" in outcomes and not outcomes & {"no_answer", "cancelled"}:
        return "rejected"
    return "rang_out" if outcomes & {"no_answer", "cancelled"} else "unknown"


def _without_ringing(outcomes: set[str | None], rule: str, call: Call, *, gave_up: bool) -> str:
    for outcome in ("busy", "rejected", "congestion", "unavailable"):
        if outcome in outcomes:
            return _BY_OUTCOME[outcome]
    if rule in _BY_PLAN:
        return rule
    if gave_up or any(isinstance(fact, e.Arrived | e.Routed | e.StepStarted) for fact in call.facts):
        return "caller_gave_up_early"
    if any(isinstance(fact, e.QueueJoined) for fact in call.facts):
        return "queue_timeout"
    # The PBX answered by itself, and nobody was dialled: a menu or a message without a way on (tape menu).
    return "menu_dead_end" if any(channel.up_at for channel in call.channels.values()) else "no_route"
