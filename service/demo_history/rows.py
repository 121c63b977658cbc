"""Stores what was told of a house in the tables of calls, leads, promises, talks and incidents, by COPY."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Final

import asyncpg

from crm_sync.book.deadlines import deadline
from crm_sync.book.lifecycle import OPEN
from directory.model import Directory
from directory.working_time import after_working
from service.demo_history import shapes
from service.demo_history.life import Life
from service.demo_history.told import Promise, ToldCall, ToldLead
from service.demo_history.truths import OUTAGE_HOURS, Truth

_FAIR_SECONDS: Final = 10
_CHARGED: Final = ("rang_out", "rejected")
_HEARD_AFTER: Final = timedelta(minutes=10)
_HEARD: Final = 0.4
"""Of the longer talks, those that are written down."""
_NAMES: Final = (
    "Иванова Мария",
    "Сомов Пётр",
    "Лаптева Ольга",
    "Чижов Иван",
    "Дёмина Анна",
    "Гущин Олег",
    "Рябова Нина",
)

_CALL: Final = (
    *("id", "pbx", "linkedids", "state", "direction", "status", "line", "caller_number", "dialed", "started_at"),
    *("answered_at", "ended_at", "settled_at", "missed_cause", "charged_to", "answered_by", "person", "talk_seconds"),
    *("wait_seconds", "party_id", "lead_id", "recovered"),
)
_LEG: Final = (
    *("call_id", "channel", "device", "number", "person", "outcome", "rang", "started_at", "rang_at", "answered_at"),
    *("ended_at", "hangup_cause"),
)
_LEAD: Final = (
    *("id", "party_id", "stage", "step", "owner", "source_line", "opened_at", "stage_at", "deadline_at", "closed_at"),
    *("created_by_call", "reason", "contact_at"),
)
_PROMISE: Final = (
    *("id", "number", "line", "origin", "cause", "call_id", "attempt_count", "priority", "owner", "owner_by"),
    *("opened_at", "last_missed_at", "due_at", "closed_at", "closed_by", "closed_by_call"),
)
_FACTS: Final = (
    *("call_id", "seconds", "caller_seconds", "staff_seconds", "silence_seconds", "longest_silence_seconds"),
    *("caller_monologue_seconds", "staff_monologue_seconds", "caller_questions", "staff_questions", "interruptions"),
    *("steps", "topics", "unsure_share", "low_confidence", "made_at"),
)
_NEXT_IDS: Final = """
    select setval(pg_get_serial_sequence('parties', 'id'), (select max(id) from parties)),
           setval(pg_get_serial_sequence('leads', 'id'), (select max(id) from leads)),
           setval(pg_get_serial_sequence('follow_ups', 'id'), (select max(id) from follow_ups)),
           setval(pg_get_serial_sequence('incidents', 'id'), (select max(id) from incidents))
