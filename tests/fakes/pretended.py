"""A kind of CRM for tests of what is around an adapter: access by consent, users, cards, and what it hears."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from crm_sync.asking import Guide
from crm_sync.crm import (
    Candidate,
    Capability,
    CrmUser,
    Done,
    Effect,
    Heard,
    Inbound,
    Probed,
    Step,
)
from crm_sync.errors import AuthDeadError, PermanentError
from crm_sync.grants import Grant
from crm_sync.told import CrmCall
from crm_sync.workplace import Consent, Kind, Workplace

CODE: Final = "a-code-of-tests"
TOKEN: Final = "a-token-of-tests"


class Settings(Struct, frozen=True):
    """`portal` is its address, `stages` what our stages are called there."""

    portal: str
    number: int = 0
    stages: dict[str, str] = {}


class Pretended:
    """Lets in who has a grant of `CODE`; `owner` is what the CRM calls the owner of every number."""

    capabilities: frozenset[Capability] = frozenset(("parties", "inbound", "live_card"))
    owner: str | None = "1"
    missing: tuple[str, ...] = ("the right to delete",)
    cards: list[tuple[str, str, tuple[str, ...]]] = []  # noqa: RUF012 of all that were opened

    def __init__(self, at: Workplace) -> None:
        self._at = at

    async def probe(self) -> Probed:
        if (await self._at.grants.current()).access != CODE:
            raise AuthDeadError("who are you?")
        return Probed(self.missing)

    async def users(self) -> Sequence[CrmUser]:
        return [CrmUser("1", "Анна", "101"), CrmUser("7", "Пётр", "207")]

    async def find_party(self, number: str, deadline: float) -> Sequence[Candidate]:
        return [Candidate(f"contact {number}", "Иван", await self._at.people.person_of(self.owner))]

    def parse_inbound(self, request: Inbound) -> Sequence[Heard]:
        if request.query.get("token") != TOKEN:
            raise PermanentError("not theirs")
        told: list[dict[str, Any]] = json.loads(request.body)
        return [Heard(one["kind"], one["told"]) for one in told]

    async def card_show(self, effect: Effect, call: CrmCall, users: Sequence[str]) -> None:
        self.cards.append(("show", effect.remote["call_started"], tuple(users)))

    async def card_hide(self, effect: Effect, call: CrmCall, users: Sequence[str]) -> None:
        self.cards.append(("hide", effect.remote["call_started"], tuple(users)))

    async def read_back(self, step: Step, effect: Effect) -> Done | None:
        return None

    async def _told(self, effect: Effect, _subject: object) -> Done:
        return Done(f"remote {effect.at:%H%M%S}")

    call_started = call_answered = call_finished = attach_recording = attach_transcript = _told
    ensure_lead = send_message = create_task = tell_incident = _told

    async def close(self) -> None:
        await self._at.http.close()


def _address(at: Workplace, back: str, state: str) -> str:
    return f"https://{at.settings.portal}/agree?back={back}&state={state}"


async def _exchange(at: Workplace, query: Mapping[str, str], back: str) -> Grant:
    if query.get("code") != CODE or not at.secrets.get("client_secret"):
        raise AuthDeadError("invalid_grant")
    return Grant(CODE, "refresh")


KIND: Final = Kind(
    name="pretended",
    title="Pretended CRM",
    settings=Settings,
    secrets=("client_secret",),
    steps=("call_started", "call_finished"),
    open=Pretended,
    capabilities=Pretended.capabilities,
    consent=Consent(address=_address, exchange=_exchange),
    guide=Guide(
        lines=(("Заведите там приложение, адрес возврата {back}.", "Make an application there, with {back}."),),
        todo={"the right": ("Дайте это право.", "Give it that right.")},
    ),
)
