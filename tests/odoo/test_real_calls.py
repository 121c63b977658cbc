"""Real calls on a real PBX, told by our roles in processes of their own, as people find them in a real Odoo."""

from __future__ import annotations

import asyncio
import io
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import uuid4

import av
import pytest
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from directory.file import loads
from directory.store import apply
from service.demo_world import OutsideWorld
from service.demo_world.behaviour import answer, ring_out
from service.demo_world.speech import CALLER, STAFF
from service.pbx import Pbx, Phone
from service.ports import free_port
from service.settings import CrmSettings, MetricsSettings, Settings
from tests.end_to_end.stage import LINE, Stage, environment, until
from tests.fakes.command import begin, switchhook
from tests.fakes.ledger import SECRET_KEY
from tests.fakes.odoo_rig import INBOUND
from tests.odoo.private_odoo import RealOdoo
from tests.odoo.real_rig import put_away_clients
from tests.odoo.rules import telling

MARIA, PAVEL = "79161239002", "79161239003"
ANNA, BORIS = "anna-desk", "boris-desk"
HOUSE = f"""
company: {{name: Ромашка, region: RU, time_zone: Europe/Moscow, language: ru}}
people:
  - {{key: anna, name: Анна, role: manager, devices: [{{kind: desk, address: PJSIP/{ANNA}, number: "101"}}]}}
  - {{key: boris, name: Борис, role: manager, devices: [{{kind: desk, address: PJSIP/{BORIS}, number: "102"}}]}}
teams: [{{key: sales, name: Продажи, strategy: ring_all, members: [anna, boris]}}]
lines: [{{number: "{LINE}", name: Продажи, trunk: PJSIP/trunk, team: sales, ring_seconds: 15}}]
"""
_TOLD_SECONDS = 180.0
"""So long a call takes to be settled, written down and told on a busy machine."""


@dataclass(frozen=True, slots=True)
class There:
    """Odoo as the story asks it: what came into it since the story began."""

    odoo: RealOdoo
    namespace: str

    async def rows(self, model: str, domain: Sequence[Any], *fields: str) -> list[dict[str, Any]]:
        """Records, also those that are archived or done."""
        named = {"domain": list(domain), "fields": list(fields), "context": {"active_test": False}, "order": "id"}
        return list(await asyncio.to_thread(self.odoo.ask, model, "search_read", **named))

    async def notes(self, kind: str, lead: int) -> list[dict[str, Any]]:
        """Our notes of a kind (`call`, `transcript`) on a lead."""
        domain = [["message_id", "like", f"<{kind}_%.{self.namespace}@switchhook>"], ["res_id", "=", lead]]
        domain.append(["model", "=", "crm.lead"])
        return await self.rows("mail.message", domain, "author_id", "body", "attachment_ids", "date")

    async def leads(self, number: str) -> list[dict[str, Any]]:
        """The open leads with a number."""
        domain = [["phone", "=", f"+{number}"], ["active", "=", True]]
        return await self.rows("crm.lead", domain, "name", "user_id")


