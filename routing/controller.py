"""One arrival from start to end: the facts in time, the decision, the hand-over, the event that keeps the reasons."""

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final, Literal, Protocol

import structlog

from calls.events import Routed
from calls.synthetic import is_of_synthetic
from routing import evidence
from routing.arrival import Arrival, Facts
from routing.decide import decide, not_ready
from routing.look_up import CrmOwners
from routing.memory import Memory
from routing.plan import Plan

_log = structlog.get_logger()

Outcome = Literal["in_time", "from_cache", "late", "refused"]

BUDGET_SECONDS: Final = 0.5
"""How long an arrival may wait for the database when memory does not suffice."""

_HAND_OVER_SECONDS: Final = 0.1


class SendPlan(Protocol):
    """Hands a plan to the waiting channel; "sent", "too_late", or another word for why the PBX did not take it."""

    def __call__(self, arrival: Arrival, plan: Plan, until: float | None, /) -> Awaitable[str]:
        """Hand it over, best before this returns, and before ``until`` (``time.monotonic()``, None: whenever).

        Raises nothing.
        """
        ...


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of an arrival; ``seconds`` is what gathering and deciding took, ``event`` is to be recorded."""

    plan: Plan
    outcome: Outcome
    seconds: float
    event: Routed


class Router:
    """Answers arrivals; holds nothing but the memory it is given."""

    def __init__(
        self,
        memory: Memory,
        send: SendPlan,
        *,
        budget_seconds: float = BUDGET_SECONDS,
        crm: CrmOwners | None = None,
    ) -> None:
        """Take where the facts come from and where the plan goes; ``crm`` says whose a caller is, None: memory does."""
        self._memory = memory
        self._send = send
        self._crm = crm
        self._budget_seconds = budget_seconds
        self._asking: set[asyncio.Task[Facts]] = set()

    def _forget(self, asking: asyncio.Task[Facts]) -> None:
        """Let go of a question that is over; how it ended was told, or came too late to matter."""
        self._asking.discard(asking)
        if not asking.cancelled():
            asking.exception()

    def route(self, arrival: Arrival, until: float | None = None) -> Coroutine[Any, Any, Decision]:
        """Decide one arrival and hand the plan over; never raises for what it meets.

        When memory suffices, the plan is on its way as soon as this returns: a caller who waits does not wait for a
        turn of the event loop too. ``until`` is the last useful moment by ``time.monotonic()``. Without a directory
        nothing is sent, for then the line's fallback, which the PBX keeps itself, knows better.
        """
        began_at = time.monotonic()
        if self._crm is None and self._memory.suffices(arrival):
            return self._answer(arrival, self._memory.facts(arrival), began_at, until, from_memory=False)
        return self._route(arrival, began_at, until)

    async def _route(self, arrival: Arrival, began_at: float, until: float | None) -> Decision:
        facts, from_memory = await self._gather(arrival, began_at, until)
        if facts is None:
            return _decision(arrival, not_ready(arrival), "refused", _Told(seconds=time.monotonic() - began_at))
        if self._crm is not None:
            left = math.inf if until is None else until - time.monotonic() - _HAND_OVER_SECONDS
            facts = await self._crm.complete(arrival, facts, left)
            from_memory |= bool(facts.crm_fault)
        return await self._answer(arrival, facts, began_at, until, from_memory=from_memory)

    def _answer(
        self, arrival: Arrival, facts: Facts, began_at: float, until: float | None, *, from_memory: bool
    ) -> Coroutine[Any, Any, Decision]:
        if not facts.directory.teams:
            return _known(_decision(arrival, not_ready(arrival), "refused", _Told(seconds=time.monotonic() - began_at)))
        gathered_at = time.monotonic()
        plan = decide(arrival, facts)
        decided_at = time.monotonic()
        sending = self._send(arrival, plan, until)
        # What the decision rested on is kept before the next one changes whose turn it is.
        facts_json = evidence.of(arrival, facts, plan)
        if not is_of_synthetic(arrival.channel):
            self._memory.note(plan)
        told = _Told(
            seconds=decided_at - began_at,
            from_memory=from_memory,
            ring_seconds_least=facts.directory.ring_seconds_least(arrival.line),
            facts=facts_json,
            times={"gathered": gathered_at - began_at, "decided": decided_at - gathered_at},
        )
        return _handed_over(arrival, plan, sending, told)

    async def _gather(self, arrival: Arrival, began_at: float, until: float | None) -> tuple[Facts | None, bool]:
        """Give the facts, and whether they are only what memory knew when the database did not answer."""
        if self._memory.suffices(arrival):
            return self._memory.facts(arrival), False
        left = self._budget_seconds if until is None else until - began_at - _HAND_OVER_SECONDS
        asking = asyncio.create_task(self._memory.ask(arrival))
        try:
            # The end of a cancelled question is not waited for: the driver takes seconds to give up a dead connection.
            done, _ = await asyncio.wait({asking}, timeout=max(0.0, min(left, self._budget_seconds)))
            if done:
                return asking.result(), False
            _log.warning("facts not in time", error="TimeoutError")
        except Exception as error:  # noqa: BLE001  # a caller waits: whatever went wrong, what is known must do
            _log.warning("facts not in time", error=type(error).__name__)
        finally:
            asking.cancel()
            self._asking.add(asking)
            asking.add_done_callback(self._forget)
        return (self._memory.facts(arrival) if self._memory.directory is not None else None), True


async def _known(decision: Decision) -> Decision:
    return decision


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What is kept of a decision beside its plan; ``times`` are seconds by what they were spent on."""

    seconds: float
    from_memory: bool = False
    ring_seconds_least: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)
    times: Mapping[str, float] = field(default_factory=dict)


async def _handed_over(arrival: Arrival, plan: Plan, sending: Awaitable[str], told: _Told) -> Decision:
    began_at = time.monotonic()
    sent = await sending
    outcome = _outcome(sent, told.from_memory)
    took = {**told.times, "handed_over": time.monotonic() - began_at}
    return _decision(arrival, plan, outcome, replace(told, times=took))


def _outcome(sent: str, from_memory: bool) -> Outcome:
    match sent:
        case "sent":
            return "from_cache" if from_memory else "in_time"
        case "too_late":
            return "late"
        case _:
            return "refused"


def _decision(arrival: Arrival, plan: Plan, outcome: Outcome, told: _Told) -> Decision:
    kept = plan.to_json() | {"facts": told.facts, "times": told.times}
    event = Routed(
        pbx=arrival.pbx,
        channel=arrival.channel,
        at=arrival.at + timedelta(seconds=told.seconds),
        linkedid=arrival.linkedid,
        name=arrival.name or None,
        rule=plan.rule,
        plan=json.dumps(kept, ensure_ascii=False, separators=(",", ":")),
        outcome=outcome,
        seconds=told.seconds,
        ring_seconds_least=told.ring_seconds_least,
    )
    return Decision(plan, outcome, told.seconds, event)
