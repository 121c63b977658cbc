"""Makes synthetic calls: on a schedule and when somebody asks, one at a time, and follows each to its last step.

How far one came is read from the record, so whoever attends the PBX next goes on with what is left. A call is taken in
the database before the PBX is asked for it: it is begun at most once.
"""

from __future__ import annotations

from typing import Any, Final

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.record import state_call
from calls.synthetic import OK
from service.listening import Listening, keep_doing
from service.settings import SyntheticSettings
from service.synthetic_steps import Seen, Side, progress
from telephony import synthetic_calls as rows
from telephony.link import Link
from telephony.pbx import ActionRefused, LinkError
from telephony.plan_variables import UnsafeDialError
from telephony.synthetic import EXISTS, caller_of, originate

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

OLD: Final = "the PBX's switchhook.conf is older than this version: it has no [switchhook-synthetic]"

_CALL = text(
    """
    select coalesce(c.joined_into, c.id) as id, c.state from call_names n join calls c on c.id = n.call_id
    where n.pbx = :pbx and n.name = :name
    """
)
_SIDES = text("select side, state, coalesce(reason, '') as reason, stored_at from recordings where call_id = :call")
_TEXT = text("select words, made_at from transcripts where call_id = :call")
_OWED = text(
    """
    select key, step from crm_connections cross join unnest(steps) as step
    where state in ('active', 'shadow') and step in ('call_finished', 'recording', 'transcript') and since <= :began
    """
)
_PLANNED = text("select connection, step, planned_at from crm_effects where call_id = :call")


class Synthetic:
    """The synthetic calls of one PBX; `run` ends only by cancellation."""

    def __init__(self, link: Link, engine: AsyncEngine, listening: Listening, settings: SyntheticSettings) -> None:
        """`settings`: with `every_minutes` of 0 calls are made when somebody asks alone."""
        self._link = link
        self._pbx = link.settings.name
        self._engine = engine
        self._settings = settings
        self._wake = listening.wake(rows.CHANNEL)

    async def run(self) -> None:
        """Make what is due and wanted, and follow what goes on, until cancelled."""
        await keep_doing("synthetic calls", self._wake, self._link, self._want_next, self._begin, self._follow)

    async def _want_next(self) -> None:
        told = self._settings
        if told.every_minutes and told.line:
            async with self._engine.begin() as connection:
                await rows.want_next(connection, self._pbx, told.line, told.language, told.every_minutes * 60)

    async def _begin(self) -> None:
        async with self._engine.begin() as connection:
            row = await rows.take(connection, self._pbx)
        if row is None:
            return
        why = "nobody attended the PBX in time" if row.late else await self._originate(row)
        if why:
            await self._over(row, {}, "begun", why)

    async def _originate(self, row: Any) -> str:
        """Have the PBX make the call; why it did not, or empty. After a lost answer the record tells."""
        try:
            reply = await self._link.action({"Action": "Getvar", "Variable": EXISTS})
            if reply.fields.get("Value") != "1":
                return OLD
            await self._link.action(originate(row.id, row.line, row.language))
        except UnsafeDialError as error:
            return str(error)
        except ActionRefused as error:
            return f"the PBX refused it: {error}"
        except LinkError as error:
            log.warning("a synthetic call may not have reached the PBX", pbx=self._pbx, error=str(error))
        return ""

    async def _follow(self) -> None:
        async with self._engine.connect() as connection:
            going_on = await rows.going_on(connection, self._pbx)
        for row in going_on:
            async with self._engine.connect() as connection:
                call_id, seen = await _seen(connection, row)
            come = progress(seen, row.began_at, float(row.age), row.language, self._settings.text_minutes * 60)
            if come.whole or come.failed:
                await self._over(row, come.steps, come.failed or OK, come.why, call_id)
            elif come.steps != row.steps:
                async with self._engine.begin() as connection:
                    await rows.note(connection, row.id, come.steps, call_id)

    async def _over(self, row: Any, steps: Any, result: str, why: str, call_id: Any = None) -> None:
        async with self._engine.begin() as connection:
            await rows.note(connection, row.id, steps, call_id, result, why)
        say = log.info if result == OK else log.warning
        say("synthetic call over", pbx=self._pbx, result=result, why=why, steps=dict(steps), call=str(call_id or ""))


async def _seen(connection: AsyncConnection, row: Any) -> tuple[Any, Seen]:
    """The id of the call, and what is in the record of it."""
    asked = {"pbx": row.pbx, "name": caller_of(row.id)}
    call = (await connection.execute(_CALL, asked)).one_or_none()
    if call is None:
        return None, Seen()
    told = {"call": call.id}
    sides = (await connection.execute(_SIDES, told)).all()
    words = (await connection.execute(_TEXT, told)).one_or_none()
    owed = (await connection.execute(_OWED, {"began": row.began_at})).all()
    planned = (await connection.execute(_PLANNED, told)).all()
    return call.id, Seen(
        call=state_call(call.state),
        sides={one.side: Side(one.state, one.reason, one.stored_at) for one in sides},
        words=words.words if words else None,
        text_at=words.made_at if words else None,
        owed=[(one.key, one.step) for one in owed],
        planned={(one.connection, one.step): one.planned_at for one in planned},
    )
