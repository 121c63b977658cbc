"""Links at which a screen on a wall shows the wallboard without anybody's login, until they are revoked.

Whoever knows the address sees the numbers of the wallboard and nothing else. Only its SHA-256 is kept.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from directory.model import Directory
from recordings.audit import Actor, note
from web.tables import wall_links

LABEL_MOST: Final = 60
ALIVE_MOST: Final = 200
_SEEN_EVERY: Final = timedelta(minutes=1)


class WallLinkRefused(ValueError):
    """A link that cannot be made or ended: `field` names the value, the text says why."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field


@dataclass(frozen=True, slots=True)
class WallLink:
    """One link as it is listed; `team` None: it shows the whole house."""

    id: int
    label: str
    team: str | None
    made_by: str
    made_at: datetime
    used_at: datetime | None


async def make(
    connection: AsyncConnection,
    actor: Actor,
    directory: Directory,
    label: str,
    team: str | None,
    *,
    led: Collection[str] | None = None,
) -> tuple[int, str]:
    """Make a link and give its number and its path, which nobody can be told again. Raises WallLinkRefused.

    `led`: the teams of which it may be; None: any, and the house.
    """
    label = label.strip()
    if not 1 <= len(label) <= LABEL_MOST or not label.isprintable():
        raise WallLinkRefused("label", f"must be 1 to {LABEL_MOST} printable characters, got {label[:80]!r}")
    if team is not None and directory.team(team) is None:
        raise WallLinkRefused("team", f"there is no team {team!r}")
    if led is not None and team not in led:
        raise WallLinkRefused("team", "must be one that you lead")
    alive = select(func.count()).select_from(wall_links).where(wall_links.c.revoked_at.is_(None))
    if (await connection.execute(alive)).scalar_one() >= ALIVE_MOST:
        raise WallLinkRefused("link", f"there are {ALIVE_MOST} already; revoke those that no screen needs")
    told = secrets.token_urlsafe(32)
    row = {"digest": _digest(told), "label": label, "team": team, "made_by": actor.login}
    number = int((await connection.execute(insert(wall_links).values(row).returning(wall_links.c.id))).scalar_one())
    await note(connection, actor, "wall_link_made", f"wall link {number}", {"label": label, "team": team})
    return number, f"/wall/{told}"


async def alive(connection: AsyncConnection, login: str = "", led: Collection[str] | None = None) -> list[WallLink]:
    """The links that open something, the newest first; of `led` teams and made by `login`, where only those count."""
    asked = select(wall_links).where(wall_links.c.revoked_at.is_(None)).order_by(wall_links.c.id.desc())
    return [_link(row) for row in await connection.execute(asked) if _is_theirs(row, login, led)]


async def opened(connection: AsyncConnection, told: str) -> WallLink | None:
    """The link of an address; None when it opens nothing, or nothing any more."""
    found = (wall_links.c.digest == _digest(told)) & wall_links.c.revoked_at.is_(None)
    row = (await connection.execute(select(wall_links).where(found))).one_or_none()
    if row is not None and (row.used_at is None or row.used_at < datetime.now(UTC) - _SEEN_EVERY):
        await connection.execute(update(wall_links).where(found).values(used_at=func.now()))
    return _link(row) if row is not None else None


async def revoke(connection: AsyncConnection, actor: Actor, number: int, led: Collection[str] | None = None) -> None:
    """End a link, of the teams `led` or their own where it is given; one that is over stays so.

    Raises WallLinkRefused when there is none of those.
    """
    row = (
        await connection.execute(select(wall_links).where(wall_links.c.id == number).with_for_update())
    ).one_or_none()
    if row is None or not _is_theirs(row, actor.login, led):
        raise WallLinkRefused("link", f"there is no wallboard link {number}")
    if row.revoked_at is None:
        ended = update(wall_links).where(wall_links.c.id == number).values(revoked_at=func.now())
        await connection.execute(ended)
        await note(connection, actor, "wall_link_revoked", f"wall link {number}", {"label": row.label})


async def revoke_of(connection: AsyncConnection, actor: Actor, login: str) -> None:
    """End every link that this login made."""
    asked = select(wall_links.c.id).where(wall_links.c.made_by == login, wall_links.c.revoked_at.is_(None))
    for number in (await connection.execute(asked.order_by(wall_links.c.id))).scalars().all():
        await revoke(connection, actor, number)


def _is_theirs(row: Any, login: str, led: Collection[str] | None) -> bool:
    return led is None or row.team in led or row.made_by == login


def _link(row: Any) -> WallLink:
    return WallLink(**{name: getattr(row, name) for name in WallLink.__slots__})


def _digest(told: str) -> bytes:
    return hashlib.sha256(told.encode()).digest()
