"""Real PostgreSQL for every test that asks: one server a test process, one fresh database a test."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Connection, Engine, event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import LRUCache

from calls.database import connect, plain
from service.asterisk import PrivateAsterisk
from service.database import upgrade
from service.postgres import Postgres
from tests.asterisks import told_beside

if TYPE_CHECKING:
    from tests.fakes.told_world import ToldWorld

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
_FURNISHED = "template_furnished"
if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _MEMORY_BYTES:
    tempfile.tempdir = str(_MEMORY)

# Whisper's threads wait for each other asleep: where many tests share a core they would wait most of the time, awake.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# Who said what to whom, beside a failure.
PrivateAsterisk.traces_sip = True

# What is read and collected is nearly all there to stay: no look for garbage goes through it while it grows.
gc.disable()

# How long an example takes tells of what else the machine does. The same are tried each time, so that what passed here
# passes there; SWITCHHOOK_RANDOM=1 looks for others.
settings.register_profile(
    "calm",
    deadline=None,
    derandomize="SWITCHHOOK_RANDOM" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("calm")


class _Compiled(LRUCache[Any, Any]):
    """Statements as SQL, whichever engine compiled them: a service has one, tests have one each, on the same driver."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(key[1:], default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key[1:], value)


_COMPILED = _Compiled(5000)


@event.listens_for(Engine, "engine_connect")
def _compile_once(connection: Connection) -> None:
    connection.engine._compiled_cache = _COMPILED


_GARBAGE = (2_000, 20, 100)
_WAITING = ("odoo", "end_to_end", "lab")
_WAITED_FOR = 0.7
_SHORT = "pure"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that wait for a PBX and files that take a processor go side by side, in random order; short ones come last.

    So no processor stands still, and at the end no process is left alone with what only waits or what takes long.
    """
    tests = Path(__file__).parent
    folders = {item.path: item.path.relative_to(tests).parts[0] for item in items}
    waiting = [file for file, folder in folders.items() if folder in _WAITING]
    computing = [file for file, folder in folders.items() if folder not in (*_WAITING, _SHORT)]
    place = dict.fromkeys(folders, 1.0)
    place |= {file: number / len(waiting) * _WAITED_FOR for number, file in enumerate(waiting)}
    place |= {file: number / len(computing) for number, file in enumerate(computing)}
    items.sort(key=lambda item: place[item.path])


def pytest_collection_finish() -> None:
    """What was read and collected stays until the end: no look for garbage goes through it again.

    Tests make much that lives as long as they do: it is looked through less often than a program's would be.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE)
    gc.enable()


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


@pytest.fixture(scope="session")
def furnished_template(
    postgres_server: Postgres, administrator: asyncpg.Connection, migrated_template: str
) -> Callable[[], Awaitable[str]]:
    """Gives the name of a database that has the house of a site and its logins, too; made when it is asked for."""
    made: list[str] = []

    async def furnished() -> str:
        if not made:
            # What pages are made of is read only where some are asked for.
            from tests.fakes.site import move_in

            await administrator.execute(f"create database {_FURNISHED} template {migrated_template} strategy file_copy")
            await move_in(connect(_address(postgres_server, _FURNISHED), pool=0))
            made.append(_FURNISHED)
        return made[0]

    return furnished


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
async def database_url(
    request: pytest.FixtureRequest,
    postgres_server: Postgres,
    administrator: asyncpg.Connection,
    migrated_template: str,
    furnished_template: Callable[[], Awaitable[str]],
) -> AsyncIterator[str]:
    """Address of a fresh, migrated database of this test alone (postgresql+asyncpg://…); a site's is furnished."""
    template = await furnished_template() if "site" in request.fixturenames else migrated_template
    async with _fresh(administrator, template) as name:
        yield _address(postgres_server, name)


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


@pytest.fixture(scope="module")
async def told_servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ToldWorld]:
    """Everybody whom notices go out to, started once a file."""
    # Few tests tell anybody anything: the others do not wait for what a mail server is made of.
    from tests.fakes.told_world import open_told_world

    async with open_told_world(tmp_path_factory.mktemp("told")) as opened:
        yield opened


@pytest.fixture
def world(told_servers: ToldWorld) -> ToldWorld:
    """`told_servers`, where nobody was told anything yet."""
    told_servers.forget()
    return told_servers
