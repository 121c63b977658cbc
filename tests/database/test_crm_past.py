"""A connection is owed what happens from its moment on, and what proves nothing any more is not kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from crm_sync import connections
from crm_sync.ledger.upkeep import plan_told, tidy
from service.commands.crm import add_webhook
from service.faults import UserFault
from service.settings import Settings
from tests.fakes.ledger import LOOPBACK, SECRET_KEY, Ledger, add_connection, open_ledger
from tests.fakes.recorded import LINE, T0, settled_call
from tests.fakes.webhooks import Said

OLD, NEW = "1.1", "2.1"


@pytest.fixture
async def ledger(engine: AsyncEngine) -> AsyncIterator[Ledger]:
    async with open_ledger(engine) as told:
        yield told


def there(uid: str) -> Any:
    return {"pbx": "pbx", "channel": uid, "linkedid": uid, "at": T0}


async def promise(ledger: Ledger, *whats: str) -> None:
    """Open a promise to call back, or do more of it."""
    opens = (
        "insert into follow_ups"
        " (number, line, origin, cause, call_id, attempt_count, priority, opened_at, last_missed_at)"
        " select '79161234567', :line, 'missed', 'rang_out', id, 1, 0, now(), now() from calls"
        " where not exists (select from follow_ups) limit 1"
    )
    acts = "insert into follow_up_actions (follow_up_id, who, what, why) select id, 'x', :what, 'x' from follow_ups"
    async with ledger.engine.begin() as connection:
        await connection.execute(text(opens), {"line": LINE})
        for what in whats:
            await connection.execute(text(acts), {"what": what})


async def owed_to(ledger: Ledger, key: str) -> list[str]:
    rows = await ledger.rows("select step from crm_effects where connection = :key order by number", key=key)
    return [row.step for row in rows]


async def test_a_connection_is_not_told_what_was_before_it(ledger: Ledger) -> None:
    """Also when more becomes known of it later; others are, and what happens then is told to all."""
    await ledger.happen(settled_call(OLD, answered=False))
    await promise(ledger)
    async with ledger.engine.begin() as connection:  # more than is looked at at once, and owed to nobody
        acts = "insert into follow_up_actions (follow_up_id, who, what, why, at) select id, 'x', 'opened', 'x'"
        await connection.execute(text(f"{acts}, '2025-01-01' from follow_ups, generate_series(1, 501)"))
    await promise(ledger, "opened")
    await add_connection(ledger.engine, ledger.receiver.url, "late", since=None)
    await ledger.happen([e.Transcribed(**there(OLD), model="base")])
    assert await plan_told(ledger.engine) == 1
    assert await owed_to(ledger, "late") == []
    assert await owed_to(ledger, "site") == ["call_finished", "transcript", "task"]
    await ledger.happen(settled_call(NEW, at=datetime.now(UTC)))
    await promise(ledger, "given")
    assert await plan_told(ledger.engine) == 2
    assert await owed_to(ledger, "late") == ["call_finished", "task"]


async def test_who_asks_for_the_past_is_told_it_in_its_order_and_nobody_else_again(
    ledger: Ledger, database_url: str
) -> None:
    """Calls with their sound and text, and promises, since then; not in the future."""
    told: Any = {"database_url": database_url, "secret_key": SECRET_KEY, "crm": {"networks": [str(LOOPBACK[0])]}}
    settings, since = Settings(**told), T0 + timedelta(hours=1)
    await ledger.happen(settled_call("3.1", number="79160000003", at=since + timedelta(minutes=2)))
    await ledger.happen(settled_call(OLD))
    await ledger.happen(settled_call(NEW, number="79160000002", at=since + timedelta(minutes=1)))
    for event in (e.RecordingStored(**there(NEW), side="caller"), e.Transcribed(**there(NEW), model="base")):
        await ledger.happen([event])
    await promise(ledger, "opened", "given")
    before = await owed_to(ledger, "site")
    more: Any = {"shadow": False, "link_days": 30, "probe": False}
    with pytest.raises(UserFault, match="--since: must not be later than now"):
        await add_webhook(settings, "late", "http://127.0.0.1/", (), **more, since=datetime(2999, 1, 1, tzinfo=UTC))
    await add_webhook(settings, "late", "http://127.0.0.1/", (), **more, since=since)
    assert await owed_to(ledger, "site") == before
    asked = (
        "select n.name, step, waits from crm_effects e join calls c on c.id = e.call_id"
        " join call_names n on n.call_id = c.id and n.name like '%.1' where connection = 'late' order by number"
    )
    assert [tuple(row) for row in await ledger.rows(asked)] == [
        (NEW, "call_finished", False), (NEW, "recording", True), (NEW, "transcript", False),
        ("3.1", "call_finished", False),
    ]  # fmt: skip
    assert await plan_told(ledger.engine) == 4
    assert (await owed_to(ledger, "late"))[-2:] == ["task", "task"]
    assert await plan_told(ledger.engine) == 0


@pytest.mark.parametrize("stopped_by, owed", [("hand", []), ("gone", []), ("auth_dead", ["task"])])
async def test_what_happened_while_nothing_was_to_be_told_is_not_owed(
    ledger: Ledger, stopped_by: str, owed: list[str]
) -> None:
    """Started again, it is told what happens then; who let us in no more is owed all of it."""
    await ledger.happen(settled_call())
    async with ledger.engine.begin() as connection:
        await connections.stop(connection, "site", stopped_by)
    await promise(ledger, "opened")
    async with ledger.engine.begin() as connection:
        await connections.start(connection, "site")
    await plan_told(ledger.engine)
    assert await owed_to(ledger, "site") == ["call_finished", *owed]
    await promise(ledger, "given")
    await plan_told(ledger.engine)
    assert await owed_to(ledger, "site") == ["call_finished", *owed, "task"]


async def test_what_proves_nothing_any_more_is_removed_and_told_to_nobody_again(ledger: Ledger) -> None:
    """The beginnings of calls, and promises far behind; a call's end stays, and so do dead letters."""
    for event in sorted(settled_call(answered=False), key=lambda event: event.at or T0):
        await ledger.happen([event])
    await promise(ledger, "opened", "given")
    ledger.receiver.script = lambda _count, told: Said(status=422 if told["type"] == "follow_up.given" else 200)
    await plan_told(ledger.engine)
    await ledger.run()
    async with ledger.engine.begin() as connection:
        await connection.execute(text("select setval('follow_up_actions_id_seq', 5000)"))
    await promise(ledger, "escalated")
    await plan_told(ledger.engine)
    await ledger.run()
    steps = "select step, state from crm_effects where connection = 'site' order by number"
    before = [tuple(row) for row in await ledger.rows(steps)]
    await tidy(ledger.engine)
    assert [tuple(row) for row in await ledger.rows(steps)] == before
    async with ledger.engine.begin() as connection:
        await connection.execute(text("update crm_effects set ended_at = now() - interval '31 days'"))
    await tidy(ledger.engine)
    kept = [("call_finished", "done"), ("task", "dead"), ("task", "done")]
    assert [tuple(row) for row in await ledger.rows(steps)] == kept
    assert before == [("call_started", "done"), *kept[:1], ("task", "done"), *kept[1:]]
    assert await plan_told(ledger.engine) == 0
    await ledger.happen([e.Settled(**there("1795427050.1") | {"at": T0 + timedelta(seconds=30)})])
    await add_connection(ledger.engine, ledger.receiver.url, "late", steps=("task",))
    assert await plan_told(ledger.engine) == 3
    assert [tuple(row) for row in await ledger.rows(steps)] == kept
