"""Real PostgreSQL for every test that asks: one server a test process, one fresh database a test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.database import connect, plain
from service.asterisk import PrivateAsterisk
from service.database import upgrade
from service.postgres import Postgres
from tests.asterisks import told_beside

# The tests' data may be lost in a power cut: nothing waits for a disk.
_FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "max_wal_size": "128MB",
}
# In memory a database is cloned in milliseconds, on a disk its 1,400 files take half a second; and a disk that stands
# still for a while holds up no PBX and no service.
_MEMORY = Path("/dev/shm")
_MEMORY_BYTES = 4 << 30
_TEMPLATE = "template_migrated"
if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _MEMORY_BYTES:
    tempfile.tempdir = str(_MEMORY)

# Whisper's threads wait for each other asleep: where many tests share a core they would wait most of the time, awake.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# Who said what to whom, beside a failure.
PrivateAsterisk.traces_sip = True

# How long an example takes tells of what else the machine does.
settings.register_profile("calm", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("calm")


_WAITING = ("odoo", "end_to_end", "lab")
_WAITED_FOR = 0.7


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that wait for a PBX and files that take a processor go side by side, in random order.

    So no processor stands still, and at the end no process is left alone with what only waits.
    """
    tests = Path(__file__).parent
    files = list(dict.fromkeys(item.path for item in items))
    waiting = [file for file in files if file.relative_to(tests).parts[0] in _WAITING]
    computing = [file for file in files if file not in waiting]
    place = {file: number / len(waiting) * _WAITED_FOR for number, file in enumerate(waiting)}
    place |= {file: number / len(computing) for number, file in enumerate(computing)}
    items.sort(key=lambda item: place[item.path])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Beside a failure stands what the Asterisks of the test know then."""
    report = yield
    if report.failed:
        report.sections.extend(told_beside(getattr(item, "funcargs", {})))
    return report


def _address(server: Postgres, database: str) -> str:
    return f"{server.url.rpartition('/')[0]}/{database}"


@pytest.fixture(scope="session")
async def postgres_server() -> AsyncIterator[Postgres]:
    """A server in a throw-away folder, started once a test process."""
    # Not pytest's own temporary folder: that one lets no other account in, and root's PostgreSQL runs as another.
    folder = Path(tempfile.mkdtemp(prefix="switchhook-tests-"))
    try:
        async with Postgres(folder, settings=_FAST) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
async def administrator(postgres_server: Postgres) -> AsyncIterator[asyncpg.Connection]:
    """A session that makes and drops databases."""
    connection = await asyncpg.connect(postgres_server.dsn)
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
async def migrated_template(postgres_server: Postgres, administrator: asyncpg.Connection) -> str:
    """Name of a database at the newest schema, to clone."""
    await administrator.execute(f"create database {_TEMPLATE}")
    await upgrade(_address(postgres_server, _TEMPLATE))
    return _TEMPLATE


@asynccontextmanager
async def _fresh(administrator: asyncpg.Connection, template: str) -> AsyncIterator[str]:
    name = f"test_{uuid4().hex}"
    await administrator.execute(f"create database {name} template {template} strategy file_copy")
    yield name
    await administrator.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def new_database(
    postgres_server: Postgres, administrator: asyncpg.Connection, migrated_template: str
) -> Callable[[], AbstractAsyncContextManager[str]]:
    """Makes a migrated database that lasts as long as its context, for tests that share one; gives its address."""

    @asynccontextmanager
    async def made() -> AsyncIterator[str]:
        async with _fresh(administrator, migrated_template) as name:
            yield _address(postgres_server, name)

    return made


@pytest.fixture
async def database_url(new_database: Callable[[], AbstractAsyncContextManager[str]]) -> AsyncIterator[str]:
    """Address of a fresh, migrated database of this test alone (postgresql+asyncpg://…)."""
    async with new_database() as url:
        yield url


@pytest.fixture
async def empty_database_url(postgres_server: Postgres, administrator: asyncpg.Connection) -> AsyncIterator[str]:
    """Address of a fresh database without any table."""
    async with _fresh(administrator, "template0") as name:
        yield _address(postgres_server, name)


@pytest.fixture
def database_dsn(database_url: str) -> str:
    """`database_url` as libpq, asyncpg and psycopg spell it (postgresql://…)."""
    return plain(database_url)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on `database_url`."""
    engine = connect(database_url)
    yield engine
    await engine.dispose()
