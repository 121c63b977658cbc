"""Who is behind a number, and whether they want to be called."""

from __future__ import annotations

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.tables import parties, party_numbers, unwanted_digests
from directory import keys


async def must_not_be_called(connection: AsyncConnection, number: str) -> bool:
    """Whether the party of `number` (E.164 digits) does not want to be called; who is unknown may be.

    Neither does an erased person who did not want to be: of that only a digest is kept.
    """
    asked = select(parties.c.do_not_call_at).join(party_numbers).where(party_numbers.c.number == number)
    if (await connection.execute(asked)).scalar() is not None:
        return True
    secret = await keys.known(connection, "wishes")
    if secret is None:
        return False
    kept = unwanted_digests.c.digest == keys.signed(secret, number)
    return bool((await connection.execute(select(exists().where(kept)))).scalar())


async def unwanted(connection: AsyncConnection) -> frozenset[str]:
    """Every number (E.164 digits) of the parties who do not want to be called."""
    asked = select(party_numbers.c.number).join(parties).where(parties.c.do_not_call_at.is_not(None))
    return frozenset((await connection.execute(asked)).scalars())


async def party_of(connection: AsyncConnection, number: str) -> int | None:
    """The id of the party that has `number` (as stored: E.164 digits), None when it is unknown."""
    asked = select(party_numbers.c.party_id).where(party_numbers.c.number == number)
    return (await connection.execute(asked)).scalar_one_or_none()


async def set_do_not_call(connection: AsyncConnection, number: str, *, may_be_called: bool) -> bool:
    """Note that the party of `number` does not want to be called, or does again; False: nobody known has it."""
    whose = select(party_numbers.c.party_id).where(party_numbers.c.number == number).scalar_subquery()
    at = None if may_be_called else func.coalesce(parties.c.do_not_call_at, func.now())
    noted = update(parties).where(parties.c.id == whose).values(do_not_call_at=at)
    count = (await connection.execute(noted)).rowcount
    secret = await keys.known(connection, "wishes") if may_be_called else None
    if secret:
        kept = delete(unwanted_digests).where(unwanted_digests.c.digest == keys.signed(secret, number))
        count += (await connection.execute(kept)).rowcount
    return count > 0


async def numbers_of(connection: AsyncConnection, number: str) -> tuple[str, ...]:
    """Every number of the party that has `number` (as stored: E.164 digits), itself alone when it is unknown."""
    party = select(party_numbers.c.party_id).where(party_numbers.c.number == number).scalar_subquery()
    known = select(party_numbers.c.number).where(party_numbers.c.party_id == party).order_by(party_numbers.c.number)
    return tuple((await connection.execute(known)).scalars()) or (number,)
