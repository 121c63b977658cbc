"""What the room is handed by whoever starts it, and the keys under which it keeps its own parts."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.connecting import Addresses, Changed, Met, Standing, Wanted
from crm_sync.crm import Inbound
from recordings.audit import Actor
from recordings.erasures import Report
from recordings.store import Store
from routing.requests import ALONE, Desk
from web.access.provider import SingleSignOn
from web.addresses import Network


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the service as `/readyz` tells it; `reason` says in words why it is not ready."""

    name: str
    ready: bool
    reason: str = ""


async def always_ready() -> Sequence[Part]:
    """Nothing to wait for."""
    return ()


class DoorClosed(Exception):
    """Whoever is before the door of a CRM is not let in; `status` says how they are told."""

    def __init__(self, status: Literal[403, 404, 502, 503]) -> None:
        super().__init__(str(status))
        self.status = status


class CrmDoors(Protocol):
    """What takes what CRMs send to us, by their connection's key. Raises DoorClosed."""

    async def returned(self, key: str, query: Mapping[str, str]) -> bool:
        """A person agreed there that we come in, and was sent back with this query; whether they came from our page."""
        ...

    async def heard(self, key: str, request: Inbound) -> None:
        """Something happened there: stored when this returns."""
        ...


class Connects(Protocol):
    """What makes and changes connections to CRMs; it knows our settings.

    Raises Faults for what a person told, ConnectionRefused for what cannot be, SecretKeyError, and where it asks a CRM
    CrmError.
    """

    def keeper(self) -> object:
        """What seals secrets. Raises SecretKeyError where there is no key for it."""
        ...

    def addresses(self, key: str) -> Addresses:
        """Where a CRM of that key comes to us."""
        ...

    async def look(self, key: str) -> Standing:
        """How far a connection is."""
        ...

    async def add(self, wanted: Wanted, actor: Actor) -> str | None:
        """Keep a new connection, to which nothing is told yet. Gives what it is to verify us with, if anything."""
        ...

    async def change(self, key: str, changed: Changed, actor: Actor) -> None:
        """Change settings and secrets; of one that was started what does not let us in is not kept."""
        ...

    async def new_keys(self, key: str, actor: Actor) -> str:
        """What it is to verify us with from now on."""
        ...

    async def make_door(self, key: str, actor: Actor) -> str:
        """Make the address, with a secret in it, where is heard what happens there."""
        ...

    async def ask_consent(self, key: str, actor: Actor, *, on_page: bool = False) -> str:
        """The CRM's page where a person agrees that we come in."""
        ...

    async def let_in(self, key: str) -> Met:
        """Ask it how it is and who works there; one that had shut us out goes on."""
        ...

    async def pair(self, key: str, pairs: Mapping[str, str | None], actor: Actor) -> None:
        """Say who users of the CRM are; None: whoever has their extension or mailbox."""
        ...

    async def start(self, key: str, actor: Actor | None, *, shadow: bool, since: datetime | None = None) -> int:
        """Tell it what happens, and what was over since then; or only show what would be told."""
        ...

    async def remove(self, key: str, actor: Actor) -> None:
        """Forget it with all that it was told."""
        ...


class Erases(Protocol):
    """What erases persons on request; it knows every room."""

    async def ask(self, numbers: Collection[str], actor: Actor) -> int:
        """Write down that whoever has these numbers is to be erased; gives the erasure's id. Raises EraseRefused."""
        ...

    async def look(self, numbers: Collection[str]) -> Report:
        """What erasing would remove and leave. Raises EraseRefused."""
        ...

    async def told(self, erasure_id: int) -> Report | None:
        """The report so far, None for no erasure."""
        ...


def _nobody_counts(_seconds: float) -> None:
    """Nobody measures the cards."""


@dataclass(slots=True, kw_only=True)
class WebServices:
    """Everything the pages need from outside; what is of settings may become other while they are served.

    `secure` is True behind TLS: the session cookie is then `__Host-` and Secure. `on_push` receives the seconds from
    a call's change to the bytes of its cards on the wire, once a change and page. Only who asks from one of
    `trusted_proxies` may say in X-Forwarded-For for whom. `outgoing` knows of calls to the outside what is in other
    rooms. `uploads`: the PBXes that send their recordings, and the folder of each. `crm`: None lets no CRM in;
    `connects`: None connects none. `public_url` is where others find the pages. `sign_on`: how people may log in
    beside their passwords.
    """

    engine: AsyncEngine
    recordings: Store
    erasing: Erases
    readiness: Callable[[], Awaitable[Sequence[Part]]] = always_ready
    language: str = "ru"
    secure: bool = False
    trusted_proxies: Sequence[Network] = ()
    on_push: Callable[[float], None] = _nobody_counts
    outgoing: Desk = ALONE
    uploads: Mapping[str, Path] = field(default_factory=dict)
    crm: CrmDoors | None = None
    connects: Connects | None = None
    public_url: str | None = None
    sign_on: SingleSignOn | None = None


SERVICES: web.AppKey[WebServices] = web.AppKey("services", WebServices)
