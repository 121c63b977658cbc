"""`switchhook leads attention`: which leads need somebody, and who has too many."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from service.cli.terminal import Json, settled, tell


def leads_attention(as_json: Json = False) -> None:
    """List leads that are overdue, forgotten or long at their stage, and people who have too many."""
    tell(_attention(), as_json=as_json)


async def _attention() -> tuple[dict[str, Any], str]:
    from crm_sync.book.attention import attention
    from directory import store
    from service.wiring import open_house

    async with open_house(settled(), pool=1) as house, house.engine.connect() as connection:
        directory = await store.read(connection)
        found = await attention(connection, directory, datetime.now(UTC))
    lines = []
    for name, listed in (("overdue", found.overdue), ("forgotten", found.forgotten), ("long", found.long)):
        lines.append(f"{name}: {found.counts[name]}")
        lines += [
            f"  lead {one.id}  {one.name or one.number or 'unknown'}  {one.stage}  {one.owner or 'nobody'}"
            f"  since {one.since:%Y-%m-%d}"
            for one in listed
        ]
    lines.append(f"overloaded: {found.counts['overloaded']}")
    lines += [f"  {one.person}  {one.open_count} open, limit {one.limit}" for one in found.overloaded]
    return found.to_json(), "\n".join(lines)
