"""Calls are told to a real Odoo through what loses, delays and refuses, by a worker that is killed twice.

`make test-odoo` tells a hundred, unless another number is asked for: `SWITCHHOOK_TOLD=500`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.database.test_crm_chaos import CALLS, tell_all
from tests.fakes.chaos import ChaosRig, Faults
from tests.fakes.odoo_chaos import OdooChaos, Rows, open_failing
from tests.odoo.private_odoo import RealOdoo
from tests.odoo.real_rig import passing_on, put_away_clients

LASTS = 300.0 + 3 * CALLS
_SINCE = ("crm.lead", "mail.message", "mail.activity", "ir.attachment")
SECONDS = 3.0
"""So long an answer is waited for: a real server has other work too."""


@pytest.mark.timeout(2 * LASTS + 60)
async def test_every_call_is_told_once_and_whole_whatever_fails(
    engine: AsyncEngine, database_url: str, odoo: RealOdoo
) -> None:
    """One note a call by whoever talked, with its own sound, and one lead a client."""

    @asynccontextmanager
    async def open_real_chaos(faults: Faults) -> AsyncIterator[ChaosRig]:
        put_away_clients(odoo)
        before = {model: _last(odoo, model) for model in _SINCE}

        def read(model: str, fields: Sequence[str]) -> Rows:
            asked = {"domain": [["id", ">", before.get(model, 0)]], "fields": list(fields)}
            rows: Rows = odoo.ask(model, "search_read", **asked, context={"active_test": False})
            return rows

        async with passing_on(odoo) as behind, open_failing(behind, faults) as front:
            told = {"namespace": f"c{uuid4().hex[:12]}", "seconds": SECONDS}

            def make(model: str, values: dict[str, Any]) -> int:
                (made,) = odoo.ask(model, "create", vals_list=[values])
                return int(made)

            yield OdooChaos(front, odoo.users, odoo.key, read, odoo.file, make, settings=told)

    await tell_all(engine, database_url, open_real_chaos, LASTS)


def _last(odoo: RealOdoo, model: str) -> int:
    # Of so many as are asked for, Odoo leaves out what we may not see.
    asked = {"domain": [], "fields": ["id"], "order": "id desc", "limit": 200, "context": {"active_test": False}}
    rows = odoo.ask(model, "search_read", **asked)
    return int(rows[0]["id"]) if rows else 0
