"""A Bitrix24 portal in the story where everything fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.crm import CrmUser, Step
from crm_sync.grants import Grant, keep_grant
from crm_sync.people import keep_users
from crm_sync.secrets import Keeper
from tests.fakes import bitrix24, chaos
from tests.fakes.bitrix24 import Fault
from tests.fakes.bitrix24_portal import User, digits
from tests.fakes.bitrix24_rig import NOBODY, SECRETS, USERS
from tests.fakes.ledger import SECRET_KEY

_FAULTS: Final[Mapping[str, Fault]] = {
    "error": Fault("500"),
    "error_after": Fault("500", commits=True),
    "limit": Fault("limit"),
    "lost_before": Fault("cut"),
    "lost_after": Fault("cut", commits=True),
    "hangs_before": Fault("hang"),
    "hangs_after": Fault("hang", commits=True),
    "gateway_after": Fault("504", commits=True),
    "token_end": Fault("expired"),
}
_PERSONS: Final = {NOBODY: None, **{int(user): person for person, user in USERS.items()}}
_HIDDEN_SECONDS: Final = 0.2
"""So long a search by number does not find what was made."""
_ASKED_IN_DOUBT: Final = ("Call is not found", "Activity is already bound", "The access token provided has expired")
"""What the portal refuses whoever had no answer, and whoever asked just when the hour ended."""


@dataclass
class Bitrix24Chaos:
    """A portal that fails, and the connection to it."""

    server: bitrix24.Bitrix24
    steps: tuple[Step, ...] = ("call_started", "call_finished", "recording", "transcript", "task", "lead")
    has_people: bool = True
    people: dict[int, tuple[int, str]] = field(default_factory=dict)

    async def connect(self, engine: AsyncEngine) -> None:
        server = self.server
        settings = {
            "portal": server.url, "client": bitrix24.CLIENT, "user": NOBODY,
            "token_server": f"{server.token_url}/oauth/token/",
        }  # fmt: skip
        await chaos.connect(engine, "bitrix24", settings, SECRETS, self.steps)
        given = server.grant()
        grant = Grant(given.access, given.refresh, told={"client_endpoint": f"{server.url}/rest/"})
        async with engine.begin() as connection:
            await keep_grant(connection, Keeper(SECRET_KEY), chaos.KEY, grant)
            there = [CrmUser(str(one.id), one.name, one.inner or None) for one in server.portal.users.values()]
            await keep_users(connection, chaos.KEY, there)

    @property
    def refused(self) -> list[str]:
        portal = self.server.portal
        wrong = [one for one in self.server.refused if not one.partition(": ")[2].startswith(_ASKED_IN_DOUBT)]
        changed = [lead for lead, before in self.people.items() if self._state(lead) != before]
        return wrong + portal.ignored + self.server.leaked + [f"lead {lead} of people changed" for lead in changed]

    @property
    def request_count(self) -> int:
        return len(self.server.requests)

    def held(self, keys: Mapping[str, UUID]) -> list[chaos.Held]:
        portal = self.server.portal
        sounds = {call_id: chaos.mark_in(sound) for call_id, sound in portal.records.items()}
        return [
            chaos.Held(UUID(row["EXTERNAL_CALL_ID"]), _PERSONS[row["PORTAL_USER_ID"]], sounds.get(row["CALL_ID"]))
            for row in portal.statistics
        ]

    def add_lead(self, number: str) -> None:
        lead = self.server.portal.add_entity("LEAD", f"+{number}", NOBODY)
        self.people[lead] = self._state(lead)

    def _state(self, lead: int) -> tuple[int, str]:
        row = self.server.portal.entities["LEAD"][lead]
        return row["assignedById"], row["stageId"]

    def texts(self) -> list[int]:
        return [chaos.said_in(one["MESSAGE"]) for said in self.server.portal.transcripts.values() for one in said]

    def tasks(self) -> list[chaos.HeldTask]:
        todos = [row for row in self.server.portal.activities.values() if row["PROVIDER_ID"] == "CRM_TODO"]
        return [
            chaos.HeldTask(
                chaos.number_in(row["SUBJECT"]), _PERSONS[int(row["RESPONSIBLE_ID"])], row["COMPLETED"] == "Y"
            )
            for row in todos
        ]

    def leads(self) -> list[chaos.HeldLead]:
        rows = self.server.portal.entities["LEAD"].values()
        return [
            chaos.HeldLead(digits(row["phones"][0]), _PERSONS[row["assignedById"]], row["id"] in self.people)
            for row in rows
        ]


@asynccontextmanager
async def open_bitrix24_chaos(faults: chaos.Faults) -> AsyncIterator[chaos.ChaosRig]:
    """A portal that fails so; its bucket drains as fast as the worker hurries."""

    def script(count: int, _method: str) -> Fault | None:
        fault = faults(count)
        return _FAULTS[fault] if fault else None

    async with bitrix24.open_bitrix24() as server:
        server.drains = 2.0 * chaos.HURRY
        server.portal.hidden_for = _HIDDEN_SECONDS
        server.portal.users |= {5: User(5, "101", "Анна"), 6: User(6, "102", "Борис")}
        server.script = script
        yield Bitrix24Chaos(server)
