"""Day facts against a real PostgreSQL: what each count counts, in whose name, and the list behind every number."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from directory import store
from directory.lead_policy import FunnelStep, LeadPolicy
from reports.building import build
from reports.fact_rows import read_facts, read_hours, read_sums, strangers, sums
from reports.facts import Fact, Sums, total, totals
from reports.links import NONE
from reports.listing import Listed, Thing, count_items, every_item, items
from reports.periods import Period
from reports.registry import COUNT_OF, COUNTS
from reports.report import Audience
from tests.fakes import days as told
from tests.fakes.story import HOUSE, LINE, SUPPORT

ZONE = HOUSE.company.time_zone
DAY = date(2026, 11, 23)
T0 = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
EVENING = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
STEPS = ("meeting", "booking", "contract")


@pytest.fixture(autouse=True)
async def house(engine: AsyncEngine) -> None:
    """Anna and Boris sell, Gleb supports."""
    funnel = LeadPolicy(funnel=tuple(FunnelStep(key=step, name=step) for step in STEPS))
    async with engine.begin() as connection:
        await store.apply(connection, replace(HOUSE, leads=funnel))


async def counted(engine: AsyncEngine, now: datetime = EVENING, day: date = DAY) -> dict[str, float]:
    """All of each count that is not zero."""
    await build(engine, now)
    async with engine.connect() as connection:
        facts = await read_facts(connection, day, day)
        hours = await read_hours(connection, day, day)
    found = {count: total(facts, count) for count in COUNT_OF if total(facts, count)}
    by_hour = {fact.count: total(hours, fact.count) for fact in hours}
    assert by_hour == pytest.approx({count: value for count, value in found.items() if COUNT_OF[count].hourly})
    return found


async def apart(engine: AsyncEngine, count: str, by: str, now: datetime = EVENING) -> dict[str, float]:
    """One count of the day, apart by one of its dimensions."""
    await build(engine, now)
    async with engine.connect() as connection:
        return totals(await read_facts(connection, DAY, DAY), count, lambda fact: str(getattr(fact, by)))


async def test_the_extension_that_is_nobodys_and_answers_most_is_known_by_line(engine: AsyncEngine) -> None:
    """A device without an extension is told by its name; who is somebody's, or did not answer, is none."""
    phones = (("101", None), ("101", None), ("102", None), ("103", "anna"))
    legs = [(LINE, *one) for one in phones] + [(SUPPORT, "", None)]
    async with engine.begin() as connection:
        for number, (line, extension, person) in enumerate(legs):
            call_id = await told.call(connection, T0, line=line, person=person)
            row = {"call_id": call_id, "person": person, "number": extension, "rang": True, "device": "PJSIP/new"}
            await told.write(connection, "legs", channel=f"{number}.1", answered_at=T0, **row)
            await told.write(connection, "legs", channel=f"{number}.2", **row | {"number": "199", "person": None})
        assert await strangers(connection, DAY, DAY, ZONE) == {LINE: "101", SUPPORT: "PJSIP/new"}
        assert await strangers(connection, DAY + timedelta(days=1), DAY + timedelta(days=1), ZONE) == {}


