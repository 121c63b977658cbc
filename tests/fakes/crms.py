"""The CRMs that the contract suite runs against: an adapter, and a strict server that it speaks to.

A new adapter is one more entry of `RIGS`; the suite asks nothing else of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Protocol

from crm_sync.crm import STEPS, Crm, Step
from crm_sync.webhook.adapter import Endpoint, Webhook
from tests.fakes.amocrm_place import open_amo_rig
from tests.fakes.bitrix24_rig import open_bitrix24_rig
from tests.fakes.odoo_rig import open_odoo_rig
from tests.fakes.webhooks import KEY, OK, SECRET, Receiver, Said, open_receiver
from tests.fakes.workplaces import Patient

Fault = Literal["lost_before", "lost_after", "hangs", "limit", "away", "refuses", "shut_out", "redirects"]


class Rig(Protocol):
    """One adapter with its CRM. `steps` are those that it is told of; `party` a number and a name that it knows there.

    `party` and the user 1 of `users` matter only where the adapter can be asked: both are of the person `anna`.
    """

    secrets: tuple[str, ...]
    steps: tuple[Step, ...]
    party: tuple[str, str]

    @property
    def crm(self) -> Crm:
        """The adapter."""

    def fail(self, fault: Fault) -> None:
        """Let the next request go wrong so; those after it go well."""

    def records(self) -> list[dict[str, Any]]:
        """What the CRM holds of what it was told: one record a step."""

    def calls(self) -> list[dict[str, Any]]:
        """What it holds of finished calls."""

    def cards(self) -> list[tuple[str, str]]:
        """Each card that it was asked to show: (number, user)."""

    def add_lead(self, number: str) -> Callable[[], dict[str, Any]]:
        """Boris has an open lead with this number there; gives what tells its owner and stage, {} where none can be."""


@dataclass
class WebhookRig:
    """The webhook adapter and a receiver."""

    crm: Crm
    receiver: Receiver
    http: Patient
    secrets: tuple[str, ...] = (SECRET, KEY.decode())
    steps: tuple[Step, ...] = STEPS
    party: tuple[str, str] = ("", "")

    def fail(self, fault: Fault) -> None:
        said = _SAID[fault]
        first = len(self.receiver.requests) + 1
        self.receiver.script = lambda count, _told: said if count == first else OK
        self.http.hangs = lambda _method, _path: said.hang and len(self.receiver.requests) < first

    def records(self) -> list[dict[str, Any]]:
        return self.receiver.order

    def calls(self) -> list[dict[str, Any]]:
        return [told for told in self.receiver.order if told["type"] in {"call.ended", "call.missed"}]

    def cards(self) -> list[tuple[str, str]]:
        return []

    def add_lead(self, number: str) -> Callable[[], dict[str, Any]]:
        return dict


_SAID: Final[dict[Fault, Said]] = {
    "lost_before": Said(cut=True),
    "lost_after": Said(cut=True, takes=True),
    "hangs": Said(hang=True),
    "limit": Said(status=429, headers={"Retry-After": "7"}),
    "away": Said(status=503),
    "refuses": Said(status=422),
    "shut_out": Said(status=401),
    "redirects": replace(OK, status=307, takes=False, headers={"Location": "http://127.0.0.1:9/"}),
}


@asynccontextmanager
async def open_webhook_rig() -> AsyncIterator[Rig]:
    async with open_receiver() as receiver:
        http = Patient(seconds=0.3)
        crm = Webhook(Endpoint(url=receiver.url, keys=[KEY]), http)
        try:
            yield WebhookRig(crm, receiver, http)
        finally:
            await crm.close()


RIGS: Final[dict[str, Callable[[], AbstractAsyncContextManager[Rig]]]] = {
    "amocrm": open_amo_rig,
    "bitrix24": open_bitrix24_rig,
    "odoo": open_odoo_rig,
    "webhook": open_webhook_rig,
}
