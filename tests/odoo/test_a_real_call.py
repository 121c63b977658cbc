"""One real call on a real PBX is one note in a real Odoo, with its lead, its sound and its text."""

from __future__ import annotations

import asyncio
import io
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from service.crm_setup import Wanted, add
from service.demo import open_demo
from service.demo_world.behaviour import answer, ring_out
from service.demo_world.life import SALES
from service.demo_world.speech import CALLER, STAFF
from tests.fakes.ledger import SECRET_KEY
from tests.odoo.private_odoo import RealOdoo

MARIA = "79161239002"


async def until(ask: Callable[[], list[Any]], what: str, seconds: float) -> list[Any]:
    """Ask Odoo until it has something; says what was awaited when it never has."""
    try:
        async with asyncio.timeout(seconds):
            while not (found := await asyncio.to_thread(ask)):
                await asyncio.sleep(0.5)
    except TimeoutError:
        pytest.fail(f"{what}: not within {seconds:g} s")
    return found


@pytest.mark.timeout(600)
async def test_a_new_client_calls_and_odoo_knows_it(odoo: RealOdoo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connected as a person does it; the lead is of who answered, whom Odoo knows by their extension."""
    monkeypatch.setenv("SWITCHHOOK_SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("SWITCHHOOK_CRM", '{"networks": ["127.0.0.0/8"]}')
    folder = Path(tempfile.mkdtemp(prefix="switchhook-odoo-"))
    folder.chmod(0o711)
    said: list[str] = []
    try:
        async with open_demo(folder, port=0) as demo:
            told = {"address": odoo.url, "database": "crm", "namespace": "real"}
            wanted = Wanted(kind="odoo", key="odoo", settings=told, secrets={"key": odoo.key})
            await add(demo.house.settings, wanted, said.append)
            await demo.world.phone("anna-desk").behave(answer(1.0, speak=STAFF))
            await demo.world.phone("boris-desk").behave(ring_out())
            call = await demo.world.call(MARIA, "Мария Петрова", SALES, speak=CALLER)
            await call.ended()

            def notes() -> list[Any]:
                domain = [["message_id", "like", "%.real@switchhook"], ["attachment_ids", "!=", False]]
                fields = ["model", "res_id", "author_id", "body", "attachment_ids"]
                return list(odoo.ask("mail.message", "search_read", domain=domain, fields=fields))

            (note,) = await until(notes, "the call is in Odoo with its sound", 240)

            def texts() -> list[Any]:
                domain = [["message_id", "like", "<transcript_%.real@switchhook>"]]
                return list(odoo.ask("mail.message", "search_read", domain=domain, fields=["body", "res_id"]))

            (text,) = await until(texts, "its text is in Odoo", 60)

            def leads() -> list[Any]:
                domain = [["phone_sanitized", "=", f"+{MARIA}"], ["user_id", "!=", False]]
                return list(odoo.ask("crm.lead", "search_read", domain=domain, fields=["user_id", "name"]))

            (lead,) = await until(leads, "the lead has its owner in Odoo", 60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    assert any(line.startswith("the key ends on ") for line in said), said
    assert not any(line.startswith("missing") for line in said), said
    assert (lead["name"], str(lead["user_id"][0])) == ("Мария Петрова", odoo.users["anna"])
    assert (note["author_id"][1], text["res_id"]) == ("Anna", note["res_id"])
    assert "Входящий звонок" in note["body"]
    assert "Клиент:" in text["body"]
    (file,) = note["attachment_ids"]
    with av.open(io.BytesIO(odoo.file(file)), "r") as sound:
        assert sum(frame.samples / frame.sample_rate for frame in sound.decode(audio=0)) > 5
