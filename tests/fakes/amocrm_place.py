"""The adapter of amoCRM at an account of tests, without a database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from crm_sync.amocrm.adapter import KIND, Amo
from crm_sync.amocrm.link import Settings
from crm_sync.crm import Step
from crm_sync.grants import Grant
from crm_sync.workplace import Workplace
from tests.fakes.amocrm import ANNA, BORIS, CLIENT, CLIENT_SECRET, REDIRECT, Asked, open_amo
from tests.fakes.amocrm import Amo as Account
from tests.fakes.webhooks import OK, Said
from tests.fakes.workplaces import Patient, patient, workplace

INBOUND: Final = "secret-of-the-address-0123456789"
NOBODY_CALLS: Final = "79165550001"
"""The number of Anna's client, whom the suite only asks about."""


def workplace_at(account: Account, *, long_lived: bool = False, **settings: Any) -> Workplace:
    """As the service makes it, in haste: Anna and Boris are users there."""
    told: dict[str, Any] = {"account": account.url, "client_id": CLIENT, "visible_seconds": 0.0} | settings
    secrets = {"client_secret": CLIENT_SECRET, "inbound": INBOUND}
    secrets |= {"token": account.give_long_lived()} if long_lived else {}
    access, refresh = account.grant()
    until = datetime.now(UTC) + timedelta(days=1)
    grant = Grant(access, refresh, until, until + timedelta(days=89), {"redirect_uri": REDIRECT})
    return workplace(Settings(**told), secrets, grant, {"anna": str(ANNA), "boris": str(BORIS)})


@dataclass
class Rig:
    """An adapter with its account."""

    crm: Amo
    account: Account
    workplace: Workplace

    def again(self, **changes: Any) -> Amo:
        """Another adapter at the same workplace, with these changes."""
        return Amo(replace(self.workplace, **changes))

    def hangs(self, path: str) -> None:
        """Requests whose path ends so will get no answer."""
        patient(self.workplace).hangs = lambda _method, asked: asked.endswith(path)

    def at(self, now: Callable[[], datetime]) -> Amo:
        return self.again(now=now)


@asynccontextmanager
async def open_rig(*, long_lived: bool = False, **settings: Any) -> AsyncIterator[Rig]:
    """An account that lets in as much as a test asks, and an adapter."""
    async with open_amo(per_second=10_000, account_per_second=10_000) as account:
        place = workplace_at(account, long_lived=long_lived, **settings)
        crm = Amo(place)
        try:
            yield Rig(crm, account, place)
        finally:
            await crm.close()


_SAID: Final[dict[str, Said]] = {
    "lost_before": Said(cut=True),
    "lost_after": Said(cut=True, takes=True),
    "hangs": Said(hang=True),
    "limit": Said(status=429, headers={"Retry-After": "7"}),
    "away": Said(status=503),
    "refuses": Said(status=422),
    "shut_out": Said(status=401),
    "redirects": Said(status=307, headers={"Location": "http://127.0.0.1:9/"}),
}


@dataclass
class SuiteRig:
    """The adapter with a long-lived token, for the suite of every CRM."""

    crm: Amo
    account: Account
    http: Patient
    secrets: tuple[str, ...]
    steps: tuple[Step, ...] = KIND.steps
    party: tuple[str, str] = (NOBODY_CALLS, "Вера")

    def fail(self, fault: str) -> None:
        """The next write, or question about the party, goes wrong so: others may be asked again."""
        failed: list[Asked] = []
        self.http.hangs = lambda method, _path: fault == "hangs" and method != "GET" and not failed

        def script(_count: int, asked: Asked) -> Said:
            if failed or not (asked.is_write or ("query", NOBODY_CALLS[1:]) in asked.query):
                return OK
            failed.append(asked)
            return _SAID[fault]

        self.account.script = script

    def records(self) -> list[dict[str, Any]]:
        """Calls, the sound that they name, texts, tasks and leads."""
        sounds = [{"link": call["params"]["link"]} for call in self.calls()]
        return [*self.account.notes.values(), *sounds, *self.account.tasks.values(), *self.account.leads.values()]

    def calls(self) -> list[dict[str, Any]]:
        return [note for note in self.account.notes.values() if note["note_type"] == "call_in"]

    def cards(self) -> list[tuple[str, str]]:
        return [
            (popup["phone_number"].removeprefix("+"), str(user))
            for popup in self.account.popups
            for user in popup["users"]
        ]

    def add_lead(self, number: str) -> Callable[[], dict[str, Any]]:
        lead = self.account.add_lead(self.account.add_contact(number, owner=BORIS), owner=BORIS)
        return lambda: {name: self.account.leads[lead][name] for name in ("responsible_user_id", "status_id")}


@asynccontextmanager
async def open_amo_rig() -> AsyncIterator[SuiteRig]:
    """One for the suite, with Anna's client."""
    async with open_rig(long_lived=True) as rig:
        rig.account.add_contact(NOBODY_CALLS, owner=ANNA, name="Вера")
        yield SuiteRig(
            rig.crm, rig.account, patient(rig.workplace), tuple(str(one) for one in rig.workplace.secrets.values())
        )
