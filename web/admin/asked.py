"""Which fields a form of the directory asks for, section by section, in the order they are shown (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from directory.masking import MASK_KINDS
from directory.model import (
    CHANNELS,
    DAYS,
    FAIR_RING_SECONDS,
    FOLLOW_UP_MINUTES,
    FOLLOW_UP_OWNERS,
    KINDS,
    LANGUAGES,
    MOBILE_SECONDS,
    ORDERS,
    RING_SECONDS,
    RINGS,
    ROLES,
    SHOWS,
)
from directory.outgoing import BY_DEFAULT, FIRSTS, Callback
from directory.retention import KEPT, STATUSES
from directory.rules import LEAD_STAGES, PERSON_STATES, STRATEGIES

Control = Literal["text", "number", "choice", "words", "long", "checks", "ordered", "rows", "pairs", "secret"]

NOTHING: Final = "nothing"
"""Among checks: the list is there, and empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One field: `name` is its path in the entry, with dots.

    `source` is what may be chosen: a section of the directory (people, teams, hours, lines), or a key of CHOICES.
    `words` are several with commas between them, `long` one a line; `rows` a list of mappings of `columns`; `pairs` a
    mapping of the first column to the second.
    """

    name: str
    control: Control = "text"
    source: str = ""
    columns: tuple[Ask, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Fields that stand together under a heading; rare ones are folded away."""

    name: str
    asks: tuple[Ask, ...]
    rare: bool = False


# What is by default is chosen by choosing nothing (`web.admin.options.blank_of` says what that is).
USUAL: Final[dict[str, int]] = {
    "ring_seconds": RING_SECONDS,
    "mobile_seconds": MOBILE_SECONDS,
    "plan": 1,
    "ring_seconds_least": FAIR_RING_SECONDS,
    "follow_up.minutes": FOLLOW_UP_MINUTES,
    "callback.attempts": Callback().attempts,
    "callback.after_seconds": Callback().after_seconds,
    "callback.pause_seconds": Callback().pause_seconds,
    "person_per_minute": BY_DEFAULT.person_per_minute,
    "person_per_hour": BY_DEFAULT.person_per_hour,
    "company_per_minute": BY_DEFAULT.company_per_minute,
    "company_per_hour": BY_DEFAULT.company_per_hour,
}
"""What is meant where a number is left out."""

CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "role": ROLES,
    "kind": KINDS,
    "order": ORDERS[1:],
    "ring": RINGS[1:],
    "notify": CHANNELS,
    "strategy": STRATEGIES,
    "language": LANGUAGES,
    "mobile_shows": SHOWS[1:],
    "callback": FIRSTS,
    "follow_up": FOLLOW_UP_OWNERS,
    "mask": MASK_KINDS,
    "mask_or_nothing": (*MASK_KINDS, NOTHING),
    "yes_no": ("true", "false"),
    "only": ("true",),
    "open": ("true", "false", "any"),
    "state": PERSON_STATES,
    "stage": LEAD_STAGES,
}


def _texts(*names: str) -> tuple[Ask, ...]:
    return tuple(Ask(name=name) for name in names)


def _numbers(*names: str) -> tuple[Ask, ...]:
    return tuple(Ask(name=name, control="number") for name in names)


def _choice(name: str, source: str) -> Ask:
    return Ask(name=name, control="choice", source=source)


def _words(*names: str) -> tuple[Ask, ...]:
    return tuple(Ask(name=name, control="words") for name in names)


_ZONE: Final = Ask(name="time_zone")
_HOURS: Final = _choice("hours", "hours")
_OUT: Final = _choice("line", "lines")
_FOLLOW_UP: Final = (
    Ask(name="follow_up.owners", control="ordered", source="follow_up"),
    Ask(name="follow_up.minutes", control="number"),
    _choice("follow_up.person", "people"),
)
_MASKING: Final = (
    Ask(name="masking.kinds", control="checks", source="mask_or_nothing"),
    _choice("masking.keep_original", "yes_no"),
    _choice("masking.readers", "role"),
)
_RETENTION: Final = (
    *_texts(*(f"retention.{kind}" for kind in KEPT)),
    *_texts(*(f"retention.{status}.{kind}" for status in STATUSES for kind in KEPT)),
)
_KEPT: Final = len(KEPT)

