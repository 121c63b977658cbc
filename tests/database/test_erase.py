"""A person is erased from a full house: a scan of everything finds nothing, and the counts are as before."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.rebuild import rebuild
from calls.record import event_from_json
from calls.tables import call_events, calls, follow_ups
from crm_sync.book.parties import must_not_be_called
from crm_sync.ledger.tables import crm_connections, crm_effects
from crm_sync.tables import lead_events, leads, notes, parties, party_numbers, tasks
from directory import store
from directory.retention import Retention
from directory.tables import blocked_numbers, vip_numbers
from recordings import holds
from recordings.audit import THE_OPERATOR
from recordings.erasures import EraseRefused, Report
from recordings.privacy_tables import audit, erasures
from recordings.store import Store
from recordings.tables import comments, talk_facts, transcripts, unmasked_transcripts
from routing.tables import outgoing_calls, owner_copies
from service.erasing import Erasing
from service.removing import Remover
from service.retention import keep
from tests.fakes.story import HOUSE, SUPPORT, Told, furnish, know
from tests.fakes.traces import digest, traces_in_files, traces_in_tables
from tests.fakes.waiting import until_it_waits

NUMBER, SECOND, NAME = "79165550123", "79165550124", "Мария Веснина"
DIGITS: Final = "9165550123"
WORDS: Final = ("весн", "9165550124", "vesnina")
OTHER: Final = "79161234567"
BOOK: Final = parties.join(leads).join(notes, notes.c.lead_id == leads.c.id)
KEPT: Final = "direction", "status", "line", "started_at", "answered_at", "ended_at", "missed_cause", "talk_seconds"


@dataclass
class House:
    """A house where the person is everywhere: `hers` are calls she is in, `others` calls she is not in."""

    engine: AsyncEngine
    data: Path
    hers: list[Told]
    others: list[Told]
    told: list[e.Event]

    @property
    def erasing(self) -> Erasing:
        """What erases here."""
        remover = Remover(Store.in_folder(self.data / "recordings"), {"main": self.data / "pbx"})
        return Erasing(self.engine, remover, {"main": "the PBX's own CEL and logs"})

    async def scan(self) -> tuple[dict[str, int], list[Path]]:
        """Where she is still found."""
        tables = await traces_in_tables(self.engine, DIGITS, WORDS)
        return tables, traces_in_files([self.data], DIGITS, WORDS)

    async def rows(self) -> list[Any]:
        """What is counted of every call."""
        columns = [calls.c[name] for name in KEPT]
        async with self.engine.connect() as connection:
            return list((await connection.execute(select(*columns).order_by(calls.c.started_at, calls.c.id))).all())


@pytest.fixture
async def house(engine: AsyncEngine, tmp_path: Path) -> House:
    """Calls of every kind with her in them, her lead with two numbers, and every list that she can stand on."""
    await furnish(engine)
    (tmp_path / "pbx").mkdir()
    now = datetime.now(UTC) - timedelta(hours=5)
    store = tmp_path / "recordings"
    talk = Told(engine, number="+7 (916) 555-01-23", name=NAME, at=now)
    await talk.arrives()
    await talk.rings("PJSIP/anna-desk", "PJSIP/boris-soft")
    await talk.answers("PJSIP/anna-desk")
    await talk.hangs_up(after=10)
    await talk.keeps(store, [("staff", "Добрый день"), ("caller", f"Это {NAME} мой номер 8 916 555 01 23")])
    (tmp_path / "pbx" / f"{talk.uid}-caller.wav").write_bytes(b"RIFF")
    missed = Told(engine, number=SECOND, name=NAME, at=now + timedelta(hours=1))
    await missed.arrives()
    await missed.rings("PJSIP/anna-desk")
    await missed.hangs_up(after=30)
    await missed.is_promised()
    moved = Told(engine, number=OTHER, name="Иван", line=SUPPORT, at=now + timedelta(hours=2))
    await moved.arrives()
    await moved.rings("PJSIP/gleb-desk")
    await moved.answers("PJSIP/gleb-desk")
    where = moved.base()
    await moved.tell(e.Transferred(**where, way="blind", to="8-916-555-01-23", transferee=moved.uid))
    await moved.hangs_up(after=9)
    called = Told(engine, number="101", name="Анна Смирнова", line=f"8{DIGITS}", at=now + timedelta(hours=2.5))
    ours, theirs = called.base() | {"name": "PJSIP/anna-desk-1"}, called.base("2.1") | {"name": "PJSIP/trunk-2"}
    await called.tell(
        e.ChannelCreated(**ours, number="101", caller_name=called.name, dialed=called.line, incoming=True),
        e.ChannelCreated(**theirs, number=NUMBER, caller_name=NAME, incoming=False),
        e.Dialed(**ours, target="2.1", target_name="PJSIP/trunk-2", dial_string=f"PJSIP/{called.line}@trunk"),
        e.ChannelHungUp(**called.later(20).base("2.1"), cause=17),
    )
    await called.hangs_up(after=1)
    other = Told(engine, number=OTHER, name="Иван", at=now + timedelta(hours=3))
    await other.arrives()
    await other.rings("PJSIP/anna-desk")
    await other.answers("PJSIP/anna-desk")
    await other.hangs_up(after=8)
    await other.keeps(store, [("caller", "Телефон соседки 8 916 555 01 23"), ("staff", "Записала спасибо")])
    async with engine.begin() as connection:
        said = (
            await connection.execute(select(transcripts.c.words).where(transcripts.c.call_id == other.id))
        ).scalar_one()
        await connection.execute(insert(unmasked_transcripts).values(call_id=other.id, words=said))
    await _lists(engine, talk)
    async with engine.connect() as connection:
        bodies = (await connection.execute(select(call_events.c.body))).scalars()
        told = [event_from_json(body) for body in bodies]
    return House(engine, tmp_path, [talk, missed, moved, called], [other], told)


async def _lists(engine: AsyncEngine, talk: Told) -> None:
    await know(engine, NUMBER, NAME, "anna")
    async with engine.begin() as connection:
        party = (await connection.execute(select(parties.c.id))).scalar_one()
        await connection.execute(insert(party_numbers).values(number=SECOND, party_id=party))
        await connection.execute(parties.update().values(do_not_call_at=func.now()))
        linked = e.PartyLinked(**talk.base(), party=party, lead=1, created="lead")
        await connection.execute(insert(owner_copies).values(number=NUMBER, owner="anna", told_at=func.now()))
        listed = {"number": NUMBER, "note": f"{NAME}, vesnina@example.org", "position": 0}
        for table in (vip_numbers, blocked_numbers):
            await connection.execute(insert(table).values(listed))
        wish = {"purpose": "click", "state": "connected", "number": NUMBER, "person": "anna", "asked_by": "anna"}
        wish |= {"idempotency_key": f"to {NUMBER}", "channel": talk.uid}
        await connection.execute(insert(outgoing_calls).values(wish))
        refused = {"purpose": "click", "state": "refused", "number": SECOND, "asked_by": "boris"}
        await connection.execute(insert(outgoing_calls).values(refused | {"reason": "do_not_call"}))
    await talk.tell(linked)


async def _written(engine: AsyncEngine) -> None:
    """What people wrote of another client, and what a CRM was told of that: her number stands in all of it."""
    said = f"Соседка {NAME}, 8 (916) 555-01-23, просит позвонить"
    await know(engine, OTHER, "Иван (звонить 8-916-555-01-23)", "boris")
    async with engine.begin() as connection:
        other = (
            await connection.execute(select(party_numbers.c.party_id).where(party_numbers.c.number == OTHER))
        ).scalar()
        lead = (await connection.execute(select(leads.c.id).where(leads.c.party_id == other))).scalar()
        fields = {"channel": f"+7{DIGITS}", "project": "Лес"}
        await connection.execute(leads.update().where(leads.c.id == lead).values(fields=fields))
        whose = {"party_id": other, "lead_id": lead, "text": said}
        await connection.execute(insert(notes).values(whose | {"at": func.now(), "by": "boris"}))
        await connection.execute(insert(tasks).values(whose | {"made_at": func.now(), "made_by": "boris"}))
        told = {"key": "shop", "kind": "webhook", "settings": {}, "secrets": b"", "steps": ["lead"], "state": "active"}
        await connection.execute(insert(crm_connections).values(told | {"account": "x"}))
        effect = {"key": uuid4(), "connection": "shop", "step": "lead", "lane": "x", "waits": False, "state": "done"}
        effect |= {"request": {"lead": {"fields": fields}}, "answer": {"said": said}, "ended_at": func.now()}
        await connection.execute(insert(crm_effects).values(effect))


async def _commented(house: House) -> None:
    """Colleagues named her beside a moment of her talk, of another's, of a call without any, and in a reason."""
    said = f"Соседка {NAME}, 8 (916) 555-01-23"
    silent = Told(house.engine, number=OTHER)
    await silent.arrives()
    await silent.hangs_up(after=3)
    async with house.engine.begin() as connection:
        for call in (house.hers[0], house.others[0], silent):
            wish = {"call_id": call.id, "at": 1.5, "by": "boris", "text": said}
            await connection.execute(insert(comments).values(wish))
        lead = (await connection.execute(select(leads.c.id).order_by(leads.c.id.desc()).limit(1))).scalar_one()
        event = {"lead_id": lead, "at": func.now(), "by": "vera", "kind": "owner", "after": "boris", "reason": said}
        await connection.execute(insert(lead_events).values(event))