async def test_calls_are_counted_by_how_they_ended(engine: AsyncEngine) -> None:
    """Who left early is not held against the service level, and whom the service itself called is nobody."""
    async with engine.begin() as connection:
        await told.call(connection, T0)
        await told.call(connection, T0, person="boris", line=f"+{LINE}", wait_seconds=30.0, talk_seconds=40.0)
        missed = {"status": "missed", "person": None}
        await told.call(connection, T0, **missed, missed_cause="rang_out", charged_to=["anna", "boris"])
        await told.call(connection, T0, **missed, missed_cause="device_unreachable")
        await told.call(connection, T0, **missed, missed_cause="caller_gave_up_early")
        await told.call(connection, T0, **missed, missed_cause="outside_hours", line=SUPPORT)
        await told.call(connection, T0, **missed, missed_cause="crm_late")
        await told.call(connection, T0, **missed, missed_cause="no_route")
        await told.call(connection, T0, status="voicemail", person=None, line="74950000000")
        await told.call(connection, T0, direction="outbound", line=None, person="gleb")
        await told.call(connection, T0, direction="outbound", status="failed", person="anna")
        await told.call(connection, T0, direction="synthetic")
        await told.call(connection, T0, direction="internal")
        await told.call(connection, T0, settled_at=None)
    assert await counted(engine) == {
        "calls_in": 9,
        "answered": 2,
        "missed": 6,
        **dict.fromkeys(("missed_people", "missed_telephony", "missed_caller"), 1),
        **dict.fromkeys(("missed_schedule", "missed_integration", "missed_configuration"), 1),
        "charged": 2,
        "answerable": 6,
        "answered_soon": 1,
        "wait_seconds": 35,
        "calls_out": 2,
        "talks": 3,
        "talk_seconds": 150,
    }
    assert await apart(engine, "calls_in", "line") == {LINE: 7, SUPPORT: 1, "74950000000": 1}
    assert await apart(engine, "missed", "team") == {"sales": 5, "support": 1}
    assert await apart(engine, "missed", "person") == {"": 6}
    assert await apart(engine, "charged", "person") == {"anna": 1, "boris": 1}
    assert await apart(engine, "talks", "team") == {"sales": 2, "support": 1}
    assert await apart(engine, "calls_out", "detail") == {"answered": 1, "failed": 1}


async def test_whose_phone_was_gone_is_told_by_the_plan_that_left_it_out_and_by_the_leg_that_failed(
    engine: AsyncEngine,
) -> None:
    """One person is counted once for a call, and whoever could be rung is not; so also while the caller waits."""
    considered = [
        {"person": "boris", "device": "PJSIP/102", "taken": False, "key": "unreachable", "why": ""},
        {"person": "gleb", "device": "PJSIP/103", "taken": False, "key": "off_shift", "why": ""},
    ]
    routed = {"kind": "Routed", "plan": json.dumps({"considered": considered})}
    missed = {"status": "missed", "person": None, "missed_cause": "device_unreachable"}
    leg = {"device": "PJSIP/101", "number": "101", "rang": False, "started_at": T0}
    async with engine.begin() as connection:
        call = await told.call(connection, T0, **missed, state=json.dumps({"facts": [routed]}))
        await told.write(connection, "legs", call_id=call, channel="1", **leg, person="anna", outcome="unavailable")
        await told.write(connection, "legs", call_id=call, channel="2", **leg, person="anna", outcome="congestion")
        await told.write(connection, "legs", call_id=call, channel="3", **leg, person="gleb", outcome="busy")
        await told.promise(connection, call, T0)
        await told.promise(connection, call, T0, closed_at=T0 + HOUR, closed_by="talk")
    assert await apart(engine, "unreached", "person") == {"anna": 1, "boris": 1}
    assert await apart(engine, "open_by_phone", "person") == {"anna": 1, "boris": 1}


async def test_who_waits_because_of_a_fault_is_told_until_they_are_called_back(engine: AsyncEngine) -> None:
    """By what their first call was missed by, whatever became of later ones; on each day as it stood at its end."""
    gone = {"status": "missed", "person": None}
    async with engine.begin() as connection:
        for cause, closed in (
            ("service_down", {"closed_at": T0 + timedelta(days=1), "closed_by": "talk"}),
            ("crm_late", {"owner": "boris", "cause": "rang_out"}),
            ("crm_late", {"closed_at": T0 + HOUR, "closed_by": "talk"}),
            ("rang_out", {"cause": "service_down"}),
        ):
            await told.promise(connection, await told.call(connection, T0, **gone, missed_cause=cause), T0, **closed)
    later = T0 + timedelta(days=2)
    assert await apart(engine, "open_by_integration", "person", later) == {"anna": 1, "boris": 1}
    assert [(await counted(engine, later, DAY + timedelta(days=days)))["open_by_integration"] for days in range(3)] == [
        2,
        1,
        1,
    ]


