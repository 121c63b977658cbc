"""What would be decided: the same facts and the same decision, shown instead of sent."""

import math
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncEngine

from directory.model import Directory
from directory.numbers import show
from routing import look_up
from routing.arrival import Arrival
from routing.decide import decide, not_ready
from routing.gather import DeviceReader, OwnerReader, PartyReader, caller, read_facts
from routing.load import LeadCounter, Loads
from routing.look_up import CrmOwners
from routing.plan import Plan, Step


@dataclass(frozen=True, slots=True)
class DryRun:
    """The plan, and the same for people to read."""

    plan: Plan
    text: str


async def dry_run(
    engine: AsyncEngine,
    arrival: Arrival,
    *,
    devices: DeviceReader,
    owners: OwnerReader,
    crm: CrmOwners | None = None,
    parties: PartyReader | None = None,
    leads: LeadCounter | None = None,
    directory: Directory | None = None,
) -> DryRun:
    """Decide an arrival by what the database, and the CRM if one is asked, say now; send nothing.

    ``directory`` is a draft, in place of what is saved. Who holds for a team is not in the database: nobody, for a dry
    run.
    """
    loads = Loads(leads)
    async with engine.connect() as connection:
        facts = await read_facts(connection, arrival, devices, owners, parties, directory=directory)
        await loads.read(connection, facts.directory)
        if crm is not None:
            crm.copies.update(await look_up.read(connection, [caller(arrival, facts.directory)]))
    facts = replace(facts, load=loads.by_person, turns=loads.turns)
    if crm is not None:
        facts = await crm.complete(arrival, facts, math.inf)
    plan = decide(arrival, facts) if facts.directory.teams else not_ready(arrival)
    return DryRun(plan, render(plan, facts.directory))


def render(plan: Plan, directory: Directory) -> str:
    """Give a plan as text: its rule, the reasons, the steps, and everybody who was considered."""
    line = directory.line(plan.line)
    version = f" of version {plan.version}" if plan.version else ""
    where = f"line {show(plan.line)}{f' ({line.name})' if line else ''}"
    lines = [f"{where}, decided by rule {plan.rule}{version}"]
    lines += ["rules that were not for this call:"] if plan.passed else []
    lines += [f"  {passed.rule}: its condition {passed.condition!r} does not hold" for passed in plan.passed]
    lines += ["reasons:"]
    lines += [f"  {reason.text}" for reason in plan.reasons]
    lines += ["steps:"] if plan.steps else []
    lines += [f"  {number}. {_step(step, directory)}" for number, step in enumerate(plan.steps, 1)]
    lines += ["considered:"] if plan.considered else []
    lines += [
        f"  {'+' if it.taken else '-'} {_name(it.person, directory)} {show(it.device) or '(no device)'}: {it.why}"
        for it in plan.considered
    ]
    return "\n".join(lines)


def _step(step: Step, directory: Directory) -> str:
    said = ", ".join(target.dial for target in step.targets)
    verbs = {
        "message": f"say {said}",
        "reject": f"turn away as {said}",
        "hold": f"hold for team {said} at most {step.seconds} s",
        "queue": f"wait in the PBX's queue {said} at most {step.seconds} s",
        "voicemail": f"take a message into {said}",
    }
    return f"{verbs.get(step.kind) or _ring(step, directory)}: {step.reason.text}"


def _ring(step: Step, directory: Directory) -> str:
    rung = ", ".join(
        f"{show(target.device)} of {_name(target.person, directory)}" if target.person else show(target.device)
        for target in step.targets
    )
    return f"ring {rung} for {step.seconds} s"


def _name(key: str, directory: Directory) -> str:
    person = directory.person(key)
    return person.name if person else key
