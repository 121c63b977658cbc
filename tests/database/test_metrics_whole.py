"""Everything that a scrape tells: the names that are promised, valid for every reader, and never more series."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4

import aiohttp
import pytest
from prometheus_client.openmetrics import parser as openmetrics
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.call import Call, apply
from calls.due import Change
from calls.events import Arrived, ChannelCreated, ChannelHungUp, Event, FallbackTaken, Routed, Settled
from calls.view import CallView, view
from crm_sync.ledger.tables import crm_connections
from directory.model import Company, Device, Directory, Line, Person, Team
from directory.store import apply as furnish
from metrics.gauges import DatabaseGauges
from metrics.http import make_app, new_registry, serving
from metrics.links import LinkGauges, StoreGauges, WatchedLink
from metrics.observe import CrmAsked, Observed, Pushed, Reconciled
from metrics.working import WorkingNow
from service.installed import locate_promtool
from telephony.pbx import LinkState

NOW: Final = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LINE: Final = "74951234567"
STRANGERS: Final = 100_000
DIRECTORY: Final = Directory(
    company=Company(name="Ромашка"),
    people=(
        Person(key="anna", name="Анна", role="manager", devices=(Device(kind="desk", address="PJSIP/anna-desk"),)),
    ),
    teams=(Team(key="sales", name="Продажи", strategy="ring_all", members=("anna",)),),
    lines=(Line(number=LINE, name="Основная", team="sales", trunk="PJSIP/trunk"),),
)

PROMISED: Final[Mapping[str, tuple[str, ...]]] = {
    "calls_total": ("direction", "status", "line", "team"),
    "missed_calls_total": ("cause", "line", "team"),
    "missed_calls_open": ("age",),
    "call_wait_seconds_bucket": ("le",),
    "call_talk_seconds_bucket": ("le",),
    "follow_up_seconds_bucket": ("le",),
    "routing_decision_seconds_bucket": ("source", "le"),
    "routing_outcome_total": ("outcome",),
    "ami_connected": ("pbx",),
    "ami_last_event_seconds": ("pbx",),
    "ami_heartbeat_lag_seconds": ("pbx",),
    "ami_events_total": ("pbx",),
    "events_lost_total": ("pbx",),
    "device_reachable": ("device",),
    "trunk_reachable": ("trunk",),
    "line_open": ("line",),
    "trunk_open": ("trunk",),
    "trunk_calls_total": ("trunk",),
    "device_expected": ("device",),
    "catch_up_calls_total": (),
    "reconcile_differences": ("between",),
    "crm_requests_total": ("crm", "operation", "result"),
    "crm_request_seconds_bucket": ("crm", "operation", "le"),
    "crm_ledger_open": ("crm", "state"),
    "crm_oldest_effect_seconds": ("crm",),
    "jobs_waiting": ("queue",),
    "job_oldest_seconds": ("queue",),
    "jobs_failed_total": ("queue",),
    "recordings_missing": (),
    "transcription_realtime_factor": (),
    "transcription_lag_seconds": (),
    "leads": ("stage",),
    "leads_overdue": ("deadline",),
    "card_push_seconds_bucket": ("le",),
    "build_info": ("version", "python"),
}
"""What operators script and dashboards ask: renaming one needs both names for a while."""


class Operations:
    """The metrics of a process with every part in it."""

    def __init__(self, engine: AsyncEngine) -> None:
        registry = new_registry()
        self.observed = Observed(registry, lambda: DIRECTORY)
        Pushed(registry).seconds(0.02)
        Reconciled(registry).note("pbx_store", "main", 0)
        CrmAsked(registry).note("told", 0.1)
        state = LinkState(connected=True, last_event_at=datetime.now(UTC), heartbeat_lag_seconds=0.01)
        links = [WatchedLink("main", state, lambda: 0, lambda: 0.0, lambda: {"sales": 0})]
        registry.register(LinkGauges(links))
        registry.register(StoreGauges(None))
        registry.register(WorkingNow(lambda: DIRECTORY, lambda _at: {}))
        self.gauges = DatabaseGauges(engine, seconds=60)
        self.app = make_app(registry, readers=[self.gauges.families], before=[self.observed.prepare])
        self.address = ""

    async def scrape(self, accept: str = "application/openmetrics-text; version=1.0.0") -> str:
        """What Prometheus gets."""
        asked = {"Accept": accept}
        async with aiohttp.ClientSession() as http, http.get(f"{self.address}/metrics", headers=asked) as answer:
            assert answer.status == 200
            return await answer.text()

    async def series(self) -> int:
        """How many lines with a value there are."""
        await self.gauges.read()
        return sum(not line.startswith("#") for line in (await self.scrape()).splitlines())


@pytest.fixture
async def operations(engine: AsyncEngine) -> AsyncIterator[Operations]:
    """A furnished house that is scraped."""
    async with engine.begin() as connection:
        await furnish(connection, DIRECTORY)
    told = Operations(engine)
    async with serving(told.app, port=0) as told.address:
        yield told


def seen(line: str, number: str, name: str, *, routed: bool) -> CallView:
    """A call that ended: missed, or lost in the fallback."""
    channel = {"pbx": "main", "channel": "1.1", "linkedid": "1.1"}
    events: list[Event] = [
        ChannelCreated(
            **channel, name="PJSIP/trunk-1", at=NOW, number=number, caller_name=name, dialed=line, incoming=True
        ),
        Arrived(**channel, at=NOW, line=line, number=number),
        Routed(pbx="main", channel="1.1", at=NOW, outcome="in_time", seconds=0.01, rule="owner")
        if routed
        else FallbackTaken(pbx="main", channel="1.1", at=NOW, reason="late", line=line),
        ChannelHungUp(pbx="main", channel="1.1", at=NOW, cause=16),
        Settled(pbx="main", channel="1.1", at=NOW),
    ]
    call = Call(pbx="main")
    for event in events:
        call = apply(call, event)
    return view(call)


ONE_OF_EACH: Final = """
    insert into calls (id, pbx, state, direction, status, line, caller_number, started_at, ended_at) values
        (:call, 'main', '{}', 'inbound', 'answered', :line, '79160000000', now(), now());
    insert into transcripts (call_id, language, text, words, segments, model, audio_seconds, took_seconds) values
        (:call, 'ru', '', '[]', '[]', 'base', 10, 2);
    insert into call_audio (call_id, state, transfer, trunk) values (:call, 'missing', 'none', 'PJSIP/trunk');
    insert into device_states (pbx, device, state, reachable, changed_at) values ('main', 'PJSIP/anna-desk',
        'unknown', true, now()), ('main', 'PJSIP/trunk', 'unknown', true, now());
