"""CRMs that fail in every way, for the story in which each call must end as one record (tests/database/test_crm_chaos).

A new kind is one more entry of `RIGS` (tests/fakes/chaos_rigs.py): its strict fake, which lets requests go wrong as
`Faults` says, and the way to connect to it. The adapter itself is opened by `open_adapter` in the worker's process,
from the connection's row alone.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final, Literal, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_sync import connections
from crm_sync.connections import Connection, Open
from crm_sync.crm import Crm, Step
from crm_sync.http import Http
from crm_sync.kinds import KINDS
from crm_sync.ledger.subjects import Rooms
from crm_sync.pacing import Bucket, SharedPace
from crm_sync.secrets import Keeper
from crm_sync.told import CrmRecording, CrmSegment, CrmTranscript
from service.crm.workplaces import texts_of, workplace
from service.settings import Settings
from tests.fakes.ledger import LOOPBACK, SECRET_KEY
from tests.fakes.webhooks import OK, SECRET, Receiver, Said, open_receiver

Fault = Literal[
    "error",  # 500, nothing was done
    "error_after",  # 500, although it was done
    "limit",  # too many requests: come again at once
    "lost_before",  # the connection is cut, nothing was done
    "lost_after",  # the connection is cut, although it was done
    "hangs_before",  # no answer comes, nothing was done
    "hangs_after",  # no answer comes, although it was done
    "gateway_after",  # 504, although it was done
    "token_end",  # the access is over before its time; of a kind without tokens: "error"
]
FAULTS: Final[tuple[Fault, ...]] = (
    "error", "error_after", "limit", "lost_before", "lost_after", "hangs_before", "hangs_after", "gateway_after",
    "token_end",
)  # fmt: skip

Faults = Callable[[int], Fault | None]
"""How a request goes wrong, by its number from 1; None: not at all."""

SECONDS: Final = 0.5
"""So long the adapters wait for an answer, unless the connection's settings say otherwise."""

HURRY: Final = 50.0
"""Buckets of requests drain so many times faster than the CRM's own: a fake drains its own as fast."""

KEY: Final = "site"
PEOPLE: Final = ("anna", "boris")
"""Whose calls they are."""


@dataclass(frozen=True, slots=True)
class Held:
    """A call as the CRM holds it: whose of `PEOPLE` it is there, and the mark of the sound that it has (`mark_of`)."""

    call: UUID
    owner: str | None
    recording: int | None


@dataclass(frozen=True, slots=True)
class HeldTask:
    """A promise as the CRM holds it: to call whom, who of `PEOPLE`, and whether it is done."""

    number: str
    owner: str | None
    is_done: bool


@dataclass(frozen=True, slots=True)
class HeldLead:
    """A lead as the CRM holds it: of the client with this number. Whose one is that people made there is theirs."""

    number: str
    owner: str | None
    by_people: bool = False


class ChaosRig(Protocol):
    """One CRM. `steps` are what it is told; `refused` what it found wrong, and what we changed of people's leads.

    `has_people`: people make leads there (`add_lead`), of which ours is one where it is there before ours.
    """

    steps: tuple[Step, ...]
    has_people: bool

    async def connect(self, engine: AsyncEngine) -> None:
        """Add the connection `KEY`, with all that it needs to know."""

    @property
    def refused(self) -> list[str]:
        """What the CRM refused because we asked it wrongly."""

    @property
    def request_count(self) -> int:
        """How many requests it got."""

    def add_lead(self, number: str) -> None:
        """Somebody there opens a lead of a client, who may be known there already."""

    def held(self, keys: Mapping[str, UUID]) -> list[Held]:
        """Every call that it holds; `keys` are the calls that happened, by `key_of`."""

    def texts(self) -> list[int]:
        """The mark (`said_in`) of each text of a call that it holds."""

    def tasks(self) -> list[HeldTask]:
        """Every promise that it holds."""

    def leads(self) -> list[HeldLead]:
        """Every lead that it holds."""


def mark_of(call: UUID) -> int:
    """What tells the sound of a call from every other: it is in the sound itself, and in its address."""
    return call.int >> 66


def mark_in(told: str | bytes) -> int:
    """The mark in an address (`…/linked/123.signature`), or in a sound."""
    text = told if isinstance(told, str) else told.decode().removeprefix("ID3")
    return int(text.rpartition("/")[2].partition(".")[0])


def key_of(call: UUID) -> str:
    """The key of the effect that tells the end of a call to `KEY`, as the ledger makes it (hexadecimal)."""
    return sha256("\n".join((KEY, "pbx", str(call), "call_finished")).encode()).hexdigest()[:32]


def said_of(call: UUID) -> str:
    """What was said in a call, and in no other."""
    return f"Добрый день {mark_of(call)}"


def said_in(told: str) -> int:
    """The mark in what was said (`mark_of`)."""
    found = re.search(r"Добрый день (\d+)", told)
    assert found is not None, told
    return int(found[1])


def number_in(told: str) -> str:
    """The number (digits) in the text of a promise."""
    found = re.search(r"\+[\d -]+", told)
    assert found is not None, told
    return "".join(sign for sign in found[0] if sign.isdigit())


async def _recording(connection: AsyncConnection, call_id: UUID, to: Connection) -> CrmRecording | None:
    end = datetime.now(UTC) + timedelta(days=to.link_days)
    return CrmRecording(call=call_id, seconds=6.0, expires_at=end, link=mark_of(call_id))


