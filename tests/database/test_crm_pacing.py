"""The limits of a CRM are kept to by all processes together, before it has to say so."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.database import connect
from crm_sync import connections
from crm_sync.errors import RateLimitedError
from crm_sync.pacing import Bucket, SharedPace
from crm_sync.secrets import Keeper
from service.children import die_with_parent
from service.crm.workplaces import workplace
from service.settings import Settings
from tests.fakes.command import PROGRAM
from tests.fakes.ledger import SECRET_KEY

MOST, RATE = 5, 40.0
EACH = 12


@pytest.fixture
def pace(engine: AsyncEngine) -> SharedPace:
    """The pace of the account `site`, of which nobody waits for a place."""
    return SharedPace(engine, "site", within=0)


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
        await pace.take(Bucket("all", most=1, per_second=0.001))


def _take(database_url: str, result: Path) -> None:
    die_with_parent()

    async def work() -> None:
        engine = connect(database_url)
        pace = SharedPace(engine, "site")

        async def one() -> float:
            await pace.take(Bucket("all", most=MOST, per_second=RATE))
            return datetime.now(UTC).timestamp()

        began = datetime.now(UTC).timestamp()
        times = await asyncio.gather(*(one() for _ in range(EACH)))
        result.write_text("\n".join(str(time) for time in (began, *times)))
        await engine.dispose()

    asyncio.run(work())


async def test_cards_yield_to_history(pace: SharedPace) -> None:
    """A low request gets in while half of the bucket is free, never waits, and takes no place of others."""
    bucket = Bucket("all", most=4, per_second=0.001)
    await pace.take(bucket, low=True)
    await pace.take(bucket, low=True)
    with pytest.raises(RateLimitedError):
        await pace.take(bucket, low=True)
    await pace.take(bucket)
    await pace.take(bucket)
    with pytest.raises(RateLimitedError) as full:
        await pace.take(bucket)
    assert full.value.retry_after == pytest.approx(1000, rel=0.05)
    assert full.value.scope == "connection"
    await pace.take(replace(bucket, name="another"))


async def test_whoever_is_low_in_all_waits_a_moment_and_takes_no_place_of_others(
    pace: SharedPace, engine: AsyncEngine
) -> None:
    """For half of the bucket to be free, so that asking twice in a row is no refusal."""
    low, slow = SharedPace(engine, "site", low=True), Bucket("slow", most=2, per_second=0.001)
    for _ in range(3):
        await low.take(Bucket("all", most=2, per_second=20))
    await low.take(slow)
    with pytest.raises(RateLimitedError):
        await low.take(slow)
    await pace.take(slow)


async def test_a_bucket_that_the_crm_calls_full_is_full(pace: SharedPace) -> None:
    """Somebody else sends there too: what follows waits as if we had filled it."""
    await pace.fill(Bucket("all", most=10, per_second=0.001))
    with pytest.raises(RateLimitedError):
        await pace.take(Bucket("all", most=10, per_second=0.001))
    await SharedPace(pace._engine, "site").take(Bucket("all", most=10, per_second=100))


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


async def test_connections_to_one_account_share_its_limits(engine: AsyncEngine) -> None:
    """By the host, whichever way it is told, as the secret address of a webhook; another account has its own."""
    keeper, portal = Keeper(SECRET_KEY), "romashka.bitrix24.ru"
    hook = {"webhook": f"https://{portal}/rest/1/a-secret-of-tests/"}
    told = {"a": {"portal": portal}, "b": {"portal": f"https://{portal}/"}, "c": {}, "d": {"portal": f"x{portal}"}}
    settings = Settings.model_validate({"secret_key": SECRET_KEY})
    paces = {}
    async with engine.begin() as connection:
        for key, more in told.items():
            sealed = keeper.seal(key, hook if key == "c" else {})
            await connections.add(connection, key, "bitrix24", {"user": 1, **more}, sealed, (), "active")
            to = await connections.read(connection, key)
            assert to is not None
            await connections.share_limits(connection, to, keeper.open(key, to.secrets))
            to = await connections.read(connection, key)
            assert to is not None
            paces[key] = workplace(settings, engine, to, {}).pace
    bucket = Bucket("all", most=3, per_second=0.0001)
    for key in ("a", "b", "c", "d"):
        await paces[key].take(bucket)
    for key in ("a", "b", "c"):
        with pytest.raises(RateLimitedError):
            await paces[key].take(bucket)
    await paces["d"].take(bucket)
