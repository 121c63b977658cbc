"""Calls as the PBX would tell them, recorded through the real door; a small house for them to reach."""

from __future__ import annotations

import itertools
import json
import math
import random
import wave
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.events import Event
from calls.follow_ups import FollowUpJobs
from calls.record import record
from crm_sync.book.owners import owner_of
from crm_sync.book.parties import numbers_of
from crm_sync.tables import leads, parties, party_numbers
from directory import store
from directory.masking import Masking
from directory.model import Company, Device, Directory, Line, Person, Team
from recordings.fact_rows import looked_for, write_talk_facts
from recordings.tables import recordings, transcripts
from recordings.talk_facts import measure
from recordings.transcript import words_by_side
from routing import evidence
from routing.arrival import Arrival, DeviceState, Facts
from routing.decide import decide
from routing.owner import Told as LookedUp
from routing.owner import with_owner
from telephony.clocks import AHEAD

LINE: Final = "74951234567"
SUPPORT: Final = "74951234568"
PASSWORD: Final = "correct horse 7"
_RATE: Final = 8000

HOUSE: Final = Directory(
    # What is told here has no archive: it is heard as it was recorded.
    company=Company(name="Ромашка", masking=Masking(kinds=())),
    people=(
        Person(
            key="anna",
            name="Анна Смирнова",
            role="manager",
            devices=(
                Device(kind="desk", address="PJSIP/anna-desk", number="101"),
                Device(kind="mobile", address="79160000011", trunk="PJSIP/trunk"),
            ),
        ),
        Person(
            key="boris",
            name="Борис Козлов",
            role="manager",
            devices=(Device(kind="soft", address="PJSIP/boris-soft", number="102"),),
        ),
        Person(key="vera", name="Вера Павлова", role="head"),
        Person(
            key="gleb",
            name="Глеб Орлов",
            role="manager",
            devices=(Device(kind="desk", address="PJSIP/gleb-desk", number="104"),),
        ),
    ),
    teams=(
        Team(key="sales", name="Продажи", strategy="ring_all", members=("anna", "boris")),
        Team(key="support", name="Поддержка", strategy="hunt", members=("gleb",)),
    ),
    lines=(
        Line(number=LINE, name="Основная", trunk="PJSIP/trunk", team="sales"),
        Line(number=SUPPORT, name="Поддержка", trunk="PJSIP/trunk", team="support"),
    ),
)

_numbers = itertools.count(1)


