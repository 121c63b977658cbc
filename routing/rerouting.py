"""Past calls decided anew: what other rules, or another directory, would have changed."""

import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.synthetic import SYNTHETIC
from calls.tables import call_events, calls
from directory.model import Directory
from directory.numbers import show
from routing import evidence
from routing.arrival import Arrival
from routing.decide import decide
from routing.plan import Plan

EXAMPLES_MOST: Final = 3

Way = tuple[tuple[str, tuple[str, ...]], ...]
"""What a plan does: each step's kind and where it goes."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A decision as it was: the call's id, the arrival, and the plan with the facts of then (None: not kept)."""

    call: str
    arrival: Arrival
    plan: Plan
    facts: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Example:
    """One call whose way changes."""

    call: str
    at: datetime
    line: str
    before: Way
    after: Way

    def to_json(self) -> dict[str, Any]:
        """Give the fields by their names."""
        ways = {"before": _plain(self.before), "after": _plain(self.after)}
        return {"call": self.call, "at": self.at.isoformat(), "line": self.line, **ways}


@dataclass
class Rerouting:
    """What deciding anew found.

    ``left_out`` calls were decided before facts were kept. ``guessed`` ones look at people of whom nothing is known of
    then: their phones count as free. ``changed`` and ``examples`` are by (rule then, rule now).
    """

    call_count: int = 0
    same_count: int = 0
    left_out: int = 0
    guessed: int = 0
    changed: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], list[Example]] = field(default_factory=lambda: defaultdict(list))

    def note(self, stored: Stored, directory: Directory) -> None:
        """Decide one call anew by this directory and its rules."""
        self.call_count += 1
        if stored.facts is None:
            self.left_out += 1
            return
        plan = decide(stored.arrival, evidence.back(stored.facts, directory))
        self.guessed += bool({it.person for it in plan.considered} - {it.person for it in stored.plan.considered})
        before, after = way(stored.plan), way(plan)
        if before == after:
            self.same_count += 1
            return
        rules = stored.plan.rule, plan.rule
        self.changed[rules] += 1
        if len(self.examples[rules]) < EXAMPLES_MOST:
            line = stored.arrival.line
            self.examples[rules].append(Example(stored.call, stored.arrival.at, line, before, after))

    def to_json(self) -> dict[str, Any]:
        """Give what was found, the most frequent change first."""
        return {
            "calls": self.call_count,
            "same": self.same_count,
            "left_out": self.left_out,
            "guessed": self.guessed,
            "changes": [
                {
                    "before": before,
                    "after": after,
                    "calls": count,
                    "examples": [it.to_json() for it in self.examples[before, after]],
                }
                for (before, after), count in self.changed.most_common()
            ],
        }

    def to_text(self) -> str:
        """Give the same for people to read."""
        changed = sum(self.changed.values())
        lines = [f"{self.call_count} decisions: {self.same_count} as they were, {changed} would change"]
        for (before, after), count in self.changed.most_common():
            lines.append(f"{count} x rule {before} -> {after}, as:")
            for one in self.examples[before, after]:
                lines.append(f"  {one.at.isoformat(timespec='seconds')} on {show(one.line)}, call {one.call}")
                lines.append(f"    then {_words(one.before)}")
                lines.append(f"    now  {_words(one.after)}")
        if self.left_out:
            lines.append(f"{self.left_out} left out: decided before the facts of a decision were kept")
        if self.guessed:
            lines.append(f"{self.guessed} look at people of whom nothing is known of then: their phones count as free")
        lines.append("lines, hours and teams are those of the directory it was decided by; all else is as it was then")
        return "\n".join(lines)


def way(plan: Plan) -> Way:
    """Give what a plan does, without its reasons; the order of phones that ring at once is none."""
    return tuple((step.kind, tuple(sorted(it.device or it.dial for it in step.targets))) for step in plan.steps)


async def decisions(connection: AsyncConnection, since: datetime, until: datetime) -> AsyncIterator[Stored]:
    """Read the decisions of a period, oldest first; those that made no plan are left out."""
    events = call_events
    asked = (
        select(events.c.call_id, events.c.body, calls.c.caller_number, calls.c.caller_name, calls.c.pbx)
        .join(calls, calls.c.id == events.c.call_id)
        .where(events.c.kind == "Routed", events.c.at >= since, events.c.at < until, calls.c.direction != SYNTHETIC)
        .order_by(events.c.at)
    )
    async for row in await connection.stream(asked):
        told = json.loads(row.body["plan"])
        plan = Plan.from_json(told)
        if not plan.steps:
            continue
        arrival = Arrival(
            pbx=row.pbx,
            channel=row.body["channel"],
            line=plan.line,
            caller_number=row.caller_number or "anonymous",
            caller_name=row.caller_name or "",
            at=datetime.fromisoformat(row.body["at"]),
        )
        yield Stored(str(row.call_id), arrival, plan, told.get("facts"))


def _plain(told: Way) -> list[dict[str, Any]]:
    return [{"kind": kind, "to": list(to)} for kind, to in told]


def _words(told: Way) -> str:
    return ", then ".join(f"{kind} {', '.join(show(it) for it in to)}" for kind, to in told)
