"""Incidents as they are kept, counted, shown and told, with real rows of what went wrong."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner

from calls import events as e
from calls.incident_rows import keep, last_sign_of_life, listed, read, sign_of_life
from calls.incidents import OVER_AFTER, Fault
from crm_sync.ledger.upkeep import plan_told
from directory import store
from directory.model import Hours, Line, Person
from metrics.gauges import DatabaseGauges
from metrics.http import new_registry
from service.cli.main import app
from service.incidents import costs, stored
from service.incidents.looking import Looking
from service.incidents.telling import tell_of
from service.settings import Settings
from service.telephony_role import Telephony
from service.wiring import House
from tests.fakes.ledger import Ledger, open_ledger
from tests.fakes.site import open_site
from tests.fakes.story import HOUSE, LINE, PASSWORD, Told, furnish
from tests.fakes.webhooks import OK, Said
from web import users

LOOKS = timedelta(seconds=5)


class Watch:
    """Looks as a telephony role does, at moments that the test says."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.at = datetime.now(UTC)

    async def look(self, *own: Fault, after: timedelta = LOOKS) -> list[str]:
        """What happened by this look, in words."""
        self.at += after
        async with self.engine.begin() as connection:
            found = [*own, *await stored.faults(connection, HOUSE)]
            told = []
            for what, number in await keep(connection, found, self.at, self.at - timedelta(days=1)):
                await costs.count(connection, await read(connection, number), self.at)
                incident = await read(connection, number)
                await tell_of(connection, what, incident)
                told.append(f"{incident.kind} {incident.subject} {what}")
        return told

    async def stays_well(self) -> list[str]:
        """Look until whatever is well is over."""
        return [one for _ in range(14) for one in await self.look()]

    async def all(self) -> list[Row[Any]]:
        """Every incident, the newest first."""
        async with self.engine.connect() as connection:
            return await listed(connection)


@pytest.fixture
async def watch(engine: AsyncEngine) -> Watch:
    """The small house, and somebody who looks."""
    await furnish(engine)
    return Watch(engine)


async def trunk(engine: AsyncEngine, *, there: bool, at: datetime) -> None:
    """The PBX says so of the trunk."""
    sql = (
        "insert into device_states values ('main', 'PJSIP/trunk', 'not_inuse', :there, :at)"
        " on conflict (pbx, device) do update set reachable = :there, changed_at = :at"
    )
    async with engine.begin() as connection:
        await connection.execute(text(sql), {"there": there, "at": at})


async def fell_back(engine: AsyncEngine, number: str, at: datetime, *, answered: bool) -> Told:
    """A call that took the PBX's fallback, where nobody answered or somebody did."""
    call = Told(engine, number=number, at=at)
    created = e.ChannelCreated(**call.base(), number=number, dialed=LINE, context="trunk", incoming=True)
    await call.tell(created, e.FallbackTaken(**call.base(), line=LINE, reason="down"))
    await call.rings("PJSIP/boris-soft")
    if answered:
        await call.answers("PJSIP/boris-soft")
    await call.hangs_up(after=20)
    return call


async def test_a_trunk_that_is_gone_and_back_is_one_incident_with_begin_and_end(watch: Watch) -> None:
    """It is seen twice, well for half a minute, gone again, and over: opened and closed once."""
    since = watch.at - timedelta(seconds=30)
    await trunk(watch.engine, there=False, at=since)
    assert [await watch.look() for _ in range(2)] == [["trunk PJSIP/trunk opened"], []]
    await trunk(watch.engine, there=True, at=watch.at)
    assert [one for _ in range(6) for one in await watch.look()] == []
    await trunk(watch.engine, there=False, at=watch.at)
    assert await watch.look() == []
    await trunk(watch.engine, there=True, at=watch.at)
    seen = watch.at
    assert await watch.stays_well() == ["trunk PJSIP/trunk closed"]
    (incident,) = await watch.all()
    assert (incident.started_at, incident.ended_at, incident.grave) == (since, seen, True)
    await trunk(watch.engine, there=False, at=watch.at)
    assert await watch.look() == ["trunk PJSIP/trunk reopened"]
    assert len(await watch.all()) == 1


