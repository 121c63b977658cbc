"""What earlier calls tell of those who hold, read from the database."""

from collections.abc import Collection
from datetime import timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

REMEMBERED: Final = timedelta(hours=24)
"""Who called in vain longer ago than this is no longer put before others for it."""

_TRIES: Final = text(
    """
    select count(*) from calls c
    where c.caller_number = :number and c.direction = 'inbound' and c.status = 'missed' and c.joined_into is null
      and c.ended_at > now() - cast(:remembered as interval)
      and not exists (
          select from calls t
          where t.joined_into is null and t.answered_at > c.ended_at
            and (t.caller_number = :number or (t.direction = 'outbound' and t.dialed in (:number, '+' || :number))))
    """
)
_TALKS: Final = text(
    """
    select avg(talk_seconds) from (
        select talk_seconds from calls
        where line = any(cast(:lines as text[])) and direction = 'inbound' and status = 'answered'
          and joined_into is null and started_at > now() - interval '14 days'
        order by started_at desc limit 50) as latest
    """
)


async def tries_in_vain(connection: AsyncConnection, number: str) -> int:
    """Count the calls of a number in the last day that nobody talked on, since somebody last talked with it."""
    asked = {"number": number, "remembered": REMEMBERED}
    return int((await connection.execute(_TRIES, asked)).scalar_one())


async def talk_seconds(connection: AsyncConnection, lines: Collection[str]) -> float | None:
    """Give how long the latest talks on these lines lasted on average; None when there were none."""
    told = (await connection.execute(_TALKS, {"lines": list(lines)})).scalar()
    return None if told is None else float(told)