"""


async def fill(engine: AsyncEngine) -> None:
    """One of everything whose series exist only where there are rows."""
    call = uuid4()
    async with engine.begin() as connection:
        for statement in ONE_OF_EACH.split(";")[:-1]:
            await connection.execute(text(statement), {"call": call, "line": LINE})
        row = {"key": "house", "kind": "webhook", "settings": {}, "secrets": b"", "steps": [], "state": "active"}
        await connection.execute(insert(crm_connections).values(**row, account="house"))


async def test_what_is_promised_is_told_with_these_labels(operations: Operations, engine: AsyncEngine) -> None:
    """The names of the surface, each from a scrape."""
    await fill(engine)
    routed = Routed(pbx="main", channel="1.1", at=NOW, outcome="in_time", seconds=0.01, rule="owner")
    operations.observed.observe(Change(uuid4(), None, seen(LINE, "79160000001", "Иван", routed=True), (routed,)))
    await operations.gauges.read()
    told: dict[str, set[str]] = {}
    families = openmetrics.text_string_to_metric_families(await operations.scrape())  # type: ignore[no-untyped-call]
    for family in families:
        for sample in family.samples:
            told.setdefault(sample.name.removeprefix("switchhook_"), set()).update(sample.labels)
    missing = {name: labels for name, labels in PROMISED.items() if told.get(name) != set(labels)}
    assert missing == {}, {name: told.get(name) for name in missing}


async def test_a_scrape_is_good_prometheus(operations: Operations, engine: AsyncEngine) -> None:
    """Prometheus' own tool finds nothing to mend in names, units and types."""
    await fill(engine)
    await operations.gauges.read()
    told = await operations.scrape("text/plain")
    run = subprocess.run(
        [locate_promtool(), "check", "metrics"], input=told, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout + run.stderr) == (0, "")


