"""The same story told to the server in memory and to a real one leaves the same records."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from typing import Any, cast
from uuid import uuid4

import msgspec
import pytest

from crm_sync.crm import Effect
from crm_sync.odoo.adapter import Odoo
from crm_sync.odoo.words import id_of
from crm_sync.told import CrmLead, CrmTask, CrmTranscript
from tests.contracts.crm.test_every_crm import CALL, LEAD, RECORDING, SUBJECTS, TASK
from tests.fakes.odoo import ANNA, BORIS, FakeOdoo
from tests.fakes.odoo_front import open_front
from tests.fakes.odoo_rig import open_odoo
from tests.fakes.recorded import T0
from tests.odoo.private_odoo import RealOdoo
from tests.odoo.real_rig import put_away_clients

pytestmark = pytest.mark.timeout(600)

STRANGER, THEIRS, OURS, LOST, OWED, MERGED = (f"7916777000{one}" for one in range(6))
TEXT = cast("CrmTranscript", SUBJECTS["transcript"])
Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two. `make`, `write` and `merge` (one lead into another) are what people do there by hand.

    `read` gives what came since it began, `file` what is in an attachment.
    """

    crm: Odoo
    users: Mapping[str, str]
    make: Callable[[str, Mapping[str, Any]], Awaitable[int]]
    write: Callable[[str, int, Mapping[str, Any]], Awaitable[object]]
    merge: Callable[[int, int], Awaitable[None]]
    read: Callable[[str, Sequence[str]], Awaitable[Rows]]
    file: Callable[[int], Awaitable[bytes]]

    def user(self, person: str) -> int:
        return int(self.users[person])


@asynccontextmanager
async def in_memory() -> AsyncIterator[Side]:
    odoo = FakeOdoo(has_numbers=False)
    last = max(one for rows in odoo.rows.values() for one in rows)

    async def make(model: str, vals: Mapping[str, Any]) -> int:
        return odoo.make(model, dict(vals))

    async def write(model: str, record: int, vals: Mapping[str, Any]) -> object:
        return odoo.do_write(model, [record], dict(vals))

    async def merge(lead: int, into: int) -> None:
        for model in ("mail.message", "ir.attachment"):
            for row in odoo.rows[model].values():
                if row["res_id"] == lead:
                    row["res_id"] = into
        gone, stays = odoo.rows["crm.lead"][lead], odoo.rows["crm.lead"][into]
        stays |= {name: stays[name] or gone[name] for name in ("partner_id", "contact_name")}
        odoo.remove("crm.lead", lead)

    async def read(model: str, fields: Sequence[str]) -> Rows:
        return [odoo.told(model, row, fields) for one, row in odoo.rows[model].items() if one > last]

    async def file(attachment: int) -> bytes:
        return odoo.sound(attachment)

    async with open_front(odoo.answer) as front:
        crm, users = open_odoo(front.url), {"anna": str(ANNA), "boris": str(BORIS)}
        yield Side(crm, users, make, write, merge, read, file)
        await crm.close()


@asynccontextmanager
async def really(odoo: RealOdoo) -> AsyncIterator[Side]:
    def last(model: str) -> int:
        # Of so many as are asked for, Odoo leaves out what we may not see.
        asked: Any = {"domain": [], "fields": ["id"], "order": "id desc", "limit": 200}
        asked["context"] = {"active_test": False}
        rows = odoo.ask(model, "search_read", **asked)
        return int(rows[0]["id"]) if rows else 0

    put_away_clients(odoo)
    began = {one: last(one) for one in ("crm.lead", "res.partner", "mail.message", "mail.activity")}

    async def make(model: str, vals: Mapping[str, Any]) -> int:
        (made,) = await asyncio.to_thread(odoo.ask, model, "create", vals_list=[dict(vals)])
        return int(made)

    async def write(model: str, record: int, vals: Mapping[str, Any]) -> object:
        return await asyncio.to_thread(odoo.ask, model, "write", ids=[record], vals=dict(vals))

    async def merge(lead: int, into: int) -> None:
        # The one that is further stays.
        await asyncio.to_thread(odoo.ask, "crm.lead", "merge_opportunity", ids=[lead, into])

    async def read(model: str, fields: Sequence[str]) -> Rows:
        asked: Any = {"domain": [["id", ">", began[model]]], "fields": list(fields), "order": "id"}
        asked["context"] = {"active_test": False}
        return list(await asyncio.to_thread(odoo.ask, model, "search_read", **asked))

    async def file(attachment: int) -> bytes:
        return await asyncio.to_thread(odoo.file, attachment)

    crm = open_odoo(odoo.url, odoo.key, odoo.users, 20.0, namespace=f"s{uuid4().hex[:12]}")
    yield Side(crm, odoo.users, make, write, merge, read, file)
    await crm.close()


def effect(**more: Any) -> Effect:
    return Effect(uuid4(), T0, **more)


def lead(number: str, **more: Any) -> CrmLead:
    return msgspec.structs.replace(LEAD, numbers=(number,), id=int(number[-1]), **more)


def opened(number: str, **more: Any) -> CrmLead:
    return lead(number, change="opened", stage="qualifying", before=None, after=None, **more)


async def called(side: Side, number: str | None, **more: Any) -> str:
    """A call is told; what it is called there."""
    call = msgspec.structs.replace(CALL, id=uuid4(), number=number, **more)
    return str((await side.crm.call_finished(effect(), call)).remote_id)


