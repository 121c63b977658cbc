"""People who have too much, or do less well than the others: overload, missed calls, late entry, the script (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reports.anomalies.look import LATELY_DAYS, NOTHING, SURE, Look, behind_of, call_back, look, per_period, talk_with
from reports.anomalies.peers import compared
from reports.evidence import Evidence
from reports.facts import Fact
from reports.norms import BEFORE_LEAST, Seen, spread_expected
from reports.report import Action

FAR: Final = 0.15
"""By so much must somebody's share be off that of the others."""

TIMES: Final = 1.5
"""So many times as many calls as the others must somebody miss."""

CALLS_LEAST: Final = 5
TALK_HOURS: Final = 4.0
"""Of talks, a day: nobody is overloaded by less."""

_ALL: Final = 1e9
"""Seconds: whoever has too many leads talks for long because of that, however long."""

_AT_RISK: Final = 0.2
"""Of the leads that somebody has too many of, and of talks that were entered late or led without the script, so many
clients are taken to be at stake."""


def overloaded(evidence: Evidence) -> Iterator[Look]:
    """Of each person: whether they have more open leads than the house allows, which is no matter of chance."""
    for person in evidence.directory.people:
        limit = person.leads_most or evidence.directory.leads.leads_most
        open_leads = evidence.sum("in_work", [evidence.last], "person", person.key)
        if not limit or open_leads <= limit:
            yield NOTHING
            continue
        values = {"count": open_leads - limit, "open": open_leads}
        link = f"/leads?owner={person.key}&stage=open"
        yield look(
            "overload",
            SURE,
            (open_leads - limit) * _AT_RISK,
            {"person": person.key, "open": open_leads, "limit": limit},
            link=behind_of(evidence, "in_work", [evidence.last], person=person.key),
            actions=(
                Action(key="ask_for_fewer", values=values, link=link)
                if evidence.audience.kind == "person"
                else Action(key="take_leads", values={"person": person.key, **values}, link=link),
            ),
            excess=[Fact(evidence.last, "talk_seconds", "", "", person.key, "", _ALL)],
            people=[person.key],
        )


def long_talks(evidence: Evidence) -> Iterator[Look]:
    """Of each person: whether they talk far longer a day than they used to."""
    for person in evidence.directory.people:
        hours = [
            evidence.sum("talk_seconds", days, "person", person.key) / 3600
            for days in (evidence.period, *evidence.before)
            if days and evidence.open_hours(days) > 0
        ]
        if not hours or evidence.open_hours(evidence.period) <= 0 or len(hours) <= BEFORE_LEAST:
            yield NOTHING
            continue
        now, *before = hours
        found = spread_expected(1.0, [Seen(one) for one in before])
        if now < TALK_HOURS * len(evidence.period) or now < TIMES * found.usual:
            yield Look(chance=found.at_least(now))
            continue
        link = behind_of(evidence, "talk_seconds", person=person.key)
        yield look(
            "talks_too_long",
            found.at_least(now),
            (now - found.usual) * _AT_RISK,
            {"person": person.key, "hours": now, "usual_hours": found.usual},
            link=link,
            actions=(talk_with(evidence, person.key, link, "talk_seconds"),),
            excess=[Fact(evidence.last, "talk_seconds", "", "", person.key, "", (now - found.usual) * 3600)],
            people=[person.key],
        )


def missing_more(evidence: Evidence) -> Iterator[Look]:
    """Of each person: whether they leave far more of the calls that ring them than others do on the same lines."""
    days = set(evidence.window(LATELY_DAYS))
    left = [fact for fact in evidence.of("charged") if fact.day in days]
    rung = [*left, *(fact for fact in evidence.of("answered") if fact.day in days)]
    for one in compared(left, rung, lambda fact: fact.person, lambda fact: fact.line):
        chance = one.expected.at_least(one.share)
        now = evidence.sum("charged", evidence.period, "person", one.key)
        if one.excess < CALLS_LEAST or one.share < TIMES * one.usual or not now:
            yield Look(chance=chance)
            continue
        part = per_period(evidence, len(days))
        link = behind_of(evidence, "charged", days, person=one.key)
        of = [fact for fact in left if fact.person == one.key]
        facts = [
            Fact(
                evidence.last,
                count,
                fact.team,
                fact.line,
                whose,
                fact.detail,
                fact.value / one.part * one.excess * part,
            )
            for fact in of
            for count, whose in (("charged", one.key), ("missed", ""), ("missed_people", ""))
        ]
        yield look(
            "misses_more",
            chance,
            one.excess * part,
            {"person": one.key, "calls": one.part, "usual": one.usual * one.whole},
            link=link,
            actions=(
                call_back(evidence, one.key),
                talk_with(evidence, one.key, link, "charged"),
            ),
            excess=facts,
            people=[one.key],
        )


def entering_late(evidence: Evidence) -> Iterator[Look]:
    """Of each person: whether they tell the outcomes of far more talks late than others do."""
    days = set(evidence.window(LATELY_DAYS))
    late, entered = ([fact for fact in evidence.of(count) if fact.day in days] for count in ("entered_late", "entered"))
    for one in compared(late, entered, lambda fact: fact.person):
        chance = one.expected.at_least(one.share)
        if one.share - one.usual < FAR or one.excess < CALLS_LEAST:
            yield Look(chance=chance)
            continue
        part = per_period(evidence, len(days))
        link = behind_of(evidence, "entered_late", days, person=one.key)
        yield look(
            "entered_late",
            chance,
            one.excess * part * _AT_RISK,
            {"person": one.key, "talks": one.part, "share": one.share, "usual_share": one.usual},
            measure="entered_late_share",
            link=link,
            actions=(Action(key="enter_outcomes", values={"person": one.key, "count": one.part}, link=link),),
            excess=[Fact(evidence.last, "entered_late", "", "", one.key, "", one.excess * part)],
            people=[one.key],
        )


def leaving_script(evidence: Evidence) -> Iterator[Look]:
    """Of each person: whether they say far fewer steps of the script than others do on the same lines."""
    days = set(evidence.window(LATELY_DAYS))
    said, due, heard = (
        [fact for fact in evidence.of(count) if fact.day in days] for count in ("steps_said", "steps_due", "heard")
    )
    for one in compared(said, due, lambda fact: fact.person, lambda fact: fact.line):
        chance = one.expected.at_most(one.share)
        if one.usual - one.share < FAR or -one.excess < CALLS_LEAST:
            yield Look(chance=chance)
            continue
        talks = sum(fact.value for fact in heard if fact.person == one.key)
        part = per_period(evidence, len(days))
        link = behind_of(evidence, "heard", days, person=one.key)
        yield look(
            "script_missed",
            chance,
            talks * part * _AT_RISK * (one.usual - one.share),
            {"person": one.key, "talks": talks, "share": one.share, "usual_share": one.usual},
            measure="script",
            link=link,
            actions=(Action(key="hear_talks", values={"person": one.key, "count": talks}, link=link),),
            excess=[Fact(evidence.last, "steps_said", "", "", one.key, "", one.excess * part)],
            people=[one.key],
        )