async def test_many_who_look_at_once_open_and_close_one_incident(watch: Watch) -> None:
    """Whichever is first, the others see the same one."""
    await trunk(watch.engine, there=False, at=watch.at)

    async def round_of(at: datetime) -> list[tuple[str, int]]:
        async with watch.engine.begin() as connection:
            found = await stored.faults(connection, HOUSE)
            return list(await keep(connection, found, at, at - timedelta(days=1)))

    opened = await asyncio.gather(*(round_of(watch.at) for _ in range(5)))
    assert [what for one in opened for what, _ in one] == ["opened"]
    await trunk(watch.engine, there=True, at=watch.at)
    closed = await asyncio.gather(*(round_of(watch.at + OVER_AFTER) for _ in range(5)))
    assert [what for one in closed for what, _ in one] == ["closed"]


def _never(line: Line) -> Line:
    return replace(line, hours="never")


async def test_a_phone_that_is_gone_counts_while_its_owner_is_on_shift(watch: Watch) -> None:
    """Who has no hours works while a line is open, Gleb is away; a phone that registers anew is gone for a moment."""
    gone = "insert into device_states values ('main', :device, 'unavailable', false, :at)"
    async with watch.engine.begin() as connection:
        for device, ago in (("PJSIP/anna-desk", 300), ("PJSIP/gleb-desk", 300), ("PJSIP/boris-soft", 5)):
            await connection.execute(text(gone), {"device": device, "at": watch.at - timedelta(seconds=ago)})
        away = "insert into absences (person, starts_at, ends_at) values ('gleb', :since, :until)"
        day = timedelta(days=1)
        await connection.execute(text(away), {"since": watch.at - day, "until": watch.at + day})
        closed = replace(HOUSE, hours=(Hours(key="never", spans=()),), lines=tuple(_never(one) for one in HOUSE.lines))
        assert await stored.faults(connection, closed) == []
    assert await watch.look() == ["device PJSIP/anna-desk opened"]
    (incident,) = await watch.all()
    assert (incident.grave, incident.reason) == (False, "anna")


async def test_the_calls_of_an_outage_are_counted_and_counted_again(watch: Watch) -> None:
    """One was lost and one saved; another PBX's and those of another hour are none of it; late facts are."""
    began = watch.at - timedelta(minutes=10)
    lost = await fell_back(watch.engine, "79160000001", began + timedelta(minutes=1), answered=False)
    saved = await fell_back(watch.engine, "79160000002", began + timedelta(minutes=2), answered=True)
    await fell_back(watch.engine, "79160000003", began - timedelta(hours=1), answered=False)
    assert "pbx main opened" in await watch.look(Fault("pbx", "main", since=began), after=timedelta())
    await watch.look(Fault("pbx", "other", since=began), after=timedelta())
    counts = {(one.kind, one.subject): (one.calls_lost, one.calls_saved) for one in await watch.all()}
    assert (counts["pbx", "main"], counts["pbx", "other"]) == ((1, 1), (0, 0))
    late = await fell_back(watch.engine, "79160000004", began + timedelta(minutes=3), answered=False)
    await costs.Counting(watch.engine).again(watch.at - timedelta(days=1), watch.at)
    async with watch.engine.connect() as connection:
        of = "select outcome, call_id from incident_calls join incidents i on i.id = incident_id where subject = 'main'"
        rows = {(row.outcome, row.call_id) for row in await connection.execute(text(of))}
    assert rows >= {("lost", lost.id), ("saved", saved.id), ("lost", late.id)}


async def test_many_calls_of_an_incident_are_counted_and_then_those_that_changed(watch: Watch) -> None:
    """More than a statement has parameters for; what is not written anew keeps its outcome."""
    began = watch.at - timedelta(minutes=10)
    lost = await fell_back(watch.engine, "79160000001", began + timedelta(minutes=1), answered=False)
    await watch.look(Fault("pbx", "main", since=began), after=timedelta())
    copies = (
        "insert into calls select (jsonb_populate_record(calls, jsonb_build_object('id', gen_random_uuid()))).*"
        " from calls, generate_series(1, 11000) where id = :id"
    )
    later = watch.at + timedelta(days=1)
    async with watch.engine.begin() as connection:
        await connection.execute(text(copies), {"id": lost.id})
    counting = costs.Counting(watch.engine)
    await counting.again(began, watch.at)
    assert [one.calls_lost for one in await watch.all() if one.kind == "pbx"] == [11_001]
    async with watch.engine.begin() as connection:
        await connection.execute(text("update calls set missed_cause = 'hung_up'"))
        await connection.execute(text("update calls set updated_at = :at where id = :id"), {"at": later, "id": lost.id})
    counting._counted = dict.fromkeys(counting._counted, later)  # a day is over
    await counting.again(began, watch.at)
    assert [one.calls_lost for one in await watch.all() if one.kind == "pbx"] == [11_000]


