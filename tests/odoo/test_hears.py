"""What happens in a real Odoo is heard: its automation rules send webhooks to us."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from aiohttp import web

from crm_sync.crm import Heard, Inbound
from tests.fakes.odoo_rig import INBOUND, open_odoo
from tests.odoo.private_odoo import RealOdoo

pytestmark = pytest.mark.timeout(600)

MODELS = {"crm.lead": "lead_changed", "res.partner": "contact_changed"}


async def test_a_changed_lead_and_contact_tell_whose_number_is_to_be_asked_anew(odoo: RealOdoo) -> None:
    """As docs/how_to/connect_odoo.md says: a rule for each, with the phone, and our secret in the address."""
    told: asyncio.Queue[Inbound] = asyncio.Queue()

    async def hear(request: web.Request) -> web.Response:
        told.put_nowait(Inbound(dict(request.headers), await request.read(), dict(request.query)))
        return web.Response()

    app = web.Application()
    app.router.add_post("/crm/odoo/events", hear)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    query = f"secret={INBOUND.replace(' ', '%20')}"
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/crm/odoo/events?{query}"
    crm, head = open_odoo(odoo.url, odoo.key, odoo.users), replace(odoo, key=odoo.admin_key)
    rules = [await asyncio.to_thread(_make_rule, head, model, url) for model in MODELS]
    try:
        for turn, (model, kind) in enumerate(MODELS.items()):
            vals = {"name": "Kitchen", "phone": f"8 (916) 555-44-3{turn}"}
            await asyncio.to_thread(odoo.ask, model, "create", vals_list=[vals])
            wanted = Heard(kind, {"number": f"7916555443{turn}"})  # type: ignore[arg-type]
            async with asyncio.timeout(60):
                # Odoo tells a new record more than once: what it computes of it is a change too.
                while crm.parse_inbound(await told.get()) != [wanted]:
                    pass
    finally:
        for rule in rules:
            head.ask("base.automation", "write", ids=[rule], vals={"active": False})
        await crm.close()
        await runner.cleanup()


def _make_rule(head: RealOdoo, model: str, url: str) -> int:
    """An automation rule, as an administrator makes it."""
    (kind,) = head.ask("ir.model", "search_read", domain=[["model", "=", model]], fields=["id"])
    domain = [["model", "=", model], ["name", "=", "phone"]]
    (phone,) = head.ask("ir.model.fields", "search_read", domain=domain, fields=["id"])
    rule = {"name": "Tell", "model_id": kind["id"], "trigger": "on_create_or_write"}
    (made,) = head.ask("base.automation", "create", vals_list=[rule])
    action = {
        "name": "Tell",
        "model_id": kind["id"],
        "state": "webhook",
        "webhook_url": url,
        "usage": "base_automation",
    }
    action |= {"webhook_field_ids": [[6, 0, [phone["id"]]]], "base_automation_id": made}
    head.ask("ir.actions.server", "create", vals_list=[action])
    return int(made)
