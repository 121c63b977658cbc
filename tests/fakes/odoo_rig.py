"""The Odoo adapter with a server: the one in memory, or a real one behind the same front."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from crm_sync.crm import Step
from crm_sync.grants import Grant, Renewing
from crm_sync.http import Http
from crm_sync.odoo.adapter import KIND, Odoo, OdooSettings
from crm_sync.workplace import Workplace
from tests.fakes.ledger import LOOPBACK
from tests.fakes.odoo import ANNA, BORIS, DATABASE, KEY, FakeOdoo
from tests.fakes.odoo_front import Fault, Front, open_front
from tests.fakes.workplaces import Patient, ToldPace

SECONDS = 10.0
INBOUND = "a-secret-of-an-address-of-tests"
STAGES = {"qualified": 2, "in_work": 3, "won": 4}
SOUND = b"ID3\x04\x00\x00\x00\x00\x00\x00 the sound of "


@dataclass(frozen=True)
class Pairs:
    """Who is who, as a person said."""

    users: Mapping[str, str]

    async def user_of(self, person: str | None) -> str | None:
        return self.users.get(person or "")

    async def person_of(self, user: str | None) -> str | None:
        return next((person for person, one in self.users.items() if one == user), None)


class NoGrants:
    """Of a kind that needs none."""

    async def current(self) -> Grant:
        raise AssertionError

    async def renew(self, used: Grant, ask: Renewing) -> Grant:
        raise AssertionError


async def sound_of(call: UUID) -> bytes | None:
    """Each call sounds otherwise."""
    return SOUND + call.bytes


async def no_link(call: UUID) -> str | None:
    """This one takes the sound itself."""
    raise AssertionError(call)


def odoo_place(
    url: str,
    key: str = KEY,
    users: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
    inbound: str = INBOUND,
    **settings: Any,
) -> Workplace:
    """What the adapter is given."""
    pairs = {"anna": str(ANNA), "boris": str(BORIS)} if users is None else users
    told = {"address": url, "database": DATABASE, "stages": STAGES} | settings
    return Workplace(
        key="odoo",
        settings=OdooSettings(**told),
        secrets={"key": key, "inbound": inbound},
        http=Http(LOOPBACK, secrets=(key,), seconds=seconds),
        grants=NoGrants(),
        pace=ToldPace(),
        people=Pairs(pairs),
        sound=sound_of,
        link=no_link,
        now=lambda: datetime.now(UTC),
    )


def open_odoo(*told: Any, **settings: Any) -> Odoo:
    """The adapter, as the service opens it, with what `odoo_place` takes."""
    return Odoo(odoo_place(*told, **settings))


@dataclass
class OdooRig:
    """The adapter, the front and the server in memory behind it."""

    crm: Odoo
    front: Front
    odoo: FakeOdoo
    secrets: tuple[str, ...] = (KEY,)
    steps: tuple[Step, ...] = KIND.steps
    party: tuple[str, str] = ("79169876543", "Мария")

    def fail(self, fault: Fault) -> None:
        self.front.fail(fault)

    def records(self) -> list[dict[str, Any]]:
        return [told for told in self.odoo.records() if told["model_name"] != "res.partner"]

    def calls(self) -> list[dict[str, Any]]:
        return [told for told in self.records() if told["xml_id"].startswith("switchhook.call_")]

    def cards(self) -> list[tuple[str, str]]:
        return []

    def add_lead(self, number: str) -> Callable[[], dict[str, Any]]:
        told = {"name": "Кухня", "phone": f"+{number}", "user_id": BORIS, "stage_id": 3}
        lead = self.odoo.make("crm.lead", told)
        return lambda: {name: self.odoo.rows["crm.lead"][lead][name] for name in ("user_id", "stage_id", "active")}


@asynccontextmanager
async def open_odoo_rig() -> AsyncIterator[OdooRig]:
    odoo = FakeOdoo()
    async with open_front(odoo.answer) as front:
        http = Patient((KEY,), seconds=0.3)
        http.hangs = lambda _method, _path: front.hangs_next
        crm = Odoo(replace(odoo_place(front.url), http=http))
        try:
            rig = OdooRig(crm, front, odoo)
            number, name = rig.party
            odoo.make("res.partner", {"name": name, "phone": f"+{number}", "user_id": ANNA})
            yield rig
        finally:
            await crm.close()