async def test_a_promise_is_of_the_day_it_was_given_on(engine: AsyncEngine) -> None:
    """It is called back days later all the same; who got through by themselves is in neither."""
    async with engine.begin() as connection:
        missed = await told.call(connection, T0, status="missed", person=None, missed_cause="rang_out")
        for closed in (
            {"closed_at": T0 + HOUR, "closed_by": "talk", "owner": "boris"},
            {"closed_at": T0 + timedelta(days=2), "closed_by": "talk"},
            {"closed_at": T0 + HOUR, "closed_by": "answered_after_all"},
            {"closed_at": T0 + HOUR, "closed_by": "hand"},
            {},
        ):
            await told.promise(connection, missed, T0, **closed)
    found = await counted(engine, T0 + timedelta(days=3))
    assert {key: found[key] for key in found if COUNT_OF[key].of == "promise"} == {
        "promised": 5,
        "called_back": 2,
        "call_back_seconds": 49 * 3600,
        "never_called_back": 2,
        "open_promises": 2,
    }
    assert await apart(engine, "called_back", "person") == {"boris": 1, "anna": 1}


async def test_what_became_of_leads_is_told_by_their_events(engine: AsyncEngine) -> None:
    """Each in the name of whose the lead was then."""
    async with engine.begin() as connection:
        good = await told.lead(connection, T0)
        await told.event(connection, good, T0 + HOUR, "stage", before="new", after="in_work")
        for before, after in (("in_work", "in_work/meeting"), ("in_work/meeting", "qualified")):
            await told.event(connection, good, T0 + 2 * HOUR, "stage", before=before, after=after)
        await told.event(connection, good, T0 + 2 * HOUR, "owner", before="anna", after="gleb")
        for before, after in (("qualified", "in_work/meeting"), ("in_work/meeting", "won")):
            await told.event(connection, good, T0 + 3 * HOUR, "stage", before=before, after=after)
        spam = await told.lead(connection, T0, owner=None)
        party = (await connection.execute(text(f"select party_id from leads where id = {spam}"))).scalar_one()
        await told.call(connection, T0 + MINUTE, talk_seconds=200.0, party_id=party)
        by = {"before": "new", "after": "disqualified", "reason": "spam"}
        await told.event(connection, spam, T0 + HOUR, "stage", **by)
        wrong = await told.lead(connection, T0, owner="boris")
        await told.event(connection, wrong, T0 + HOUR, "stage", **by | {"reason": "wrong_number"})
        lost = await told.lead(connection, T0)
        await told.event(connection, lost, T0 + HOUR, "stage", before="new", after="lost", reason="price")
        await told.event(connection, lost, T0 + HOUR, "stage", before="lost", after="reviving")
        await told.event(connection, lost, T0 + HOUR, "stage", before="reviving", after="lost")
        await told.event(connection, lost, T0 + 2 * HOUR, "stage", before="lost", after="in_work")
    found = await counted(engine)
    assert {key: found[key] for key in found if COUNT_OF[key].of == "lead"} == {
        "leads_in": 4,
        "judged": 4,
        "qualified": 2,
        "disqualified": 2,
        "disqualified_after_long_talk": 1,
        "steps": 3,
        "won": 1,
        "lost": 1,
        "revived": 1,
        "stages_left": 8,
        "stage_seconds": 6 * 3600,
        "in_work": 1,
    }
    assert await apart(engine, "leads_in", "person") == {"anna": 2, "": 1, "boris": 1}
    assert await apart(engine, "won", "person") == {"gleb": 1}
    assert await apart(engine, "disqualified", "detail") == {"spam": 1, "wrong_number": 1}
    assert await apart(engine, "stage_seconds", "detail") == {
        "new": 4 * 3600,
        "in_work": 3600,
        "in_work/meeting": 0,
        "qualified": 3600,
    }


