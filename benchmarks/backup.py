"""What a backup costs, and its way back: a house after a hundred thousand calls, every tenth of which became text."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from sqlalchemy import text

from benchmarks.crowd import Size, gather
from calls.database import connect, plain
from service.backups.making import back_up
from service.backups.verifying import verify
from service.database import upgrade
from service.postgres import Postgres
from service.settings import load

SIZE = Size(parties=20_000, calls=100_000, talks=10_000, notes=20_000)


async def measure(size: Size = SIZE) -> None:
    """Print how long it takes and how large it is; it is restored and compared by counts."""
    print(f"A backup of {size.calls} calls, {size.talks} of them with text, and {size.parties} parties")
    with tempfile.TemporaryDirectory(prefix="switchhook-bench-") as place:
        Path(place).chmod(0o755)
        async with Postgres(Path(place, "postgres")) as server:
            await upgrade(server.url)
            engine = connect(server.url)
            await gather(engine, server.dsn, size)
            async with engine.connect() as connection:
                held = (await connection.execute(text("select pg_database_size(current_database())"))).scalar_one()
            await engine.dispose()
            settings = load(database_url=plain(server.url), data_dir=Path(place, "data"))
            began = time.perf_counter()
            made = await back_up(settings, Path(place, "backups"), keep=None, recordings=False)
            spent = time.perf_counter() - began
            dumped = (made.folder / "database.dump").stat().st_size
            print(f"  made in {spent:.1f} s: {held / 1e6:.0f} MB of database are {dumped / 1e6:.0f} MB", flush=True)
            began = time.perf_counter()
            await verify(made.folder)
            print(f"  restored, counted and upgraded in {time.perf_counter() - began:.1f} s", flush=True)
