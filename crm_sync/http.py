"""Speaks HTTP with a CRM: one client a connection, and two kinds of failure, before anything was sent and after it.

Rules kept here:
1. The address is a user's: only public ones and the networks that the settings name (`directory.networks`).
2. Redirects are not followed, cookies are not kept, no proxy is taken from the environment.
3. A request that nobody can have got is a TransientError (`is_away`); one that was sent and has no whole answer is an
   UnknownOutcomeError. Whatever was answered, also with an error, is an `Answer`: what it means the adapter knows.
4. An answer is read to a bound. What of it may be stored is cut, with numbers and what looks like a secret masked.
"""

from __future__ import annotations

import json as json_text
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from io import BytesIO
from typing import Any, Final

import aiohttp
from yarl import URL

from crm_sync.errors import CrmError, TransientError, UnknownOutcomeError
from crm_sync.spans import span
from crm_sync.texts import masked, writable
from directory.networks import Guarded, Network, RefusedError, check_host

SECONDS: Final = 15.0
ANSWER_BYTES: Final = 4 * 1024 * 1024

_AGENT: Final = "Switchhook"
_STREAMED_BYTES: Final = 512 * 1024
_KEPT: Final = 500
_UNWRITABLE: Final = re.compile(rb"\x00|\xed[\xa0-\xbf]|\\u(?:0000|[dD][89a-fA-F])")
"""What a body of JSON may have in it that becomes NUL, or half of a pair of UTF-16; looked for before each text is."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said: `headers` by lower-case name, `body` to the bound; `is_whole`: False when it was longer."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool = True
    secrets: Sequence[str] = ()

    @property
    def is_success(self) -> bool:
        """2xx."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON, each text writable; None for what is none, as a page of HTML, or an answer that was cut."""
        if not self.is_whole:
            return None
        try:
            told = json_text.loads(self.body)
            return writable(told) if _UNWRITABLE.search(self.body) else told
        except (ValueError, RecursionError):
            return None

    def retry_after(self, now: float) -> float | None:
        """Seconds of Retry-After, which is seconds or a date (RFC 9110, 10.2.3), bounded; `now` is Unix time."""
        told = self.headers.get("retry-after", "")
        if told.isascii() and told.isdecimal():
            return span(told)
        try:
            at = parsedate_to_datetime(told)
        except (ValueError, TypeError, OverflowError):
            return None
        return span(at.timestamp() - now) if at.tzinfo else None

    def kept(self) -> dict[str, Any]:
        """The status and the beginning of the body, masked: what an error may hold (`CrmError.answer`)."""
        # Masked before it is cut: the rest of a secret that was cut is no longer known as one.
        text = masked(self.body[: 8 * _KEPT].decode(errors="replace"), self.secrets)
        return {"status": self.status, "text": text[:_KEPT]}


class Http:
    """The client of one connection. `secrets` are never in what an answer keeps; `seconds` is how long it waits."""

    def __init__(
        self,
        networks: Sequence[Network] = (),
        *,
        secrets: Sequence[str] = (),
        seconds: float = SECONDS,
        answer_bytes: int = ANSWER_BYTES,
    ) -> None:
        self._networks = networks
        self._secrets = tuple(secrets)
        self._seconds = seconds
        self._answer_bytes = answer_bytes
        self._session: aiohttp.ClientSession | None = None
        self._on_their_way = 0
        self._is_closing = False

    async def send(
        self,
        method: str,
        url: str | URL,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        json: Any = None,
        form: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        body: bytes | None = None,
        seconds: float | None = None,
    ) -> Answer:
        """Send one request, with `json`, `form` (URL-encoded) or `body`; wait for its answer `seconds`, or as usual.

        Raises:
            TransientError: nobody was there (`is_away`); nothing was sent.
            UnknownOutcomeError: it was sent, and no whole answer came in time.

        """
        said = {"User-Agent": _AGENT, "Accept-Encoding": "identity", **(headers or {})}
        if json is not None:
            body = json_text.dumps(json, ensure_ascii=False, separators=(",", ":")).encode()
            said = {"Content-Type": "application/json", **said}
        patience = self._seconds if seconds is None else seconds
        limits = aiohttp.ClientTimeout(total=patience, sock_connect=patience * 2 / 3)
        to = self._checked(url)
        self._on_their_way += 1
        try:
            async with self._client().request(
                method,
                to,
                headers=said,
                params=query,
                data=_streamed(body)
                if form is None
                else aiohttp.FormData(dict(form) if isinstance(form, Mapping) else form),
                allow_redirects=False,
                timeout=limits,
            ) as response:
                return await self._answer(response)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _unanswered(error) from None
        finally:
            self._on_their_way -= 1
            if self._is_closing:
                await self.close()

    async def close(self) -> None:
        """Close the connections, each when its request has ended: a token that is renewed just now must be heard."""
        self._is_closing = True
        if self._session is not None and not self._on_their_way:
            await self._session.close()
            self._session = None

    def _checked(self, url: str | URL) -> URL:
        try:
            to = URL(url) if isinstance(url, str) else url
            check_host(to, self._networks)
        except ValueError:
            raise TransientError("the address is none", is_away=True) from None
        except RefusedError as error:
            raise _unanswered(error) from None
        return to

    async def _answer(self, response: aiohttp.ClientResponse) -> Answer:
        body = bytearray()
        is_whole = True
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > self._answer_bytes:
                is_whole = False
                break
        told = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, told, bytes(body[: self._answer_bytes]), is_whole, self._secrets)

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    # A connection that is kept may be closed by the other side as a request goes out: another doubt.
                    resolver=Guarded(self._networks),
                    use_dns_cache=False,
                    force_close=True,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
            )
        return self._session


def _streamed(body: bytes | None) -> bytes | BytesIO | None:
    """A large body piece by piece: written at once it would hold up everything else that this process does."""
    return BytesIO(body) if body is not None and len(body) > _STREAMED_BYTES else body


def _unanswered(error: Exception) -> CrmError:
    """Nobody was there, and nothing was sent; or it was, and nobody knows."""
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(inner, RefusedError) or isinstance(inner.__cause__, RefusedError):
        # A name may lead elsewhere for a while, and a setting be mended: what is owed waits for that.
        return TransientError("the address leads into a network that crm.networks does not name", is_away=True)
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.InvalidURL | aiohttp.ConnectionTimeoutError):
        return TransientError(f"nobody answers there: {type(error).__name__}", is_away=True)
    return UnknownOutcomeError(f"no whole answer: {type(error).__name__}")
