"""What the telephony process keeps in memory: nothing for a live call, and no more after 100,000 than after 1,000."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from sqlalchemy import text

from benchmarks import load
from benchmarks.running import process, resident_mb
from directory.store import apply
from service.ports import free_port
from service.postgres import Postgres
from service.settings import load as settings
from service.wiring import House, open_house
from tests.fakes.directories import OFFICE

RATE = 3000
_COUNT = "select count(*) from calls where pbx = 'pbx'"


async def measure(
    warm: int = 1000, live: int = 5000, steps: tuple[int, ...] = (25_000, 50_000, 75_000, 100_000)
) -> None:
    """Print the resident memory of a telephony process: warm, with calls alive, after many calls."""
    print("memory of the telephony process")
    with tempfile.TemporaryDirectory(prefix="switchhook-bench-") as told:
        folder = Path(told)
        folder.chmod(0o755)
        async with (
            Postgres(folder / "postgres") as server,
            open_house(settings(database_url=server.url, data_dir=folder), pool=1) as house,
        ):
            async with house.engine.begin() as connection:
                await apply(connection, OFFICE)
            port = free_port()
            async with process(_environment(folder, server.url, port)) as pid:
                await _told(house, port, "answered", warm)
                before = resident_mb(pid)
                print(f"  warm, {warm} calls behind it     {before:8.1f} MB", flush=True)
                await _told(house, port, "open", live)
                grown = (resident_mb(pid) - before) * 1024 / live
                print(f"  {live} calls alive           {grown:+8.2f} kB a call", flush=True)
                so_far = warm + live
                for step in steps:
                    await _told(house, port, "abandon", step - so_far)
                    so_far = step
                    print(f"  after {step:>7} calls          {resident_mb(pid):8.1f} MB", flush=True)


async def _told(house: House, port: int, story: str, calls: int) -> None:
    """Have these calls told, and wait until all of them are in the store."""
    wanted = await _count(house) + calls
    async with load.running(port, story, RATE, calls) as pbx:
        await pbx.readline()
        while await _count(house) < wanted:
            await asyncio.sleep(0.2)
        await asyncio.sleep(1)


async def _count(house: House) -> int:
    async with house.engine.connect() as connection:
        return int((await connection.execute(text(_COUNT))).scalar_one())


def _environment(folder: Path, url: str, port: int) -> dict[str, str]:
    config = folder / "switchhook.toml"
    config.write_text(
        f'data_dir = "{folder}"\n[metrics]\nport = {free_port()}\n[[pbx]]\nname = "pbx"\nport = {port}\nsecret = "x"\n'
    )
    return {"SWITCHHOOK_CONFIG": str(config), "DATABASE_URL": url}