@dataclass
class Told:
    """One call: every method tells the next thing that happens, `after` seconds later, and records it."""

    engine: AsyncEngine
    number: str = "79161234567"
    name: str = ""
    line: str = LINE
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    uid: str = ""
    id: UUID | None = None
    _legs: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.uid = f"{self.at.timestamp():.0f}.{next(_numbers)}"

    async def tell(self, *events: Event) -> UUID:
        """Record what happened, as the telephony role does."""
        async with self.engine.begin() as connection:
            self.id = (await record(connection, events))[0].call_id
        return self.id

    def base(self, channel: str | None = None) -> dict[str, Any]:
        """What every event says."""
        uid = channel or self.uid
        name = self._legs.get(uid, f"PJSIP/trunk-{self.uid[-6:]}")
        return {"pbx": "main", "channel": uid, "linkedid": self.uid, "at": self.at, "name": name}

    def later(self, seconds: float) -> Told:
        """Let time pass."""
        self.at += timedelta(seconds=seconds)
        return self

    async def arrives(self, owner: str | None = None, crm: LookedUp | None = None) -> UUID:
        """The caller meets our dialplan and routing decides; by what a CRM said of the owner, where one was asked."""
        created = e.ChannelCreated(
            **self.base(), number=self.number, caller_name=self.name, dialed=self.line, context="trunk", incoming=True
        )
        arrived = e.Arrived(**self.base(), line=self.line, number=self.number, caller_name=self.name)
        states = {"PJSIP/anna-desk": DeviceState("not_inuse", reachable=True)}
        arrival = Arrival(
            pbx="main",
            channel=self.uid,
            line=self.line,
            caller_number=self.number,
            caller_name=self.name,
            at=self.at,
        )
        facts = Facts(directory=HOUSE, devices=states, owner=owner)
        facts = with_owner(facts, crm, self.at) if crm is not None else facts
        plan = decide(arrival, facts)
        kept = plan.to_json() | ({"facts": evidence.of(arrival, facts, plan)} if crm is not None else {})
        routed = e.Routed(**self.base(), plan=json.dumps(kept), outcome="in_time", seconds=0.0041)
        return await self.tell(created, arrived, routed)

    async def rings(self, *devices: str, after: float = 0.2) -> UUID:
        """Phones begin to ring."""
        self.later(after)
        told: list[Event] = []
        for device in devices:
            number = next(_numbers)
            uid = f"{self.uid}{number:03}"
            name = f"{device}-{number:08x}"
            self._legs[uid] = name
            created = e.ChannelCreated(**self.base(uid), number=_extension(device), incoming=False)
            dialed = e.Dialed(**self.base(), target=uid, target_name=name, target_linkedid=self.uid, dial_string=device)
            told += [created, dialed, e.ChannelRang(**self.base(uid))]
        return await self.tell(*told)

    async def answers(self, device: str, after: float = 4.0) -> UUID:
        """One phone is picked up; the others stop."""
        self.later(after)
        mine = self._uid(device)
        told: list[Event] = [e.DialEnded(**self.base(), target=mine, status="ANSWER"), e.ChannelUp(**self.base(mine))]
        for uid in self._legs.keys() - {mine}:
            told += [
                e.DialEnded(**self.base(), target=uid, status="CANCEL"),
                e.ChannelHungUp(**self.base(uid), cause=26),
            ]
        bridge = f"bridge-{self.uid}"
        told += [e.ChannelUp(**self.base())]
        told += [e.BridgeEntered(**self.base(uid), bridge=bridge) for uid in (self.uid, mine)]
        return await self.tell(*told)

    async def consults(self, by: str, whom: str, after: float = 1.0) -> UUID:
        """Who talks has a colleague called, while the caller waits in their bridge."""
        self.later(after)
        mine, bridge = self._uid(by), f"bridge-{self.uid}"
        moved = (
            e.BridgeLeft(**self.base(mine), bridge=bridge),
            e.BridgeEntered(**self.base(mine), bridge=f"{bridge}-2"),
        )
        await self.tell(e.Held(**self.base(mine)), *moved)
        return await self.rings(whom, after=0)

    async def consulted(self, whom: str, after: float = 1.0) -> UUID:
        """The colleague answers to who consults."""
        self.later(after)
        theirs, bridge = self._uid(whom), f"bridge-{self.uid}-2"
        ended = e.DialEnded(**self.base(), target=theirs, status="ANSWER")
        entered = e.BridgeEntered(**self.base(theirs), bridge=bridge)
        return await self.tell(ended, e.ChannelUp(**self.base(theirs)), entered)

    async def hands_over(self, by: str, whom: str, after: float = 1.0) -> UUID:
        """Who consults leaves the caller with the colleague."""
        self.later(after)
        mine, theirs, bridge = self._uid(by), self._uid(whom), f"bridge-{self.uid}"
        moved = e.Transferred(**self.base(mine), way="attended", transferee=self.uid, target=theirs)
        left = [e.BridgeLeft(**self.base(uid), bridge=f"{bridge}-2") for uid in (mine, theirs)]
        entered = e.BridgeEntered(**self.base(theirs), bridge=bridge)
        return await self.tell(moved, *left, entered, e.ChannelHungUp(**self.base(mine), cause=16))

    async def hangs_up(self, after: float = 60.0, *, settled: bool = True) -> UUID:
        """Everybody is gone."""
        self.later(after)
        told: list[Event] = []
        for uid in self._legs:
            told += [
                e.DialEnded(**self.base(), target=uid, status="CANCEL"),
                e.ChannelHungUp(**self.base(uid), cause=16),
            ]
        told.append(e.ChannelHungUp(**self.base(), cause=16))
        await self.tell(*told)
        if settled:
            await self.later(5).tell(e.Settled(**self.base()))
        assert self.id is not None
        return self.id

    async def is_promised(self) -> None:
        """The job of the settled call is done: its caller is promised a call back, or the promise is kept."""
        assert self.id is not None
        jobs = FollowUpJobs(engine=self.engine, numbers=numbers_of, lead_owner=owner_of, ahead=AHEAD)
        await jobs.follow_up(self.id, 0)

    async def keeps(self, store_root: Path, said: Iterable[tuple[str, str]]) -> None:
        """The recording and its text, as the jobs leave them."""
        assert self.id is not None
        words: list[dict[str, Any]] = []
        segments: list[dict[str, Any]] = []
        at = 0.6
        for side, text in said:
            start = at
            for word in text.split():
                length = 0.09 * len(word) + 0.08
                words.append({"side": side, "text": word, "start": at, "end": at + length, "confidence": 0.93})
                at += length + 0.05
            segments.append({"side": side, "start": start, "end": at, "text": text})
            at += 0.5
        rows = []
        for side in ("caller", "staff"):
            path = f"{self.at:%Y/%m/%d}/{self.id}-{self.uid}-{side}.wav"
            spans = [(float(part["start"]), float(part["end"])) for part in segments if part["side"] == side]
            speak(store_root / path, spans, at + 0.5, seed=side)
            size = (store_root / path).stat().st_size
            row = {"call_id": self.id, "channel": self.uid, "side": side, "state": "stored", "path": path}
            rows.append(row | {"bytes": size, "sha256": "0" * 64, "seconds": at + 0.5})
        text = "\n".join(str(part["text"]) for part in segments)
        transcript = {"call_id": self.id, "language": "ru", "text": text, "words": words, "segments": segments}
        async with self.engine.begin() as connection:
            await connection.execute(insert(recordings), rows)
            await connection.execute(
                insert(transcripts).values(transcript | {"model": "base", "audio_seconds": at, "took_seconds": 1.0})
            )
            script, topics = await looked_for(connection, self.line)
            facts = measure(words_by_side(words), script=script, topics=topics)
            await write_talk_facts(connection, self.id, facts)
        stored = e.RecordingStored(**self.base(), side="caller", path=str(rows[0]["path"]), seconds=at)
        await self.later(2).tell(
            stored, e.Transcribed(**self.base(), language="ru", model="base", word_count=len(words))
        )

    def _uid(self, device: str) -> str:
        return next(uid for uid, name in self._legs.items() if name.startswith(f"{device}-"))


