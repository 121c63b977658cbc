"""Calls to the outside are asked for here: judged, written down and told to who places them, in one transaction.

Whoever asks with a key asks once: the same key is answered with what was said first. The requests of one person are
judged one after another, so that no limit of theirs is passed by two at once; the company's may be passed by as many as
are judged in the same moment. Calls back by themselves have limits of their own, and use up nobody's.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import Row, insert, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from directory import store
from directory.model import Directory, Person
from directory.outgoing import NOTHING
from routing.outgoing import Allowed, Purpose, Refused, Usage, cost, may_call
from routing.plan import Reason
from routing.tables import outgoing_calls

CHANNEL: Final = "switchhook_outgoing"
"""NOTIFY channel: a call is wanted; the payload is its id."""

ASKED_PER_MINUTE_MOST: Final = 30
"""So many clicks of one login in a minute are judged, whatever becomes of them; emergency numbers are no exception."""

CALLBACKS_PER_MINUTE_MOST: Final = 20
"""So many calls back by themselves begin in a minute."""

_ONE_AT_A_TIME: Final = text("select pg_advisory_xact_lock(hashtextextended(:who, :kind))")
_BY_KEY, _BY_LOGIN, _BY_PERSON = 50_401, 50_402, 50_403
"""Kinds of locks, taken in this order, so that nobody waits for who waits for them."""

_NOTIFY: Final = text("select pg_notify(:channel, :payload)")
_COUNTED: Final = text(
    """
    select count(*) filter (where person is not distinct from :person and asked_at > now() - interval '1 minute'),
           count(*) filter (where person is not distinct from :person),
           count(*) filter (where asked_at > now() - interval '1 minute'), count(*)
    from outgoing_calls
    where asked_at > now() - interval '1 hour' and state <> 'refused' and purpose <> 'callback'
    """
)
_CALLBACKS: Final = text(
    "select count(*) from outgoing_calls where asked_at > now() - interval '1 minute' and purpose = 'callback'"
    " and state <> 'refused'"
)
_CLICKS: Final = text(
    "select count(*) from outgoing_calls where asked_at > now() - interval '1 minute' and purpose = 'click'"
    " and asked_by = :login"
)
_SPENT: Final = text(
    """
    with asked as (
        select o.number, o.person, o.asked_at, n.call_id, c.answered_at, c.ended_at
        from outgoing_calls o
        left join call_names n on n.pbx = o.pbx and n.name = o.channel
        left join calls c on c.id = n.call_id
        where o.state not in ('refused', 'failed') and o.asked_at >= cast(:since as timestamptz) - interval '1 day'
    ),
    rung as (
        select distinct on (l.call_id, l.channel, l.device) a.call_id, a.number, a.person, a.asked_at, l.answered_at,
               coalesce(l.ended_at, a.ended_at) as ended_at
        from asked a join legs l on l.call_id = a.call_id and l.number = a.number
        order by l.call_id, l.channel, l.device, abs(extract(epoch from l.started_at - a.asked_at))
    ),
    called as (
        select number, person, asked_at, answered_at, ended_at from rung
        union all
        select number, person, asked_at,
               case when answered_at is not null then greatest(answered_at, asked_at) end, ended_at
        from asked a where not exists (select from rung r where r.call_id = a.call_id and r.number = a.number)
        union all
        select dialed, null, started_at, answered_at, ended_at
        from calls c
        where direction = 'outbound' and joined_into is null and answered_at is not null
          and started_at >= cast(:since as timestamptz) - interval '1 day'
          and not exists (select from asked a where a.call_id = c.id)
    )
    select number, person,
           case when answered_at is null then 60
                else extract(epoch from coalesce(ended_at, clock_timestamp()) - greatest(answered_at, :since))
           end as seconds
    from called
    where answered_at is not null and coalesce(ended_at, clock_timestamp()) > :since
       or answered_at is null and ended_at is null and asked_at >= :since
    """
)
"""Every number that was asked for and may be called, in whatever call: by the time of its own leg, or of the rest of
the call where no leg tells its number; a minute while nobody has answered. A call out that nobody asked for, as while
we were away, is the company's, by its own number.
"""

Flagged = Callable[[AsyncConnection, str], Awaitable[bool]]
"""Whether the party of a number (E.164 digits) does not want to be called."""

Unwanted = Callable[[AsyncConnection], Awaitable[frozenset[str]]]
"""Every number (E.164 digits) of the parties who do not want to be called."""

PbxOf = Callable[[AsyncConnection, list[str]], Awaitable[str | None]]
"""The PBX that knows one of these devices; None when none does."""

Asking = Callable[[AsyncConnection, datetime], Awaitable[Sequence[tuple[str, float]]]]
"""The calls since then that asked a client, nobody's: their number (E.164 digits), and the seconds that they cost."""


