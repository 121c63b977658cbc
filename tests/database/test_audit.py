"""What was done to what was said stays written down."""

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from recordings.audit import THE_OPERATOR, Actor, note
from recordings.privacy_tables import audit


async def test_a_line_of_the_audit_is_written_with_who_did_it_and_stays(engine: AsyncEngine) -> None:
    """The table itself refuses to change, remove or empty it, also to the service's own account."""
    async with engine.begin() as connection:
        await note(connection, Actor(login="vera", user=7, address="10.0.0.9"), "hold_set", "hold 1", {"call": "x"})
        await note(connection, THE_OPERATOR, "hold_lifted", "hold 1")
    for change in (update(audit).values(actor="nobody"), delete(audit)):
        with pytest.raises(DBAPIError, match="takes new rows only"):
            async with engine.begin() as connection:
                await connection.execute(change)
    with pytest.raises(DBAPIError, match="takes new rows only"):
        async with engine.begin() as connection:
            await connection.exec_driver_sql("truncate audit")
    async with engine.connect() as connection:
        rows = (await connection.execute(select(audit).order_by(audit.c.id))).all()
    assert [(row.actor, row.user_id, row.action, row.subject, row.details) for row in rows] == [
        ("vera", 7, "hold_set", "hold 1", {"call": "x"}),
        ("command line", None, "hold_lifted", "hold 1", {}),
    ]
    assert [row.address and str(row.address) for row in rows] == ["10.0.0.9", None]


async def test_only_what_is_on_the_list_is_written_down(engine: AsyncEngine) -> None:
    """An action of no name is a fault of the program."""
    async with engine.begin() as connection:
        with pytest.raises(ValueError, match="not an action of the audit"):
            await note(connection, THE_OPERATOR, "looked", "call 1")
