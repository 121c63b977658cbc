"""An Odoo that fails in every way: the one in memory, or a real one behind the same front."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.crm import CrmUser, Step
from crm_sync.people import keep_users
from tests.fakes.chaos import KEY, Fault, Faults, Held, connect, mark_in
from tests.fakes.odoo import ANNA, BORIS, DATABASE, FakeOdoo
from tests.fakes.odoo import KEY as ODOO_KEY
from tests.fakes.odoo_front import Answered, Asked, Front, open_front
from tests.fakes.odoo_front import Fault as OdooFault

_HOW: Final[Mapping[Fault, OdooFault]] = {
    "error": "serialization",
    "error_after": "crash_after",
    "limit": "limit_now",
    "lost_before": "lost_before",
    "lost_after": "lost_after",
    "hangs_before": "hangs",
    "hangs_after": "hangs_after",
    "gateway_after": "gateway_after",
    "token_end": "concurrent",  # a key does not end before its time: instead, a 200 that wrote nothing
}
Rows = list[dict[str, Any]]


@dataclass
class OdooChaos:
    """`read` gives every record of a model, also archived ones, with these fields; `sound` the bytes of a file."""

    front: Front
    owners: Mapping[str, str]
    key: str
    read: Callable[[str, Sequence[str]], Rows]
    sound: Callable[[int], bytes]
    steps: tuple[Step, ...] = ("call_finished", "recording", "lead")
    settings: Mapping[str, Any] = field(default_factory=dict)

    async def connect(self, engine: AsyncEngine) -> None:
        settings = {"address": self.front.url, "database": DATABASE, **self.settings}
        await connect(engine, "odoo", settings, {"key": self.key}, self.steps)
        extensions = {"anna": "101", "boris": "102"}
        users = [CrmUser(user, person, extensions[person]) for person, user in self.owners.items()]
        async with engine.begin() as connection:
            await keep_users(connection, KEY, users)

    @property
    def refused(self) -> list[str]:
        return self.front.refused

    @property
    def request_count(self) -> int:
        return self.front.count

    def held(self) -> list[Held]:
        """Each note of a call, by whose it is, with the one file in it."""
        files = [row["description"] for row in self.read("ir.attachment", ["description"])]
        calls = {_ours(call): call for call in map(_call_in, files) if call is not None}
        persons = {row["partner_id"][0]: str(row["id"]) for row in self.read("res.users", ["partner_id"])}
        told = []
        for note in self.read("mail.message", ["message_id", "author_id", "attachment_ids"]):
            if note["message_id"] and note["message_id"].startswith("<call_"):
                (file,) = note["attachment_ids"]
                call = calls[note["message_id"].partition(".")[0].removeprefix("<call_")]
                told.append(Held(call, persons[note["author_id"][0]], mark_in(self.sound(file))))
        return told

    def leads(self) -> list[str]:
        return [row["phone"].removeprefix("+") for row in self.read("crm.lead", ["phone"]) if row["phone"]]


def _call_in(described: object) -> UUID | None:
    """The call that a file is of, by its description; other files have none."""
    return UUID(described) if isinstance(described, str) and described else None


def _ours(call: UUID) -> str:
    """The key of the effect that told of a call, as the ledger makes it."""
    return sha256("\n".join((KEY, "pbx", str(call), "call_finished")).encode()).hexdigest()[:32]


@asynccontextmanager
async def open_failing(behind: Callable[[Asked], Awaitable[Answered]], faults: Faults) -> AsyncIterator[Front]:
    """A front that fails as the story says."""

    def script(count: int, _asked: Asked) -> OdooFault | None:
        fault = faults(count)
        return _HOW[fault] if fault else None

    async with open_front(behind) as front:
        front.script = script
        yield front


@asynccontextmanager
async def open_odoo_chaos(faults: Faults) -> AsyncIterator[OdooChaos]:
    """The server in memory."""
    odoo = FakeOdoo()

    def read(model: str, fields: Sequence[str]) -> Rows:
        return [odoo.told(model, row, fields) for row in odoo.rows[model].values()]

    async with open_failing(odoo.answer, faults) as front:
        yield OdooChaos(front, {"anna": str(ANNA), "boris": str(BORIS)}, ODOO_KEY, read, odoo.sound)