@pytest.fixture
async def stage(engine: AsyncEngine, database_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    """A PBX with two phones, the world outside, and a fresh store."""
    async with engine.begin() as connection:
        await apply(connection, loads(HOUSE))
    async with Pbx([Phone(ANNA, "101"), Phone(BORIS, "102")]) as pbx, OutsideWorld(pbx) as world:
        yield Stage(pbx, world, engine, database_url, tmp_path)


@asynccontextmanager
async def our_roles(stage: Stage, odoo: RealOdoo, namespace: str) -> AsyncIterator[tuple[Settings, str]]:
    """The roles, after Odoo was connected as a person does it; gives what the command said too."""
    port = free_port()
    web = stage.settings().web.model_copy(update={"port": port, "public_url": f"http://127.0.0.1:{port}"})
    crm = CrmSettings(owner_from="odoo", budget_seconds=1.0, networks=[ip_network("127.0.0.0/8")])
    more = {"secret_key": SecretStr(SECRET_KEY), "web": web, "crm": crm}
    settings = stage.settings().model_copy(update=more)
    secrets = {"SWITCHHOOK_CRM_KEY": odoo.key, "SWITCHHOOK_CRM_INBOUND": INBOUND}
    words = ("crm", "add", "odoo", "odoo", "--address", odoo.url, "--database", "crm", "--namespace", namespace)
    told = await asyncio.to_thread(switchhook, *words, **environment(settings), **secrets)
    assert told.returncode == 0, told.stderr
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(stage.serve(settings=settings, role="telephony"))
        beside = settings.model_copy(update={"metrics": MetricsSettings(port=free_port())})
        await stack.enter_async_context(stage.serve(settings=beside, role="web", answering=False))
        log = settings.data_dir / "worker.log"
        worker = await begin("worker", said=log, room=None, **environment(settings))
        try:
            yield settings, told.stderr
        finally:
            worker.send_signal(signal.SIGTERM)
            await worker.wait()


@pytest.mark.timeout(900)
async def test_what_clients_and_colleagues_do_by_telephone_is_in_odoo_and_odoo_says_whom_to_ring(
    stage: Stage, odoo: RealOdoo
) -> None:
    """A new client, one whom nobody answered, and the first again, whom Odoo has given to somebody else since."""
    there = There(odoo, f"r{uuid4().hex[:12]}")
    await asyncio.to_thread(put_away_clients, odoo)
    anna, boris = stage.world.phone(ANNA), stage.world.phone(BORIS)
    async with our_roles(stage, odoo, there.namespace) as (settings, said):
        assert "the key ends on" in said
        assert "missing" not in said
        with telling(odoo, f"{settings.web.public_url}/crm/odoo/events?secret={INBOUND}"):
            await boris.behave(ring_out())
            await anna.behave(answer(1.0, speak=STAFF))
            lead = await a_new_client_talks_with_anna(stage, there)
            await nobody_answers_and_then_somebody_does(stage, there)
            await asyncio.to_thread(
                odoo.ask, "crm.lead", "write", ids=[lead], vals={"user_id": int(odoo.users["boris"])}
            )
            await known_to_be_of(stage, MARIA, "boris")
            await anna.behave(ring_out())
            await boris.behave(answer(1.0, speak=STAFF))
            again = await stage.world.call(MARIA, "Мария Петрова", LINE, speak=CALLER)
            await boris.rings()
            await again.ended()
            assert not anna.has_rung

            async def twice() -> list[Any]:
                notes = await there.notes("call", lead)
                return notes if len(notes) == 2 else []

            calls = await until(twice, "the second call is on the lead too", _TOLD_SECONDS)
    assert [note["author_id"][1] for note in calls] == ["Anna", "Boris"]
    (told,) = await there.leads(MARIA)
    assert (told["id"], str(told["user_id"][0])) == (lead, odoo.users["boris"])


async def a_new_client_talks_with_anna(stage: Stage, there: There) -> int:
    """Gives the lead: Anna's, with a note of the call by her, its sound and its text."""
    call = await stage.world.call(MARIA, "Мария Петрова", LINE, speak=CALLER)
    await call.ended()

    async def opened() -> list[Any]:
        return [one for one in await there.leads(MARIA) if one["user_id"]]

    (lead,) = await until(opened, "the lead has its owner in Odoo", _TOLD_SECONDS)
    assert (lead["name"], str(lead["user_id"][0])) == ("Мария Петрова", there.odoo.users["anna"])

    async def heard() -> list[Any]:
        return [one for one in await there.notes("call", lead["id"]) if one["attachment_ids"]]

    (note,) = await until(heard, "the call is in Odoo with its sound", _TOLD_SECONDS)
    assert note["author_id"][1] == "Anna"
    assert "Входящий звонок" in note["body"]
    (file,) = note["attachment_ids"]
    with av.open(io.BytesIO(await asyncio.to_thread(there.odoo.file, file)), "r") as sound:
        assert sum(frame.samples / frame.sample_rate for frame in sound.decode(audio=0)) > 5

    async def written() -> list[Any]:
        return await there.notes("transcript", lead["id"])

    (text,) = await until(written, "its text is in Odoo", _TOLD_SECONDS)
    assert "Клиент:" in text["body"]
    assert await there.rows("mail.activity", [["res_id", "=", lead["id"]], ["res_model", "=", "crm.lead"]], "id") == []
    await known_to_be_of(stage, MARIA, "anna")
    return int(lead["id"])


async def nobody_answers_and_then_somebody_does(stage: Stage, there: There) -> None:
    """A lead that is nobody's, with a note and an activity of whoever is to call back; it is done with the talk."""
    anna = stage.world.phone(ANNA)
    await anna.behave(ring_out())
    missed = await stage.world.call(PAVEL, "Павел", LINE, speak=())
    await anna.rings()
    await missed.hangup()

    async def owed() -> list[Any]:
        domain = [["summary", "like", "916 123-90-03"], ["active", "=", True]]
        return await there.rows("mail.activity", domain, "user_id", "res_id", "res_model", "activity_type_id")

    (activity,) = await until(owed, "somebody is to call back", _TOLD_SECONDS)
    (lead,) = await there.leads(PAVEL)
    assert lead["user_id"] is False
    assert (activity["res_model"], activity["res_id"]) == ("crm.lead", lead["id"])
    assert str(activity["user_id"][0]) in there.odoo.users.values()
    (note,) = await there.notes("call", lead["id"])
    assert "Пропущенный звонок" in note["body"]
    assert note["attachment_ids"] == []

    await anna.behave(answer(1.0, speak=STAFF))
    talked = await stage.world.call(PAVEL, "Павел", LINE, speak=CALLER)
    await talked.ended()

    async def done() -> list[Any]:
        return await there.rows("mail.activity", [["id", "=", activity["id"]], ["active", "=", False]], "feedback")

    (kept,) = await until(done, "the promise is done", _TOLD_SECONDS)
    assert kept["feedback"] == "Поговорили"

    async def taken() -> list[Any]:
        return [one for one in await there.leads(PAVEL) if one["user_id"]]

    (lead,) = await until(taken, "the lead is of who talked", _TOLD_SECONDS)
    assert str(lead["user_id"][0]) == there.odoo.users["anna"]


async def known_to_be_of(stage: Stage, number: str, person: str) -> None:
    """Wait until routing knows, by what Odoo told, whose a caller is."""

    async def told() -> list[Any]:
        return await stage.rows("select 1 from owner_copies where number = :n and owner = :p", n=number, p=person)

    await until(told, f"{number} is known to be {person}'s", 60)
