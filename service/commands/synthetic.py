"""What `switchhook synthetic` does: wants a call of whoever attends the PBX, waits for its end, and tells its steps."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from calls.synthetic import OK, STEPS
from service.faults import UserFault
from service.settings import Settings
from service.wiring import open_house
from telephony import synthetic_calls as rows

_NOBODY_SECONDS: Final = 20.0
"""So long it is waited for whoever attends the PBX to begin."""
_LOOK_SECONDS: Final = 0.5

Told = tuple[Any, str, bool]
"""JSON, words, and whether all is well."""


async def make_one(settings: Settings, line: str | None) -> Told:
    """Make a call now. Raises UserFault where the settings name no line, or no PBX."""
    wanted, pbx = line or settings.synthetic.line, settings.synthetic_pbx
    if wanted is None or not wanted.isdecimal():
        raise UserFault(f"--line: must be the digits of a line of yours, or set synthetic.line, got {line!r}")
    if pbx is None:
        raise UserFault("pbx: none is set")
    async with open_house(settings, pool=1) as house:
        async with house.engine.begin() as connection:
            own = await rows.ask(connection, pbx, wanted, settings.synthetic.language)
        waited = 0.0
        while True:
            async with house.engine.begin() as connection:
                row = await rows.one(connection, own)
                if row.ended_at is None and row.began_at is None and waited >= _NOBODY_SECONDS:
                    why = "nobody attends the PBX: is `switchhook serve` running, and connected?"
                    await rows.note(connection, own, {}, None, "begun", why)
            if row.ended_at is not None:
                return to_json(row), words(row), row.result == OK
            await asyncio.sleep(_LOOK_SECONDS)
            waited += _LOOK_SECONDS


async def list_last(settings: Settings, most: int) -> Told:
    """The last calls, newest first; well when the newest that is over was."""
    async with open_house(settings, pool=1) as house, house.engine.connect() as connection:
        told = await rows.last(connection, most)
    over = [row.result == OK for row in told if row.result]
    return [to_json(row) for row in told], "\n\n".join(map(words, told)) or "none yet", not over or over[0]


def to_json(row: Any) -> dict[str, Any]:
    """One call as JSON; `steps` are seconds since it began."""
    return {
        "id": str(row.id),
        "pbx": row.pbx,
        "line": row.line,
        "asked_at": row.asked_at.isoformat(),
        "ended_at": row.ended_at.isoformat() if row.ended_at else None,
        "result": row.result,
        "why": row.why,
        "steps": {name: row.steps[name] for name in STEPS if name in row.steps},
        "call": str(row.call_id) if row.call_id else None,
    }


def words(row: Any) -> str:
    """The same for people: a line a step, and what failed."""
    head = f"{row.asked_at:%Y-%m-%d %H:%M:%S %Z}  line {row.line} of {row.pbx}: {row.result or 'goes on'}"
    lines = [head, *(f"  {name:<12}{row.steps[name]:>8.2f} s" for name in STEPS if name in row.steps)]
    if row.result and row.result != OK:
        lines.append(f"  {row.result:<12}  FAILED  {row.why}")
    return "\n".join([*lines, *([f"  switchhook explain {row.call_id}"] if row.call_id else [])])
