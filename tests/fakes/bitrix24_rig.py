"""The adapter for Bitrix24 and its portal, with a ledger that is a dict, and for the suite of every adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from crm_sync.bitrix24.adapter import Bitrix24
from crm_sync.bitrix24.link import Settings
from crm_sync.crm import Crm, Done, Effect, Step
from crm_sync.errors import CrmError, UnknownOutcomeError
from crm_sync.grants import Grant
from crm_sync.ledger.sending import _OPERATIONS
from crm_sync.told import CrmCall, CrmIncident, Subject
from crm_sync.workplace import Workplace
from tests.fakes import bitrix24
from tests.fakes.bitrix24 import Fault
from tests.fakes.bitrix24_portal import User
from tests.fakes.recorded import T0
from tests.fakes.workplaces import HeldGrants, ToldPace, patient, workplace

NOBODY: Final = 1
USERS: Final = {"anna": "5", "boris": "6"}
SECRETS: Final = {"client_secret": bitrix24.CLIENT_SECRET, "application_token": bitrix24.APPLICATION_TOKEN}


@dataclass
class Told:
    """Tells the adapter as the ledger does: with what earlier effects of the call left, and with doubts."""

    crm: Bitrix24
    server: bitrix24.Bitrix24
    work: Workplace
    grants: HeldGrants
    pace: ToldPace
    remote: dict[UUID | None, dict[str, str]] = field(default_factory=dict)
    doubts: dict[tuple[UUID | None, Step], datetime] = field(default_factory=dict)

    async def tell(
        self, step: Step, subject: Subject, at: datetime | None = None, others: tuple[str, ...] = ()
    ) -> Done:
        """One attempt; what it raises says whether the next is in doubt. `others`: more numbers of the client."""
        call = (
            subject.id if isinstance(subject, CrmCall) else None if isinstance(subject, CrmIncident) else subject.call
        )
        remote, doubt = self.remote.setdefault(call, {}), self.doubts.get((call, step))

        async def keep(remote_id: str) -> None:
            remote[step] = remote_id

        taken = {told.get("call_finished") for one, told in self.remote.items() if one != call}
        known = {name: one for name, one in remote.items() if name != "call_started" or one not in taken}
        effect = Effect(uuid4(), at or self.work.now(), known, sent_at=doubt, keep=keep, numbers=others)
        try:
            done = await self.crm.read_back(step, effect) if doubt else None
            done = done or await _OPERATIONS[step](self.crm)(effect, subject)
        except UnknownOutcomeError:
            self.doubts[call, step] = self.work.now()
            raise
        if done.remote_id is not None:
            remote[step] = done.remote_id
        return done

    async def tell_till_done(self, step: Step, subject: Subject, attempts: int = 8) -> Done:
        """As often as it takes."""
        for _ in range(attempts - 1):
            try:
                return await self.tell(step, subject)
            except CrmError:
                continue
        return await self.tell(step, subject)

    def fails(self, method: str, *faults: Fault | None) -> None:
        """The next requests to a method fail so, one after another."""
        left = list(faults)
        self.server.script = lambda _count, asked: left.pop(0) if left and asked == method else None
        patient(self.work).hangs = lambda _method, path: (
            path.endswith(f"/{method}") and bool(left) and left[0] is not None and left[0].how == "hang"
        )

    def asked(self, *names: str) -> list[dict[str, Any]]:
        """What the portal was asked by methods that end so."""
        return [params for method, params in self.server.requests if method.endswith(names)]


@asynccontextmanager
async def open_told(
    *,
    seconds: float = 0.3,
    hook: bool = False,
    now: datetime | None = None,
    users: Mapping[str, str] = USERS,
    **settings: Any,
) -> AsyncIterator[Told]:
    """A portal where Anna and Boris work, and the adapter with a grant of an hour; both at `now`, where told."""
    async with bitrix24.open_bitrix24() as server:
        server.bucket = 10_000.0
        server.portal.users |= {5: User(5, "101", "Анна"), 6: User(6, "102", "Борис")}
        if now is not None:
            server.clock = now.timestamp
        given = server.grant()
        grant = Grant(given.access, given.refresh, told={"client_endpoint": f"{server.url}/rest/"})
        secrets = {**SECRETS, "webhook": f"{server.url}/rest/1/{bitrix24.HOOK_CODE}/"} if hook else SECRETS
        chosen = Settings(
            portal=server.url, client=bitrix24.CLIENT, user=NOBODY, token_server=f"{server.token_url}/oauth/token/",
            **settings,
        )  # fmt: skip
        work = workplace(chosen, secrets, grant, users, seconds=seconds)
        work = work if now is None else replace(work, now=lambda: now)
        grants, pace = work.grants, work.pace
        assert isinstance(grants, HeldGrants)
        assert isinstance(pace, ToldPace)
        crm = Bitrix24(work)
        try:
            yield Told(crm, server, work, grants, pace)
        finally:
            await crm.close()


_NOW: Final = T0 + timedelta(seconds=1)
_HOW: Final = {
    "lost_before": Fault("cut"),
    "lost_after": Fault("cut", commits=True),
    "hangs": Fault("hang"),
    "limit": Fault("limit", retry_after=7),
    "away": Fault("503_html"),
    "refuses": Fault("400"),
    "shut_out": Fault("401"),
    "redirects": Fault("302"),
}


@dataclass
class Bitrix24Rig:
    """A portal where Anna is the user 1, as the suite wants her, a second after the suite's calls began."""

    told: Told
    crm: Crm
    secrets: tuple[str, ...]
    steps: tuple[Step, ...] = ("call_finished", "recording", "transcript", "task", "lead")
    party: tuple[str, str] = ("79167654321", "Пётр Петров")

    def fail(self, fault: str) -> None:
        """The next request that does more than look fails so."""
        left = [_HOW[fault]]
        looks = (".get", ".list", "scope")
        self.told.server.script = lambda _count, method: left.pop() if left and not method.endswith(looks) else None
        patient(self.told.work).hangs = lambda _method, path: (
            fault == "hangs" and bool(left) and not path.endswith(looks)
        )

    def records(self) -> list[dict[str, Any]]:
        portal = self.told.server.portal
        todos = [row for row in portal.activities.values() if row["PROVIDER_ID"] == "CRM_TODO"]
        sounds: list[dict[str, Any]] = [{"call": one} for one in (*portal.records, *portal.transcripts)]
        return [*portal.statistics, *sounds, *todos, *portal.entities["LEAD"].values()]

    def calls(self) -> list[dict[str, Any]]:
        return self.told.server.portal.statistics

    def cards(self) -> list[tuple[str, str]]:
        return [(call.phone[1:], str(user)) for call in self.told.server.portal.live.values() for user in call.shown]

    def add_lead(self, number: str) -> Callable[[], dict[str, Any]]:
        portal = self.told.server.portal
        lead = portal.add_entity("LEAD", f"+{number}", 6)
        return lambda: {name: portal.entities["LEAD"][lead][name] for name in ("assignedById", "stageId")}


@asynccontextmanager
async def open_bitrix24_rig() -> AsyncIterator[Bitrix24Rig]:
    """The portal and the adapter, impatient."""
    async with open_told(now=_NOW, users={"anna": "1"}) as told:
        rig = Bitrix24Rig(told, told.crm, (*SECRETS.values(), told.grants.grant.access, told.grants.grant.refresh))
        told.server.portal.add_entity("CONTACT", f"+{rig.party[0]}", 1, name=rig.party[1])
        yield rig
