"""A plan handed to the channel that waits for it, all in one write; so too what a holding channel waits for.

The dialplan waits on a variable instead of being redirected: an answer that comes too late sets a variable that
nobody reads, where a late Redirect would tear a conversation on the fallback apart (seen on Asterisk 22.10). A key
pressed after the last variable wakes the channel at once, where looking every millisecond costs one. A plan known to be
late is still not sent, so that its outcome is told as what it is.
"""

import time
from collections.abc import Awaitable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from telephony.link import Link
from telephony.pbx import LinkError, Message, Reply, UnsafeValue
from telephony.plan_variables import Step, UnsafeDialError, take_variable, variables

MARGIN_SECONDS = 0.1
"""What the way to the PBX and its wake-up may take, under load."""

KEPT = "SWITCHHOOK_KEPT"
"""Set to 1 when the wish of a holding caller to be called back is in the record."""

WAKE = {"Digit": "D", "Receive": "true"}
"""The key that the dialplan's Read waits for, as if the caller had pressed it. No telephone has it, and who is past
waiting does not act on it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a plan.

    sent: the PBX took every variable in time (`detail`, if any: why the caller looks for himself). too_late: the budget
    was over (`seconds` beyond it), nothing was sent. channel_gone: the caller had left. refused: the PBX said no.
    link_down: not connected, or no answer in time; the plan may have arrived. unsafe: a value that must not reach the
    dialplan; nothing was sent.
    """

    kind: Literal["sent", "too_late", "channel_gone", "refused", "link_down", "unsafe"]
    detail: str = ""
    seconds: float = 0.0  # from the hand-over's begin to the PBX's answer


def deadline(link: Link, arrival: Message, budget_seconds: float, margin_seconds: float = MARGIN_SECONDS) -> float:
    """Until when a plan helps this arrival, by `time.monotonic()`. To be asked when the message comes."""
    return time.monotonic() + budget_seconds - margin_seconds - link.clock.age(arrival)


def hand_over(
    link: Link, channel: str, steps: Sequence[Step], until: float, *, language: str = "", trunk: str = ""
) -> Coroutine[Any, Any, Outcome]:
    """Give the plan to `channel` (its name) unless `until` (of `deadline`) is over; never raises for what it meets.

    A caller waits: the plan is on its way when this returns, and only what becomes of it is awaited.
    """
    began_at = time.monotonic()
    if began_at > until:
        return _known(Outcome("too_late", f"{began_at - until:.3f} s after the last useful moment"))
    try:
        pairs = variables(steps, language=language, trunk=trunk)
    except UnsafeDialError as error:
        return _known(Outcome("unsafe", str(error)))
    return _write(link, channel, pairs, began_at)


def take(link: Link, channel: str, step: Step, *, trunk: str = "") -> Coroutine[Any, Any, Outcome]:
    """Have the holding `channel` ring `step`; one that no longer holds does not look at it. Else as `hand_over`."""
    try:
        pair = take_variable(step, trunk=trunk)
    except UnsafeDialError as error:
        return _known(Outcome("unsafe", str(error)))
    return _write(link, channel, [pair], time.monotonic())


def keep(link: Link, channel: str) -> Coroutine[Any, Any, Outcome]:
    """Tell the holding `channel` that its caller's wish to be called back is in the record. Else as `hand_over`."""
    return _write(link, channel, [(KEPT, "1")], time.monotonic())


def _write(link: Link, channel: str, pairs: Sequence[tuple[str, str]], began_at: float) -> Coroutine[Any, Any, Outcome]:
    """Set the variables, the last of which is the one that is waited for, and press the key."""
    writes = [{"Action": "Setvar", "Channel": channel, "Variable": name, "Value": value} for name, value in pairs]
    try:
        answers = link.actions([*writes, {"Action": "PlayDTMF", "Channel": channel, **WAKE}])
    except UnsafeValue as error:
        return _known(Outcome("unsafe", str(error)))
    except LinkError as error:
        return _known(Outcome("link_down", str(error)))
    return _answered(answers, began_at)


async def _known(outcome: Outcome) -> Outcome:
    return outcome


async def _answered(answers: Awaitable[list[Reply]], began_at: float) -> Outcome:
    try:
        replies = await answers
    except LinkError as error:
        return Outcome("link_down", str(error), time.monotonic() - began_at)
    seconds = time.monotonic() - began_at
    *written, woken = replies
    refusals = [reply.message for reply in written if not reply.success]
    if not refusals:
        return Outcome("sent", "" if woken.success else f"the caller was not woken: {woken.message}", seconds)
    gone = any("no such channel" in refusal.lower() for refusal in refusals)
    return Outcome("channel_gone" if gone else "refused", refusals[0], seconds)
