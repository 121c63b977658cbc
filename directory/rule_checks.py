"""Doubts about routing rules: those that no call can match, and destinations that no call reaches (pure).

A doubt is never wrong: it is told only where each condition of a rule shows it. Not every dead rule is found: one that
several earlier rules take together is not.
"""

from collections.abc import Iterator
from itertools import pairwise

from directory.checks import Problem
from directory.model import Directory
from directory.rules import LAST, Rule, TeamLoad

_UNKNOWN_LINE = ""


def doubts(directory: Directory) -> list[Problem]:
    """Give what is allowed and hardly meant, in the order of the rules."""
    return [
        problem
        for at, rule in enumerate(directory.rules)
        for problem in (*_dead(directory, at, rule), *_unreached(at, rule))
    ]


def contradiction(directory: Directory, rule: Rule) -> str:
    """Tell which conditions of one rule no call can meet together, in words; empty when there are none."""
    when = rule.when
    if not lines_of(directory, rule):
        return "no line has this line, campaign and language together"
    found = (
        (when.vip is True and not directory.vip, "vip: the list of VIPs is empty"),
        (when.blocked and not directory.blocked, "blocked: the list of blocked callers is empty"),
        (
            bool(set(when.outside) & set(when.hours)) and set(when.hours) <= set(when.outside),
            "hours: all of them are also in outside",
        ),
        (
            when.known is False and (when.stage or when.owner_is or _somebody(when.owner, when.last_talked)),
            "known: false, and something that only a known caller has",
        ),
        (when.owner == "nobody" and when.owner_is, "owner: nobody, and owner_is"),
        (_impossible(directory, when.team), "team: no team can be so"),
    )
    return next((why for wrong, why in found if wrong), "")


def covers(directory: Directory, earlier: Rule, later: Rule) -> bool:
    """Tell whether every call that matches the later rule matches the earlier one too; False where that is not sure."""
    one, other = earlier.when, later.when
    return (
        lines_of(directory, later) <= lines_of(directory, earlier)
        and one.blocked == other.blocked
        and all(getattr(one, name) in (None, getattr(other, name)) for name in ("vip", "known", "open"))
        and (not one.number or (bool(other.number) and all(it.startswith(one.number) for it in other.number)))
        and all(_within(getattr(other, name), getattr(one, name)) for name in ("stage", "hours", "owner_is"))
        and set(one.outside) <= set(other.outside)
        and one.time in ((), other.time)
        and _stands(one.owner, other.owner, named=bool(other.owner_is))
        and _stands(one.last_talked, other.last_talked, named=False)
        and _load_within(one.team, other.team)
    )


def lines_of(directory: Directory, rule: Rule) -> frozenset[str]:
    """Give the lines that a rule may hold for; the empty string stands for any line that the directory lacks."""
    when, company = rule.when, directory.company
    told = [(line.number, line.campaign or "", line.language or company.language) for line in directory.lines]
    return frozenset(
        number
        for number, campaign, language in (*told, (_UNKNOWN_LINE, "", company.language))
        if (not when.line or number in when.line)
        and (not when.campaign or campaign in when.campaign)
        and (not when.language or language in when.language)
    )


def _dead(directory: Directory, at: int, rule: Rule) -> Iterator[Problem]:
    why = contradiction(directory, rule)
    if why:
        yield Problem(f"rules[{at}].when", f"no call can match rule {rule.name!r}: {why}")
        return
    first = next((index for index in range(at) if covers(directory, directory.rules[index], rule)), None)
    if first is not None:
        taker = directory.rules[first].name
        yield Problem(
            f"rules[{at}]", f"no call can match rule {rule.name!r}: {taker!r} (rules[{first}]) takes it first"
        )


def _unreached(at: int, rule: Rule) -> Iterator[Problem]:
    for index, (before, after) in enumerate(pairwise(rule.then), 1):
        if before.kind in LAST:
            yield Problem(f"rules[{at}].then[{index}]", f"{after.kind} is never reached: {before.kind} ends the call")
            return


def _within(inner: tuple[str, ...], outer: tuple[str, ...]) -> bool:
    return not outer or (bool(inner) and set(inner) <= set(outer))


def _somebody(*states: str | None) -> bool:
    return any(state in {"free", "known"} for state in states)


def _stands(one: str | None, other: str | None, *, named: bool) -> bool:
    """Tell whether a demand on a person is met by another one: who is free is known, and so is who is named."""
    return one is None or one == other or (one == "known" and (other == "free" or named))


def _impossible(directory: Directory, load: TeamLoad | None) -> bool:
    if load is None:
        return False
    teams = [team for team in directory.teams if load.key in ("", team.key)]
    most = max((len(team.members) for team in teams), default=0)
    return (
        load.free_at_least > most
        or (load.free_at_most is not None and load.free_at_most < load.free_at_least)
        or (load.waiting_at_most is not None and load.waiting_at_most < load.waiting_at_least)
    )


def _load_within(one: TeamLoad | None, other: TeamLoad | None) -> bool:
    if one is None:
        return True
    return (
        other is not None
        and one.key == other.key
        and one.free_at_least <= other.free_at_least
        and one.waiting_at_least <= other.waiting_at_least
        and _below(other.free_at_most, one.free_at_most)
        and _below(other.waiting_at_most, one.waiting_at_most)
    )


def _below(inner: int | None, outer: int | None) -> bool:
    return outer is None or (inner is not None and inner <= outer)
