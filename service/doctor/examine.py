"""Looks at everything at once, and tells it in the order of the list."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack

from service.doctor.check import Check
from service.doctor.database import open_known
from service.doctor.look import Known, Look, Of, made
from service.doctor.looks import OF_A_PBX, OF_THE_DATABASE, OF_THE_HOUSE
from service.doctor.pbx import HOW, open_asked
from service.settings import PbxSettings, Settings


def render(checks: Sequence[Check]) -> str:
    """One line a check for people; the remedy stands below what needs it."""
    lines = []
    for check in checks:
        lines.append(f"{check.state:<4}  {check.name}: {check.why}")
        if check.remedy and check.state != "ok":
            lines.append(f"      -> {check.remedy}")
    return "\n".join(lines)


async def examine(settings: Settings, topics: Collection[str] = ()) -> list[Check]:
    """Look at everything, or at what is of these topics; a look that cannot be made is a failed check."""
    async with AsyncExitStack() as stack:
        checks, known = await open_known(settings, stack)
        house = [_looked(look, settings, topics) for look in OF_THE_HOUSE]
        stored = [_looked(look, known, topics) for look in OF_THE_DATABASE] if known is not None else []
        pbxes = [_pbx(pbx, settings, known, topics) for pbx in settings.pbx]
        for found in await asyncio.gather(*stored, *house, *pbxes):
            checks += found
    if not settings.pbx and (not topics or "pbx" in topics):
        remedy = f"add a [[pbx]] table to switchhook.toml; see {HOW}"
        checks.append(Check("pbx", "fail", "no PBX in the settings", remedy))
    return checks


async def _looked(look: Look[Of], of: Of, topics: Collection[str], name: str = "") -> list[Check]:
    return await made(look, of, name) if not topics or look.topic in topics else []


async def _pbx(pbx: PbxSettings, settings: Settings, known: Known | None, topics: Collection[str]) -> list[Check]:
    """All that is asked of one PBX goes through one connection."""
    if topics and not any(look.topic in topics for look in OF_A_PBX):
        return []
    async with open_asked(pbx, settings, known) as (check, asked):
        checks = [check]
        if asked is not None:
            for found in await asyncio.gather(*(_looked(look, asked, topics, pbx.name) for look in OF_A_PBX)):
                checks += found
    return checks
