"""Absences and statuses in PostgreSQL, and everything that presence is made of, read whole."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, select, text, true, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from directory.presence import Absence, Busy, CalendarCopy, PresenceBook, Status, StatusSet
from directory.tables import absences, calendars, people, statuses

CHANNEL: Final = "switchhook_presence"
"""NOTIFY channel; its payload is the key of the person whose presence changed."""

PAST: Final = timedelta(days=1)
"""What ended longer ago is not read: a PBX's clock may be behind ours, but not by so much."""

AHEAD_MOST: Final = timedelta(days=400)
"""An absence or a status that would end later is refused: it is a slip of the pen, and nobody plans so far."""

REASON_MOST: Final = 200
_LOCK: Final = text("select pg_advisory_xact_lock(hashtext('switchhook presence'))")
_DIGEST: Final = func.sha256(func.convert_to(people.c.calendar, "UTF8"))


class PresenceRefused(ValueError):
    """An absence or a status cannot be set so; the text names the field and says why. Nothing was changed."""


async def read(connection: AsyncConnection, person: str | None = None) -> PresenceBook:
    """Read all that presence at a moment of today or later rests on: of one person, or of everybody."""
    away: defaultdict[str, list[Absence]] = defaultdict(list)
    for row in await coming_absences(connection, person):
        away[row.person].append(Absence(row.id, row.starts_at, row.ends_at, row.substitute, row.reason))
    said = select(statuses.c.person, statuses.c.status, statuses.c.until).where(_of(statuses.c.person, person))
    told = await connection.execute(said)
    copies = await connection.execute(
        select(calendars.c.person, calendars.c.blocks, calendars.c.fetched_at)
        .join(people, and_(people.c.key == calendars.c.person, calendars.c.address_digest == _DIGEST))
        .where(calendars.c.fetched_at.is_not(None), _of(calendars.c.person, person))
    )
    return PresenceBook(
        absences={person: tuple(found) for person, found in away.items()},
        statuses={row.person: StatusSet(row.status, row.until) for row in told},
        calendars={row.person: CalendarCopy(times_of(row.blocks), row.fetched_at) for row in copies},
    )


async def coming_absences(connection: AsyncConnection, person: str | None = None) -> list[Row[Any]]:
    """Read absences that go on or will come, and those of the last day, earliest first."""
    asked = select(absences).where(absences.c.ends_at > func.now() - PAST, _of(absences.c.person, person))
    return list((await connection.execute(asked.order_by(absences.c.starts_at, absences.c.id))).all())


async def absence(connection: AsyncConnection, number: int) -> Row[Any] | None:
    """Read one absence by its number, also a past one."""
    return (await connection.execute(select(absences).where(absences.c.id == number))).one_or_none()


def times_of(blocks: Iterable[tuple[str, str, str]]) -> tuple[Busy, ...]:
    """Turn stored times of a calendar into values."""
    return tuple(
        Busy(datetime.fromisoformat(since), datetime.fromisoformat(until), kind == "away")
        for since, until, kind in blocks
    )


async def send_away(connection: AsyncConnection, person: str, absence: Absence) -> int:
    """Add an absence and give its number.

    Raises PresenceRefused: nobody of that key, an end before the beginning, in the past or too far ahead, a second
    absence at the same time, or a substitute who would stand in for themselves, at any distance.
    """
    await connection.execute(_LOCK)
    await _known(connection, "person", person)
    if absence.ends_at <= absence.starts_at:
        raise PresenceRefused(f"to: must be after from, got {absence.ends_at.isoformat()}")
    _soon_enough("to", absence.ends_at)
    if len(absence.reason) > REASON_MOST or not (absence.reason or "x").isprintable():
        raise PresenceRefused(f"reason: must be at most {REASON_MOST} printable characters, got {absence.reason!r}")
    others = await coming_absences(connection)
    same = next((it for it in others if it.person == person and _overlap(it, absence)), None)
    if same is not None:
        raise PresenceRefused(f"from: {person!r} is away then already, {_spell(same)} (absence {same.id})")
    if absence.substitute is not None:
        await _known(connection, "substitute", absence.substitute)
        _refuse_circle(person, absence, others)
    row = {"person": person, **_columns(absence)}
    number = (await connection.execute(insert(absences).values(row).returning(absences.c.id))).scalar_one()
    await _tell(connection, person)
    return int(number)


