"""What `switchhook wallboard` does and prints."""

from __future__ import annotations

from typing import Any

from directory import store
from recordings.audit import THE_OPERATOR
from service.faults import UserFault
from service.settings import Settings
from service.wiring import open_house
from web import wall_links
from web.wall_links import WallLink, WallLinkRefused


async def make_link(settings: Settings, label: str, team: str | None) -> dict[str, Any]:
    """{"number", "path"}: the path stands behind the address of the pages."""
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        try:
            number, path = await wall_links.make(connection, THE_OPERATOR, await store.read(connection), label, team)
        except WallLinkRefused as error:
            raise UserFault(str(error)) from None
    return {"number": number, "path": path}


async def list_links(settings: Settings) -> tuple[list[dict[str, Any]], str]:
    """Every link that opens something, in JSON and in words."""
    async with open_house(settings, pool=1) as house, house.engine.connect() as connection:
        found = await wall_links.alive(connection)
    return [_json(one) for one in found], "\n".join(map(_words, found)) or "no links"


async def revoke_link(settings: Settings, number: int) -> None:
    """End a link."""
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        try:
            await wall_links.revoke(connection, THE_OPERATOR, number)
        except WallLinkRefused as error:
            raise UserFault(str(error)) from None


def _json(one: WallLink) -> dict[str, Any]:
    times = {name: at.isoformat() if (at := getattr(one, name)) else None for name in ("made_at", "used_at")}
    return {"number": one.id, "label": one.label, "team": one.team, "made_by": one.made_by, **times}


def _words(one: WallLink) -> str:
    used = f"last shown {one.used_at.astimezone().isoformat(timespec='minutes')}" if one.used_at else "not opened yet"
    return f"{one.id:>6}  {one.label}  {one.team or 'the whole house'}, made by {one.made_by}, {used}"