async def _nobody_flagged(_connection: AsyncConnection, _number: str) -> bool:
    return False


async def _nobody_unwanted(_connection: AsyncConnection) -> frozenset[str]:
    return frozenset()


async def _nobody_asked(_connection: AsyncConnection, _since: datetime) -> Sequence[tuple[str, float]]:
    return ()


async def _any_pbx(_connection: AsyncConnection, _devices: list[str]) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Desk:
    """What other rooms know of a request, handed in by whoever starts this one."""

    flagged: Flagged = _nobody_flagged
    unwanted: Unwanted = _nobody_unwanted
    pbx_of: PbxOf = _any_pbx
    asking: Asking = _nobody_asked


ALONE: Final = Desk()
"""Knows of nothing in other rooms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A call that somebody wants. ``asked_by`` is a login, or the device on which it was dialled.

    ``id`` is its row's; ``line`` is the line to go out as where it is not the person's; ``pbx`` and ``channel`` are
    those of a call that is dialled on a phone already.
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
    id: UUID = field(default_factory=uuid4)


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


class TooManyAskedError(Exception):
    """A login asked for more calls than anybody needs; nothing was written."""


async def ask(connection: AsyncConnection, wish: Wish, desk: Desk, directory: Directory | None = None) -> Answered:
    """Judge a wish and write it down; a wanted call is told to who places it when the transaction commits.

    ``directory`` is read where it is not handed in. Raises UnknownPersonError, and TooManyAskedError for clicks.
    """
    directory = directory or await store.read(connection)
    if wish.key is not None:
        await _lock(connection, _BY_KEY, f"{wish.asked_by} {wish.key}")
        if (before := await _asked_before(connection, wish, directory)) is not None:
            return before
    person = directory.person(wish.person) if wish.person is not None else None
    if wish.person is not None and person is None:
        raise UnknownPersonError(wish.person)
    if wish.purpose == "click":
        await _lock(connection, _BY_LOGIN, wish.asked_by)
        if (await connection.execute(_CLICKS, {"login": wish.asked_by})).scalar_one() >= ASKED_PER_MINUTE_MOST:
            raise TooManyAskedError
    await _lock(connection, _BY_PERSON, wish.person or "")
    flagged = await desk.flagged(connection, directory.normal(wish.to))
    callback = wish.purpose == "callback"
    used = await usage(connection, directory, person, desk, callback=callback)
    told, judged = judge(wish, directory, used, flagged=flagged)
    devices = [device.address for device in person.devices] if person else []
    pbx = wish.pbx or await desk.pbx_of(connection, devices)
    row = _row(wish, told, directory, judged) | {"pbx": pbx}
    await connection.execute(insert(outgoing_calls).values(row))
    if told.state == "wanted":
        await connection.execute(_NOTIFY, {"channel": CHANNEL, "payload": str(told.id)})
    return told


def judge(
    wish: Wish, directory: Directory, used: Usage, *, flagged: bool = False
) -> tuple[Answered, Allowed | Refused]:
    """Judge a wish by what is known; the answer, and what it rests on. Nothing is written."""
    person = directory.person(wish.person) if wish.person is not None else None
    judged = may_call(wish.to, person, directory, used, flagged=flagged)
    number = judged.number or directory.normal(wish.to)[:32]
    if isinstance(judged, Refused):
        return Answered(wish.id, "refused", number, judged.reason, judged.reason.key), judged
    return Answered(wish.id, "dialled" if wish.purpose == "dialled" else "wanted", number), judged


async def keep(connection: AsyncConnection, wish: Wish, told: Answered, directory: Directory, at: datetime) -> None:
    """Write down what was answered at ``at`` (our clock) without the database, over what it says of the same wish."""
    price = directory.outgoing.price(told.number) if told.reason_key is None else NOTHING
    row = _row(wish, told, directory, Allowed(told.number, price)) | {"pbx": wish.pbx, "asked_at": at}
    said = {"state": told.state, "reason": told.reason_key}
    kept = postgresql.insert(outgoing_calls).values(row)
    await connection.execute(kept.on_conflict_do_update(index_elements=["id"], set_=said))


def _row(wish: Wish, told: Answered, directory: Directory, judged: Allowed | Refused) -> dict[str, Any]:
    person = directory.person(wish.person) if wish.person is not None else None
    line = directory.line(wish.line) if wish.line else directory.outgoing_line(person)
    names = ("purpose", "person", "asked_by", "follow_up", "channel", "device")
    return {name: getattr(wish, name) for name in names} | {
        "id": told.id,
        "state": told.state,
        "reason": told.reason_key,
        "number": told.number,
        "per_minute": judged.per_minute if isinstance(judged, Allowed) else NOTHING,
        "line": line.number if line else None,
        "idempotency_key": wish.key,
    }


async def _lock(connection: AsyncConnection, kind: int, who: str) -> None:
    await connection.execute(_ONE_AT_A_TIME, {"who": who, "kind": kind})


async def usage(
    connection: AsyncConnection,
    directory: Directory,
    person: Person | None,
    desk: Desk = ALONE,
    *,
    callback: bool = False,
) -> Usage:
    """Count what was called before, and what it cost since the company's midnight; what asks clients costs the company.

    For a call back by itself no calls are counted: `callbacks_left` is its limit.
    """
    key = person.key if person else None
    mine, everybodys = await _spent(connection, directory, key, desk)
    if callback:
        return Usage(person_spent=mine, company_spent=everybodys)
    minute, hour, all_minute, all_hour = (await connection.execute(_COUNTED, {"person": key})).one()
    return Usage(
        person_minute=minute,
        person_hour=hour,
        company_minute=all_minute,
        company_hour=all_hour,
        person_spent=mine,
        company_spent=everybodys,
    )


async def callbacks_left(connection: AsyncConnection) -> int:
    """Give how many calls back by themselves may begin now."""
    return max(CALLBACKS_PER_MINUTE_MOST - int((await connection.execute(_CALLBACKS)).scalar_one()), 0)


def midnight_of(directory: Directory, at: datetime) -> datetime:
    """Give when the company's day began."""
    return at.astimezone(ZoneInfo(directory.company.time_zone)).replace(hour=0, minute=0, second=0, microsecond=0)