async def _address(connection: AsyncConnection, link: int) -> str | None:
    return _url(link)


async def _transcript(connection: AsyncConnection, call_id: UUID) -> CrmTranscript | None:
    said = CrmSegment(side="staff", begins=0.4, ends=1.6, text=said_of(call_id))
    return CrmTranscript(call=call_id, language="ru", text=said.text, is_whole=True, segments=(said,))


async def _link(call_id: UUID) -> str | None:
    return _url(mark_of(call_id))


async def _sound(call_id: UUID) -> bytes | None:
    return f"ID3{mark_of(call_id)}".encode()


def _url(mark: int) -> str:
    return f"https://calls.example.com/linked/{mark}.signature"


ROOMS: Final = Rooms(recording=_recording, address=_address, transcript=_transcript)


class HurriedPace(SharedPace):
    """The pace of a connection whose CRM lets `HURRY` times as much through."""

    async def take(self, bucket: Bucket, *, low: bool = False) -> None:
        """See `Pace`."""
        await super().take(replace(bucket, per_second=bucket.per_second * HURRY), low=low)


def open_adapter(engine: AsyncEngine) -> Open:
    """Makes adapters as the service does, but impatient, hurried, and with invented sound."""
    settings = Settings.model_validate({"secret_key": SECRET_KEY, "crm": {"networks": [str(one) for one in LOOPBACK]}})

    def open_crm(to: Connection) -> Crm:
        secrets = Keeper(SECRET_KEY).open(to.key, to.secrets)
        at = replace(
            workplace(settings, engine, to, secrets),
            http=Http(LOOPBACK, secrets=texts_of(secrets), seconds=to.settings.get("seconds", SECONDS)),
            pace=HurriedPace(engine, to.account),
            sound=_sound,
            link=_link,
        )
        return KINDS[to.kind].open(at)

    return open_crm


async def connect(
    engine: AsyncEngine, kind: str, settings: Mapping[str, Any], secrets: Mapping[str, Any], steps: tuple[Step, ...]
) -> None:
    """Add the connection `KEY` of this kind, which is owed what happened since yesterday."""
    async with engine.begin() as connection:
        sealed = Keeper(SECRET_KEY).seal(KEY, secrets)
        since = datetime.now(UTC) - timedelta(days=1)
        await connections.add(connection, KEY, kind, settings, sealed, steps, "active", since)


@dataclass
class WebhookChaos:
    """The webhook adapter and a receiver."""

    receiver: Receiver
    steps: tuple[Step, ...] = ("call_started", "call_finished", "recording", "transcript", "task", "lead")
    has_people: bool = False

    async def connect(self, engine: AsyncEngine) -> None:
        url = self.receiver.url
        await connect(engine, "webhook", connections.settled(url, {}), {"keys": [SECRET], "url": url}, self.steps)

    @property
    def refused(self) -> list[str]:
        return self.receiver.refused

    @property
    def request_count(self) -> int:
        return len(self.receiver.requests)

    def held(self, keys: Mapping[str, UUID]) -> list[Held]:
        sounds = {
            UUID(one["data"]["call"]): mark_in(one["data"]["url"])
            for one in self.receiver.order
            if one["type"] == "recording.ready"
        }
        ended = self._told("call.ended", "call.missed")
        return [Held(UUID(one["id"]), one["person"], sounds.get(UUID(one["id"]))) for one in ended]

    def add_lead(self, number: str) -> None:
        raise AssertionError(number)

    def texts(self) -> list[int]:
        return [said_in(one["text"]) for one in self._told("transcript.ready")]

    def tasks(self) -> list[HeldTask]:
        opened = [one["id"] for one in self._told("follow_up.opened")]
        last = {one["id"]: one for one in self._told("follow_up.")}
        done = {one["id"] for one in self._told("follow_up.closed")}
        return [HeldTask(last[one]["number"], last[one]["owner"], one in done) for one in opened]

    def leads(self) -> list[HeldLead]:
        last = {one["id"]: one for one in self._told("lead.")}
        return [HeldLead(last[one["id"]]["numbers"][0], last[one["id"]]["owner"]) for one in self._told("lead.opened")]

    def _told(self, *kinds: str) -> list[dict[str, Any]]:
        return [one["data"] for one in self.receiver.order if one["type"].startswith(kinds)]


_SAID: Final[Mapping[Fault, Said]] = {
    "error": Said(status=500),
    "error_after": Said(status=500, takes=True),
    "limit": Said(status=429, headers={"Retry-After": "0"}),
    "lost_before": Said(cut=True),
    "lost_after": Said(cut=True, takes=True),
    "hangs_before": Said(hang=True),
    "hangs_after": Said(hang=True, takes=True),
    "gateway_after": Said(status=504, takes=True),
    "token_end": Said(status=302),
}


@asynccontextmanager
async def open_webhook_chaos(faults: Faults) -> AsyncIterator[ChaosRig]:
    """A receiver that fails so."""

    def script(count: int, _told: dict[str, Any]) -> Said:
        fault = faults(count)
        return _SAID[fault] if fault else OK

    async with open_receiver() as receiver:
        receiver.script = script
        yield WebhookChaos(receiver)