async def test_after_erasing_a_scan_of_everything_finds_no_trace(house: House) -> None:
    """No table, no search index, no file of the store or the PBX's folder; not even the digest of an old event."""
    await _written(house.engine)
    await _commented(house)
    before = await house.rows()
    tables, _ = await house.scan()
    assert {
        "public.calls",
        "public.legs",
        "public.transcripts",
        "public.parties",
        "public.vip_numbers",
    } <= tables.keys()
    assert {"public.outgoing_calls", "public.owner_copies", "public.follow_ups"} <= tables.keys()
    assert {"public.leads", "public.notes", "public.tasks", "public.crm_effects"} <= tables.keys()
    assert {"public.comments", "public.lead_events"} <= tables.keys()
    erasing = house.erasing
    report = await erasing.run(await erasing.ask([NUMBER], THE_OPERATOR))
    assert (report.state, sorted(report.calls)) == ("finished", sorted(str(call.id) for call in house.hers))
    assert await house.scan() == ({}, [])
    assert await house.rows() == before
    wanted = {
        "calls": 4,
        "audio_files": 2,
        "texts": 1,
        "promises": 1,
        "parties": 1,
        "leads": 1,
        "vip": 1,
        "blocked": 1,
        "calls_out": 2,
        "crm_owners": 1,
        "do_not_call": 1,
        "mentions": 8,
    }
    assert {name: report.went.get(name) for name in wanted} == wanted
    assert not (house.data / "pbx" / f"{house.hers[0].uid}-caller.wav").exists()
    async with house.engine.connect() as connection:
        stored = {bytes(one) for one in (await connection.execute(select(call_events.c.digest))).scalars()}
        kept = (await connection.execute(select(transcripts.c.call_id, transcripts.c.text))).all()
        originals = (await connection.execute(select(unmasked_transcripts))).all()
        spoken = (await connection.execute(select(talk_facts.c.caller_seconds, talk_facts.c.staff_seconds > 0))).all()
        others = (
            await connection.execute(select(parties.c.name, leads.c.fields, notes.c.text).select_from(BOOK))
        ).all()
        beside = (await connection.execute(select(comments.c.text))).scalars().all()
        found = (await connection.execute(text("select count(*) from transcripts where search @@ 'соседк'"))).scalar()
    assert not stored & {digest(event) for event in house.told if DIGITS in str(event)}
    assert kept == [(house.others[0].id, "Записала спасибо")]
    assert found == 0
    assert others == [
        ("Иван (звонить •••)", {"channel": "•••", "project": "Лес"}, "Соседка •••, •••, просит позвонить")
    ]
    assert beside == ["Соседка •••, •••"] * 2
    assert (originals, spoken) == ([], [(0.0, True)])


