"""What earlier calls tell of those who hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from calls.record import record
from routing.history import talk_seconds, tries_in_vain
from tests.fakes.recorded import LINE, settled_call

NUMBER = "79161234567"


async def happened(
    engine: AsyncEngine,
    uid: int,
    hours_ago: float,
    *,
    number: str = NUMBER,
    answered: bool = False,
    direction: str = "inbound",
) -> None:
    """A call of nine seconds, so many hours ago."""
    at = datetime.now(UTC) - timedelta(hours=hours_ago)
    told = settled_call(f"1795427050.{uid}", number=number, answered=answered, at=at, direction=direction)
    async with engine.begin() as connection:
        await record(connection, told)


async def tries(engine: AsyncEngine, number: str = NUMBER) -> int:
    async with engine.connect() as connection:
        return await tries_in_vain(connection, number)


async def test_calls_in_vain_of_the_last_day_are_counted(engine: AsyncEngine) -> None:
    """Another's are not, nor those of yesterday."""
    assert await tries(engine) == 0
    await happened(engine, 1, 30)
    await happened(engine, 2, 5)
    await happened(engine, 3, 1)
    await happened(engine, 4, 1, number="79160000001")
    assert await tries(engine) == 2
    assert await tries(engine, "79160000001") == 1


async def test_a_talk_ends_the_count(engine: AsyncEngine) -> None:
    """Who talked with us since is no longer put before others for it."""
    await happened(engine, 1, 5)
    await happened(engine, 2, 3, answered=True)
    assert await tries(engine) == 0
    await happened(engine, 3, 1)
    assert await tries(engine) == 1


async def test_how_long_talks_last_is_of_the_teams_lines(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        assert await talk_seconds(connection, [LINE]) is None
    await happened(engine, 1, 5, answered=True)
    await happened(engine, 2, 4)
    async with engine.connect() as connection:
        assert await talk_seconds(connection, [LINE]) == 6.0
        assert await talk_seconds(connection, ["74950000000"]) is None
        assert await talk_seconds(connection, []) is None
