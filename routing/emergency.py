"""A line's number for emergencies: rung around the clock when nothing else of a plan is left (pure)."""

from dataclasses import replace
from typing import Final

from directory.model import Line
from routing.plan import Plan, Step, Target, because

_GOES_ON: Final = frozenset({"ring", "hold", "queue"})
"""Steps after which the caller still waits for somebody; voicemail and a refusal are an end that somebody chose."""


def with_emergency(plan: Plan, line: Line | None, sorry: tuple[str, ...]) -> Plan:
    """Give the plan with the line's emergency number behind its last ring, or before the message ``sorry``.

    A plan that ends on purpose, in voicemail, a refusal or a message of its own, stays as it is.
    """
    if line is None or line.emergency is None or not plan.steps:
        return plan
    last = plan.steps[-1]
    dials = tuple(target.dial for target in last.targets)
    is_sorry = last.kind == "message" and "&".join(dials) == "&".join(sorry)
    if last.kind not in _GOES_ON and not is_sorry:
        return plan
    target = Target(
        dial=f"Local/{line.emergency}@switchhook-outside/n",
        device=line.emergency,
        kind="outside",
        trunk=line.trunk or "",
    )
    reason = because("emergency", "nobody else is left: the emergency number of line {line}", line=line.name)
    step = Step("ring", (target,), line.ring_seconds, reason)
    steps = (*plan.steps[:-1], step, last) if is_sorry else (*plan.steps, step)
    return replace(plan, steps=steps, reasons=(*plan.reasons, reason))