async def test_nothing_brings_the_person_back(house: House) -> None:
    """A rebuild changes nothing, and every event told once more, as CEL tells it again, is left out."""
    erasing = house.erasing
    await erasing.run(await erasing.ask([NUMBER, SECOND], THE_OPERATOR))
    rows = await house.rows()
    hers = {call.uid for call in house.hers}
    again = [event for event in house.told if event.linkedid in hers]
    assert again
    await house.hers[0].tell(*again)
    async with house.engine.begin() as connection:
        assert await rebuild(connection) == 0
    assert await house.rows() == rows
    assert await house.scan() == ({}, [])


async def test_erasing_twice_is_erasing_once_and_a_look_changes_nothing(house: House) -> None:
    """The look tells what the erasing then does; the second erasing finds nobody."""
    erasing = house.erasing
    found = await house.scan()
    looked = await erasing.look([SECOND])
    assert await house.scan() == found
    report = await erasing.run(await erasing.ask([SECOND], THE_OPERATOR))
    same = ("calls", "audio_files", "texts", "parties", "leads")
    assert [looked.went[name] for name in same] == [report.went[name] for name in same]
    assert looked.calls == report.calls
    again = await erasing.run(await erasing.ask([SECOND], THE_OPERATOR))
    assert (again.state, again.went, again.calls) == ("finished", {}, [])
    assert again.id is not None
    assert await erasing.told(again.id) == again


