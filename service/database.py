"""Brings a database to the schema of this version, under a lock, whoever starts first."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Final

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from calls.database import connect, ensure_partitions
from directory.tables import metadata

ROOMS: Final = (
    *("directory", "calls", "notices", "telephony", "routing", "recordings", "crm_sync", "reports", "web"),
    "service.backups",
)
"""Each of these has tables, which join the one MetaData when they are imported."""

for room in ROOMS:
    import_module(f"{room}.tables")

__all__ = ["knows", "metadata", "status", "upgrade"]

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_LOCK = text("select pg_advisory_lock(5038, 0)")
"""Held over all transactions of an upgrade, until its connection is closed."""


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def knows(revision: str) -> bool:
    """Whether this version can take a database of that revision: it has the migration that made it."""
    return any(one.revision == revision for one in ScriptDirectory.from_config(_config()).walk_revisions())


def _upgrade(connection: Connection) -> None:
    connection.execute(_LOCK)
    found = MigrationContext.configure(connection).get_current_revision()
    connection.commit()  # within a transaction of ours all migrations would be one
    if found is not None and not knows(found):
        log.warning("database is of a newer version, and is taken as it is", revision=found)
        return
    command.upgrade(_config(connection), "head")


async def upgrade(url: str) -> None:
    """Run every migration not yet run, each in a transaction of its own; a second caller waits and finds nothing to do.

    Where one fails, those before it stay, and the next upgrade goes on from there. A newer schema is left as it is: it
    works with the version before it, which may still run, or run again.
    """
    engine = connect(url, pool=1, longest=None)  # of a large store an index alone takes minutes
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_upgrade)
            await ensure_partitions(connection)
            await connection.commit()
    finally:
        await engine.dispose()


async def status(url: str) -> tuple[str | None, str | None]:
    """(revision of the database, newest revision known here)."""
    engine = connect(url, pool=1)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(
                lambda sync: (
                    MigrationContext.configure(sync).get_current_revision(),
                    ScriptDirectory.from_config(_config(sync)).get_current_head(),
                )
            )
    finally:
        await engine.dispose()