_PEOPLE: Final = (
    Group(name="main", asks=(*_texts("name"), _choice("role", "role"))),
    Group(
        name="devices",
        asks=(
            Ask(
                name="devices",
                control="rows",
                columns=(
                    _choice("kind", "kind"),
                    *_texts("address", "number", "trunk"),
                    *_numbers("mobile_seconds"),
                ),
            ),
            _choice("ring", "ring"),
            _choice("order", "order"),
        ),
    ),
    Group(name="time", asks=(_HOURS, _ZONE, Ask(name="calendar", control="secret"))),
    Group(
        name="notify",
        asks=(
            *_texts("email", "telegram"),
            Ask(name="notify", control="checks", source="notify"),
            Ask(name="quiet"),
        ),
    ),
    Group(
        name="more",
        asks=(*_words("skills", "languages"), *_numbers("plan", "leads_most"), _OUT),
        rare=True,
    ),
)
_TEAMS: Final = (
    Group(name="main", asks=(*_texts("name"), _choice("strategy", "strategy"))),
    Group(name="members", asks=(Ask(name="members", control="ordered", source="people"),)),
    Group(name="more", asks=(_HOURS, _ZONE, *_numbers("wrap_up_seconds"), _OUT), rare=True),
)
_LINES: Final = (
    Group(name="main", asks=(*_texts("name"), _choice("team", "teams"), _HOURS)),
    Group(
        name="ringing",
        asks=(
            *_numbers("ring_seconds", "wrap_up_seconds"),
            _choice("mobile_shows", "mobile_shows"),
            *_words("fallback"),
            *_texts("emergency"),
        ),
    ),
    Group(
        name="missed",
        asks=(
            *_FOLLOW_UP,
            _choice("callback.first", "callback"),
            *_numbers("callback.attempts", "callback.after_seconds", "callback.pause_seconds", "ring_seconds_least"),
        ),
        rare=True,
    ),
    Group(
        name="script",
        asks=(Ask(name="script", control="rows", columns=(*_texts("step"), Ask(name="phrases", control="long"))),),
        rare=True,
    ),
    Group(name="recording", asks=(*_texts("consent.prompt", "consent.refuse"), *_MASKING), rare=True),
    Group(name="retention", asks=_RETENTION, rare=True),
    Group(
        name="more",
        asks=(
            *_texts("trunk", "shows", "campaign"),
            _choice("language", "language"),
            *_texts("region"),
            _ZONE,
        ),
        rare=True,
    ),
)
_HOURS_ASKED: Final = (
    Group(name="week", asks=_texts(*DAYS)),
    Group(
        name="dates",
        asks=(
            *_texts("holidays"),
            Ask(name="dates", control="pairs", columns=_texts("date", "open")),
        ),
    ),
)
_RULES: Final = (
    Group(
        name="then",
        asks=(
            Ask(
                name="then",
                control="rows",
                columns=(
                    _choice("kind", "destination"),
                    *_texts("to"),
                    *_numbers("seconds"),
                    _choice("strategy", "strategy"),
                    *_words("skills", "languages"),
                ),
            ),
        ),
    ),
    Group(
        name="when",
        asks=(
            Ask(name="when.line", control="checks", source="lines"),
            _choice("when.open", "open"),
            Ask(name="when.time", control="pairs", columns=_texts("days", "open")),
            _choice("when.known", "yes_no"),
            _choice("when.vip", "yes_no"),
            _choice("when.owner", "state"),
            _choice("when.last_talked", "state"),
            *_words("when.number"),
        ),
    ),
    Group(
        name="more",
        asks=(
            Ask(name="when.hours", control="checks", source="hours"),
            Ask(name="when.outside", control="checks", source="hours"),
            *_words("when.campaign"),
            Ask(name="when.language", control="checks", source="language"),
            Ask(name="when.stage", control="checks", source="stage"),
            Ask(name="when.owner_is", control="checks", source="people"),
            _choice("when.blocked", "only"),
            _choice("when.team.key", "teams"),
            *_numbers(
                "when.team.free_at_least",
                "when.team.free_at_most",
                "when.team.waiting_at_least",
                "when.team.waiting_at_most",
            ),
        ),
        rare=True,
    ),
)
_COMPANY: Final = (
    Group(name="main", asks=(*_texts("name", "region", "time_zone"), _choice("language", "language"))),
    Group(name="missed", asks=(*_FOLLOW_UP, *_numbers("ring_seconds_least"))),
    Group(name="masking", asks=_MASKING),
    Group(name="retention", asks=_RETENTION[:_KEPT]),
    Group(name="retention_more", asks=_RETENTION[_KEPT:], rare=True),
    Group(
        name="topics",
        asks=(Ask(name="topics", control="pairs", columns=(*_texts("topic"), Ask(name="words", control="long"))),),
        rare=True,
    ),
)
_OUTGOING: Final = (
    Group(name="main", asks=(_OUT, *_words("allow", "deny"))),
    Group(
        name="limits",
        asks=(
            *_numbers("person_per_minute", "person_per_hour", "company_per_minute", "company_per_hour"),
            *_texts("person_day_budget", "company_day_budget"),
        ),
    ),
    Group(
        name="prices",
        asks=(
            *_texts("price_per_minute"),
            Ask(name="prices", control="rows", columns=_texts("prefix", "per_minute")),
        ),
        rare=True,
    ),
    Group(
        name="roles",
        asks=_words(*(f"roles.{role}.{name}" for role in ROLES for name in ("allow", "deny"))),
        rare=True,
    ),
)

FORMS: Final[dict[str, tuple[Group, ...]]] = {
    "people": _PEOPLE,
    "teams": _TEAMS,
    "lines": _LINES,
    "hours": _HOURS_ASKED,
    "rules": _RULES,
    "company": _COMPANY,
    "outgoing": _OUTGOING,
}
"""The sections that have forms; numbers of callers have lists, leads a page of their own."""

ENTRIES: Final = ("people", "teams", "lines", "hours", "rules")
"""Sections of several entries, each with a page of its own."""

FREELY: Final = ("queue", "voicemail", "number", "message")
"""Destinations that are named by a text; of the others one is chosen."""

LISTS: Final = ("blocked", "allowed", "vip", "do_not_call")


def asks_of(section: str) -> tuple[Ask, ...]:
    """Every field that a section's form asks for."""
    return tuple(ask for group in FORMS[section] for ask in group.asks)
