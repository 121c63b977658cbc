"""What `switchhook recordings` does and prints."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from service.faults import UserFault
from service.settings import Settings
from service.wiring import open_house
from web import upload_tokens
from web.api.gaps import gap_page
from web.api.models import Gap
from web.finding import GAP, Filters
from web.rights import Scope

_ALL: Final = Scope(everything=True, live=True, people=frozenset(), lines=frozenset())
_MOST = 1000


async def list_gaps(settings: Settings, since: datetime, line: str) -> tuple[list[dict[str, Any]], str]:
    """(JSON, a line a side): the calls since then whose audio is not complete, the newest first, at most a thousand."""
    async with open_house(settings, pool=1) as house, house.engine.connect() as connection:
        page = await gap_page(connection, _ALL, Filters(since=since, line=line, audio=GAP), None, _MOST)
    words = [line for gap in page.items for line in _lines(gap)]
    return [one.model_dump(mode="json") for one in page.items], "\n".join(words) or "every recording is complete"


def _lines(gap: Gap) -> list[str]:
    head = f"{gap.started_at.astimezone().isoformat(timespec='seconds')}  {gap.call_id}  {gap.state}"
    where = f"line {gap.line or 'none'}, trunk {gap.trunk or 'none'}, transfer {gap.transfer}"
    return [f"{head}  ({where})", *(f"    {one.side}: {one.state}, {one.reason}" for one in gap.sides)]


async def make_token(settings: Settings, pbx: str) -> str:
    """An upload token for a PBX of the settings. Raises UserFault for one that does not upload."""
    if not any(one.name == pbx and one.uploads for one in settings.pbx):
        uploading = ", ".join(one.name for one in settings.pbx if one.uploads) or "none does"
        raise UserFault(f"pbx: must be one that uploads by the settings (uploads = true; {uploading}), got {pbx!r}")
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        return await upload_tokens.create(connection, pbx)


async def revoke_tokens(settings: Settings, pbx: str) -> int:
    """End the upload tokens of a PBX; how many there were. Raises UserError when there was none."""
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        return await upload_tokens.revoke(connection, pbx)
