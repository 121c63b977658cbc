"""The limits of a CRM are kept to by all processes together, before it has to say so."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.database import connect
from crm_sync.errors import RateLimitedError
from crm_sync.pacing import SharedPace
from service.children import die_with_parent
from tests.fakes.command import PROGRAM
from tests.fakes.ledger import add_connection

MOST, RATE = 5, 40.0
EACH = 12


@pytest.fixture
async def pace(engine: AsyncEngine) -> SharedPace:
    """The pace of the connection `site`."""
    await add_connection(engine, "https://example.com/hook")
    return SharedPace(engine, "site")


async def test_two_processes_send_no_more_than_one_may(pace: SharedPace, database_url: str, tmp_path: Path) -> None:
    """However many ask at once, in any while no more go out than the bucket held and drained meanwhile."""
    results = [tmp_path / "one", tmp_path / "two"]
    processes = [PROGRAM.Process(target=_take, args=(database_url, result)) for result in results]
    for process in processes:
        await asyncio.to_thread(process.start)
    for process in processes:
        await asyncio.to_thread(process.join, 30)
    told = [[float(time) for time in result.read_text().split()] for result in results]
    began, ended = min(one[0] for one in told), max(max(one) for one in told)
    assert [len(one) for one in told] == [1 + EACH, 1 + EACH]
    # Who got in says so a moment later: only since before the first asked it is sure how much could have drained.
    assert ended - began >= (2 * EACH - MOST - 1) / RATE
    with pytest.raises(RateLimitedError):
        await pace.take("all", most=MOST, per_second=0.001, cost=MOST, within=0)


def _take(database_url: str, result: Path) -> None:
    die_with_parent()

    async def work() -> None:
        engine = connect(database_url)
        pace = SharedPace(engine, "site")

        async def one() -> float:
            await pace.take("all", most=MOST, per_second=RATE)
            return datetime.now(UTC).timestamp()

        began = datetime.now(UTC).timestamp()
        times = await asyncio.gather(*(one() for _ in range(EACH)))
        result.write_text("\n".join(str(time) for time in (began, *times)))
        await engine.dispose()

    asyncio.run(work())


async def test_cards_yield_to_history(pace: SharedPace) -> None:
    """A low request gets in while half of the bucket is free, never waits, and takes no place of others."""
    take = partial(pace.take, most=4, per_second=0.001, within=0)
    await take("all", low=True)
    await take("all", low=True)
    with pytest.raises(RateLimitedError):
        await take("all", low=True)
    await take("all")
    await take("all")
    with pytest.raises(RateLimitedError) as full:
        await take("all")
    assert full.value.retry_after == pytest.approx(1000, rel=0.05)
    assert full.value.scope == "connection"
    await take("another")


async def test_whoever_is_low_in_all_waits_a_moment_and_takes_no_place_of_others(
    pace: SharedPace, engine: AsyncEngine
) -> None:
    """For half of the bucket to be free, so that asking twice in a row is no refusal."""
    low = SharedPace(engine, "site", low=True)
    for _ in range(3):
        await low.take("all", most=2, per_second=20)
    await low.take("slow", most=2, per_second=0.001)
    with pytest.raises(RateLimitedError):
        await low.take("slow", most=2, per_second=0.001)
    await pace.take("slow", most=2, per_second=0.001, within=0)


async def test_a_bucket_that_the_crm_calls_full_is_full(pace: SharedPace) -> None:
    """Somebody else sends there too: what follows waits as if we had filled it."""
    await pace.fill("all", most=10)
    with pytest.raises(RateLimitedError):
        await pace.take("all", most=10, per_second=0.001, within=0)
    await pace.take("all", most=10, per_second=100)


async def test_what_the_crm_says_that_we_used_is_kept_to_until_it_forgets(pace: SharedPace) -> None:
    """Nearly all of a method's time parks that method until it resets; half of it parks its cards."""
    soon = datetime.now(UTC) + timedelta(seconds=60)
    await pace.check("crm.item.add")
    await pace.used("crm.item.add", 310, 480, soon)
    await pace.check("crm.item.add")
    with pytest.raises(RateLimitedError):
        await pace.check("crm.item.add", low=True)
    await pace.used("crm.item.add", 470, 480, soon)
    with pytest.raises(RateLimitedError) as parked:
        await pace.check("crm.item.add")
    assert parked.value.scope == "method"
    assert parked.value.retry_after == pytest.approx(60, abs=10)
    await pace.check("crm.item.list")
    await pace.used("crm.item.add", 470, 480, datetime.now(UTC) - timedelta(seconds=1))
    await pace.check("crm.item.add")