async def test_the_wish_not_to_be_called_outlives_the_person_and_is_not_to_be_read(house: House) -> None:
    """Whoever dials the number is refused as before; of who it was the table keeps a keyed digest."""
    erasing = house.erasing
    report = await erasing.run(await erasing.ask([NUMBER], THE_OPERATOR))
    assert {"what": "wish", "why": "do_not_call_kept_unreadably"} in report.stayed
    async with house.engine.connect() as connection:
        assert await must_not_be_called(connection, NUMBER)
        assert await must_not_be_called(connection, SECOND)
        assert not await must_not_be_called(connection, OTHER)


async def test_what_the_law_holds_is_not_erased_and_is_told(house: House) -> None:
    """A held call stays whole with her in it; a held number keeps everything, until the hold is lifted."""
    erasing, held = house.erasing, house.hers[0].id
    async with house.engine.begin() as connection:
        hold = await holds.add(connection, THE_OPERATOR, "дело 12-345", call_id=held)
    report = await erasing.run(await erasing.ask([NUMBER], THE_OPERATOR))
    assert {"what": "call", "why": "held", "id": str(held), "hold": hold} in report.stayed
    assert str(held) not in report.calls
    tables, _ = await house.scan()
    assert {"public.calls", "public.transcripts"} <= tables.keys()
    assert "public.parties" not in tables
    assert len(list((house.data / "recordings").rglob("*.wav"))) == 4
    async with house.engine.begin() as connection:
        await holds.lift(connection, THE_OPERATOR, hold)
        number = await holds.add(connection, THE_OPERATOR, "дело 12-345", number=NUMBER)
    report = await erasing.run(await erasing.ask([NUMBER], THE_OPERATOR))
    assert (report.went, report.stayed[0]) == ({}, {"what": "everything", "why": "held", "hold": number})
    assert (await house.scan())[0] == tables | {"public.holds": 1}


@pytest.mark.parametrize("by_number", [False, True])
async def test_a_hold_that_is_set_while_an_erasure_goes_on_is_in_time(house: House, *, by_number: bool) -> None:
    """Her calls were looked for before the hold: what it holds stays all the same, and is told."""
    erasing, held = house.erasing, house.hers[0].id
    asked = await erasing.ask([NUMBER], THE_OPERATOR)
    async with house.engine.connect() as setting:
        subject = {"number": NUMBER} if by_number else {"call_id": held}
        hold = await holds.add(setting, THE_OPERATOR, "дело 12-345", **subject)
        running = asyncio.create_task(erasing.run(asked))
        await until_it_waits(house.engine, running)
        await setting.commit()
    report = await running
    assert {"what": "call", "why": "held", "id": str(held), "hold": hold} in report.stayed
    assert ({"what": "everything", "why": "held", "hold": hold} in report.stayed) is by_number
    assert ("public.parties" in (await house.scan())[0]) is by_number
    assert len(list((house.data / "recordings").rglob("*.wav"))) == 4