STRANGE: Final = """
    insert into calls (id, pbx, state, direction, status, line, caller_number, caller_name, started_at) select
        gen_random_uuid(), 'main', '{}', 'inbound', case n % 2 when 0 then 'missed' else 'ringing' end, 'line '
        || n, 'number ' || n, 'name ' || n, now() from generate_series(:first, :last - 1) as n;
    insert into call_audio (call_id, state, transfer, trunk) select id, 'missing', 'none', 'trunk ' || line from
        calls where line ~ '^line' on conflict do nothing;
    insert into follow_ups (number, line, origin, cause, call_id, attempt_count, priority, opened_at,
        last_missed_at) select caller_number, line, 'missed', 'cause ' || line, id, 1, 1, now(), now() from calls
        where line ~ '^line' on conflict do nothing;
    insert into device_states (pbx, device, state, reachable, changed_at) select 'main', 'PJSIP/' || n,
        'unknown', false, now() from generate_series(:first, :last - 1) as n;
    insert into outgoing_calls (purpose, state, reason, number, person) select 'click', 'refused', 'reason ' ||
        n, '7916' || n, 'person ' || n from generate_series(:first, :last - 1) as n;
    insert into removals (call_id, kind, cause) select id, 'audio', 'policy' from calls where line ~ '^line' on
        conflict do nothing;
"""


async def test_a_hundred_thousand_strangers_add_no_series(operations: Operations, engine: AsyncEngine) -> None:
    """Numbers, names, lines, devices, trunks and reasons that anybody may send are no labels."""
    await fill(engine)
    models = [seen("74950000000", "79160000000", "x", routed=routed) for routed in (True, False)]

    def stranger(number: int) -> CallView:
        told: dict[str, Any] = {"line": f"7495{number:07}", "caller_number": f"7916{number:07}"}
        told |= {"caller_name": f"Имя {number}", "caller_device": f"SIP/{number}"}
        told |= {"rule": f"rule {number}", "outcome": f"outcome {number}", "missed_cause": f"cause {number}"}
        told |= {"direction": f"direction {number}", "status": f"status {number}"} if number % 3 == 0 else {}
        return replace(models[number % 2], **told)

    async def come(first: int, last: int) -> int:
        for number in range(first, last):
            routed = Routed(pbx="main", channel="1.1", at=NOW, outcome=f"outcome {number}", seconds=0.1)
            operations.observed.observe(Change(UUID(int=number), None, stranger(number), (routed,)))
        async with engine.begin() as connection:
            for statement in STRANGE.split(";")[:-1]:
                await connection.execute(text(statement), {"first": first, "last": first + (last - first) // 10})
        return await operations.series()

    some = await come(0, 200)
    assert await come(200, STRANGERS) == some
    assert some < 1500


async def test_what_goes_through_many_rows_is_asked_seldom(engine: AsyncEngine) -> None:
    """Between two looks it keeps its answer, while the rest is read anew."""
    gauges = DatabaseGauges(engine)

    def value(told: DatabaseGauges, name: str, label: str) -> list[float]:
        families = (family for family in told.families() if family.name == f"switchhook_{name}")
        return [one.value for family in families for one in family.samples if label in one.labels.values()]

    await gauges.read()
    await fill(engine)
    async with engine.begin() as connection:
        await furnish(connection, DIRECTORY)
        party = "insert into parties (name) values ('x') returning id"
        lead = "insert into leads (party_id, stage, opened_at) values (:party, 'new', now())"
        number = (await connection.execute(text(party))).scalar_one()
        await connection.execute(text(lead), {"party": number})
    await gauges.read()
    assert value(gauges, "leads", "new") == [0]
    assert value(gauges, "device_reachable", "PJSIP/anna-desk") == [1]
    another = DatabaseGauges(engine)
    await another.read()
    assert value(another, "leads", "new") == [1]
