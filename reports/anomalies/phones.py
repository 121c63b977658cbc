"""Phones and trunks that fail: a dead phone, an extension that is nobody's, calls that nothing can ring for (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from reports.anomalies.look import NOTHING, Look, behind_of, call_back, look, lost_calls
from reports.evidence import DAYS_BEFORE, Evidence
from reports.facts import Fact, totals
from reports.links import NONE
from reports.norms import BEFORE_LEAST, Seen, number_expected
from reports.report import Action

LEAST: Final = 3
"""Fewer calls than this are no dead phone."""

WEEKS_LEAST: Final = 3
"""On so many dates of one weekday a phone must be dead, and on hardly any other day, to be told as such."""

_OF_WEEKDAY: Final = 0.8
_MANY: Final = 3
"""With so many phones gone on one day it is not the phones."""


def dead(evidence: Evidence) -> Iterator[Look]:
    """Of each person and day of the period: whether their phone cost more calls than on days of other weekdays."""
    gone = evidence.table("unreached", "person")
    for day in evidence.period:
        found = {}
        for person in evidence.directory.people:
            of = gone.get(person.key, {})
            calls = of.get(day, 0.0)
            if calls < LEAST or not _other_days(evidence, day):
                yield NOTHING
                continue
            found[person.key] = _chance(evidence, of, day)
        if len(found) >= _MANY:
            yield from (NOTHING for _ in found)
        else:
            yield from (_dead(evidence, person, day, chance) for person, chance in found.items())


def _dead(evidence: Evidence, person: str, day: date, chance: float) -> Look:
    gone = evidence.table("unreached", "person")[person]
    same = [other for other in gone if other.weekday() == day.weekday() and gone[other] >= LEAST - 1]
    of_weekday = sum(value for other, value in gone.items() if other.weekday() == day.weekday())
    lately = set(evidence.window(DAYS_BEFORE))
    weekly = len(same) >= WEEKS_LEAST and of_weekday >= _OF_WEEKDAY * sum(gone.values())
    days = [other for other in evidence.period if gone.get(other, 0.0) >= LEAST - 1]
    calls = evidence.sum("unreached", evidence.period, "person", person)
    facts = [fact for fact in evidence.of("unreached") if fact.person == person and fact.day in days]
    values: dict[str, str | float] = {"person": person, "calls": calls}
    if weekly:
        values |= {
            "calls": evidence.sum("unreached", lately, "person", person),
            "weekday": day.weekday(),
            "days": len(lately & set(same)),
        }
    return look(
        "phone_dead_weekday" if weekly else "phone_dead",
        chance,
        calls,
        values,
        link=behind_of(evidence, "unreached", lately if weekly else (), person=person),
        actions=(
            call_back(evidence, person, measure="open_by_phone"),
            Action(key="check_phone", values={"person": person}, link=f"/admin/people/{person}"),
        ),
        excess=lost_calls(Fact(one.day, "missed", one.team, one.line, "", one.detail, one.value) for one in facts),
        people=[person],
        lines=sorted({fact.line for fact in facts}),
    )


def unmapped(evidence: Evidence) -> Iterator[Look]:
    """Whether calls are answered, more than usual, on an extension that is nobody's."""
    calls = evidence.sum("answered", evidence.period, "person", "")
    known = _before(evidence, "answered", "person", "")
    whole = evidence.open_hours(evidence.period)
    if calls < LEAST or whole <= 0 or len(known) < BEFORE_LEAST:
        yield NOTHING
        return
    found = number_expected(whole, known)
    lines = _of_nobody(evidence)
    if calls < 2 * found.usual or not lines:
        yield Look(chance=found.at_least(calls))
        return
    line = max(lines, key=lambda key: lines[key])
    yield look(
        "extension_unmapped",
        found.at_least(calls),
        sum(lines.values()) / 2,
        {"line": line, "calls": lines[line]},
        link=behind_of(evidence, "answered", line=line or NONE, person=NONE),
        actions=(
            Action(
                key="map_extension",
                values={"extension": evidence.strangers.get(line, ""), "line": line, "count": lines[line]},
                link="/admin/people",
            ),
        ),
        excess=[Fact(evidence.last, "unmapped", "", line, "", "", calls)],
        lines=sorted(lines),
    )


def _of_nobody(evidence: Evidence) -> dict[str, float]:
    """How many calls of each of the audience's lines were answered on an extension that is nobody's."""
    days = set(evidence.period)
    of = [fact for fact in evidence.own.of("answered") if fact.day in days and not fact.person]
    return totals(of, "answered", lambda fact: fact.line)


def telephony(evidence: Evidence) -> Iterator[Look]:
    """Of each line: whether more calls than usual are lost because nothing could ring."""
    for line in evidence.directory.lines:
        calls = evidence.sum("missed_telephony", evidence.period, "line", line.number)
        known = _before(evidence, "missed_telephony", "line", line.number)
        whole = evidence.open_hours(evidence.period)
        if calls < LEAST or whole <= 0 or len(known) < BEFORE_LEAST:
            yield NOTHING
            continue
        found = number_expected(whole, known)
        if calls < 2 * found.usual:
            yield Look(chance=found.at_least(calls))
            continue
        facts = [
            Fact(fact.day, "missed", fact.team, fact.line, "", fact.detail, fact.value)
            for fact in evidence.of("missed_telephony")
            if fact.line == line.number and fact.day >= evidence.first
        ]
        yield look(
            "telephony_failing",
            found.at_least(calls),
            calls - found.usual,
            {"line": line.number, "calls": calls, "usual": found.usual},
            link=behind_of(evidence, "missed_telephony", line=line.number),
            actions=(
                call_back(evidence, line=line.number),
                Action(key="check_trunk", values={"line": line.number}, link=f"/admin/lines/{line.number}"),
            ),
            excess=lost_calls(facts),
            lines=[line.number],
        )


def _before(evidence: Evidence, count: str, by: str, key: str) -> list[Seen]:
    """What there was of it in the periods before; those in which the house was closed are left out."""
    table = evidence.table(count, "person" if by == "person" else "line").get(key, {})
    seen = (Seen(sum(table.get(day, 0.0) for day in days), evidence.open_hours(days)) for days in evidence.before)
    return [one for one in seen if one.whole > 0]


def _other_days(evidence: Evidence, day: date) -> Sequence[date]:
    """The days before of other weekdays, on which the house was open."""
    days = evidence.days(day - timedelta(days=DAYS_BEFORE), day - timedelta(days=1))
    return [other for other in days if other.weekday() != day.weekday() and evidence.open_hours([other]) > 0]


def _chance(evidence: Evidence, gone: Mapping[date, float], day: date) -> float:
    known = [Seen(gone.get(other, 0.0), evidence.open_hours([other])) for other in _other_days(evidence, day)]
    whole = evidence.open_hours([day])
    return number_expected(whole, known).at_least(gone[day]) if whole > 0 and len(known) >= BEFORE_LEAST else 1.0
