"""Leads that go wrong: who turns down too many, what brings good or bad ones, where the funnel narrows (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from math import log
from typing import Final

from reports.anomalies.look import LATELY_DAYS, NOTHING, Look, behind_of, look, per_period, talk_with
from reports.anomalies.peers import Compared, compared
from reports.evidence import Evidence, source_of
from reports.facts import Fact
from reports.norms import BEFORE_LEAST, Seen, number_expected
from reports.report import Action

FAR: Final = 0.15
"""By so much must a share be off that of the others."""

LEADS_LEAST: Final = 5
"""By so many leads must somebody's, or something's, be off those of the others."""

STEP_DAYS: Final = (14, 28)
"""A step is looked at over so many days: leads take their time."""

STEP_FALLS: Final = 0.7
"""A step is reached by fewer than this of those who usually reach it."""


def disqualifiers(evidence: Evidence) -> Iterator[Look]:
    """Of each manager: whether they turn down far more leads than others do of the same lines.

    That more of these had talked long makes it the less likely to be chance (Fisher's method for two chances).
    """
    days = set(evidence.window(LATELY_DAYS))
    judged, bad, long = (
        [fact for fact in evidence.of(count) if fact.day in days]
        for count in ("judged", "disqualified", "disqualified_after_long_talk")
    )
    talked = {one.key: one for one in compared(long, bad, lambda fact: fact.person)}
    for one in compared(bad, judged, lambda fact: fact.person, lambda fact: fact.line):
        chance = _both(one.expected.at_least(one.share), talked.get(one.key))
        if one.share - one.usual < FAR or one.excess < LEADS_LEAST:
            yield Look(chance=chance)
            continue
        after_long = sum(fact.value for fact in long if fact.person == one.key)
        part = per_period(evidence, len(days))
        of = [fact for fact in judged if fact.person == one.key]
        link = behind_of(evidence, "disqualified", days, person=one.key)
        yield look(
            "disqualifies_more",
            chance,
            one.excess * part,
            {
                "person": one.key,
                "leads": one.part,
                "share": one.share,
                "usual_share": one.usual,
                "long_talks": after_long,
            },
            measure="disqualified_share",
            link=link,
            actions=(
                Action(
                    key="return_leads",
                    values={"person": one.key, "count": after_long},
                    link=behind_of(evidence, "disqualified_after_long_talk", days, person=one.key),
                )
                if after_long
                else Action(
                    key="look_at_disqualified",
                    values={"person": one.key, "count": one.part},
                    link=link,
                ),
                talk_with(evidence, one.key, link),
            ),
            excess=_spread(evidence, of, {"disqualified": one.excess * part, "qualified": -one.excess * part}),
            people=[one.key],
        )


def sources(evidence: Evidence) -> Iterator[Look]:
    """Of each source: whether its leads are far worse, or far better, than those of the others.

    A team is told of the leads that it had of it, where they are so too.
    """
    days = set(evidence.window(LATELY_DAYS))
    judged, good = ([fact for fact in evidence.of(count) if fact.day in days] for count in ("judged", "qualified"))

    audience = evidence.audience
    teams = {audience.key} if audience.kind == "team" else {fact.team for fact in judged}

    def source(fact: Fact) -> str:
        return source_of(evidence.directory, fact.line) if fact.line else ""

    for one in compared(good, judged, source):
        better = one.share > one.usual
        chance = one.expected.at_least(one.share) if better else one.expected.at_most(one.share)
        of = [fact for fact in judged if source(fact) == one.key]
        whole = sum(fact.value for fact in of if fact.team in teams)
        share = sum(fact.value for fact in good if fact.team in teams and source(fact) == one.key) / max(whole, 1.0)
        off = (share - one.usual) * (1 if better else -1)
        if off < FAR or off * whole < LEADS_LEAST:
            yield Look(chance=chance)
            continue
        part = per_period(evidence, len(days))
        yield look(
            "source_good" if better else "source_bad",
            chance,
            off * whole * part,
            {"source": one.key, "leads": whole, "share": share, "usual_share": one.usual},
            good=better,
            measure="qualified_share",
            link=behind_of(evidence, "judged", days, source=one.key),
            actions=(
                Action(
                    key="more_of_source" if better else "leave_source",
                    values={"source": one.key},
                    link=behind_of(evidence, "qualified" if better else "disqualified", days, source=one.key),
                ),
            ),
            excess=_spread(evidence, of, {"qualified": one.excess * part, "disqualified": -one.excess * part}),
            lines=sorted({fact.line for fact in of}),
        )


def steps(evidence: Evidence) -> Iterator[Look]:
    """Of each step of the funnel: whether fewer of the audience's leads reach it than did, of those that got so far."""
    place = ("qualified", "")
    for step in [funnel.key for funnel in evidence.directory.leads.funnel]:
        for length in STEP_DAYS:
            yield _step(evidence, place, step, length)
        place = ("steps", step)


def _step(evidence: Evidence, place: tuple[str, str], step: str, length: int) -> Look:
    days, own = evidence.window(length), evidence.own

    def seen(of: Sequence[date]) -> Seen:
        count, detail = place
        before = own.sum(count, of, "detail", detail) if detail else own.sum(count, of)
        return Seen(own.sum("steps", of, "detail", step), before)

    weeks = [
        evidence.days(days[0] - timedelta(days=7 * week), days[0] - timedelta(days=7 * week - 6))
        for week in range(1, 9)
        if days and days[0] - timedelta(days=7 * week) >= evidence.begun
    ]
    now, known = seen(days), [told for told in map(seen, weeks) if told.whole > 0]
    if now.whole <= 0 or len(known) < BEFORE_LEAST:
        return NOTHING
    found = number_expected(now.whole, known)
    missing = found.usual - now.part
    if now.part > STEP_FALLS * found.usual or missing < LEADS_LEAST:
        return Look(chance=found.at_most(now.part))
    part = per_period(evidence, len(days))
    later = [funnel.key for funnel in evidence.directory.leads.funnel]
    reached = [(key, own.sum("steps", days, "detail", key)) for key in later[later.index(step) :]]
    return look(
        "step_falls",
        found.at_most(now.part),
        missing * part,
        {"step": step, "reached": now.part, "usual": found.usual},
        measure="steps",
        link=behind_of(evidence, "steps", days, detail=step),
        actions=(
            Action(
                key="see_step",
                values={"step": step, "count": now.whole},
                link=behind_of(evidence, "step_conversion", days, detail=step) + "&of=whole",
            ),
        ),
        excess=[
            Fact(evidence.last, "steps", "", "", "", key, -missing * part * count / max(now.part, 1.0))
            for key, count in reached
        ],
    )


def _both(chance: float, talked: Compared | None) -> float:
    """The chance of two things that are not more likely together; that one of them is the case is looked at too."""
    if talked is None or talked.share <= talked.usual:
        return chance
    product = max(chance * talked.expected.at_least(talked.share), 1e-300)
    return min(1.0, 2 * min(chance, product * (1 - log(product))))


def _spread(evidence: Evidence, of: Sequence[Fact], amounts: dict[str, float]) -> list[Fact]:
    """So much more of each count, as `of` (facts of what it is part of) is spread over lines and people."""
    every = sum(fact.value for fact in of)
    places: dict[tuple[str, str, str], float] = {}
    for fact in of:
        key = fact.team, fact.line, fact.person
        places[key] = places.get(key, 0.0) + fact.value / every
    return [
        Fact(evidence.last, count, team, line, person, "", amount * share)
        for count, amount in amounts.items()
        for (team, line, person), share in places.items()
    ]
