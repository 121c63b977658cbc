"""Alembic's entry: compares and migrates every room's tables over the connection that service.database hands in."""

from alembic import context

from service.database import metadata


def _owned(_object: object, name: str | None, kind: str, _reflected: bool, _compared: object) -> bool:
    """Partitions are made by calls.database, the job queue's tables by procrastinate's own schema."""
    foreign = ("procrastinate_", "call_events_", "idx_procrastinate")
    return not (kind in {"table", "index"} and name is not None and name.startswith(foreign))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_object=_owned,
    compare_type=True,
    transaction_per_migration=True,  # what one locks is not locked while the next is at work
)
with context.begin_transaction():
    context.run_migrations()
