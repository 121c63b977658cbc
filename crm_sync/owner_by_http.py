"""Asks a CRM, or a small program before it, by HTTP whose caller a number is (docs/how_to/connect_a_crm.md)."""

from __future__ import annotations

import json
import re
from typing import Final

import aiohttp

_KEY: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_BYTES_MOST: Final = 65_536


class OwnerNotTold(Exception):
    """The other side answered, but told no owner; the text says what was wrong, and never repeats what it sent."""


class HttpOwners:
    """`POST url` with `{"number": "79161234567"}` answers `{"owner": "anna"}`, or null for nobody.

    Redirects are not followed: the token is for this address alone. How long to wait is for the caller to say.
    """

    def __init__(self, url: str, token: str = "") -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, number: str) -> str | None:
        """Key of the person who owns `number` (E.164 digits), None for nobody.

        Raises:
            OwnerNotTold: the answer is an error, or no answer to the question.
            aiohttp.ClientError: nobody answers, or not in HTTP.

        """
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers)
        async with self._session.post(self._url, json={"number": number}, allow_redirects=False) as response:
            if response.status != 200:
                raise OwnerNotTold(f"status {response.status}")
            if response.content_type != "application/json":
                raise OwnerNotTold("the answer is not application/json")
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > _BYTES_MOST:
                    raise OwnerNotTold(f"the answer is longer than {_BYTES_MOST} bytes")
        return read_owner(bytes(body))

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def read_owner(body: bytes) -> str | None:
    """The owner that an answer tells. Raises OwnerNotTold."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise OwnerNotTold("the answer is not JSON") from None
    if not isinstance(told, dict) or "owner" not in told:
        raise OwnerNotTold('the answer has no "owner"')
    owner = told["owner"]
    if owner is None:
        return None
    if not isinstance(owner, str) or not _KEY.fullmatch(owner):
        raise OwnerNotTold('"owner" is no key of a person')
    return owner
