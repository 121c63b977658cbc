"""Real PostgreSQL for every test that asks: one server a test process, one fresh database a test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.database import connect, plain
from service.database import upgrade
from service.postgres import Postgres

# The tests' data may be lost in a power cut; without waiting for the disk a database is cloned in milliseconds.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300"}
_TEMPLATE = "template_migrated"


async def _run(server: Postgres, *statements: str) -> None:
    connection = await asyncpg.connect(server.dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


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
async def migrated_template(postgres_server: Postgres) -> str:
    """Name of a database at the newest schema, to clone."""
    await _run(postgres_server, f"create database {_TEMPLATE}")
    await upgrade(_address(postgres_server, _TEMPLATE))
    return _TEMPLATE


async def _fresh(server: Postgres, template: str) -> AsyncIterator[str]:
    name = f"test_{uuid4().hex}"
    await _run(server, f"create database {name} template {template}")
    yield _address(server, name)
    await _run(server, f"drop database {name} with (force)")


@pytest.fixture
async def database_url(postgres_server: Postgres, migrated_template: str) -> AsyncIterator[str]:
    """Address of a fresh, migrated database of this test alone (postgresql+asyncpg://…)."""
    async for url in _fresh(postgres_server, migrated_template):
        yield url


@pytest.fixture
async def empty_database_url(postgres_server: Postgres) -> AsyncIterator[str]:
    """Address of a fresh database without any table."""
    async for url in _fresh(postgres_server, "template0"):
        yield url


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
