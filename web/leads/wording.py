"""How stages, steps, reasons, people and spans of leads read in the viewer's language (pure)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from directory.lead_policy import OWNER_RULES, LeadPolicy
from web.words import has_words, say

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86400
_HOURS_TOLD: Final = 48 * _HOUR


def age(seconds: float, language: str) -> str:
    """A span in one or two units: 5 min, 3 h 20 min, 4 d."""
    whole = max(int(seconds), 0)
    if whole >= _HOURS_TOLD:
        return say(language, "age.days", count=whole // _DAY)
    hours, minutes = divmod(whole // _MINUTE, 60)
    if not hours:
        return say(language, "age.minutes", count=minutes)
    told = say(language, "age.hours", count=hours)
    return f"{told} {say(language, 'age.minutes', count=minutes)}" if minutes and hours < 10 else told


def until(at: datetime, now: datetime, language: str) -> str:
    """How a deadline stands now: 40 min left, due now, or overdue by 3 h."""
    left = (at - now).total_seconds()
    if abs(left) < _MINUTE:
        return say(language, "due.now" if left >= 0 else "due.just_over")
    return say(language, "due.left" if left >= 0 else "due.over", age=age(abs(left), language))


def step_name(policy: LeadPolicy, key: str) -> str:
    """A step of the funnel as the house calls it; its key when the policy has it no more."""
    step = policy.step(key)
    return step.name if step else key


def place_name(policy: LeadPolicy, language: str, place: str | None) -> str:
    """A stage with its step as events tell it (in_work/meeting) in words; empty for None."""
    stage, _, step = (place or "").partition("/")
    if step:
        return step_name(policy, step)
    return say(language, f"stage.{stage}") if has_words(f"stage.{stage}") else stage


def reason_name(policy: LeadPolicy, language: str, key: str | None) -> str:
    """Why a lead was lost or disqualified; the key itself when the house has that reason no more."""
    own = next((one.name for one in (*policy.disqualified, *policy.lost) if one.key == key), None)
    if own is not None:
        return own
    return say(language, f"reason.{key}") if has_words(f"reason.{key}") else key or ""


def rule_words(policy: LeadPolicy, language: str, told: str) -> str:
    """A rule as events name it, with the rule of owners that chose (missed/round_robin); empty for what is no rule."""
    rule, _, who = told.rpartition("/") if told.rpartition("/")[2] in OWNER_RULES and "/" in told else (told, "", "")
    if has_words(f"rule.{rule}"):
        words = say(language, f"rule.{rule}")
    elif any(one.name == rule for one in policy.rules):
        words = say(language, "happened.rule", rule=rule)
    else:
        return ""
    return f"{words}; {say(language, f'who.{who}')}" if who else words


def words_of(policy: LeadPolicy, language: str, now: datetime) -> dict[str, Callable[..., str]]:
    """What a template asks of these words: `reason_of(key)`, `place_of("in_work/meeting")`, `until(deadline)`.

    And `age_of(span)`.
    """
    return {
        "reason_of": lambda key: reason_name(policy, language, key),
        "place_of": lambda told: place_name(policy, language, told),
        "until": lambda at: until(at, now, language),
        "age_of": lambda span: age(span.total_seconds(), language),
    }
