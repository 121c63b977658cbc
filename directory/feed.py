"""Fetches a calendar from its address: the one file of this room that speaks to the network.

The address may lead anywhere, and whoever answers may answer anything:
1. Only http and https, and never from https to http. Every hop is checked anew, at most five of them.
2. Only public addresses, and the networks that the settings name (`directory.networks`).
3. No more bytes and no more seconds than the limits; nothing compressed is taken, so a small answer stays small.
4. The address is a secret. No error and no log line holds more of it than its host.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from yarl import URL

from directory.networks import Guarded, Network, RefusedError, check_host

_HOPS_MOST: Final = 5
_PIECE_BYTES: Final = 65_536
_STATUS: Final = {401: "forbidden", 403: "forbidden", 404: "gone", 410: "gone", 429: "later"}
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class FeedError(Exception):
    """A calendar could not be fetched; the text is a key of a closed list (``FAILURES``)."""


FAILURES: Final = {
    "unreachable": "the server cannot be reached",
    "address_refused": "the address leads into a network that calendars.networks does not name",
    "too_slow": "it took too long",
    "too_large": "it is larger than calendars.bytes_most",
    "compressed": "the server sends it compressed although it was asked not to",
    "redirected": "the server sends us on and on, or to an address that may not be",
    "forbidden": "the server refuses it (401 or 403): the address may have been renewed",
    "gone": "the server does not have it (404 or 410)",
    "later": "the server asks to come less often (429)",
    "server_error": "the server fails (5xx)",
    "refused": "the server refuses it",
    "not_a_calendar": "what comes is no calendar: a page to log in, perhaps",
    "failed": "fetching or reading it failed in a way nobody foresaw: the log names the error",
    "too_many_times": "it has more events than anybody could attend",
    "partly_read": "some of its events cannot be read; the others count",
}
"""Why a calendar is not, or not wholly, as its server has it; each in words for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a calendar may cost: ``networks`` are those inside the house where calendars may be."""

    networks: Sequence[Network] = field(default_factory=tuple)
    bytes_most: int = 5_000_000
    seconds_most: float = 20.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """What the server had; ``body`` is None when it is still what ``etag`` stands for."""

    body: bytes | None
    etag: str | None


async def fetch(address: str, limits: Limits, etag: str | None = None) -> Fetched:
    """Fetch a calendar, unless it is still the one of ``etag``. Raises FeedError."""
    connector = aiohttp.TCPConnector(resolver=Guarded(limits.networks), use_dns_cache=False, force_close=True)
    timeout = aiohttp.ClientTimeout(total=limits.seconds_most)
    jar = aiohttp.DummyCookieJar()
    try:
        async with (
            asyncio.timeout(limits.seconds_most),
            aiohttp.ClientSession(
                connector=connector, timeout=timeout, cookie_jar=jar, trust_env=False, auto_decompress=False
            ) as session,
        ):
            return await _follow(session, URL(address), limits, etag)
    except TimeoutError:
        raise FeedError("too_slow") from None
    except RefusedError:
        raise FeedError("address_refused") from None
    except (aiohttp.ClientError, OSError, ValueError, UnicodeError) as error:
        refused = isinstance(error.__cause__, RefusedError) or isinstance(error.__context__, RefusedError)
        raise FeedError("address_refused" if refused else "unreachable") from None


async def _follow(session: aiohttp.ClientSession, url: URL, limits: Limits, etag: str | None) -> Fetched:
    headers = {"Accept": "text/calendar", "Accept-Encoding": "identity", "User-Agent": "Switchhook"}
    headers |= {"If-None-Match": etag} if etag else {}
    for _ in range(_HOPS_MOST + 1):
        check_host(url, limits.networks)
        async with session.get(url, headers=headers, allow_redirects=False) as response:
            if response.status in _REDIRECTS:
                url = _next(url, response.headers.get("Location", ""))
                continue
            if response.status == 304 and etag:
                return Fetched(None, etag)
            if response.status != 200:
                failed = "server_error" if response.status >= 500 else "refused"
                raise FeedError(_STATUS.get(response.status, failed))
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise FeedError("compressed")
            return Fetched(await _body(response, limits.bytes_most), _etag(response))
    raise FeedError("redirected")


async def _body(response: aiohttp.ClientResponse, most: int) -> bytes:
    if (response.content_length or 0) > most:
        raise FeedError("too_large")
    body = bytearray()
    async for piece in response.content.iter_chunked(_PIECE_BYTES):
        body += piece
        if len(body) > most:
            raise FeedError("too_large")
    return bytes(body)


def _etag(response: aiohttp.ClientResponse) -> str | None:
    told = response.headers.get("ETag", "")
    return told if 0 < len(told) <= 200 and told.isascii() and told.isprintable() else None


def _next(url: URL, location: str) -> URL:
    try:
        following = url.join(URL(location))
    except ValueError:
        raise FeedError("redirected") from None
    downgraded = url.scheme == "https" and following.scheme != "https"
    if not location or following.scheme not in {"http", "https"} or not following.host or downgraded:
        raise FeedError("redirected")
    return following
