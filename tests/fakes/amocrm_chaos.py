"""An account of amoCRM that fails in every way, for the story in which each call must end as one record."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.crm import Step
from crm_sync.grants import Grant, keep_grant
from crm_sync.people import pair
from crm_sync.secrets import Keeper
from tests.fakes.amocrm import ADMIN, ANNA, BORIS, CLIENT, CLIENT_SECRET, REDIRECT, Amo, Asked, open_amo
from tests.fakes.amocrm_checks import digits, has_number, phones
from tests.fakes.chaos import (
    HURRY,
    KEY,
    ChaosRig,
    Fault,
    Faults,
    Held,
    HeldLead,
    HeldTask,
    connect,
    mark_in,
    number_in,
    said_in,
)
from tests.fakes.ledger import SECRET_KEY
from tests.fakes.webhooks import OK, Said

_PAGE: Final = b"<html><body>nginx</body></html>"
_SAID: Final[Mapping[Fault, Said]] = {
    "error": Said(status=500, body=_PAGE),
    "error_after": Said(status=500, takes=True, body=_PAGE),
    "limit": Said(status=429, body=_PAGE),
    "lost_before": Said(cut=True),
    "lost_after": Said(cut=True, takes=True),
    "hangs_before": Said(hang=True),
    "hangs_after": Said(hang=True, takes=True),
    "gateway_after": Said(status=504, takes=True, body=_PAGE),
}

_PERSONS: Final = {ADMIN: None, ANNA: "anna", BORIS: "boris"}

_ENDS_AFTER: Final = 25
"""So many requests after the fault the access ends: whoever is killed while it renews has lost the account there."""

_HIDDEN_SECONDS: Final = 0.2
"""So long a search does not find what was made; the adapter allows a little more."""


@dataclass
class AmoChaos:
    """The adapter with consent, and an account whose searches lag."""

    account: Amo
    faults: Faults
    steps: tuple[Step, ...] = ("call_finished", "recording", "transcript", "task", "lead")
    has_people: bool = True
    people: dict[int, tuple[int, int]] = field(default_factory=dict)
    ends_at: int = 0
    counted: int = 0

    async def connect(self, engine: AsyncEngine) -> None:
        settings = {"account": self.account.url, "client_id": CLIENT, "visible_seconds": _HIDDEN_SECONDS + 0.2}
        await connect(engine, "amocrm", settings, {"client_secret": CLIENT_SECRET}, self.steps)
        access, refresh = self.account.grant()
        until = datetime.now(UTC) + timedelta(days=1)
        async with engine.begin() as connection:
            grant = Grant(access, refresh, until, until + timedelta(days=89), {"redirect_uri": REDIRECT})
            await keep_grant(connection, Keeper(SECRET_KEY), KEY, grant)
            for user, person in _PERSONS.items():
                if person is not None:
                    await pair(connection, KEY, str(user), person)

    def script(self, _count: int, asked: Asked) -> Said:
        """A token that was given and not told is lost, with the account: that answer alone always comes."""
        if asked.path == "/oauth2/access_token":
            return OK
        self.counted += 1
        fault = self.faults(self.counted)
        if fault == "token_end":
            self.ends_at = self.counted + _ENDS_AFTER
        if self.counted == self.ends_at:
            self.account.end_access()
        return _SAID.get(fault, OK) if fault else OK

    @property
    def refused(self) -> list[str]:
        """What was wrong in what it was asked; that access ends, and that too much comes at once, is told apart."""
        told = [one for one in self.account.wrong if not one.startswith("401 ")]
        changed = [lead for lead, before in self.people.items() if self._state(lead) != before]
        told += [f"lead {lead} of people changed" for lead in changed]
        return told + ["429"] * self.account.violations + ["lost"] * self.account.is_lost

    @property
    def request_count(self) -> int:
        return self.counted

    def held(self, keys: Mapping[str, UUID]) -> list[Held]:
        notes = [note for note in self.account.notes.values() if note["note_type"] != "common"]
        return [_held(keys[note["params"]["uniq"]], note) for note in notes]

    def add_lead(self, number: str) -> None:
        cards = [one["id"] for one in self.account.contacts.values() if has_number(one, number, 10)]
        lead = self.account.add_lead(cards[0] if cards else self.account.add_contact(number))
        self.people[lead] = self._state(lead)

    def _state(self, lead: int) -> tuple[int, int]:
        row = self.account.leads[lead]
        return row["responsible_user_id"], row["status_id"]

    def texts(self) -> list[int]:
        texts = [note["params"]["text"] for note in self.account.notes.values() if note["note_type"] == "common"]
        return [said_in(text) for text in texts]

    def tasks(self) -> list[HeldTask]:
        return [
            HeldTask(number_in(one["text"]), _PERSONS[one["responsible_user_id"]], one["is_completed"])
            for one in self.account.tasks.values()
        ]

    def leads(self) -> list[HeldLead]:
        cards = self.account.contacts
        return [
            HeldLead(digits(phones(cards[one])[0]), _PERSONS[lead["responsible_user_id"]], lead["id"] in self.people)
            for lead in self.account.leads.values()
            for one in lead["contacts"]
        ]


def _held(call: UUID, note: dict[str, Any]) -> Held:
    link = note["params"].get("link")
    return Held(call, _PERSONS[note.get("responsible_user_id", ADMIN)], mark_in(link) if link else None)


@asynccontextmanager
async def open_amo_chaos(faults: Faults) -> AsyncIterator[ChaosRig]:
    """An account that fails so, and lets in as many times more as the adapters hurry."""
    async with open_amo(
        per_second=round(7 * HURRY), account_per_second=round(50 * HURRY), hidden_for=_HIDDEN_SECONDS
    ) as account:
        rig = AmoChaos(account, faults)
        account.script = rig.script
        yield rig
