"""Whether clients are asked how willing they are to recommend the house, after what, and how often (pure).

`plain` and `nps_from` are the one form for the file and for the row: what is by default is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

Way = Literal["call", "link"]
WAYS: Final[tuple[Way, ...]] = ("call", "link")

STAGES: Final = ("qualifying", "qualified", "in_work", "won", "lost")
"""Stages of a lead that may be asked after: a new lead was not spoken with, a disqualified one is no client."""

DAYS_MOST: Final = 3650
DELAY_MINUTES_MOST: Final = 7 * 24 * 60
COMMENT_SECONDS_MOST: Final = 300


class TalkShare(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """So many of a hundred answered talks on a line are asked about."""

    line: str
    percent: int


class NpsPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """After what clients are asked, how, and how often. Without a stage, a step and a talk nobody is.

    ``stages`` and ``steps`` (of the funnel) ask when a lead comes there, ``talks`` after answered talks. ``way``: an
    automatic call, or a link in a message. A client is asked ``delay_minutes`` after that, in ``hours`` (a key of the
    directory's hours; the line's own unless told, and by day where it has none), and never twice within
    ``days_between`` days. ``prompt`` is the sound in which the call asks, ``comment_prompt`` the one that asks for some
    words too, at most ``comment_seconds`` long; without it no words are asked for.
    """

    way: Way = "call"
    stages: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    talks: tuple[TalkShare, ...] = ()
    days_between: int = 90
    delay_minutes: int = 30
    hours: str | None = None
    prompt: str = ""
    comment_prompt: str = ""
    comment_seconds: int = 60

    @property
    def asks(self) -> bool:
        """Whether anybody is asked."""
        return bool(self.stages or self.steps or self.talks)


NO_NPS: Final = NpsPolicy()


def plain(policy: NpsPolicy) -> dict[str, Any]:
    """Give the form in which it is written; empty when all of it is by default."""
    told: dict[str, Any] = msgspec.to_builtins(policy)
    return told


def nps_from(told: Mapping[str, Any]) -> NpsPolicy:
    """Read what ``plain`` gave."""
    return msgspec.convert(told, NpsPolicy)
