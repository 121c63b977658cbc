"""Tells an address of what happens, by webhooks as Standard Webhooks 1.0.0 says (docs/how_to/receive_webhooks.md).

Rules kept here:
1. `webhook-id` is the effect's key: the same at every attempt, so whoever receives twice knows it. Sending again is
   therefore safe, and nothing needs to be read back.
2. Only 2xx is a success. Redirects are not followed, 410 ends the connection, `Retry-After` is kept to.
3. The address is a user's: only public ones and the networks that the settings name (`directory.networks`).
4. An answer is read to a bound, and its text is stored cut, numbers and secrets in it masked.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from uuid import uuid4

import aiohttp
import msgspec
from yarl import URL

from crm_sync.crm import (
    Capability,
    CrmCall,
    CrmLead,
    CrmRecording,
    CrmTask,
    CrmTranscript,
    Done,
    Effect,
    Probed,
    Step,
    Subject,
)
from crm_sync.errors import (
    AuthDeadError,
    CrmError,
    GoneError,
    PermanentError,
    RateLimitedError,
    TransientError,
    UnknownOutcomeError,
)
from directory.networks import Guarded, Network, RefusedError, check_host
from notices import signing

EVENTS: Final[Mapping[str, Step]] = {
    "call.started": "call_started",
    "call.answered": "call_answered",
    "call.ended": "call_finished",
    "recording.ready": "recording",
    "transcript.ready": "transcript",
    "follow_up": "task",
    "lead": "lead",
    "message": "message",
}
"""What an endpoint may ask for, and the step behind it; a missed call's end is told as `call.missed`."""

USUAL: Final = tuple(event for event in EVENTS if event != "message")
"""What one that names no event is told. Who takes messages has to send them on to clients, and must say so."""

PING: Final = "switchhook.ping"
SECONDS: Final = 15.0
_ANSWER_BYTES: Final = 65_536
_ANSWER_KEPT: Final = 500
_MASKED: Final = re.compile(r"whsec_[A-Za-z0-9+/=]*|[0-9]{5,}")
"""A receiver may repeat what it was told: secrets and numbers keep two characters."""
_AWAY: Final = frozenset({502, 503, 504})
_NEVER: Final = frozenset({400, 405, 406, 409, 411, 413, 414, 415, 422})


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where to: the address, the keys that sign (two while one is replaced), and inner networks that are allowed."""

    url: str
    keys: Sequence[bytes]
    networks: Sequence[Network] = ()
    seconds: float = SECONDS


class Webhook:
    """The adapter: every operation is one signed POST."""

    capabilities: frozenset[Capability] = frozenset()

    def __init__(self, endpoint: Endpoint, clock: Callable[[], float] = time.time) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

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

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _tell(self, kind: str, effect: Effect, subject: Subject) -> Done:
        data: dict[str, Any] = msgspec.to_builtins(subject)
        data.pop("link", None)
        return await self._post(effect.key.hex, kind, effect.at, data)

    async def _post(self, message: str, kind: str, at: datetime, data: Mapping[str, Any]) -> Done:
        told = {"type": kind, "timestamp": at.astimezone(UTC).isoformat(), "data": data}
        body = json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        headers = self._signed(message, body) | {"Content-Type": "application/json", "User-Agent": "Switchhook"}
        try:
            check_host(URL(self._endpoint.url), self._endpoint.networks)
            async with self._client().post(
                self._endpoint.url, data=body, headers=headers, allow_redirects=False
            ) as response:
                answer, asked = await _answer(response), response.headers.get("Retry-After", "")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _unanswered(error) from None
        if 200 <= answer["status"] < 300:
            return Done(answer=answer)
        raise _refused(answer, _retry_after(asked, self._clock()))

    def _signed(self, message: str, body: bytes) -> dict[str, str]:
        """The headers of one attempt, with a signature of each key: while one is replaced, either verifies."""
        told = [signing.headers(key, message, int(self._clock()), body) for key in self._endpoint.keys]
        return told[0] | {signing.SIGNATURE: " ".join(one[signing.SIGNATURE] for one in told)}

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=Guarded(self._endpoint.networks), use_dns_cache=False, force_close=True
                ),
                timeout=aiohttp.ClientTimeout(total=self._endpoint.seconds),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
            )
        return self._session


async def _answer(response: aiohttp.ClientResponse) -> dict[str, Any]:
    """The status and the beginning of what was said; what is longer than the bound is left unread."""
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > _ANSWER_BYTES:
            break
    told = bytes(body[:_ANSWER_KEPT]).decode(errors="replace").replace("\0", "")
    text = _MASKED.sub(lambda found: "…" + found[0][-2:], told)
    return {"status": response.status, "text": text}


def _unanswered(error: Exception) -> CrmError:
    """Nobody was there, and nothing was sent; or it was, and nobody knows."""
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(inner, RefusedError) or isinstance(inner.__cause__, RefusedError):
        # A name may lead elsewhere for a while, and a setting be mended: what is owed waits for that.
        return TransientError("the address leads into a network that crm.networks does not name", is_away=True)
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.InvalidURL | aiohttp.ConnectionTimeoutError):
        return TransientError(f"nobody answers there: {type(error).__name__}", is_away=True)
    return UnknownOutcomeError(f"no whole answer: {type(error).__name__}")


def _refused(answer: dict[str, Any], retry_after: float | None) -> CrmError:
    status = answer["status"]
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


def _retry_after(told: str, now: float) -> float | None:
    """Seconds of a Retry-After, which is seconds or a date (RFC 9110, 10.2.3)."""
    if told.isascii() and told.isdecimal():
        return float(told[:9])
    try:
        at = parsedate_to_datetime(told)
    except (ValueError, TypeError):
        return None
    return max(at.timestamp() - now, 0.0) if at.tzinfo else None
