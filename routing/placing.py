"""The rows of wanted calls as those who place them take and settle them: one taker each, whoever dies in between."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls import claims

FRESH_SECONDS: Final = 20.0
"""A call that nobody placed for so long is not placed any more: who wanted it has given up."""

FAILURES: Final = (
    *("too_late", "no_device", "no_line", "pbx_refused", "interrupted", "no_answer", "rejected"),
    *("busy", "unreachable", "do_not_disturb", "off_shift", "is_the_caller"),
)
"""Why a call that was allowed did not come to be; others are the reasons of `routing.choice` for a person."""

_TAKE: Final = text(
    """
    update outgoing_calls set state = 'placing', pbx = :pbx, channel = 'switchhook-' || id,
           changed_at = clock_timestamp()
    where id = (select id from outgoing_calls
                where state = 'wanted' and (pbx is null or pbx = :pbx)
                  and asked_at > clock_timestamp() - make_interval(secs => :fresh)
                order by asked_at limit 1 for update skip locked)
    returning *
    """
)
_LATE: Final = text(
    """
    update outgoing_calls set state = 'failed', reason = 'too_late', changed_at = clock_timestamp()
    where state = 'wanted' and asked_at <= clock_timestamp() - make_interval(secs => :fresh)
    """
)
_SET: Final = text(
    """
    update outgoing_calls set state = :state, reason = :reason, device = coalesce(:device, device),
           changed_at = clock_timestamp()
    where id = :id and state in ('wanted', 'placing', 'placed') returning follow_up
    """
)
_LEFT: Final = text(
    """
    select o.id, o.state, o.channel, o.person, o.number, c.id as call_id, c.ended_at,
           extract(epoch from clock_timestamp() - o.changed_at) as age,
           c.state->'channels'->o.channel->>'up_at' is not null as answered
    from outgoing_calls o left join call_names n on n.pbx = o.pbx and n.name = o.channel
    left join calls c on c.id = n.call_id
    where o.pbx = :pbx and o.state in ('placing', 'placed') and not o.id = any(cast(:own as uuid[]))
    """
)
_AGAIN: Final = text(
    """
    update outgoing_calls set state = 'wanted', changed_at = clock_timestamp()
    where id = :id and state = 'placing' and asked_at > clock_timestamp() - make_interval(secs => :fresh)
    """
)


async def take(connection: AsyncConnection, pbx: str) -> Row[Any] | None:
    """Take the oldest wanted call of this PBX, or None; what waited too long has failed."""
    await connection.execute(_LATE, {"fresh": FRESH_SECONDS})
    return (await connection.execute(_TAKE, {"pbx": pbx, "fresh": FRESH_SECONDS})).one_or_none()


async def settle(
    connection: AsyncConnection, call_id: UUID, state: str, reason: str | None = None, device: str | None = None
) -> None:
    """Say what became of a call; the last word on it stays. Who looks at the promise that it is for is told."""
    told = {"id": call_id, "state": state, "reason": reason, "device": device}
    follow_up = (await connection.execute(_SET, told)).scalar()
    if follow_up is not None:
        await claims.tell(connection, follow_up)


async def left_behind(connection: AsyncConnection, pbx: str, own: list[UUID]) -> list[Row[Any]]:
    """The calls that another process took, or an earlier connection of ours, and whose end nobody told."""
    return list((await connection.execute(_LEFT, {"pbx": pbx, "own": own})).all())


async def want_again(connection: AsyncConnection, call_id: UUID) -> bool:
    """Give a call that never reached its PBX back to be placed; False: it is too old for that."""
    return (await connection.execute(_AGAIN, {"id": call_id, "fresh": FRESH_SECONDS})).rowcount > 0