async def furnish(engine: AsyncEngine) -> None:
    """Put the house into the database."""
    async with engine.begin() as connection:
        await store.apply(connection, HOUSE)


async def know(engine: AsyncEngine, number: str, name: str, owner: str, stage: str = "in_work") -> None:
    """A party of the lead book with an open lead."""
    async with engine.begin() as connection:
        party = await connection.scalar(insert(parties).values(name=name).returning(parties.c.id))
        await connection.execute(insert(party_numbers).values(number=number, party_id=party))
        lead = {"party_id": party, "stage": stage, "owner": owner, "source_line": LINE}
        await connection.execute(insert(leads).values(lead | {"opened_at": func.now()}))


def speak(path: Path, spans: Iterable[tuple[float, float]], seconds: float, *, seed: str) -> None:
    """Write a WAV of something that looks like speech during `spans` and is quiet elsewhere; 8 kHz, 16 bit, mono."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(_voice(tuple(spans), seconds, seed))


@cache
def _voice(spans: tuple[tuple[float, float], ...], seconds: float, seed: str) -> bytes:
    dice = random.Random(seed)
    samples = array("h", (dice.randrange(-40, 40) for _ in range(int(seconds * _RATE))))
    for start, end in spans:
        pitch = dice.uniform(110, 220)
        for index in range(int(start * _RATE), min(int(end * _RATE), len(samples))):
            at = index / _RATE - start
            loud = 9000 * abs(math.sin(at * 7.3)) * (0.55 + 0.45 * math.sin(at * 1.9))
            samples[index] += int(loud * math.sin(2 * math.pi * pitch * at) * dice.uniform(0.6, 1))
    return samples.tobytes()


def _extension(device: str) -> str:
    owner = HOUSE.person_of_device(device)
    return next((it.number or "" for it in owner.devices if it.address == device), "") if owner else ""
