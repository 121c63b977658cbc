"""Addresses at which a client answers without a login: the ask's id and a signature that only the database can make."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from directory import keys

PREFIX: Final = "/nps/"
_WHAT: Final = "nps"
_ID_BYTES: Final = 16
_SIGNATURE_BYTES: Final = 16


async def path_of(connection: AsyncConnection, ask: UUID) -> str:
    """Where the client of this ask answers, on this service."""
    _, secret = await keys.newest(connection, "links")
    return PREFIX + base64.urlsafe_b64encode(ask.bytes + _signature(secret, ask)).decode().rstrip("=")


async def opened(connection: AsyncConnection, token: str) -> UUID | None:
    """The ask behind an address; None: it is none of ours."""
    secret = await keys.known(connection, "links")
    try:
        told = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if secret is None or len(told) != _ID_BYTES + _SIGNATURE_BYTES:
        return None
    ask = UUID(bytes=told[:_ID_BYTES])
    return ask if hmac.compare_digest(told[_ID_BYTES:], _signature(secret, ask)) else None


def _signature(secret: bytes, ask: UUID) -> bytes:
    return keys.signed(secret, _WHAT, ask.hex)[:_SIGNATURE_BYTES]