"""


@dataclass(frozen=True, slots=True)
class Pbx:
    """The PBX that calls went through: its name, and its clock minus ours."""

    name: str = "main"
    ahead: timedelta = timedelta()


async def store(dsn: str, life: Life, pbx: Pbx, since: datetime, until: datetime) -> None:
    """Store the calls that began from `since` on and before `until`, and what was done before `until`."""
    raw = await asyncpg.connect(dsn)
    try:
        async with raw.transaction():
            await _Rows(raw, life, pbx, since, until).write()
        await raw.execute("analyze")
    finally:
        await raw.close()


class _Rows:
    def __init__(self, raw: asyncpg.Connection, life: Life, pbx: Pbx, since: datetime, until: datetime) -> None:
        self.raw, self.life, self.pbx, self.until = raw, life, pbx, until
        self.directory: Directory = life.directory
        self.dice = life.dice
        self.calls = sorted((one for one in life.calls if since <= one.at < until), key=lambda one: one.at)
        self.kept = {one.id for one in self.calls}
        self.places = {id(lead): place for place, lead in enumerate(life.leads, 1)}
        self.lines = {line.number: line for line in self.directory.lines}
        self.devices = {one.key: one.devices[0] for one in self.directory.people if one.devices}

    async def write(self) -> None:
        """Write all of it."""
        leads = self.life.leads
        parties = ((place, self._name(place), lead.changes[0].at) for place, lead in enumerate(leads, 1))
        await self._copy("parties", ("id", "name", "created_at"), parties)
        await self._copy("party_numbers", ("number", "party_id"), ((one.number, self.places[id(one)]) for one in leads))
        await self._copy("pbx_clocks", ("pbx", "ahead"), [(self.pbx.name, self.pbx.ahead)])
        told = {one.id: self._told(place, one) for place, one in enumerate(self.calls, 1)}
        await self._copy("calls", _CALL, (self._call(one, told[one.id]) for one in self.calls))
        await self._copy("legs", _LEG, (row for one in self.calls for row in self._legs(one, told[one.id])))
        await self._copy("leads", _LEAD, (self._lead(one) for one in leads))
        events = ("lead_id", "at", "by", "kind", "before", "after", "reason", "call_id", "deadline_at")
        await self._copy("lead_events", events, self._events())
        cards = ("call_id", "person", "outcome", "told_at", "told_by", "closed_at", "booked_at")
        await self._copy("desk_cards", cards, self._cards())
        await self._promises()
        await self._heard()
        await self._incidents()
        await self.raw.execute(_NEXT_IDS)

    async def _copy(self, table: str, columns: Iterable[str], rows: Iterable[tuple[Any, ...]]) -> None:
        await self.raw.copy_records_to_table(table, records=rows, columns=list(columns))

    def _name(self, place: int) -> str:
        return _NAMES[place % len(_NAMES)]

    def _told(self, place: int, call: ToldCall) -> shapes.Told:
        device, at = self.devices[call.person], call.at + self.pbx.ahead
        return shapes.Told(
            pbx=self.pbx.name,
            uid=f"{at.timestamp():.0f}.{place}",
            line=call.lead.line,
            number=call.lead.number,
            person=call.person,
            device=device.address,
            extension=device.number or "",
            began=at,
            answered=call.answered_at + self.pbx.ahead,
            ended=call.ends + self.pbx.ahead,
        )

    def _call(self, call: ToldCall, told: shapes.Told) -> tuple[Any, ...]:
        outward, talked, lead = shapes.is_outward(call.shape), call.talk > 0, call.lead
        place = self.places[id(lead)]
        cause = None if outward or talked else call.shape
        charged = [call.person] if cause in _CHARGED and call.wait >= _FAIR_SECONDS else []
        reached = "PJSIP/trunk" if outward else told.device
        return (
            *(call.id, self.pbx.name, [told.uid], shapes.state(call.shape, told), "outbound" if outward else "inbound"),
            "answered" if talked else "failed" if outward else "missed",
            *(None if outward else lead.line, told.extension if outward else lead.number),
            *(lead.number if outward else lead.line, told.began, told.answered if talked else None),
            *(told.ended, told.settled, cause, charged, [reached] if talked else []),
            *(call.person if outward or talked else None, float(call.talk), float(call.wait), place, place),
            call.recovered,
        )

    def _legs(self, call: ToldCall, told: shapes.Told) -> Iterator[tuple[Any, ...]]:
        outward, talked = shapes.is_outward(call.shape), call.talk > 0
        leg = shapes.leg_of(call.shape)
        if leg is not None:
            yield (
                *(call.id, f"{told.uid}2", "PJSIP/trunk" if outward else told.device),
                *(call.lead.number if outward else told.extension, None if outward else call.person, leg.outcome),
                *(leg.rang, told.began, told.began if leg.rang_at else None, told.answered if talked else None),
                *(told.ended, leg.hangup_cause),
            )

    def _lead(self, lead: ToldLead) -> tuple[Any, ...]:
        changes = [one for one in lead.changes if one.at < self.until]
        last = [one for one in changes if one.kind in {"opened", "stage"}][-1]
        stage, _, step = (last.after or "").partition("/")
        due = self._due(lead.line, last.after or "", last.at)
        owner = next((one.after for one in changes if one.kind == "owner"), None)
        place = self.places[id(lead)]
        return (
            *(place, place, stage, step or None, owner, lead.line, changes[0].at, last.at, due),
            *(None if stage in OPEN else last.at, lead.call if lead.call in self.kept else None),
            *(last.reason if stage in {"lost", "disqualified"} else None, self._contact(lead)),
        )

    def _due(self, line: str, place: str, since: datetime) -> datetime | None:
        """By when a lead that came to a place must go on."""
        stage, _, step = place.partition("/")
        return deadline(self.directory, line, stage, step or None, since) if stage in OPEN else None

    def _contact(self, lead: ToldLead) -> datetime | None:
        return max((at + self.pbx.ahead for at in lead.talks if at < self.until), default=None)

    def _events(self) -> Iterator[tuple[Any, ...]]:
        """As they happened, for their ids tell which came first."""
        told = (
            (
                *(self.places[id(lead)], one.at, one.by, one.kind, one.before, one.after, one.reason, one.call),
                self._due(lead.line, one.after or "", one.at) if one.kind != "owner" else None,
            )
            for lead in self.life.leads
            for one in lead.changes
            if one.at < self.until
        )
        return iter(sorted(told, key=lambda row: row[1]))

    def _cards(self) -> Iterator[tuple[Any, ...]]:
        for call in self.calls:
            if call.card is not None and call.card[1] < self.until:
                outcome, at = call.card
                yield call.id, call.person, outcome, at, call.person, at, at

    async def _promises(self) -> None:
        found = [one for one in self.life.promises if one.missed.id in self.kept]
        await self._copy("follow_ups", _PROMISE, (self._promise(place, one) for place, one in enumerate(found, 1)))
        mine = ((one.missed.id, place) for place, one in enumerate(found, 1))
        await self._copy("follow_up_calls", ("call_id", "follow_up_id"), mine)

    def _promise(self, place: int, one: Promise) -> tuple[Any, ...]:
        lead, kept, closed = one.missed.lead, one.kept_by, one.closed_at < self.until
        by_call = kept.id if closed and kept is not None and kept.id in self.kept else None
        line, opened = self.lines[lead.line], one.missed.ends
        zone = self.directory.zone_of(line)
        return (
            *(place, lead.number, lead.line, "missed", one.missed.shape, one.missed.id, 1, 0, one.owner, "last_rung"),
            *(opened, opened, after_working(self.directory.hours_of(line.hours), zone, opened, 60)),
            *(one.closed_at if closed else None, ("talk" if kept else "hand") if closed else None, by_call),
        )

    async def _heard(self) -> None:
        """The longer talks with a client of a line with a script, some of them, as they were heard."""
        heard = [one for one in self.calls if one.shape == shapes.ANSWERED and one.talk > 40 and self.dice.yes(_HEARD)]
        columns = ("call_id", "language", "text", "words", "segments", "model", "audio_seconds", "took_seconds")
        told = ((one.id, "ru", "", "[]", "[]", "base", float(one.talk), one.talk / 20) for one in heard)
        await self._copy("transcripts", columns, told)
        await self._copy("talk_facts", _FACTS, map(self._facts, heard))

    def _facts(self, call: ToldCall) -> tuple[Any, ...]:
        seconds = float(call.talk)
        staff, caller = (seconds * share for share in (self.dice.uniform(0.3, 0.6), 0.3))
        broken = [
            {"by": self.dice.choice(("staff", "caller")), "at": round(self.dice.uniform(0, seconds), 1)}
            for _ in range(self.dice.so_many(seconds / 120))
        ]
        steps = [
            {"step": one.step, "said": self.dice.yes(0.85), "at": None, "unsure": False}
            for one in self.lines[call.lead.line].script
        ]
        return (
            *(call.id, seconds, caller, staff, max(0.0, seconds - staff - caller), 3.0, caller / 4, staff / 4, 2, 3),
            *(json.dumps(broken), json.dumps(steps, ensure_ascii=False), "[]", 0.05, False, call.ends + _HEARD_AFTER),
        )

    async def _incidents(self) -> None:
        found = list(self._faults())
        columns = ("id", "kind", "subject", "grave", "started_at", "seen_at", "ended_at", "calls_lost", "calls_saved")
        rows, concerned = [], []
        for place, (kind, subject, began, ended, lost, saved) in enumerate(found, 1):
            grave = kind == "service"
            rows.append((place, kind, subject, grave, began, ended, ended, len(lost), len(saved)))
            concerned += [(place, one.id, "lost") for one in lost] + [(place, one.id, "saved") for one in saved]
        await self._copy("incidents", columns, rows)
        await self._copy("incident_calls", ("incident_id", "call_id", "outcome"), concerned)

    def _faults(self) -> Iterator[tuple[str, str, datetime, datetime, list[ToldCall], list[ToldCall]]]:
        for truth, cause in ((Truth.OUTAGE, "service_down"), (Truth.DEAD_PHONE, "device_unreachable")):
            planted = self.life.truths.planted.get(truth)
            for day in planted.days if planted else ():
                zone = self.dice.zone
                outage = truth == Truth.OUTAGE
                hours = (OUTAGE_HOURS[0], OUTAGE_HOURS[-1] + 1) if outage else (9, 19)
                began, ended = (datetime.combine(day, time(hour), zone) for hour in hours)
                here = [one for one in self.calls if began <= one.at < ended]
                key = planted.key if planted else ""
                lost = [one for one in here if one.shape == cause and (outage or one.person == key)]
                saved = [one for one in here if one.recovered]
                subject = "" if outage else self.devices[key].address
                yield "service" if outage else "device", subject, began, ended, lost, saved if outage else []
