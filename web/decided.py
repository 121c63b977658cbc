"""How a decision came about, in words: the rule, those asked before it, what was known, and the time it took (pure)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from directory.model import Directory
from web.names import person_name
from web.wording import clock
from web.words import WORDS, say

_CONDITIONS: Final = {
    "line": ("не для этой линии", "not for this line"),
    "campaign": ("не для этой рекламной кампании", "not for this campaign"),
    "language": ("не для языка этой линии", "not for this line's language"),
    "blocked": ("не по чёрному списку", "not by the block list"),
    "vip": ("не по списку VIP", "not by the list of VIPs"),
    "known": ("не по знакомству с клиентом", "not by whether the caller is known"),
    "number": ("не для этого номера", "not for this number"),
    "stage": ("не для этого этапа заявки", "not for this stage of the lead"),
    "open": ("не по часам линии", "not by the line's hours"),
    "hours": ("не в эти часы", "not at these hours"),
    "outside": ("не в эти часы", "not at these hours"),
    "time": ("не в это время", "not at this time"),
    "owner": ("не по ответственному", "not by the owner"),
    "owner_is": ("не для этого ответственного", "not for this owner"),
    "last_talked": ("не по тому, кто говорил последним", "not by who talked last"),
    "team": ("не по загрузке команды", "not by the team's load"),
}  # fmt: skip
"""Why a rule was not for a call, Russian and English, by the condition that did not hold."""

_BUILT_IN: Final = {
    "blocked": "чёрный список",
    "outside_hours": "вне часов работы",
    "owner": "ответственный",
    "last_talked": "говорил последним",
    "team": "команда линии",
    "not_ready": "справочника нет",
}


def rule(plan: Mapping[str, Any], language: str) -> str:
    """The rule that decided, and of which version; empty for a plan without one."""
    told, version = str(plan.get("rule", "")), plan.get("version")
    if not told:
        return ""
    name = rule_name(told, language)
    is_own = bool(version) and told not in _BUILT_IN
    return say(language, "decided.rule_version" if is_own else "decided.rule", rule=name, version=version or 0)


def rule_name(told: str, language: str) -> str:
    """A rule as people call it: the operator's own word, or ours for a built-in one."""
    if told not in _BUILT_IN:
        return told
    return _BUILT_IN[told] if language == "ru" else told.replace("_", " ")


def passed(plan: Mapping[str, Any], language: str) -> list[str]:
    """The rules that were asked before the one that decided, and why each was not for this call."""
    told = []
    for one in _mappings(plan.get("passed")):
        condition = str(one.get("condition", ""))
        russian, english = _CONDITIONS.get(condition, (condition, condition))
        told.append(f"{rule_name(str(one.get('rule', '')), language)}: {russian if language == 'ru' else english}")
    return told


def known(plan: Mapping[str, Any], directory: Directory, zone: ZoneInfo, language: str) -> list[str]:
    """What was known when it was decided: of the caller, of who waited, and of what the people had done."""
    facts = _mapping(plan.get("facts"))
    told = [say(language, "decided.vip")] if facts.get("vip") is True else []
    if isinstance(facts.get("known"), bool):
        told.append(say(language, "decided.known" if facts["known"] else "decided.unknown"))
    key = f"stage.{facts.get('stage')}"
    told += [say(language, "decided.stage", stage=say(language, key).lower())] if key in WORDS else []
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
    told = {name: f"{times[name] * 1000:.1f}" for name in names}
    if language == "ru":
        told = {name: text.replace(".", ",") for name, text in told.items()}
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
