"""A call that people talked on, and that the CRM does not know, is told as lost; sound that is late there as a gap."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.due import Change
from calls.follow_up import cause_of, origin_of
from calls.record import state_call
from calls.view import CallView, view
from crm_sync import connections
from crm_sync.ledger.planning import release
from metrics.gauges import DatabaseGauges
from metrics.observe import Observed
from recordings.rows import gaps_of, is_late_in_crm, note_not_in_crm, write_call_audio
from service.commands.explain import tell
from service.crm.losses import tell_losses
from service.recorder import Recorder
from tests.fakes.ledger import OWES, Ledger, open_ledger
from tests.fakes.recorded import T0, settled_call
from tests.fakes.webhooks import OK, Said

HOUR = timedelta(hours=1)


class Watched:
    """The service's recorder, with its metrics."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.registry = CollectorRegistry()
        observed = Observed(self.registry)
        self.changes: list[Change] = []

        def seen(change: Change) -> None:
            self.changes.append(change)
            observed.observe(change)

        self.recorder = Recorder(engine, OWES, seen)

    @property
    def lost(self) -> float:
        family = next(one for one in self.registry.collect() if one.name == "switchhook_missed_calls")
        return sum(
            one.value
            for one in family.samples
            if one.labels.get("cause") == "integration_lost" and one.name.endswith("_total")
        )


@pytest.fixture
async def ledger(engine: AsyncEngine) -> AsyncIterator[Ledger]:
    async with open_ledger(engine) as told:
        yield told


async def call_of(ledger: Ledger) -> tuple[Any, CallView]:
    (row,) = await ledger.rows("select * from calls")
    return row, view(state_call(row.state))


async def test_a_call_that_the_crm_refused_for_good_is_lost_there_once_and_nobodys_fault(ledger: Ledger) -> None:
    """Answered stays answered: counted under its cause once, shown with what shows it; no follow-up, nobody charged."""
    ledger.receiver.script = lambda _count, _told: Said(status=500)
    watched = Watched(ledger.engine)
    await watched.recorder.write(settled_call())
    await ledger.run()
    assert await tell_losses(watched.recorder, HOUR) == 0  # it is still being tried
    ledger.later(24 * 3600)
    await ledger.run()
    assert [await tell_losses(watched.recorder, HOUR) for _ in range(2)] == [1, 0]
    row, seen = await call_of(ledger)
    assert (row.status, row.missed_cause, seen.charged_to, origin_of(seen), cause_of(seen)) == (
        "answered", None, (), None, None,
    )  # fmt: skip
    (shown,) = seen.integration_lost
    assert (shown.key, dict(shown.values)) == ("crm_not_told", {"connection": "site", "why": "dead"})
    assert watched.lost == 1
    async with ledger.engine.connect() as connection:
        _, words = await tell(connection, row.id, "en")
    assert "Answered, but lost in the CRM" in words
    assert "“site” did not take this call" in words


async def test_a_call_of_which_the_crm_hears_nothing_in_time_is_lost_until_then(ledger: Ledger) -> None:
    """Whoever is away, or lets us in no more: an hour later it counts, once also when it is given up later."""
    ledger.receiver.script = lambda _count, _told: Said(status=401)
    watched = Watched(ledger.engine)
    await watched.recorder.write(settled_call())
    await ledger.run()
    assert await tell_losses(watched.recorder, HOUR) == 0
    async with ledger.engine.begin() as connection:
        await connection.execute(text("update crm_effects set planned_at = planned_at - interval '61 minutes'"))
    assert [await tell_losses(watched.recorder, HOUR) for _ in range(2)] == [1, 0]
    _, seen = await call_of(ledger)
    assert dict(seen.integration_lost[0].values)["why"] == "late"
    assert watched.lost == 1


async def test_who_is_not_owed_a_call_has_not_lost_it(ledger: Ledger) -> None:
    """A missed call is missed at the PBX already; a connection that a person stopped waits for nothing."""
    watched = Watched(ledger.engine)
    ledger.receiver.script = lambda _count, _told: Said(status=422)
    await watched.recorder.write(settled_call("1.1", answered=False))
    await ledger.run()
    await watched.recorder.write(settled_call("2.1"))
    async with ledger.engine.begin() as connection:
        await connections.stop(connection, "site")
        await connection.execute(text("update crm_effects set planned_at = planned_at - interval '61 minutes'"))
    assert await tell_losses(watched.recorder, HOUR) == 0
    assert watched.lost == 0


async def test_sound_that_the_crm_does_not_have_in_time_is_a_gap_until_it_has(ledger: Ledger) -> None:
    """Behind every gap of the sound itself: in the lists, in the metric, on the page; it goes when it is told."""
    watched = Watched(ledger.engine)
    for uid in ("1.1", "2.1"):
        await watched.recorder.write(settled_call(uid))
        await watched.recorder.write([e.RecordingStored(pbx="pbx", channel=uid, linkedid=uid, at=T0, side="caller")])
    rows = await ledger.rows("select id from calls order by id")
    async with ledger.engine.begin() as connection:
        for row in rows:
            await write_call_audio(connection, row.id, "stored", "none", "PJSIP/trunk")
        await connection.execute(text("update crm_effects set planned_at = planned_at - interval '61 minutes'"))
    await ledger.run()  # the calls themselves are told; their sound waits for the archive

    async def told() -> tuple[dict[str, int], bool, float]:
        await tell_losses(watched.recorder, HOUR, at_once=1)
        families = await DatabaseGauges(ledger.engine).read()
        judged = next(one for one in families if one.name == "switchhook_recordings_judged")
        count = next(one.value for one in judged.samples if one.labels["state"] == "not_in_crm")
        async with ledger.engine.connect() as connection:
            return await gaps_of(connection, T0), await is_late_in_crm(connection, row.id), count

    assert await told() == ({"not_in_crm": 2}, True, 2.0)
    async with ledger.engine.begin() as connection:
        assert await note_not_in_crm(connection, {}, last=rows[0].id) == 1  # what is behind the last one stays noted
    ledger.receiver.script = lambda _count, _told: OK
    for row, gaps in zip(rows, ({"not_in_crm": 1, "stored": 1}, {"stored": 2}), strict=True):
        async with ledger.engine.begin() as connection:
            await release(connection, row.id)
        await ledger.run()
        assert await told() == (gaps, False, gaps.get("not_in_crm", 0.0))
    assert watched.lost == 0
