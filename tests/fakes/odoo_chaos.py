"""An Odoo that fails in every way: the one in memory, or a real one behind the same front."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.crm import CrmUser, Step
from crm_sync.odoo.words import id_of
from crm_sync.people import keep_users
from tests.fakes.chaos import KEY, Fault, Faults, Held, HeldLead, HeldTask, connect, mark_in, number_in, said_in
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
    """`read` gives every record of a model, also archived ones, with these fields; `sound` the bytes of a file.

    `make` makes a record, as people do.
    """

    front: Front
    owners: Mapping[str, str]
    key: str
    read: Callable[[str, Sequence[str]], Rows]
    sound: Callable[[int], bytes]
    make: Callable[[str, dict[str, Any]], int]
    steps: tuple[Step, ...] = ("call_finished", "recording", "transcript", "task", "lead")
    has_people: bool = True
    people: dict[int, tuple[Any, ...]] = field(default_factory=dict)
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
        states = self._states()
        changed = [lead for lead, before in self.people.items() if states[lead] != before]
        return self.front.refused + [f"lead {lead} of people changed" for lead in changed]

    @property
    def request_count(self) -> int:
        return self.front.count

    def held(self, keys: Mapping[str, UUID]) -> list[Held]:
        """Each note of a call, by whose it is, with the file in it."""
        users = {row["partner_id"][0]: row["id"] for row in self.read("res.users", ["partner_id"])}
        told = []
        for note in self._notes("call_"):
            sounds = [mark_in(self.sound(file)) for file in note["attachment_ids"]]
            assert len(sounds) < 2
            call = keys[note["message_id"].partition(".")[0].removeprefix("<call_")]
            told.append(Held(call, self._person(users.get(note["author_id"][0])), sounds[0] if sounds else None))
        return told

    def add_lead(self, number: str) -> None:
        lead = self.make("crm.lead", {"name": "Кухня", "type": "opportunity", "phone": f"+{number}"})
        self.people[lead] = self._states()[lead]

    def _states(self) -> dict[int, tuple[Any, ...]]:
        fields = ["user_id", "stage_id", "active"]
        return {row["id"]: tuple(row[name] for name in fields) for row in self.read("crm.lead", fields)}

    def texts(self) -> list[int]:
        return [said_in(note["body"]) for note in self._notes("transcript_")]

    def tasks(self) -> list[HeldTask]:
        rows = self.read("mail.activity", ["summary", "user_id", "active"])
        return [
            HeldTask(number_in(row["summary"]), self._person(id_of(row["user_id"])), not row["active"]) for row in rows
        ]

    def leads(self) -> list[HeldLead]:
        rows = self.read("crm.lead", ["phone", "user_id"])
        return [
            HeldLead(row["phone"].removeprefix("+"), self._person(id_of(row["user_id"])), row["id"] in self.people)
            for row in rows
        ]

    def _notes(self, ours: str) -> Rows:
        notes = self.read("mail.message", ["message_id", "author_id", "attachment_ids", "body"])
        ends = f".{self.settings.get('namespace', 'switchhook')}@switchhook>"
        told = [(note, str(note["message_id"])) for note in notes]
        return [note for note, called in told if called.startswith(f"<{ours}") and called.endswith(ends)]

    def _person(self, user: int | None) -> str | None:
        return next((person for person, one in self.owners.items() if one == str(user)), None)


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
        yield OdooChaos(front, {"anna": str(ANNA), "boris": str(BORIS)}, ODOO_KEY, read, odoo.sound, odoo.make)
