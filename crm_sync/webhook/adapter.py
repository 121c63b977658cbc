"""Tells an address of what happens, by webhooks as Standard Webhooks 1.0.0 says (docs/how_to/receive_webhooks.md).

Rules kept here:
1. `webhook-id` is the effect's key: the same at every attempt, so whoever receives twice knows it. Sending again is
   therefore safe, and nothing needs to be read back.
2. Only 2xx is a success. Redirects are not followed, 410 ends the connection, `Retry-After` is kept to.
3. How it is sent, to which networks, and what is kept of an answer `crm_sync.http` says.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import msgspec

from crm_sync.asking import Ask, Guide
from crm_sync.crm import Capability, Done, Effect, Probed, Step
from crm_sync.errors import (
    AuthDeadError,
    CrmError,
    GoneError,
    PermanentError,
    RateLimitedError,
    TransientError,
)
from crm_sync.http import Answer, Http
from crm_sync.told import (
    CrmCall,
    CrmIncident,
    CrmLead,
    CrmRecording,
    CrmTask,
    CrmTranscript,
    Subject,
)
from crm_sync.workplace import Kind, Workplace
from notices import signing

EVENTS: Final[Mapping[str, Step]] = {
    "call.started": "call_started",
    "call.answered": "call_answered",
    "call.ended": "call_finished",
    "recording.ready": "recording",
    "transcript.ready": "transcript",
    "follow_up": "task",
    "lead": "lead",
    "incident": "incident",
    "message": "message",
}
"""What an endpoint may ask for, and the step behind it; a missed call's end is told as `call.missed`."""

USUAL: Final = tuple(event for event in EVENTS if event != "message")
"""What one that names no event is told. Who takes messages has to send them on to clients, and must say so."""

