"""How a decision came about, in words: the rule, those asked before it, what was known, and the time it took (pure)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from directory.model import Directory
from web.names import person_name
from web.wording import clock, decimal
from web.words import has_words, say


def rule(plan: Mapping[str, Any], language: str) -> str:
    """The rule that decided, and of which version; empty for a plan without one."""
    told, version = str(plan.get("rule", "")), plan.get("version")
    if not told:
        return ""
    name = rule_name(told, language)
    is_own = bool(version) and not has_words(f"rule.{told}")
    return say(language, "decided.rule_version" if is_own else "decided.rule", rule=name, version=version or 0)


def rule_name(told: str, language: str) -> str:
    """A rule as people call it: the operator's own word, or ours for a built-in one."""
    return say(language, f"rule.{told}") if has_words(f"rule.{told}") else told


def passed(plan: Mapping[str, Any], language: str) -> list[str]:
    """The rules that were asked before the one that decided, and why each was not for this call."""
    told = []
    for one in _mappings(plan.get("passed")):
        condition = str(one.get("condition", ""))
        why = say(language, f"passed.{condition}") if has_words(f"passed.{condition}") else condition
        told.append(f"{rule_name(str(one.get('rule', '')), language)}: {why}")
    return told


def known(plan: Mapping[str, Any], directory: Directory, zone: ZoneInfo, language: str) -> list[str]:
    """What was known when it was decided: of the caller, of who waited, and of what the people had done."""
    facts = _mapping(plan.get("facts"))
    told = [say(language, "decided.vip")] if facts.get("vip") is True else []
    if isinstance(facts.get("known"), bool):
        told.append(say(language, "decided.known" if facts["known"] else "decided.unknown"))
    key = f"stage.{facts.get('stage')}"
    told += [say(language, "decided.stage", stage=say(language, key).lower())] if has_words(key) else []
    for key, count in _mapping(facts.get("waiting")).items():
        team = directory.team(key)
        told.append(say(language, "decided.waiting", team=team.name if team else key, count=count))
    return [*told, *_loads(_mapping(facts.get("load")), directory, zone, language)]


def spent(plan: Mapping[str, Any], language: str) -> str:
    """What the time was spent on, in milliseconds; empty when it was not kept."""
    times = _mapping(plan.get("times"))
    names = ("gathered", "decided", "handed_over")
    if not all(isinstance(times.get(name), float) for name in names):
        return ""
    told = {name: decimal(times[name] * 1000, language) for name in names}
    return say(language, "decided.spent", **told)


def _loads(loads: Mapping[str, Any], directory: Directory, zone: ZoneInfo, language: str) -> Iterator[str]:
    for person, load in loads.items():
        own = _mapping(load)
        parts = [
            say(language, key, count=own[name])
            for name, key in (("calls_today", "decided.calls"), ("leads_open", "decided.leads"))
            if isinstance(own.get(name), int)
        ]
        if isinstance(own.get("idle_since"), str):
            since = clock(datetime.fromisoformat(own["idle_since"]), zone)
            parts.append(say(language, "decided.idle", since=since))
        if parts:
            yield f"{person_name(directory, person)}: {', '.join(parts)}"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: object) -> Sequence[Mapping[str, Any]]:
    return [it for it in value if isinstance(it, dict)] if isinstance(value, list) else []
