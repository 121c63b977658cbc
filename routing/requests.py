"""Calls to the outside are asked for here: judged, written down and told to who places them, in one transaction.

Whoever asks with a key asks once: the same key is answered with what was said first. Requests are judged one after
another, so that no limit is passed by two at once.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import Row, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from directory import store
from directory.model import Directory, Person
from directory.outgoing import NOTHING
from routing.outgoing import Allowed, Purpose, Usage, cost, may_call
from routing.plan import Reason
from routing.tables import UNDER_WAY, outgoing_calls

CHANNEL: Final = "switchhook_outgoing"
"""NOTIFY channel: a call is wanted; the payload is its id."""

_ONE_AT_A_TIME: Final = text("select pg_advisory_xact_lock(5040, 1)")
_NOTIFY: Final = text("select pg_notify(:channel, :payload)")
_COUNTED: Final = text(
    """
    select count(*) filter (where person is not distinct from :person and asked_at > now() - interval '1 minute'),
           count(*) filter (where person is not distinct from :person),
           count(*) filter (where asked_at > now() - interval '1 minute'), count(*)
    from outgoing_calls where asked_at > now() - interval '1 hour' and state <> 'refused'
    """
)
_SPENT: Final = text(
    """
    select c.dialed as number, o.person, extract(epoch from coalesce(c.ended_at, now()) - c.answered_at) as seconds
    from calls c left join (call_names n join outgoing_calls o on o.pbx = n.pbx and o.channel = n.name)
        on n.call_id = c.id
    where c.direction = 'outbound' and c.joined_into is null and c.answered_at is not null and c.started_at >= :since
    """
)

Flagged = Callable[[AsyncConnection, str], Awaitable[bool]]
"""Whether the party of a number (E.164 digits) does not want to be called."""

PbxOf = Callable[[AsyncConnection, list[str]], Awaitable[str | None]]
"""The PBX that knows one of these devices; None when none does."""


async def _nobody_flagged(_connection: AsyncConnection, _number: str) -> bool:
    return False


async def _any_pbx(_connection: AsyncConnection, _devices: list[str]) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Desk:
    """What other rooms know of a request, handed in by whoever starts this one."""

    flagged: Flagged = _nobody_flagged
    pbx_of: PbxOf = _any_pbx


ALONE: Final = Desk()
"""Knows of nothing in other rooms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A call that somebody wants. ``asked_by`` is a login, or the device on which it was dialled.

    ``line`` is the line to go out as where it is not the person's; ``pbx`` and ``channel`` are those of a call that is
    dialled on a phone already.
    """

    to: str
    person: str | None
    purpose: Purpose
    asked_by: str
    key: str | None = None
    line: str | None = None
    follow_up: int | None = None
    pbx: str | None = None
    channel: str | None = None
    device: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of a wish: its row's id, whether it may be, and why not.

    ``to_other_end`` tells that its key was used before, for another number or person; ``id`` is the row of then.
    """

    id: UUID
    state: str
    number: str
    reason: Reason | None = None
    reason_key: str | None = None
    to_other_end: bool = False


class UnknownPersonError(LookupError):
    """There is nobody of this key in the directory; nothing was written."""


async def ask(connection: AsyncConnection, wish: Wish, desk: Desk) -> Answered:
    """Judge a wish and write it down; a wanted call is told to who places it when the transaction commits.

    Raises UnknownPersonError.
    """
    await connection.execute(_ONE_AT_A_TIME)
    directory = await store.read(connection)
    if wish.key is not None and (before := await _asked_before(connection, wish, directory)) is not None:
        return before
    person = directory.person(wish.person) if wish.person is not None else None
    if wish.person is not None and person is None:
        raise UnknownPersonError(wish.person)
    number = directory.normal(wish.to)
    flagged = await desk.flagged(connection, number)
    used = await usage(connection, directory, person)
    judged = may_call(wish.to, person, directory, used, flagged=flagged)
    line = directory.line(wish.line) if wish.line else directory.outgoing_line(person)
    told = Answered(uuid4(), "dialled" if wish.purpose == "dialled" else "wanted", judged.number or number[:32])
    if not isinstance(judged, Allowed):
        told = replace(told, state="refused", reason=judged.reason, reason_key=judged.reason.key)
    devices = [device.address for device in person.devices] if person else []
    row = {
        "id": told.id,
        "state": told.state,
        "reason": told.reason_key,
        "number": told.number,
        "per_minute": judged.per_minute if isinstance(judged, Allowed) else NOTHING,
        "line": line.number if line else None,
        "pbx": wish.pbx or await desk.pbx_of(connection, devices),
        "idempotency_key": wish.key,
    }
    names = ("purpose", "person", "asked_by", "follow_up", "channel", "device")
    await connection.execute(insert(outgoing_calls).values(row | {name: getattr(wish, name) for name in names}))
    if told.state == "wanted":
        await connection.execute(_NOTIFY, {"channel": CHANNEL, "payload": str(told.id)})
    return told


async def usage(connection: AsyncConnection, directory: Directory, person: Person | None) -> Usage:
    """Count what was called before, and what it cost since the company's midnight."""
    key = person.key if person else None
    minute, hour, all_minute, all_hour = (await connection.execute(_COUNTED, {"person": key})).one()
    midnight = datetime.now(ZoneInfo(directory.company.time_zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    mine = everybodys = NOTHING
    if directory.outgoing.person_day_budget is not None or directory.outgoing.company_day_budget is not None:
        for row in await _talks(connection, midnight.astimezone(UTC)):
            price = directory.outgoing.price(directory.normal(row.number))
            spent = cost(price, float(row.seconds))
            everybodys += spent
            mine += spent if row.person == key else NOTHING
    return Usage(
        person_minute=minute,
        person_hour=hour,
        company_minute=all_minute,
        company_hour=all_hour,
        person_spent=mine,
        company_spent=everybodys,
    )


async def _talks(connection: AsyncConnection, since: datetime) -> list[Any]:
    """Today's talks with the outside, and, a minute each, the calls that are under way and have none yet."""
    talks = list((await connection.execute(_SPENT, {"since": since})).all())
    under_way = select(outgoing_calls.c.number, outgoing_calls.c.person, text("60 as seconds")).where(
        outgoing_calls.c.state.in_(UNDER_WAY), outgoing_calls.c.asked_at >= since
    )
    return [*talks, *(await connection.execute(under_way)).all()]


async def find(connection: AsyncConnection, call_id: UUID) -> Row[Any] | None:
    """The row of one request, with the id of its call (``call_id``) once there is one."""
    call = text(
        "(select call_id from call_names where pbx = outgoing_calls.pbx and name = outgoing_calls.channel) as call_id"
    )
    return (await connection.execute(select(outgoing_calls, call).where(outgoing_calls.c.id == call_id))).one_or_none()


async def _asked_before(connection: AsyncConnection, wish: Wish, directory: Directory) -> Answered | None:
    asked = select(outgoing_calls).where(
        outgoing_calls.c.asked_by == wish.asked_by, outgoing_calls.c.idempotency_key == wish.key
    )
    row = (await connection.execute(asked)).one_or_none()
    if row is None:
        return None
    other = (row.person, row.number) != (wish.person, directory.normal(wish.to)[:32])
    return Answered(row.id, row.state, row.number, reason_key=row.reason, to_other_end=other)