async def come_back(connection: AsyncConnection, person: str, number: int | None = None) -> list[int]:
    """End the absence that goes on now, or cancel the one of that number; give the numbers of what was ended.

    Raises PresenceRefused when there is none.
    """
    await connection.execute(_LOCK)
    await _known(connection, "person", person)
    own = absences.c.person == person
    if number is not None:
        chosen = and_(own, absences.c.id == number, absences.c.ends_at > func.now())
    else:
        chosen = and_(own, absences.c.starts_at <= func.now(), absences.c.ends_at > func.now())
    found = list(await connection.scalars(select(absences.c.id).where(chosen)))
    if not found and number is not None:
        raise PresenceRefused(f"absence: {person!r} has no absence {number} that goes on or will come")
    if not found:
        raise PresenceRefused(f"person: {person!r} is not away now; an absence to come is cancelled by its number")
    begun = and_(absences.c.id.in_(found), absences.c.starts_at < func.now())
    await connection.execute(update(absences).where(begun).values(ends_at=func.now()))
    await connection.execute(delete(absences).where(absences.c.id.in_(found), absences.c.starts_at >= func.now()))
    await _tell(connection, person)
    return found


async def set_status(connection: AsyncConnection, person: str, status: Status, until: datetime | None = None) -> None:
    """Set what a person says of themselves, up to ``until``.

    Raises PresenceRefused: nobody of that key, an ``until`` in the past, too far ahead or for a status that needs none.
    """
    await _known(connection, "person", person)
    if until is not None:
        _soon_enough("until", until)
    if until is not None and status == "available":
        raise PresenceRefused(f"until: available has no end, got {until.isoformat()}")
    if until is None and status == "wrap_up":
        raise PresenceRefused("until: wrap_up needs an end, got none")
    row = upsert(statuses).values(person=person, status=status, until=until)
    told = {"status": status, "until": until, "set_at": func.now()}
    await connection.execute(row.on_conflict_do_update(index_elements=["person"], set_=told))
    await _tell(connection, person)


async def begin_wrap_up(connection: AsyncConnection, person: str, until: datetime) -> bool:
    """Leave a person alone until then, whose talk has ended; whatever else they said of themselves stands.

    A wrap-up that lasts longer already stands too, and one that would be over begins none. Tells whether it began.
    """
    row = upsert(statuses).from_select(
        ["person", "status", "until"],
        select(people.c.key, text("'wrap_up'"), text("cast(:until as timestamptz)")).where(people.c.key == person),
    )
    over = statuses.c.until <= func.now()
    shorter = and_(statuses.c.status == "wrap_up", statuses.c.until < row.excluded.until)
    told = {"status": row.excluded.status, "until": row.excluded.until, "set_at": func.now()}
    kept = row.on_conflict_do_update(
        index_elements=["person"], set_=told, where=(statuses.c.status == "available") | over | shorter
    ).returning(statuses.c.person)
    if until <= datetime.now(UTC) or (await connection.execute(kept, {"until": until})).first() is None:
        return False
    await _tell(connection, person)
    return True


def _soon_enough(field: str, until: datetime) -> None:
    """Refuse an end that is over, or so far away that no clock of a caller's zone may have it."""
    now = datetime.now(UTC)
    if until <= now:
        raise PresenceRefused(f"{field}: must be in the future, got {until.isoformat()}")
    if until - now > AHEAD_MOST:
        raise PresenceRefused(f"{field}: must be within {AHEAD_MOST.days} days from now, got {until.isoformat()}")


def _refuse_circle(person: str, absence: Absence, others: Iterable[Row[Any]]) -> None:
    """Refuse a substitute whose own substitutes, while both are away, lead back to the person."""
    found, following, span = [person], absence.substitute, absence
    listed = list(others)
    while following is not None:
        if following in found:
            raise PresenceRefused(f"substitute: {' -> '.join([*found, following])} would be a circle")
        found.append(following)
        own = next((it for it in listed if it.person == following and _overlap(it, span)), None)
        following = own.substitute if own else None


def _of(column: ColumnElement[Any], person: str | None) -> ColumnElement[bool]:
    return column == person if person is not None else true()


def _overlap(one: Any, other: Absence) -> bool:
    return bool(one.starts_at < other.ends_at and other.starts_at < one.ends_at)


def _spell(absence: Any) -> str:
    return f"from {absence.starts_at.isoformat()} to {absence.ends_at.isoformat()}"


def _columns(absence: Absence) -> dict[str, Any]:
    return {name: getattr(absence, name) for name in ("starts_at", "ends_at", "substitute", "reason")}


async def _known(connection: AsyncConnection, field: str, person: str) -> None:
    keys = list(await connection.scalars(select(people.c.key).order_by(people.c.position)))
    if person not in keys:
        there = ", ".join(keys) or "nobody at all"
        raise PresenceRefused(f"{field}: there is no person {person!r} in the directory (there is: {there})")


async def _tell(connection: AsyncConnection, person: str) -> None:
    await connection.execute(select(func.pg_notify(CHANNEL, person)))
