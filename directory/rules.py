"""Routing rules as data: when a rule holds, and where its call goes then (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Final, Literal, Self

Strategy = Literal["ring_all", "hunt", "round_robin", "longest_idle", "fewest_calls", "weighted"]
DestinationKind = Literal["ring", "person", "team", "hold", "queue", "voicemail", "number", "message", "reject"]
PersonState = Literal["free", "known", "nobody"]

STRATEGIES: Final[tuple[Strategy, ...]] = (
    "ring_all",
    "hunt",
    "round_robin",
    "longest_idle",
    "fewest_calls",
    "weighted",
)
DESTINATIONS: Final[tuple[DestinationKind, ...]] = (
    "ring",
    "person",
    "team",
    "hold",
    "queue",
    "voicemail",
    "number",
    "message",
    "reject",
)
RELATIVE: Final = ("owner", "last_talked", "team")
"""Whom `ring` names by what they are to this call."""

PERSON_STATES: Final[tuple[PersonState, ...]] = ("free", "known", "nobody")
LEAD_STAGES: Final = ("new", "qualifying", "qualified", "in_work", "won", "lost", "disqualified", "reviving")
REJECTS: Final = ("busy", "congestion", "declined", "unallocated")
DESTINATIONS_MOST: Final = 7
"""With twelve steps that ring people and an emergency number these are the twenty steps that a dialplan takes."""

LAST: Final = frozenset({"reject"})
"""What ends a call: nothing after it is reached."""

SECONDS: Final[Mapping[str, int]] = {"hold": 120, "queue": 120, "voicemail": 120, "number": 30}
"""How long a step of these kinds lasts when its rule says nothing; people ring as long as the line says."""

SORRY: Final = "vm-nobodyavail&please-try-call-later&vm-goodbye"
NOT_IN_SERVICE: Final = "ss-noservice"


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamLoad:
    """How busy a team is, bounds included; ``key`` is the team's, empty for the team of the line.

    ``free`` counts people who can be rung now, ``waiting`` the callers who hold for the team. ``most`` None: no bound.
    """

    key: str = ""
    free_at_least: int = 0
    free_at_most: int | None = None
    waiting_at_least: int = 0
    waiting_at_most: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the fields that are not by default."""
        return {it.name: value for it in fields(self) if (value := getattr(self, it.name)) != it.default}


@dataclass(frozen=True, kw_only=True)
class When:
    """Conditions, all of which must hold; an empty tuple or None asks nothing.

    A rule is for callers who are not blocked unless ``blocked`` says so, and for the line's hours unless ``open`` is
    False (closed) or None (either); a rule with hours of its own leaves ``open`` None. ``hours`` holds when one of the
    named hours is open, ``outside`` when none of them is, ``time`` at hours that the rule itself has, sorted pairs as
    (mon-fri, 09:00-18:00); all by the line's time zone. ``number`` are beginnings of the caller's number in
    international digits. ``owner`` and ``last_talked``: free (can be rung now), known, nobody.
    """

    line: tuple[str, ...] = ()
    campaign: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    blocked: bool = False
    vip: bool | None = None
    known: bool | None = None
    number: tuple[str, ...] = ()
    stage: tuple[str, ...] = ()
    open: bool | None = True
    hours: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    time: tuple[tuple[str, str], ...] = ()
    owner: PersonState | None = None
    owner_is: tuple[str, ...] = ()
    last_talked: PersonState | None = None
    team: TeamLoad | None = None

    @cached_property
    def asked(self) -> tuple[str, ...]:
        """The conditions to look at for each call, cheapest first; those that the line alone settles are not among."""
        settled = {"line", "campaign", "language"}
        names = (it.name for it in fields(self) if it.name not in settled)
        return tuple(name for name in names if name == "blocked" or getattr(self, name) not in (None, ()))

    def to_json(self) -> dict[str, Any]:
        """Give what is asked, as a file writes it."""
        told: dict[str, Any] = {}
        for it in fields(self):
            value = getattr(self, it.name)
            if it.name == "open":
                if value != open_by_default(self.hours, self.outside, self.time):
                    told["open"] = "any" if value is None else value
            elif it.name == "time" and value:
                told["time"] = dict(value)
            elif value != it.default:
                told[it.name] = value.to_json() if isinstance(value, TeamLoad) else _plain(value)
        return told

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` gave."""
        values: dict[str, Any] = {it: tuple(value) if isinstance(value, list) else value for it, value in told.items()}
        if "team" in values:
            values["team"] = TeamLoad(**values["team"])
        if "time" in values:
            values["time"] = tuple(sorted(values["time"].items()))
        asked = values.get("open", open_by_default(*(values.get(name) for name in ("hours", "outside", "time"))))
        return cls(**values | {"open": None if asked == "any" else asked})


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One place where a call goes: ``to`` is owner, last_talked or team for ring, else a key, name, number or word.

    ``strategy`` (empty: the team's own), ``skills`` and ``languages`` (all of which a person must have) are a team's.
    ``seconds`` is None for the usual time.
    """

    kind: DestinationKind
    to: str
    strategy: str = ""
    skills: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    seconds: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Give it as a file writes it: ``{"team": "sales", "strategy": "hunt"}``."""
        told: dict[str, Any] = {self.kind: self.to}
        for name in ("strategy", "skills", "languages", "seconds"):
            value = getattr(self, name)
            if value not in (None, "", ()):
                told[name] = _plain(value)
        return told

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` gave."""
        kind = next(name for name in DESTINATIONS if name in told)
        rest: dict[str, Any] = {it: tuple(value) if isinstance(value, list) else value for it, value in told.items()}
        return cls(kind=kind, to=rest.pop(kind), **rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Callers for whom ``when`` holds go to the first of ``then`` that takes them; ``name`` is what decisions show."""

    name: str
    when: When = When()
    then: tuple[Destination, ...]

    def to_json(self) -> dict[str, Any]:
        """Give it as a file writes it."""
        return {"name": self.name, "when": self.when.to_json(), "then": [it.to_json() for it in self.then]}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` gave."""
        then = tuple(Destination.from_json(it) for it in told["then"])
        return cls(name=told["name"], when=When.from_json(told.get("when") or {}), then=then)


def open_by_default(*own: object) -> bool | None:
    """Tell what ``open`` is when a rule does not say: the line's hours, or either when the rule has its ``own``."""
    return None if any(own) else True


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


_TEAM: Final = Destination(kind="ring", to="team")

BUILT_IN: Final = (
    Rule(
        name="blocked",
        when=When(blocked=True, open=None),
        then=(Destination(kind="message", to=NOT_IN_SERVICE),),
    ),
    Rule(name="outside_hours", when=When(open=False), then=(Destination(kind="message", to=SORRY),)),
    Rule(name="owner", when=When(owner="free"), then=(Destination(kind="ring", to="owner"), _TEAM)),
    Rule(name="last_talked", when=When(last_talked="free"), then=(Destination(kind="ring", to="last_talked"), _TEAM)),
    Rule(name="team", then=(_TEAM,)),
)
"""The rules behind those of the directory, and the only ones when it has none; one of them holds for every call."""
