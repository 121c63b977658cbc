"""Links at which a recording is heard without a login, until they expire: for CRMs and whoever works in them.

An address holds the link's number and a signature over the number, the call, what may be heard, and until when. Knowing
numbers is worth nothing: without the signature there is no such address, and only the database has the key.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from directory import keys
from recordings.audit import Actor, note
from recordings.privacy_tables import links

PREFIX: Final = "/linked/"
DAYS: Final = 7
DAYS_MOST: Final = 90
_WHAT: Final = "recording"


class LinkRefused(ValueError):
    """A link that cannot be made or ended; the text names the value and why."""


class NoLinkError(Exception):
    """Nothing stands behind this address, or not what was signed."""


class LinkOverError(Exception):
    """There was a recording behind this address. `call_id` of one that expired; None: it was revoked."""

    def __init__(self, call_id: UUID | None) -> None:
        super().__init__("revoked" if call_id is None else "expired")
        self.call_id = call_id


@dataclass(frozen=True, slots=True)
class Link:
    """One link. `path` is its address on this service."""

    id: int
    call_id: UUID
    made_by: str
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    path: str


async def make(
    connection: AsyncConnection, actor: Actor, call_id: UUID, days: int = DAYS, *, now: datetime | None = None
) -> Link:
    """Make a link to the recording of a call that opens it until so many days after `now`. Raises LinkRefused."""
    if not 1 <= days <= DAYS_MOST:
        raise LinkRefused(f"days: must be 1 to {DAYS_MOST}, got {days}")
    key_id, secret = await keys.newest(connection, "links")
    expires_at = ((now or datetime.now(UTC)) + timedelta(days=days)).replace(microsecond=0)
    row = {"call_id": call_id, "key_id": key_id, "made_by": actor.login, "expires_at": expires_at}
    made = (await connection.execute(insert(links).values(row).returning(links))).one()
    told = {"call": str(call_id), "expires_at": expires_at.isoformat()}
    await note(connection, actor, "link_made", f"link {made.id}", told)
    return _link(made, secret)


async def path_of(connection: AsyncConnection, link_id: int) -> str | None:
    """The address of a link on this service; None when there is none."""
    row = (await connection.execute(select(links).where(links.c.id == link_id))).one_or_none()
    return _link(row, await keys.secret_of(connection, row.key_id, "links") or b"").path if row else None


async def of_call(connection: AsyncConnection, call_id: UUID) -> list[Link]:
    """The links to a call that still open something, the newest first."""
    still = (links.c.call_id == call_id, links.c.revoked_at.is_(None), links.c.expires_at > func.clock_timestamp())
    rows = (await connection.execute(select(links).where(*still).order_by(links.c.id.desc()))).all()
    return [_link(row, await keys.secret_of(connection, row.key_id, "links") or b"") for row in rows]


async def revoke(connection: AsyncConnection, actor: Actor, link_id: int) -> UUID:
    """End a link; one that is over stays so. Returns its call. Raises LinkRefused when there is none."""
    asked = select(links.c.call_id, links.c.revoked_at).where(links.c.id == link_id)
    row = (await connection.execute(asked.with_for_update())).one_or_none()
    if row is None:
        raise LinkRefused(f"link: there is no link {link_id}")
    if row.revoked_at is None:
        ended = update(links).where(links.c.id == link_id).values(revoked_at=func.clock_timestamp())
        await connection.execute(ended)
        await note(connection, actor, "link_revoked", f"link {link_id}", {"call": str(row.call_id)})
    call_id: UUID = row.call_id
    return call_id


async def revoke_of(connection: AsyncConnection, actor: Actor, login: str) -> None:
    """End every link that this login made."""
    still = (links.c.made_by == login, links.c.revoked_at.is_(None), links.c.expires_at > func.clock_timestamp())
    for link_id in (await connection.execute(select(links.c.id).where(*still).order_by(links.c.id))).scalars():
        await revoke(connection, actor, link_id)


async def rotate(connection: AsyncConnection, actor: Actor, *, end_links: bool) -> int:
    """Sign with a new key from now on; `end_links`: what older keys signed is revoked. Returns how many were."""
    key_id, _ = await keys.make(connection, "links")
    count = 0
    if end_links:
        still = (links.c.key_id != key_id, links.c.revoked_at.is_(None), links.c.expires_at > func.clock_timestamp())
        ended = update(links).where(*still).values(revoked_at=func.clock_timestamp())
        count = (await connection.execute(ended)).rowcount
    await note(connection, actor, "link_key_made", f"key {key_id}", {"links_ended": count})
    return count


async def opened(connection: AsyncConnection, told: str) -> Link:
    """The link behind what stands after PREFIX. Raises NoLinkError, LinkOverError."""
    number, _, signature = told.partition(".")
    try:
        mac = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    except (binascii.Error, ValueError):
        raise NoLinkError from None
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise NoLinkError
    row = (await connection.execute(select(links).where(links.c.id == int(number)))).one_or_none()
    secret = await keys.secret_of(connection, row.key_id, "links") if row else None
    if row is None or secret is None or not hmac.compare_digest(mac, _signature(row, secret)):
        raise NoLinkError
    if row.revoked_at is not None:
        raise LinkOverError(None)
    if row.expires_at <= datetime.now(UTC):
        raise LinkOverError(row.call_id)
    return _link(row, secret)


def _link(row: Any, secret: bytes) -> Link:
    signature = base64.urlsafe_b64encode(_signature(row, secret)).decode().rstrip("=")
    columns = {name: getattr(row, name) for name in Link.__slots__ if name != "path"}
    return Link(**columns, path=f"{PREFIX}{row.id}.{signature}")


def _signature(row: Any, secret: bytes) -> bytes:
    expires = row.expires_at.astimezone(UTC).isoformat()
    return keys.signed(secret, str(row.id), str(row.call_id), _WHAT, expires, str(row.key_id))