async def test_a_lead_that_jumps_has_reached_every_step_before(engine: AsyncEngine) -> None:
    """At that moment, in the same name; what it was at, or past, is not reached again, whatever way it goes on.

    Who bought has reached all of them.
    """
    async with engine.begin() as connection:
        jumps = await told.lead(connection, T0)
        for minutes, after in enumerate(("contract", "meeting", "booking", "contract")):
            await told.event(connection, jumps, T0 + minutes * MINUTE, "stage", before="new", after=f"in_work/{after}")
        walks = await told.lead(connection, T0, owner="gleb")
        for minutes, after in enumerate(("meeting", "visit", "contract", "visit")):
            await told.event(connection, walks, T0 + minutes * MINUTE, "stage", before="new", after=f"in_work/{after}")
        begins_there = await told.lead(connection, T0, "in_work/booking")
        await told.event(connection, begins_there, T0, "stage", before="in_work/booking", after="in_work/meeting")
        buys = await told.lead(connection, T0, "in_work/meeting")
        for minutes, after in enumerate(("in_work/meeting", "won", "in_work/contract")):
            await told.event(connection, buys, T0 + minutes * MINUTE, "stage", before="new", after=after)
    assert await apart(engine, "steps", "detail") == {"meeting": 2, "visit": 1, "booking": 3, "contract": 3}
    assert await apart(engine, "steps", "person") == {"anna": 5, "gleb": 4}
    async with engine.connect() as connection:
        every = Listed(count="steps", first=DAY, last=DAY, zone=ZONE)
        listed = [one for step in STEPS for one in await items(connection, replace(every, detail=step))]
    assert {(one.detail, one.at) for one in listed if one.lead_id == jumps} == {(step, T0) for step in STEPS}
    assert {(one.detail, one.at) for one in listed if one.lead_id == walks} == {
        ("meeting", T0),
        *((step, T0 + 2 * MINUTE) for step in STEPS[1:]),
    }
    assert {(one.detail, one.at) for one in listed if one.lead_id == buys} == {
        (step, T0 + MINUTE) for step in STEPS[1:]
    }
    assert {one.lead_id for one in listed} == {jumps, walks, buys}


async def test_a_lead_is_qualified_once_whatever_way_it_comes_there(engine: AsyncEngine) -> None:
    """So that no more leads reach the first step than were qualified."""
    ways = (
        ("qualified", "in_work/meeting"),
        ("in_work", "in_work/meeting"),
        ("new", "disqualified", "in_work/meeting"),
        ("qualifying", "disqualified", "qualifying", "qualified", "in_work/meeting"),
        ("new", "lost", "in_work/meeting", "qualified"),
        ("new", "lost", "reviving", "in_work", "in_work/meeting"),
        ("new", "in_work/contract", "won", "in_work/contract"),
        ("won",),
    )
    async with engine.begin() as connection:
        for opened, *stages in ways:
            lead = await told.lead(connection, T0, opened)
            for minutes, (before, after) in enumerate(pairwise((opened, *stages)), 1):
                at = T0 + minutes * MINUTE
                reason = {"reason": "price"} if after in {"disqualified", "lost"} else {}
                await told.event(connection, lead, at, "stage", before=before, after=after, **reason)
        judged_only = await told.lead(connection, T0)
        await told.event(connection, judged_only, T0, "stage", before="new", after="disqualified", reason="spam")
    found = await counted(engine)
    assert (found["qualified"], found["judged"]) == (len(ways), len(ways) + found["disqualified"])
    assert (await apart(engine, "steps", "detail"))["meeting"] == len(ways) - 1