async def test_a_call_that_goes_on_is_erased_when_it_is_over(house: House) -> None:
    """Until then the request stays open with its numbers, and a worker goes on with it."""
    live = Told(house.engine, number=NUMBER, name=NAME)
    await live.arrives()
    erasing = house.erasing
    report = await erasing.run(await erasing.ask([NUMBER], THE_OPERATOR))
    assert report.state == "going_on"
    assert {"what": "call", "why": "not_over_yet", "id": str(live.id)} in report.stayed
    assert await erasing.ask([SECOND, NUMBER], THE_OPERATOR) == report.id
    assert await erasing.resume() == 1
    await live.hangs_up(after=20)
    assert await erasing.resume() == 0
    assert await house.scan() == ({}, [])
    assert report.id is not None
    whole = await erasing.told(report.id)
    assert whole is not None
    assert sorted(whole.calls) == sorted(str(call.id) for call in [*house.hers, live])


async def test_a_recording_that_the_store_will_not_release_keeps_nothing_else_from_going(house: House) -> None:
    """That call is told as staying, and its request stays open; all else of it, other requests and the policy go."""
    erasing, engine = house.erasing, house.engine
    (stuck,) = (house.data / "recordings").rglob(f"*{house.hers[0].uid}-caller.wav")
    stuck.unlink()
    (stuck / "no file").mkdir(parents=True)
    policy = replace(HOUSE.company, retention=Retention(audio_days=1))
    async with engine.begin() as connection:
        await store.apply(connection, replace(HOUSE, company=policy))
    old = Told(engine, number="79165550777", at=datetime.now(UTC) - timedelta(days=2))
    await old.arrives()
    await old.rings("PJSIP/anna-desk")
    await old.answers("PJSIP/anna-desk")
    await old.hangs_up(after=10)
    await old.keeps(house.data / "recordings", [("caller", "Здравствуйте")])
    first, second = await erasing.ask([NUMBER], THE_OPERATOR), await erasing.ask([OTHER], THE_OPERATOR)
    working = asyncio.create_task(keep(engine, erasing.remover, erasing))
    async with asyncio.timeout(30):
        while (await _told(erasing, second)).state != "finished" or list(house.data.rglob(f"*{old.uid}-caller.wav")):
            await asyncio.sleep(0.02)
    working.cancel()
    report = await _told(erasing, first)
    assert report.state == "going_on"
    assert {"what": "call", "why": "store_refused", "id": str(house.hers[0].id)} in report.stayed
    assert sorted(report.calls) == sorted(str(call.id) for call in house.hers[1:])
    shutil.rmtree(stuck)
    assert await erasing.resume() == 0
    assert await house.scan() == ({}, [])


async def test_a_file_of_the_pbx_that_may_not_be_removed_is_told(house: House) -> None:
    """The report names it and goes on naming it; what was never sent whole is removed."""
    uid, folder = house.hers[0].uid, house.data / "pbx"
    (folder / f"{uid}-staff.wav" / "no file").mkdir(parents=True)
    begun, others = folder / f".{uid}-caller.wav.{'0' * 64}.part", folder / f".9{uid}-caller.wav.{'0' * 64}.part"
    begun.write_bytes(b"RIFF")
    others.write_bytes(b"RIFF")
    live = Told(house.engine, number=NUMBER, name=NAME)
    await live.arrives()
    erasing = house.erasing
    asked = await erasing.ask([NUMBER], THE_OPERATOR)
    told = {"what": "files", "why": "not_removable", "call": str(house.hers[0].id), "names": [f"{uid}-staff.wav"]}
    assert told in (await erasing.run(asked)).stayed
    assert (begun.exists(), others.exists()) == (False, True)
    await live.hangs_up(after=20)
    report = await erasing.run(asked)
    assert (report.state, report.stayed.count(told)) == ("finished", 1)