async def happens(side: Side) -> None:
    """Whatever the adapter can do to Odoo, and people beside it."""
    crm = side.crm
    contact = await called(side, STRANGER, lead=None, party=None)
    await side.write("res.partner", int(contact.split(",")[1]), {"phone": False})
    for number in (STRANGER, None, "anonymous"):
        await called(side, number, lead=None, party=None, status="missed", person=None, answered_at=None)

    kitchen = {"name": "Кухня", "type": "opportunity", "phone": f"+{THEIRS}", "stage_id": 3}
    await side.make("crm.lead", kitchen | {"user_id": side.user("boris")})
    for told in (opened(THEIRS), opened(THEIRS), lead(THEIRS, stage="lost"), lead(THEIRS, stage="in_work")):
        await crm.ensure_lead(effect(), told)

    call = await called(side, OURS, lead=int(OURS[-1]))
    await crm.ensure_lead(effect(), opened(OURS))
    await side.write(
        "crm.lead", int(call.split(",")[1]), {"name": "Шкаф", "user_id": side.user("boris"), "stage_id": 2}
    )
    changes = {"deadline": {}, "owner": {"owner": "anna"}, "stage": {"stage": "won"}, "fields": {"name": "Пётр Петров"}}
    for change, more in changes.items():
        await crm.ensure_lead(effect(), lead(OURS, change=change, **more))
    remote = {"call_finished": call}
    sound, text = effect(remote=remote), effect(remote=remote)
    for _ in range(2):
        await crm.attach_recording(sound, RECORDING)
        await crm.attach_transcript(text, TEXT)

    call = await called(side, MERGED, lead=int(MERGED[-1]))
    into = await side.make("crm.lead", kitchen | {"phone": f"+{MERGED}", "user_id": side.user("boris")})
    await side.merge(int(call.split(",")[1]), into)
    remote_of_merged = {"call_finished": call}
    await crm.attach_recording(effect(remote=remote_of_merged), RECORDING)
    await crm.attach_transcript(effect(remote=remote_of_merged), TEXT)
    await crm.ensure_lead(effect(), lead(MERGED, change="owner", owner="anna"))

    await crm.ensure_lead(effect(), opened(LOST, owner=None, name=None))
    await crm.ensure_lead(effect(), lead(LOST, stage="disqualified"))

    late = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
    task = msgspec.structs.replace(TASK, due_at=late)
    unowned = msgspec.structs.replace(task, id=2, number=OWED, owner=None, attempt_count=3)
    for told_task, of in ((task, remote), (unowned, {})):
        await owed(side, told_task, of)


async def owed(side: Side, task: CrmTask, remote: Mapping[str, str]) -> None:
    """A promise of somebody's is given to another and kept; one of nobody's stays."""
    changes = [{"change": "opened"}, {"change": "given", "owner": "boris"}]
    changes += [{"change": "closed", "owner": "boris", "closed_by": "talk"}] * 2
    for more in changes if task.owner else changes[:1]:
        await side.crm.create_task(effect(remote=remote), msgspec.structs.replace(task, **more))


async def left(side: Side) -> dict[str, list[Any]]:
    """What is there afterwards, in words that are the same on both sides."""
    persons = {int(user): person for person, user in side.users.items()}

    def whose(told: object) -> str | None:
        return persons.get(found, "another") if (found := id_of(told)) is not None else None

    leads = await side.read("crm.lead", LEAD_FIELDS)
    contacts = await side.read("res.partner", ["name", "phone"])
    names = {("crm.lead", one["id"]): one["name"] for one in leads}
    names |= {("res.partner", one["id"]): one["name"] for one in contacts}
    activities = await side.read("mail.activity", ACTIVITY_FIELDS)
    models = {id_of(one["res_model_id"]) for one in activities}
    assert len(models) == 2
    notes = []
    for note in await side.read(
        "mail.message", ["message_id", "model", "res_id", "body", "author_id", "attachment_ids", "date"]
    ):
        ours = re.match(r"<(\w+?)_\w+\.\w+@switchhook>", note["message_id"] or "")
        said = " ".join(unescape(re.sub(r"<[^>]+>", " ", note["body"] or "")).split())
        if ours or "Поговорили" in said:
            files = [await side.file(one) for one in note["attachment_ids"]]
            author = note["author_id"][1] if ours and ours[1] == "call" else None
            date = note["date"] if ours and ours[1] == "call" else None
            told = said if ours else "Поговорили"
            notes.append((names[note["model"], note["res_id"]], ours and ours[1], told, author, files, date))
    return {
        "leads": [
            (
                *(one[name] for name in ("name", "type", "phone", "contact_name", "active")),
                id_of(one["stage_id"]),
                whose(one["user_id"]),
                one["partner_id"] and names.get(("res.partner", id_of(one["partner_id"]))),
            )
            for one in leads
        ],
        "contacts": [(one["name"], one["phone"]) for one in contacts],
        "notes": notes,
        "activities": [
            (
                *(one[name] for name in ("summary", "date_deadline", "active", "feedback")),
                re.sub(r"<[^>]+>", "", one["note"]),
                whose(one["user_id"]),
            )
            for one in activities
        ],
    }


LEAD_FIELDS = ("name", "type", "phone", "contact_name", "active", "stage_id", "user_id", "partner_id")
ACTIVITY_FIELDS = ("summary", "note", "date_deadline", "active", "feedback", "user_id", "res_model_id")


async def test_one_story_leaves_the_same_in_memory_and_in_a_real_one(odoo: RealOdoo) -> None:
    """Leads, contacts, notes, files and activities, as people read them."""
    async with in_memory() as memory, really(odoo) as real:
        for side in (memory, real):
            await happens(side)
        ours, theirs = await left(memory), await left(real)
    for kind, told in theirs.items():
        assert ours[kind] == told, kind