async def test_what_stood_at_the_end_of_a_day_is_the_same_when_it_is_counted_later(engine: AsyncEngine) -> None:
    """Of today it is what stands now; of a day before, what nobody would find in the rows of leads any more."""
    async with engine.begin() as connection:
        late = await told.lead(connection, T0 - timedelta(days=9), deadline_at=T0)
        done = await told.lead(connection, T0 - timedelta(days=9))
        party = (await connection.execute(text(f"select party_id from leads where id = {done}"))).scalar_one()
        times = {"made_at": T0 - timedelta(days=9), "done_at": T0 + timedelta(days=1)}
        await told.write(connection, "tasks", party_id=party, lead_id=done, text="", made_by="anna", **times)
        talked = await told.lead(connection, T0 - timedelta(days=9), contact_at=T0 - timedelta(days=1))
        party = (await connection.execute(text(f"select party_id from leads where id = {talked}"))).scalar_one()
        await told.call(connection, T0 - timedelta(days=1), party_id=party)
    for now in (EVENING, EVENING + timedelta(days=5)):
        found = await counted(engine, now)
        assert {key: found.get(key) for key in ("in_work", "overdue", "forgotten")} == {
            "in_work": 3,
            "overdue": 1,
            "forgotten": 1,
        }
        async with engine.begin() as connection:
            for one in (late, done, talked):
                at = T0 + timedelta(days=2)
                await told.event(connection, one, at, "owner", before="anna", after="boris")
                await told.event(connection, one, at, "stage", before="new", after="lost")
            await connection.execute(text("update report_days set ground = ''"))
    assert await apart(engine, "in_work", "person", EVENING + timedelta(days=5)) == {"anna": 3}


async def test_what_talks_were_like_and_when_their_outcome_was_told(engine: AsyncEngine) -> None:
    """The words may go; that they were heard stays."""
    async with engine.begin() as connection:
        call = await told.call(connection, T0)
        said = [{"step": "name", "said": True}, {"step": "offer", "said": False}]
        broke_in = [{"by": "staff", "at": 1.0}, {"by": "caller", "at": 2.0}]
        await told.hear(connection, call, steps=said, interruptions=broke_in, staff_seconds=10.0)
        for person, minutes in (("anna", 2), ("boris", 40)):
            at = {"told_at": T0 + minutes * MINUTE, "told_by": person, "outcome": "qualified"}
            await told.write(connection, "desk_cards", call_id=call, person=person, **at)
    for _ in range(2):
        found = await counted(engine)
        assert {key: found[key] for key in found if key not in {"calls_in", "talks", "talk_seconds"}} == {
            "answered": 1,
            "answerable": 1,
            "answered_soon": 1,
            "wait_seconds": 5,
            "heard": 1,
            "speech_seconds": 40,
            "staff_seconds": 10,
            "interruptions": 1,
            "steps_due": 2,
            "steps_said": 1,
            "entered": 2,
            "entered_late": 1,
            "entry_seconds": 40 * 60,
        }
        async with engine.begin() as connection:
            await connection.execute(text("delete from transcripts"))
            await connection.execute(text("update report_days set ground = ''"))
    assert await apart(engine, "entered_late", "person") == {"boris": 1}