async def test_a_call_out_that_is_being_placed_keeps_its_number_until_it_is(house: House) -> None:
    """Then it goes too: the request waits for it."""
    erasing, placing = house.erasing, outgoing_calls.c.state == "placing"
    wish = {"purpose": "click", "state": "placing", "number": NUMBER, "person": "anna", "asked_by": "anna"}
    async with house.engine.begin() as connection:
        await connection.execute(insert(outgoing_calls).values(wish))
    report = await erasing.run(await erasing.ask([NUMBER], THE_OPERATOR))
    assert (report.state, report.stayed[0]) == ("going_on", {"what": "call_out", "why": "not_over_yet"})
    async with house.engine.begin() as connection:
        await connection.execute(outgoing_calls.update().where(placing).values(state="failed"))
    assert await erasing.resume() == 0
    assert await house.scan() == ({}, [])


async def test_a_worker_does_what_the_api_was_asked(house: House) -> None:
    """The request lies in the database; whoever works on retention does it, without being told."""
    erasing = house.erasing
    asked = await erasing.ask([NUMBER], THE_OPERATOR)
    working = asyncio.create_task(keep(house.engine, erasing.remover, erasing))
    async with asyncio.timeout(30):
        while (await _told(erasing, asked)).state != "finished":
            await asyncio.sleep(0.02)
    working.cancel()
    assert await house.scan() == ({}, [])


async def _told(erasing: Erasing, asked: int) -> Report:
    report = await erasing.told(asked)
    assert report is not None
    return report


@pytest.mark.parametrize("number", ["101", "74951234567", "79160000011", "8 495 123-45-68", "Мария", "", "+7916", "s"])
async def test_nobody_of_the_house_and_no_half_number_can_be_erased(house: House, number: str) -> None:
    """The refusal names the value, and nothing is written down."""
    with pytest.raises(EraseRefused, match="number: "):
        await house.erasing.ask([number], THE_OPERATOR)
    async with house.engine.connect() as connection:
        assert (await connection.execute(select(func.count()).select_from(erasures))).scalar_one() == 0


async def test_a_command_killed_in_the_middle_is_gone_on_with(house: House, database_dsn: str) -> None:
    """SIGKILL between two calls: what was done stays done, the same command does the rest, and no log names anybody."""
    command = [sys.executable, "-m", "service.cli.main", "erase", "8 916 555-01-23", "--json"]
    environment = {
        **os.environ,
        "DATABASE_URL": database_dsn,
        "SWITCHHOOK_DATA_DIR": str(house.data),
        "PYTHONUTF8": "1",
    }
    environment["SWITCHHOOK_LOG"] = "json"
    async with house.engine.connect() as blocking:
        # The second of her calls is locked, so that the command stands still right before it.
        lock = text("select 1 from calls where id = :id for update")
        await blocking.execute(lock, {"id": house.hers[1].id})
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=-1, stderr=-1)
        async with asyncio.timeout(60):
            while not await _done_calls(house.engine):
                await asyncio.sleep(0.05)
        process.kill()
        logs = list(await process.communicate())
        await blocking.rollback()
    tables, _ = await house.scan()
    assert {"public.erasures", "public.calls"} <= tables.keys()
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=-1, stderr=-1)
    logs += await process.communicate()
    assert process.returncode == 0, logs
    report = json.loads(logs[2])
    assert report["state"] == "finished"
    assert sorted(report["calls"]) == sorted(str(call.id) for call in house.hers)
    assert await house.scan() == ({}, [])
    said = b"".join(logs).decode()
    assert not [word for word in (DIGITS, "555-01-23", NAME, *WORDS) if word in said]
    assert "person erased" in said
    async with house.engine.connect() as connection:
        rows = (await connection.execute(select(audit.c.action, audit.c.subject).order_by(audit.c.id))).all()
        count = (await connection.execute(select(func.count()).select_from(leads))).scalar_one()
        promise = (await connection.execute(select(follow_ups.c.closed_by))).scalar_one()
    assert [tuple(row) for row in rows] == [("erase_asked", "erasure 1"), ("erased", "erasure 1")]
    assert (count, promise) == (0, "erased")


async def _done_calls(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        report = (await connection.execute(select(erasures.c.report))).scalar()
    return len((report or {}).get("calls", ()))
