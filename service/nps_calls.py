"""Has clients called who are to be asked how willing they are to recommend the house; what came of it the record tells.

An ask is taken in the database before the PBX is told of it, so that a client is called at most once for it, whoever
dies in between.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from directory.model import Directory, Line
from reports import nps_rows as rows
from reports.nps import line_of, open_from
from routing.memory import Memory
from routing.outgoing import Allowed, Usage, may_call
from routing.requests import Desk, usage
from service.judge import shown_by
from telephony.link import Link
from telephony.nps import EXISTS, Question, originate
from telephony.pbx import ActionRefused, LinkError
from telephony.plan_variables import UnsafeDialError

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 5.0
_NO_ROOM: Final = timedelta(minutes=10)
"""So much later a client is asked for whom the house's limits on calls out leave no room now."""

_WAITS: Final = timedelta(days=rows.LATE_DAYS)


class NpsCalls:
    """The calls of one PBX that ask; `run` ends only by cancellation."""

    def __init__(self, link: Link, memory: Memory, engine: AsyncEngine) -> None:
        self._link = link
        self._pbx = link.settings.name
        self._memory = memory
        self._engine = engine

    async def run(self, every_seconds: float = LOOK_SECONDS) -> None:
        """Look for ever; a database that is away is asked again."""
        while True:
            await asyncio.sleep(every_seconds)
            directory = self._memory.directory
            if directory is None or not directory.nps.asks or not self._link.state.connected:
                continue
            try:
                while await self._ask_next(directory):
                    pass
            except Exception as error:  # noqa: BLE001  # whatever the driver raises: the next look tries again
                log.warning("nobody could be asked now", pbx=self._pbx, error=type(error).__name__)

    async def _ask_next(self, directory: Directory) -> bool:
        """Call the client who is due first; False when nobody is."""
        now = datetime.now(UTC)
        async with self._engine.begin() as connection:
            row = await rows.take(connection, self._pbx)
            if row is None:
                return False
            line = line_of(directory, row.line)
            verdict = await rows.judge(connection, directory, row, now, own=row.id)
            opens = open_from(directory, line, now) if line else None
            if directory.nps.way != "call" or line is None or verdict.due_at is None or opens is None:
                await rows.decline(connection, row.id, verdict.why or "policy")
                return True
            if opens > now:
                await rows.put_off(connection, row.id, opens)
                return True
            if not await _is_room(connection, directory, row):
                if now - row.planned_at > _WAITS + timedelta(minutes=directory.nps.delay_minutes):
                    await rows.decline(connection, row.id, "not_allowed")
                else:
                    await rows.put_off(connection, row.id, now + _NO_ROOM)
                return True
        await self._call(directory, line, row)
        return True

    async def _call(self, directory: Directory, line: Line, row: Any) -> None:
        """Have the PBX call; after a lost answer the record tells whether it did."""
        policy = directory.nps
        question = Question(
            id=row.id,
            number=row.number,
            trunk=line.trunk or "",
            line=line.number,
            shown=shown_by(line),
            language=directory.language_of(line),
            prompt=policy.prompt,
            comment_prompt=policy.comment_prompt,
            comment_seconds=policy.comment_seconds,
        )
        why = ""
        try:
            reply = await self._link.action({"Action": "Getvar", "Variable": EXISTS})
            if reply.fields.get("Value") == "1":
                await self._link.action(originate(question))
            else:
                why = "old_dialplan"
        except (UnsafeDialError, ActionRefused) as error:
            log.warning("the PBX does not ask a client", pbx=self._pbx, ask=str(row.id), error=str(error))
            why = "pbx_refused"
        except LinkError as error:
            log.warning("a client may not have been called", pbx=self._pbx, ask=str(row.id), error=str(error))
        if why:
            async with self._engine.begin() as connection:
                await rows.fail(connection, row.id, why)
        log.info("a client is asked", pbx=self._pbx, ask=str(row.id), failed=why)


async def _is_room(connection: AsyncConnection, directory: Directory, row: Any) -> bool:
    """Whether the company's limits and budget allow one call more, those that ask counted too; it is nobody's call."""
    used = await usage(connection, directory, None, Desk(asking=partial(rows.called_since, but=row.id)))
    minute, hour = await rows.called_lately(connection, but=row.id)
    company = Usage(
        company_minute=used.company_minute + minute,
        company_hour=used.company_hour + hour,
        company_spent=used.company_spent,
    )
    return isinstance(may_call(f"+{row.number}", None, directory, company), Allowed)