async def test_every_number_is_the_sum_of_the_list_behind_it(engine: AsyncEngine) -> None:
    """For each count, over some days, with any filter; the list is read in pieces, and no thing comes twice."""
    dice, first, last = random.Random(7), date(2026, 10, 22), date(2026, 10, 28)
    async with engine.begin() as connection:
        await told.some_days(connection, dice, datetime(2026, 10, 22, tzinfo=UTC), 7, 16)
    now = datetime(2026, 10, 28, 15, tzinfo=UTC)
    assert (await build(engine, now)).waiting == 0
    async with engine.connect() as connection:
        facts = await read_facts(connection, first, last)
        hours = await read_hours(connection, first, last)
        empty = [one.key for one in COUNTS if one.items and not total(facts, one.key)]
        assert empty == []
        for count in COUNTS:
            every = Listed(count=count.key, first=first, last=last, zone=ZONE)
            mine = [fact for fact in facts if fact.count == count.key]
            filters: list[dict[str, Any]] = [
                {},
                *({by: getattr(fact, by) or NONE} for fact in mine[:9:4] for by in ("team", "line", "person")),
            ]
            filters += [{"person": fact.person or NONE, "detail": fact.detail or NONE} for fact in mine[-1:]]
            for only in filters:
                wanted = {by: "" if value == NONE else value for by, value in only.items()}
                number = sum(one.value for one in mine if all(getattr(one, by) == wanted[by] for by in wanted))
                found = await count_items(connection, replace(every, **only))
                assert found[1] == pytest.approx(number), (count.key, only)
            for one in [fact for fact in hours if fact.count == count.key][:1]:
                told_of: dict[str, Any] = {"team": one.team or NONE, "line": one.line or NONE, "hour": one.hour}
                of_day = replace(every, first=one.day, last=one.day, **told_of)
                found = await count_items(connection, of_day)
                assert found[1] == pytest.approx(one.value), one
            listed = await _all(connection, every)
            assert sum(one.value for one in listed) == pytest.approx(total(facts, count.key))
            assert len({one.place for one in listed}) == len(listed)
            pieces = [piece async for piece in every_item(connection, every, at_once=50)]
            assert [one for piece in pieces for one in piece] == listed
            assert all(len(piece) == 50 for piece in pieces[:-1])
        everything = await sums(connection, first, last, ("team",), ["missed"], Audience("team", "sales"))
    assert everything == {("missed", "sales"): totals(facts, "missed", lambda fact: fact.team)["sales"]}


async def test_periods_are_added_up_as_their_days_are(engine: AsyncEngine) -> None:
    """Of those before the first only so much of the last day counts as has passed."""
    dice, first, last = random.Random(8), date(2026, 10, 21), date(2026, 10, 28)
    async with engine.begin() as connection:
        await told.some_days(connection, dice, datetime(2026, 10, 21, tzinfo=UTC), 8, 12)
    await build(engine, datetime(2026, 10, 29, 15, tzinfo=UTC))
    periods = [
        Period(last - timedelta(days=1), last),
        Period(date(2026, 10, 24), date(2026, 10, 25)),
        Period(first, first),
    ]
    hourly = {count.key for count in COUNTS if count.hourly}
    async with engine.connect() as connection:
        facts, hours = await read_facts(connection, first, last), await read_hours(connection, first, last)
        for audience in (Audience("house"), Audience("team", "sales"), Audience("person", "anna")):
            for passed in (1.0, 0.25):
                summed = await read_sums(connection, periods, list(COUNT_OF), audience, passed=passed)
                by_hour = await read_sums(connection, periods, hourly, audience, hourly=True, passed=passed)
                assert _told(summed) == pytest.approx(_added_up(facts, periods, audience, passed))
                whole = [] if audience.kind == "person" else hours
                assert _told(by_hour) == pytest.approx(_added_up(whole, periods, audience, passed))


def _told(sums_of: list[Sums]) -> dict[Any, float]:
    """Each that is not nought, by what it is and the place of its period."""
    return {
        (one.count, one.team, one.line, one.person, one.detail, one.hour, at): value
        for one in sums_of
        for at, value in enumerate(one.values)
        if value
    }


def _added_up(facts: list[Fact], periods: list[Period], audience: Audience, passed: float) -> dict[Any, float]:
    found: dict[Any, float] = {}
    for fact in facts:
        for at, period in enumerate(periods):
            ours = audience.kind == "house" or getattr(fact, audience.kind) == audience.key
            if ours and period.first <= fact.day <= period.last and fact.value:
                key = (fact.count, fact.team, fact.line, fact.person, fact.detail, fact.hour, at)
                weight = passed if at and fact.day == period.last else 1.0
                found[key] = found.get(key, 0.0) + weight * fact.value
    return {key: value for key, value in found.items() if value}


async def _all(connection: Any, every: Listed) -> list[Thing]:
    listed: list[Thing] = []
    while piece := await items(connection, every, after=listed[-1].place if listed else None, limit=50):
        listed += piece
    return listed
