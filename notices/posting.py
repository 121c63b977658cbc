"""Asking by HTTP: what did not get out is told apart from what may have arrived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp
from aiohttp import FormData

from notices.channel import AnswerLost, TryLater

_SECONDS: Final = 20.0
_BYTES_MOST: Final = 65_536
_WAIT_MOST: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Answered:
    """What the other side answered; `wait_seconds`: its Retry-After, None when it does not say."""

    status: int
    body: bytes
    wait_seconds: float | None


class Poster:
    """Posts JSON or forms, follows no redirect, reads no long answer; addresses with secrets in them are not logged."""

    def __init__(self, seconds: float = _SECONDS) -> None:
        self._timeout = aiohttp.ClientTimeout(total=seconds)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: bytes | FormData, headers: Mapping[str, str] | None = None) -> Answered:
        """Post JSON, or a form that says of what type it is.

        Raises TryLater when it surely did not get out, AnswerLost when it may have.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        kind = {"Content-Type": "application/json"} if isinstance(body, bytes) else {}
        told = {**kind, **(headers or {})}
        try:
            async with self._session.post(url, data=body, headers=told, allow_redirects=False) as response:
                head = await response.content.read(_BYTES_MOST)
                return Answered(response.status, head, seconds_of(response.headers.get("Retry-After", "")))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL):
            raise TryLater("unreachable") from None
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise AnswerLost from None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def seconds_of(told: object) -> float | None:
    """How long to wait by an answer's word, an hour at most; None when it says nothing that can be read."""
    text = str(told)
    return min(float(text), _WAIT_MOST) if text.isascii() and text.isdecimal() else None
