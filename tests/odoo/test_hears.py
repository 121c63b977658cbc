"""What happens in a real Odoo is heard: its automation rules send webhooks to us."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from crm_sync.crm import Heard, Inbound
from tests.fakes.odoo_rig import INBOUND, open_odoo
from tests.odoo.private_odoo import RealOdoo
from tests.odoo.rules import CONTACTS, LEADS, telling

pytestmark = pytest.mark.timeout(600)

MODELS = {LEADS: "lead_changed", CONTACTS: "contact_changed"}


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
    crm = open_odoo(odoo.url, odoo.key, odoo.users)
    try:
        with telling(odoo, url):
            for turn, (model, kind) in enumerate(MODELS.items()):
                vals = {"name": "Kitchen", "phone": f"8 (916) 555-44-3{turn}"}
                await asyncio.to_thread(odoo.ask, model, "create", vals_list=[vals])
                wanted = Heard(kind, {"number": f"7916555443{turn}"})  # type: ignore[arg-type]
                async with asyncio.timeout(60):
                    # Odoo tells a new record more than once: what it computes of it is a change too.
                    while crm.parse_inbound(await told.get()) != [wanted]:
                        pass
    finally:
        await crm.close()
        await runner.cleanup()
