"""The answer to an arrival: ordered steps, each with its reason, and everybody who was considered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

StepKind = Literal["ring", "hold", "queue", "voicemail", "message", "reject"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, twice: a stable ``key`` with ``values`` for programs and translations, and ``text`` in English."""

    key: str
    text: str
    values: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give {"key", "text", "values"}."""
        return {"key": self.key, "text": self.text, "values": dict(self.values)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Reason":
        """Read what ``to_json`` gave."""
        return cls(body["key"], body["text"], tuple(body["values"].items()))


def because(key: str, text: str, **values: str) -> Reason:
    """Make a reason; ``text`` names its values in braces."""
    return Reason(key, text.format(**values), tuple(values.items()))


@dataclass(frozen=True, slots=True)
class Target:
    """Where a step goes: ``dial`` is what Dial() reads, or the name of a prompt, queue, team (hold), box or refusal.

    An outside number has no ``person``, and ``kind`` outside. ``seconds`` is what a mobile takes to ring and be
    confirmed, 0 for what takes as long as the step.
    """

    dial: str
    person: str = ""
    device: str = ""
    kind: str = ""
    trunk: str = ""
    seconds: int = 0

    def to_json(self) -> dict[str, Any]:
        """Give the fields by their names."""
        return {name: getattr(self, name) for name in ("dial", "person", "device", "kind", "trunk", "seconds")}


@dataclass(frozen=True, slots=True)
class Step:
    """What happens next: all ``targets`` at once, for at most ``seconds``."""

    kind: StepKind
    targets: tuple[Target, ...]
    seconds: int
    reason: Reason

    def to_json(self) -> dict[str, Any]:
        """Give the fields by their names, the parts as their own JSON."""
        targets = [target.to_json() for target in self.targets]
        return {"kind": self.kind, "targets": targets, "seconds": self.seconds, "reason": self.reason.to_json()}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Step":
        """Read what ``to_json`` gave."""
        targets = tuple(Target(**target) for target in body["targets"])
        return cls(body["kind"], targets, body["seconds"], Reason.from_json(body["reason"]))


@dataclass(frozen=True, slots=True)
class Candidate:
    """One device of one person, whether the plan rings it, and why or why not; ``device`` is empty for "has none".

    ``key``, ``why`` and ``values`` are those of a Reason.
    """

    person: str
    device: str
    taken: bool
    key: str
    why: str
    values: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give the fields by their names."""
        told = {name: getattr(self, name) for name in ("person", "device", "taken", "key", "why")}
        return told | {"values": dict(self.values)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Candidate":
        """Read what ``to_json`` gave; one that was stored before there were values has none."""
        return cls(**{**body, "values": tuple(body.get("values", {}).items())})


@dataclass(frozen=True, slots=True)
class Passed:
    """A rule that was asked before the one that decided, and the condition of it that did not hold."""

    rule: str
    condition: str

    def to_json(self) -> dict[str, Any]:
        """Give the fields by their names."""
        return {"rule": self.rule, "condition": self.condition}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole decision.

    ``rule`` is what decided, of version ``version`` of the directory's rules (0: it never had any); not_ready: no plan
    was made. ``passed`` are the rules asked before it. ``cause`` says why nobody rings, and is empty when somebody may:
    blocked, outside_hours, all_busy, do_not_disturb, device_unreachable, nobody_on_shift, no_route. ``turns`` are teams
    and the person whom each one's round robin rings first. ``looked_at`` is everybody whose state mattered: those
    considered, and those whom a rule only counted. ``line`` is the line's number as stored, ``language`` what the
    caller hears.
    """

    rule: str
    steps: tuple[Step, ...]
    reasons: tuple[Reason, ...]
    considered: tuple[Candidate, ...] = ()
    passed: tuple[Passed, ...] = ()
    version: int = 0
    cause: str = ""
    turns: tuple[tuple[str, str], ...] = ()
    looked_at: tuple[str, ...] = ()
    line: str = ""
    language: str = ""

    @property
    def trunk(self) -> str:
        """The trunk that the plan's mobiles are called through; empty when none rings."""
        return next((target.trunk for step in self.steps for target in step.targets if target.trunk), "")

    def to_json(self) -> dict[str, Any]:
        """Give the fields by their names, the parts as their own JSON."""
        return {
            "rule": self.rule,
            "version": self.version,
            "cause": self.cause,
            "line": self.line,
            "language": self.language,
            "steps": [step.to_json() for step in self.steps],
            "reasons": [reason.to_json() for reason in self.reasons],
            "considered": [candidate.to_json() for candidate in self.considered],
            "passed": [passed.to_json() for passed in self.passed],
            "turns": [list(turn) for turn in self.turns],
            "looked_at": list(self.looked_at),
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Plan":
        """Read what ``to_json`` gave, by this version or an earlier one."""
        return cls(
            rule=body["rule"],
            version=body.get("version", 0),
            cause=body.get("cause", ""),
            steps=tuple(Step.from_json(step) for step in body["steps"]),
            reasons=tuple(Reason.from_json(reason) for reason in body["reasons"]),
            considered=tuple(Candidate.from_json(candidate) for candidate in body["considered"]),
            passed=tuple(Passed(**passed) for passed in body.get("passed", ())),
            turns=tuple((team, person) for team, person in body.get("turns", ())),
            looked_at=tuple(body.get("looked_at", ())),
            line=body["line"],
            language=body["language"],
        )