async def test_an_incident_that_cannot_be_counted_holds_up_no_other(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged, and the others are counted."""
    began = watch.at - timedelta(minutes=10)
    await watch.look(Fault("events", "bad", since=began), Fault("pbx", "main", since=began), after=timedelta())
    await fell_back(watch.engine, "79160000001", began + timedelta(minutes=1), answered=False)
    count = costs.count

    async def fails(connection: Any, incident: Any, *rest: Any) -> None:
        if incident.subject == "bad":
            await connection.execute(text("select 1 / 0"))
        await count(connection, incident, *rest)

    monkeypatch.setattr(costs, "count", fails)
    await costs.Counting(watch.engine).again(began, watch.at)
    assert {one.subject: one.calls_lost for one in await watch.all()}["main"] == 1


async def test_an_index_bounds_what_is_asked_every_few_seconds(watch: Watch) -> None:
    """A moment that changes within a question would be a filter behind the index, and all calls be read."""
    questions = [str(one) for one in vars(stored).values() if isinstance(one, TextClause)]
    assert [one for one in questions if " clock_timestamp()" in one] == []
    asked = next(one for one in questions if "FallbackTaken" in one)
    async with watch.engine.begin() as connection:
        await connection.execute(text("set local enable_seqscan = off"))
        plan = "\n".join((await connection.execute(text(f"explain {asked}"))).scalars())
    assert "Index Cond: (started_at > (statement_timestamp()" in plan


async def test_a_pbx_that_others_should_attend_is_a_fault_when_nobody_measures_it(watch: Watch) -> None:
    """One that the settings do not name is none of ours, nor one that this process judges by its link."""
    sql = "insert into pbx_clocks (pbx, ahead, measured_at) select pbx, interval '0', clock_timestamp() - age from"
    sql += " (values ('first', interval '4 minutes'), ('second', interval '1 minute'), ('gone', interval '1 hour'))"
    async with watch.engine.begin() as connection:
        await connection.execute(text(f"{sql} as of (pbx, age)"))
        assert await stored.faults(connection, HOUSE) == []
        found = await stored.faults(connection, HOUSE, ("first", "second"))
    assert [one.of for one in found] == [("pbx", "first")]


async def test_a_crm_that_refuses_and_takes_again_is_told_by_webhooks_once_each(watch: Watch) -> None:
    """`incident.opened` and `incident.closed`, however often it is planned."""
    async with open_ledger(watch.engine) as ledger:
        await _refuses(ledger)
        assert await watch.look() == ["crm_late site opened"]
        ledger.receiver.script = lambda _count, _told: OK
        ledger.later(3600)
        await _tells(ledger)
        assert await watch.stays_well() == ["crm_late site closed"]
        await _tells(ledger)
        await _tells(ledger)
        told = [one for one in ledger.receiver.order if one["type"].startswith("incident")]
        assert [one["type"] for one in told] == ["incident.opened", "incident.closed"]
        opened, closed = (one["data"] for one in told)
        assert (opened["kind"], opened["subject"], opened["grave"]) == ("crm_late", "site", False)
        assert (opened["ended_at"], opened["id"]) == (None, closed["id"])
        assert closed["ended_at"] > closed["started_at"]
        assert "reason" not in closed


async def test_no_webhook_tells_by_a_phone_who_is_on_shift(watch: Watch) -> None:
    """Of the two incidents only the one that is of nobody goes outside."""
    async with open_ledger(watch.engine) as ledger:
        told = await watch.look(Fault("device", "PJSIP/anna-desk", reason="anna"), Fault("trunk", "PJSIP/trunk"))
        assert sorted(told) == ["device PJSIP/anna-desk opened", "trunk PJSIP/trunk opened"]
        await _tells(ledger)
        received = [one["data"]["subject"] for one in ledger.receiver.order if one["type"].startswith("incident")]
    assert received == ["PJSIP/trunk"]


async def _refuses(ledger: Ledger) -> None:
    ledger.receiver.script = lambda _count, _told: Said(status=503)
    call = Told(ledger.engine, number="79160000009")
    await call.arrives()
    await call.hangs_up(after=2)
    sql = "select id from calls limit 1"
    (row,) = await ledger.rows(sql)
    plan = (
        "insert into crm_effects (key, connection, call_id, step, lane, waits, state)"
        " values (gen_random_uuid(), 'site', :call, 'call_finished', 'x', false, 'planned')"
    )
    async with ledger.engine.begin() as connection:
        await connection.execute(text(plan), {"call": row.id})
    await ledger.run()


async def _tells(ledger: Ledger) -> None:
    await plan_told(ledger.engine)
    await ledger.run()


async def test_operators_and_admins_are_told_of_what_is_grave_once_each(engine: AsyncEngine) -> None:
    """That it began and that it is over, and of one that comes back soon nothing new; of a phone nobody."""
    people = (
        *HOUSE.people,
        Person(key="olga", name="Ольга", role="operator"),
        Person(key="ilya", name="Илья", role="admin"),
    )
    async with engine.begin() as connection:
        await store.apply(connection, replace(HOUSE, people=people))
    watch = Watch(engine)
    fault = Fault("pbx", "main", since=watch.at)
    await watch.look(fault, Fault("device", "PJSIP/anna-desk"))
    await watch.stays_well()
    await watch.look(fault)
    await watch.stays_well()
    async with engine.connect() as connection:
        rows = await connection.execute(text("select person, kind, values from notices order by id"))
        told = [(row.person, row.kind, row.values["fault"]) for row in rows]
    assert told == [(who, f"incident_{what}", "pbx") for what in ("opened", "closed") for who in ("ilya", "olga")]


async def test_incidents_are_shown_answered_and_counted(watch: Watch, tmp_path: Path) -> None:
    """On the page what is wrong now comes first; the calls that it cost are a list; the API pages; metrics count."""
    began = watch.at - timedelta(minutes=5)
    await fell_back(watch.engine, "79160000001", began + timedelta(minutes=1), answered=False)
    crm = Fault("crm_dead", "site", since=began, count=17)
    await watch.look(Fault("service", since=began, until=watch.at), crm, after=timedelta())
    await watch.stays_well()
    await watch.look(Fault("pbx", "main", since=watch.at, reason="no answer"))
    async with watch.engine.begin() as connection:
        await sign_of_life(connection)
        await users.add(connection, "ilya", "admin", password=PASSWORD)
    (number,) = [one.id for one in await watch.all() if one.kind == "service"]
    async with open_site(watch.engine, tmp_path) as site, site.visitor("ilya") as admin:
        page = await (await admin.get("/admin/incidents")).text()
        assert page.index("Нет связи с АТС main") < page.index("Сервис не работает")
        assert "CRM site не приняла: 17" in page
        link = f"/calls?incident={number}&amp;status=missed"
        assert link in page
        found = await (await admin.get(link.replace("&amp;", "&"))).text()
        assert ("000-00-01" in found or "0000001" in found, f"Звонки сбоя {number}" in found) == (True, True)
        assert (await admin.get("/calls?incident=x")).status == 400

        async def api(path: str) -> dict[str, Any]:
            async with admin.get(f"/api/v1/{path}") as response:
                assert response.status == 200
                told: dict[str, Any] = await response.json()
                return told

        (opened,) = (await api("incidents"))["items"]
        assert (opened["kind"], opened["reason"], opened["ended_at"]) == ("pbx", "no answer", None)
        first = await api("incidents?state=all&limit=1")
        second = await api(f"incidents?state=all&limit=1&cursor={first['next']}")
        assert [one["items"][0]["id"] for one in (first, second)] == sorted((opened["id"], number), reverse=True)
        ended = [one for one in (await api("incidents?state=ended"))["items"] if one["kind"] == "service"]
        assert [(one["calls_lost"], one["calls_saved"]) for one in ended] == [(1, 0)]
        assert len((await api(f"calls?incident={number}"))["items"]) == 1
    told = await DatabaseGauges(watch.engine).read()
    values = {
        (one.name, sample.labels["kind"]): sample.value
        for one in told if one.name.startswith("switchhook_incidents")
        for sample in one.samples if "kind" in sample.labels
    }  # fmt: skip
    assert values["switchhook_incidents_open", "pbx"] == values["switchhook_incidents", "service"] == 1
    assert values["switchhook_incidents_open", "service"] == values["switchhook_incidents", "trunk"] == 0


async def test_a_page_of_a_house_where_nobody_looks_says_so(watch: Watch, tmp_path: Path) -> None:
    """What nobody keeps is wrong all the same: since the last sign of life."""
    async with watch.engine.begin() as connection:
        await connection.execute(text("insert into signs_of_life (at) values (clock_timestamp() - interval '1 hour')"))
    async with open_site(watch.engine, tmp_path) as site, site.visitor("olga") as operator:
        assert "Сервис не работает" in await (await operator.get("/admin/incidents")).text()
        async with operator.get("/api/v1/incidents") as response:
            (one,) = (await response.json())["items"]
    assert (one["id"], one["kind"], one["grave"]) == (None, "service", True)


async def test_a_page_of_a_house_whose_service_was_ended_says_that_and_alarms_nobody(
    watch: Watch, tmp_path: Path
) -> None:
    """As the next one that starts will write it; an upgrade is no outage."""
    ended = "insert into signs_of_life (at, ended) values (clock_timestamp() - interval '1 hour', true)"
    async with watch.engine.begin() as connection:
        await connection.execute(text(ended))
    async with open_site(watch.engine, tmp_path) as site, site.visitor("olga") as operator:
        page = await (await operator.get("/admin/incidents")).text()
        assert ("Сервис был остановлен" in page, "Сервис не работает" in page) == (True, False)
        async with operator.get("/api/v1/incidents") as response:
            (one,) = (await response.json())["items"]
    assert (one["id"], one["kind"], one["grave"]) == (None, "stopped", False)


@pytest.mark.parametrize("ended", [True, False])
async def test_a_service_that_was_ended_in_order_alarms_nobody(
    engine: AsyncEngine, database_url: str, tmp_path: Path, *, ended: bool
) -> None:
    """As for an upgrade; one that broke is grave, whatever was before it."""
    ago = text("update signs_of_life set at = at - interval '1 minute'")
    async with engine.begin() as connection:
        await sign_of_life(connection)
        await last_sign_of_life(connection)
        if not ended:
            await sign_of_life(connection)
        await connection.execute(ago)
    house = House(Settings(data_dir=tmp_path), database_url, engine)
    await Looking(Telephony(house, new_registry())).look()
    (incident,) = await Watch(engine).all()
    assert (incident.kind, incident.grave) == (("stopped", False) if ended else ("service", True))
    assert incident.seen_at - incident.started_at >= timedelta(minutes=1)


async def test_the_command_and_the_report_of_missed_calls_tell_them(
    watch: Watch, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For people and for programs; a period that ends before it begins is named."""
    for name, value in (("DATABASE_URL", database_url), ("SWITCHHOOK_DATA_DIR", tmp_path), ("SWITCHHOOK_LOG", "quiet")):
        monkeypatch.setenv(name, str(value))

    async def called(*words: str) -> tuple[int, str]:
        done = await asyncio.to_thread(CliRunner().invoke, app, words)
        return done.exit_code, done.output

    assert await called("incidents") == (0, "Не было.\n")
    began = watch.at - timedelta(minutes=5)
    await fell_back(watch.engine, "79160000001", began + timedelta(minutes=1), answered=True)
    await watch.look(Fault("service", since=began, until=watch.at), after=timedelta())
    await watch.stays_well()
    await watch.look(Fault("pbx", "main", since=began))
    code, said = await called("incidents", "--json")
    told = json.loads(said)
    assert (code, [(one["kind"], one["calls_saved"]) for one in told][-2:]) == (0, [("pbx", 1), ("service", 1)])
    assert [one["kind"] for one in json.loads((await called("incidents", "--open", "--json"))[1])] == ["pbx"]
    code, said = await called("report", "missed")
    assert (code, "Сервис не работает. Потеряно звонков: 0, Спасено звонков: 1" in said) == (0, True)
    assert "Нет связи с АТС main" in said
    said = json.loads((await called("report", "missed", "--json"))[1])
    assert [one["kind"] for one in said["incidents"]] == [one["kind"] for one in told]
    for late in ("--from=2026-02-01T00:00:00Z", "--from=2030-01-01T00:00:00Z"):
        code, said = await called("incidents", late, "--to=2026-01-01T00:00:00Z")
        assert (code, said.startswith("--from: must be before --to")) == (2, True)
