"""What an adapter is given, without a database: one grant, limits that are written down, and who is who by a dict."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from yarl import URL

from crm_sync.errors import NoRoomError
from crm_sync.grants import Grant, Renewing
from crm_sync.http import Answer, Http
from crm_sync.pacing import Bucket
from crm_sync.workplace import Workplace
from tests.fakes.ledger import LOOPBACK


class Patient(Http):
    """Waits for an answer however busy this machine is; for one that a test lets hang (`hangs`) only `seconds`.

    `hangs` is asked with the method and the path of each request.
    """

    def __init__(self, secrets: Sequence[str] = (), *, seconds: float) -> None:
        super().__init__(LOOPBACK, secrets=secrets, seconds=60.0)
        self._hanging = seconds
        self.hangs: Callable[[str, str], bool] = lambda _method, _path: False

    async def send(self, method: str, url: str | URL, **more: Any) -> Answer:
        """See `Http`."""
        if self.hangs(method, URL(url).path):
            more["seconds"] = self._hanging
        return await super().send(method, url, **more)


@dataclass
class HeldGrants:
    """One grant, renewed by one at a time."""

    grant: Grant
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def current(self) -> Grant:
        return self.grant

    async def renew(self, used: Grant, ask: Renewing) -> Grant:
        async with self.lock:
            if self.grant.access == used.access:
                self.grant = await ask(self.grant)
            return self.grant


@dataclass
class ToldPace:
    """Lets everything through, but what is `full`; `uses` is what the CRM said of itself."""

    taken: list[tuple[str, bool]] = field(default_factory=list)
    uses: dict[str, tuple[float, float]] = field(default_factory=dict)
    full: set[str] = field(default_factory=set)

    async def take(self, bucket: Bucket, *, low: bool = False) -> None:
        self.taken.append((bucket.name, low))

    async def fill(self, bucket: Bucket) -> None:
        self.uses[bucket.name] = (bucket.most, bucket.most)

    async def used(self, name: str, amount: float, most: float, resets_at: datetime | None) -> None:
        self.uses[name] = (amount, most)

    async def check(self, name: str, *, low: bool = False) -> None:
        if name in self.full:
            raise NoRoomError("nearly all that may be used is used", retry_after=60, scope="method")

    def at_once(self, most: int) -> AbstractAsyncContextManager[None]:
        return nullcontext()


@dataclass
class KnownFew:
    """Persons and users, both ways."""

    users: dict[str, str] = field(default_factory=dict)

    async def user_of(self, person: str | None) -> str | None:
        return self.users.get(person or "")

    async def person_of(self, user: str | None) -> str | None:
        return next((key for key, one in self.users.items() if one == user), None)


async def sound_of(call_id: UUID) -> bytes | None:
    """The sound of any call: its id, so that a test sees whose it is."""
    return b"ID3" + call_id.bytes


async def link_of(call_id: UUID) -> str | None:
    """Where the sound of any call opens."""
    return f"https://calls.example.com/linked/{call_id}"


def workplace(
    settings: Any, secrets: Mapping[str, Any], grant: Grant, users: Mapping[str, str], *, seconds: float = 0.3
) -> Workplace:
    """A workplace that may speak to this machine; its HTTP is `Patient`, but for what hangs."""
    return Workplace(
        key="crm",
        settings=settings,
        secrets=secrets,
        http=Patient([str(one) for one in secrets.values()], seconds=seconds),
        grants=HeldGrants(grant),
        pace=ToldPace(),
        people=KnownFew(dict(users)),
        sound=sound_of,
        link=link_of,
        now=lambda: datetime.now(UTC),
    )


def patient(work: Workplace) -> Patient:
    """The HTTP of such a workplace."""
    assert isinstance(work.http, Patient)
    return work.http
