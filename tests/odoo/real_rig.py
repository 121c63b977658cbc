"""The Odoo adapter with the real server, behind the front that fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp

from crm_sync.odoo.adapter import KIND, Odoo
from tests.fakes.odoo_front import Answered, Asked, Fault, Front, open_front
from tests.fakes.odoo_rig import open_odoo
from tests.odoo.private_odoo import RealOdoo

_OLD = b'{"version_info": [18, 0, 0, "final", 0, ""], "version": "18.0"}'
_PASSED_ON = ("Authorization", "Content-Type", "X-Odoo-Database")


@dataclass
class RealRig:
    """As the rig of the server in memory; each has names of its own there (`namespace`)."""

    crm: Odoo
    front: Front
    odoo: RealOdoo
    namespace: str
    secrets: tuple[str, ...]
    steps: tuple[Any, ...] = KIND.steps
    party: tuple[str, str] = ("79169876543", "Мария")
    seen: dict[str, int] = field(default_factory=dict)

    def fail(self, fault: Fault) -> None:
        self.front.fail(fault)

    def calls(self) -> list[dict[str, Any]]:
        return self._notes("call_")

    def cards(self) -> list[tuple[str, str]]:
        return []

    def add_lead(self, number: str) -> Callable[[], dict[str, Any]]:
        told = {"name": "Кухня", "type": "opportunity", "phone": f"+{number}", "stage_id": 3}
        (lead,) = self.odoo.ask("crm.lead", "create", vals_list=[told | {"user_id": int(self.odoo.users["boris"])}])

        def read() -> dict[str, Any]:
            (row,) = self.odoo.ask("crm.lead", "read", ids=[lead], fields=["user_id", "stage_id", "active"])
            return dict(row)

        return read

    def records(self) -> list[dict[str, Any]]:
        """Notes by what they are called, and of leads, activities and files what came since the rig was opened."""
        told = self._notes("call_") + self._notes("transcript_")
        for model in self.seen:
            told += self.odoo.ask(model, "search_read", domain=self._since(model), fields=["id"], context=_ALL)
        return told

    def remember(self) -> None:
        """What there was before; nobody is known."""
        put_away_clients(self.odoo)
        for model in ("crm.lead", "mail.activity", "ir.attachment"):
            # Asked for no ids, Odoo keeps the pictures of people back.
            above = [["id", ">", 0]]
            rows = self.odoo.ask(
                model, "search_read", domain=above, fields=["id"], order="id desc", limit=1, context=_ALL
            )
            self.seen[model] = rows[0]["id"] if rows else 0
        number, name = self.party
        vals = {"name": name, "phone": f"+{number}", "user_id": int(self.odoo.users["anna"])}
        self.odoo.ask("res.partner", "create", vals_list=[vals])

    def _since(self, model: str) -> list[Any]:
        return [["id", ">", self.seen[model]]]

    def _notes(self, kind: str) -> list[dict[str, Any]]:
        domain = [["message_id", "like", f"<{kind}%.{self.namespace}@switchhook>"]]
        fields = ["model", "res_id", "author_id", "attachment_ids", "message_id"]
        rows: list[dict[str, Any]] = self.odoo.ask("mail.message", "search_read", domain=domain, fields=fields)
        return rows


_ALL = {"active_test": False}


def put_away_clients(odoo: RealOdoo) -> None:
    """Archive whoever has a number there: each story begins with nobody known."""
    for model in ("crm.lead", "res.partner"):
        rows = odoo.ask(model, "search_read", domain=[["phone", "like", "+"]], fields=["id"])
        if rows:
            odoo.ask(model, "write", ids=[row["id"] for row in rows], vals={"active": False})


@asynccontextmanager
async def passing_on(odoo: RealOdoo, *, by_rpc: bool = False) -> AsyncIterator[Callable[[Asked], Awaitable[Answered]]]:
    """What stands behind the front; `by_rpc`: the server says that it is a version 18, whose API it serves too."""
    async with aiohttp.ClientSession() as client:

        async def behind(asked: Asked) -> Answered:
            if by_rpc and asked.path == "/web/version":
                return Answered(200, _OLD)
            headers = {name: asked.headers[name] for name in _PASSED_ON if name in asked.headers}
            async with client.request(
                asked.method, odoo.url + asked.path, data=asked.raw, headers=headers, allow_redirects=False
            ) as answer:
                return Answered(answer.status, await answer.read(), answer.headers.get("Content-Type", ""))

        yield behind


@asynccontextmanager
async def open_real_rig(odoo: RealOdoo, *, by_rpc: bool = False, seconds: float = 3.0) -> AsyncIterator[RealRig]:
    """The rig."""
    async with passing_on(odoo, by_rpc=by_rpc) as behind, open_front(behind) as front:
        namespace = f"t{uuid4().hex[:12]}"
        told: dict[str, Any] = {"namespace": namespace, "login": "switchhook"}
        crm = open_odoo(front.url, odoo.key, odoo.users, seconds, **told)
        rig = RealRig(crm, front, odoo, namespace, (odoo.key,))
        rig.remember()
        try:
            yield rig
        finally:
            await crm.close()