PING: Final = "switchhook.ping"
_KEY_BYTES: Final = 32
_AWAY: Final = frozenset({502, 503, 504})
_NEVER: Final = frozenset({400, 405, 406, 409, 411, 413, 414, 415, 422})


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where to: the address, and the keys that sign (two while one is replaced). `seconds`: None waits as usual."""

    url: str
    keys: Sequence[bytes]
    seconds: float | None = None


class Webhook:
    """The adapter: every operation is one signed POST."""

    capabilities: frozenset[Capability] = frozenset()

    def __init__(self, endpoint: Endpoint, http: Http, clock: Callable[[], float] = time.time) -> None:
        self._endpoint = endpoint
        self._http = http
        self._clock = clock

    async def probe(self) -> Probed:
        """Send a `switchhook.ping`, which asks nothing but an answer of 2xx."""
        at = datetime.fromtimestamp(self._clock(), UTC)
        await self._post(f"ping-{uuid4().hex}", PING, at, {})
        return Probed()

    async def read_back(self, step: Step, effect: Effect) -> Done | None:
        """Nothing is known, and sending again is safe: the receiver knows the id."""
        del step, effect
        return None

    async def call_started(self, effect: Effect, call: CrmCall) -> Done:
        """`call.started`."""
        return await self._tell("call.started", effect, call)

    async def call_answered(self, effect: Effect, call: CrmCall) -> Done:
        """`call.answered`."""
        return await self._tell("call.answered", effect, call)

    async def call_finished(self, effect: Effect, call: CrmCall) -> Done:
        """`call.missed` for a missed call, else `call.ended`."""
        return await self._tell("call.missed" if call.status == "missed" else "call.ended", effect, call)

    async def attach_recording(self, effect: Effect, recording: CrmRecording) -> Done:
        """`recording.ready`."""
        return await self._tell("recording.ready", effect, recording)

    async def attach_transcript(self, effect: Effect, transcript: CrmTranscript) -> Done:
        """`transcript.ready`."""
        return await self._tell("transcript.ready", effect, transcript)

    async def ensure_lead(self, effect: Effect, lead: CrmLead) -> Done:
        """`lead.` and what happened to it."""
        return await self._tell(f"lead.{lead.change}", effect, lead)

    async def send_message(self, effect: Effect, lead: CrmLead) -> Done:
        """`lead.message`, which the receiver sends on."""
        return await self._tell("lead.message", effect, lead)

    async def create_task(self, effect: Effect, task: CrmTask) -> Done:
        """`follow_up.` and what happened to it."""
        return await self._tell(f"follow_up.{task.change}", effect, task)

    async def tell_incident(self, effect: Effect, incident: CrmIncident) -> Done:
        """`incident.` and what happened to it."""
        return await self._tell(f"incident.{incident.change}", effect, incident)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _tell(self, kind: str, effect: Effect, subject: Subject) -> Done:
        data: dict[str, Any] = msgspec.to_builtins(subject)
        for name in ("link", "segments"):  # a receiver has its own address of the sound, and the text once
            data.pop(name, None)
        return await self._post(effect.key.hex, kind, effect.at, data)

    async def _post(self, message: str, kind: str, at: datetime, data: Mapping[str, Any]) -> Done:
        told = {"type": kind, "timestamp": at.astimezone(UTC).isoformat(), "data": data}
        body = json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        headers = self._signed(message, body) | {"Content-Type": "application/json"}
        answer = await self._http.send(
            "POST", self._endpoint.url, headers=headers, body=body, seconds=self._endpoint.seconds
        )
        if answer.is_success:
            return Done(answer=answer.kept())
        raise _refused(answer, answer.retry_after(self._clock()))

    def _signed(self, message: str, body: bytes) -> dict[str, str]:
        """The headers of one attempt, with a signature of each key: while one is replaced, either verifies."""
        told = [signing.headers(key, message, int(self._clock()), body) for key in self._endpoint.keys]
        return told[0] | {signing.SIGNATURE: " ".join(one[signing.SIGNATURE] for one in told)}


def _refused(said: Answer, retry_after: float | None) -> CrmError:
    status, answer = said.status, said.kept()
    reason = f"status {status}"
    if status == 410:
        return GoneError(reason, answer)
    if status in {401, 403}:
        return AuthDeadError(reason, answer)
    if status == 429:
        return RateLimitedError(reason, answer, retry_after=retry_after)
    if status in _NEVER:
        return PermanentError(reason, answer)
    if 300 <= status < 400:
        return TransientError(f"{reason}: redirects are not followed", answer)
    is_away = status in _AWAY or retry_after is not None
    return TransientError(reason, answer, retry_after=retry_after, is_away=is_away)


class Settings(msgspec.Struct, frozen=True):
    """What is no secret of a webhook. `url`: the address as versions before 0027 kept it, until it is sealed."""

    origin: str = ""
    url: str | None = None


def _open(at: Workplace) -> Webhook:
    keys = [signing.read_secret(secret) for secret in at.secrets["keys"]]
    return Webhook(Endpoint(url=at.secrets.get("url") or at.settings.url, keys=keys), at.http)


def _make_keys(before: Sequence[str]) -> list[str]:
    """A new key, and the last one: while the receiver changes them, either verifies."""
    return [signing.write_secret(secrets.token_bytes(_KEY_BYTES)), *before[:1]]


KIND: Final = Kind(
    name="webhook",
    title="Webhook",
    settings=Settings,
    secrets=("url",),
    required=("url",),
    steps=tuple(EVENTS[event] for event in USUAL),
    open=_open,
    capabilities=Webhook.capabilities,
    events=EVENTS,
    unasked=("origin", "url"),
    address="url",
    make_keys=_make_keys,
    guide=Guide(
        about=(
            "Любая ваша программа: подписанные сообщения о звонках, записях, текстах, обещаниях, заявках и сбоях.",
            "Any program of yours: signed messages about calls, recordings, texts, promises, leads and incidents.",
        ),
        lines=(
            (
                "Программа принимает POST с JSON, проверяет подпись Standard Webhooks и отвечает 2xx за 15 секунд.",
                (
                    "It takes a POST of JSON, verifies its signature (Standard Webhooks), and answers 2xx within 15 "
                    "seconds."
                ),
            ),
            (
                "Ключ подписи делает Switchhook и показывает один раз.",
                "Switchhook makes the key that signs, and shows it once.",
            ),
        ),
        asks={
            "url": Ask(
                label=("Адрес", "Address"),
                help=(
                    "Куда отправлять. Хранится как секрет, потом видно только начало.",
                    "Where events are sent. It is kept as a secret; only its beginning is shown later.",
                ),
                example="https://example.com/hook",
                in_sight=True,
            ),
        },
    ),
)