async def _spent(
    connection: AsyncConnection, directory: Directory, person: str | None, desk: Desk
) -> tuple[Decimal, Decimal]:
    """What the person and the company spent today; not looked for where there is no budget."""
    policy = directory.outgoing
    mine = everybodys = NOTHING
    if policy.person_day_budget is None and policy.company_day_budget is None:
        return mine, everybodys
    since = midnight_of(directory, datetime.now(UTC)).astimezone(UTC)
    for row in await connection.execute(_SPENT, {"since": since}):
        spent = cost(policy.price(directory.normal(row.number)), float(row.seconds))
        everybodys += spent
        mine += spent if row.person == person else NOTHING
    for number, seconds in await desk.asking(connection, since):
        everybodys += cost(policy.price(number), seconds)
    return mine, everybodys


async def find(connection: AsyncConnection, call_id: UUID) -> Row[Any] | None:
    """The row of one request, with the id of its call (``call_id``) once there is one."""
    call = text(
        "(select call_id from call_names where pbx = outgoing_calls.pbx and name = outgoing_calls.channel) as call_id"
    )
    return (await connection.execute(select(outgoing_calls, call).where(outgoing_calls.c.id == call_id))).one_or_none()


async def wish_of(connection: AsyncConnection, call_id: UUID) -> UUID | None:
    """The request that a call came of; None: nobody asked for it."""
    asked = text(
        "select o.id from outgoing_calls o join call_names n on n.pbx = o.pbx and n.name = o.channel"
        " where n.call_id = :call_id order by o.asked_at desc limit 1"
    )
    found: UUID | None = await connection.scalar(asked, {"call_id": call_id})
    return found


async def _asked_before(connection: AsyncConnection, wish: Wish, directory: Directory) -> Answered | None:
    asked = select(outgoing_calls).where(
        outgoing_calls.c.asked_by == wish.asked_by, outgoing_calls.c.idempotency_key == wish.key
    )
    row = (await connection.execute(asked)).one_or_none()
    if row is None:
        return None
    other = (row.person, row.number) != (wish.person, directory.normal(wish.to)[:32])
    return Answered(row.id, row.state, row.number, reason_key=row.reason, to_other_end=other)
