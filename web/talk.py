"""What a talk's words tell, as the call's page and the API tell it (pure)."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from recordings.names import SIDES
from recordings.talk_facts import StepFact, TalkFacts
from web.wording import decimal, duration
from web.words import say


def shares(facts: TalkFacts) -> tuple[float, float]:
    """How much of the speech each side's is, 0 to 1: (caller, staff)."""
    together = facts.caller.seconds + facts.staff.seconds
    if not together:
        return 0.0, 0.0
    caller = round(facts.caller.seconds / together, 3)
    return caller, round(1 - caller, 3)


def silence_share(facts: TalkFacts) -> float:
    """How much of the talk nobody spoke, 0 to 1."""
    return round(facts.silence_seconds / facts.seconds, 3) if facts.seconds else 0.0


def broke_in(facts: TalkFacts) -> dict[str, list[float]]:
    """When each side broke in on the other, seconds."""
    return {side: [one.at for one in facts.interruptions if one.by == side] for side in SIDES}


def facts_json(facts: TalkFacts) -> dict[str, Any]:
    """The facts as JSON, with what follows from them: the shares, and how often each side broke in."""
    told = asdict(facts) | {"silence_share": silence_share(facts)}
    for side, share in zip(("caller", "staff"), shares(facts), strict=True):
        told[side] |= {"share": share, "interruptions": len(broke_in(facts)[side])}
    return told


def lines(facts: TalkFacts, language: str) -> list[str]:
    """The facts in a few lines of words."""
    caller, staff = shares(facts)
    time = span(facts.longest_silence_seconds, language)
    told = [
        say(language, "talk.shares", staff=percent(staff), caller=percent(caller)),
        f"{say(language, 'talk.silence')}: "
        + say(language, "talk.silence_told", share=percent(silence_share(facts)), time=time),
        *(f"{say(language, f'talk.{key}')}: {value}" for key, value in _measures(facts, language)),
    ]
    told += [f"  {_step(step, language)}" for step in facts.steps]
    told += [f"  {one.topic}: {', '.join(duration(it.at) for it in one.mentions)}" for one in facts.topics]
    return [*told, *([say(language, "talk.low")] if facts.low_confidence else [])]


def percent(share: float) -> int:
    """Whole percents."""
    return round(share * 100)


def seconds(value: float, language: str) -> str:
    """1.4 s."""
    return say(language, "talk.seconds", seconds=decimal(value, language))


def span(value: float, language: str) -> str:
    """1.4 s, from a minute on 1:02."""
    return seconds(value, language) if value < 60 else duration(value)


def _measures(facts: TalkFacts, language: str) -> Iterator[tuple[str, str]]:
    """What is told of both sides, ours first, and how soon we answer."""
    if facts.response_seconds is not None:
        yield "response", seconds(facts.response_seconds, language)
    sides = {"staff": facts.staff, "caller": facts.caller}
    counted = broke_in(facts)
    for key, values in (
        ("monologue", [duration(one.monologue_seconds) for one in sides.values()]),
        ("pace", [whole(one.words_per_minute) for one in sides.values()]),
        ("questions", [str(one.questions) for one in sides.values()]),
        ("interruptions", [str(len(counted[side])) for side in sides]),
    ):
        names = [say(language, f"side.{side}") for side in sides]
        yield key, ", ".join(f"{name} {value}" for name, value in zip(names, values, strict=True))


def whole(value: float | None) -> str:
    """A whole number, or a dash where there is none."""
    return "—" if value is None else f"{value:.0f}"


def _step(step: StepFact, language: str) -> str:
    mark, key = ("+", "talk.said") if step.said else ("-", "talk.not_said")
    at = f" {duration(step.at)}" if step.at is not None else ""
    unsure = f", {say(language, 'talk.unsure')}" if step.unsure else ""
    return f"{mark} {step.step}: {say(language, key)}{at}{unsure}"
