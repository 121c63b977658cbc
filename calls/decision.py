"""What routing decided of a call, read back from the stored plan by its keys (pure, total).

The plan's JSON is routing's (`routing.plan.Plan.to_json`): this room knows only the words that a missed call needs, and
takes what an older or newer service left out as not told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from calls import events as e
from calls.call import Call, earliest
from directory.model import FAIR_RING_SECONDS

Values = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Considered:
    """A device of a person, whether the plan rings it, and the key of why or why not."""

    person: str
    device: str
    taken: bool
    key: str


@dataclass(frozen=True, slots=True)
class Target:
    """What rings in a step; `kind` is desk, soft or mobile, `trunk` what a mobile is called through."""

    person: str
    device: str
    kind: str
    trunk: str


@dataclass(frozen=True, slots=True)
class DecidedStep:
    """One step of the plan; `kind` is ring, queue, hold, message and others that the dialplan does."""

    kind: str
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision on a call; without one everything is empty and the usual minimum of ringing holds."""

    made: bool = False
    rule: str = ""
    outcome: str = ""
    seconds: float = 0.0
    reasons: tuple[tuple[str, Values], ...] = ()
    considered: tuple[Considered, ...] = ()
    steps: tuple[DecidedStep, ...] = ()
    ring_seconds_least: float = FAIR_RING_SECONDS

    @property
    def keys(self) -> frozenset[str]:
        """The keys of all its reasons, the rule's own among them."""
        return frozenset(key for key, _ in self.reasons) | {self.rule}

    @property
    def trunks(self) -> frozenset[str]:
        """The trunks that its mobiles are called through."""
        return frozenset(target.trunk for step in self.steps for target in step.targets if target.trunk)


NONE = Decision()


def decision_of(call: Call) -> Decision:
    """The first decision on the call; whatever its plan holds, this does not raise."""
    routed = earliest(call, e.Routed)
    if routed is None:
        return NONE
    plan = _plan(routed.plan)
    return Decision(
        made=True,
        rule=routed.rule,
        outcome=routed.outcome,
        seconds=routed.seconds,
        reasons=tuple((_text(one, "key"), _values(one.get("values"))) for one in _mappings(plan.get("reasons"))),
        considered=tuple(
            Considered(_text(one, "person"), _text(one, "device"), one.get("taken") is True, _text(one, "key"))
            for one in _mappings(plan.get("considered"))
        ),
        steps=tuple(_step(one) for one in _mappings(plan.get("steps"))),
        ring_seconds_least=routed.ring_seconds_least or FAIR_RING_SECONDS,
    )


def _plan(text: str) -> Mapping[str, Any]:
    try:
        plan = json.loads(text)
    except ValueError:
        return {}
    return plan if isinstance(plan, dict) else {}


def _step(told: Mapping[str, Any]) -> DecidedStep:
    names = ("person", "device", "kind", "trunk")
    targets = (Target(*(_text(one, name) for name in names)) for one in _mappings(told.get("targets")))
    return DecidedStep(_text(told, "kind"), tuple(targets))


def _mappings(told: object) -> Iterator[Mapping[str, Any]]:
    yield from (one for one in told if isinstance(one, dict)) if isinstance(told, list) else ()


def _values(told: object) -> Values:
    return tuple((str(name), str(value)) for name, value in told.items()) if isinstance(told, dict) else ()


def _text(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    return value if isinstance(value, str) else ""
