"""`switchhook crm`, what its metrics tell, and that an erased person is forgotten in the ledger too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import generate_latest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.erasing import erase_parties, forget_effects
from metrics.gauges import DatabaseGauges
from metrics.http import _Together, new_registry
from metrics.observe import CrmAsked
from service import crm_commands
from service.faults import UserFault
from service.settings import Settings
from tests.fakes.ledger import LOOPBACK, SECRET_KEY, Ledger, open_ledger
from tests.fakes.recorded import settled_call
from tests.fakes.webhooks import Said, open_receiver


@pytest.fixture
def settings(database_url: str) -> Settings:
    told: Any = {"database_url": database_url, "secret_key": SECRET_KEY, "crm": {"networks": [str(LOOPBACK[0])]}}
    return Settings(**told)


@pytest.fixture
async def ledger(engine: AsyncEngine) -> AsyncIterator[Ledger]:
    async with open_ledger(engine) as told:
        yield told


async def add(settings: Settings, key: str, url: str, *events: str, **more: Any) -> str:
    told = {"shadow": False, "link_days": 30, "probe": True} | more
    return await crm_commands.add_webhook(settings, key, url, events, **told)


async def test_an_endpoint_is_connected_when_it_takes_a_ping_and_keeps_no_secret_in_clear(
    settings: Settings, engine: AsyncEngine
) -> None:
    """The secret is printed once; without an answer nothing is written."""
    async with open_receiver() as receiver:
        with pytest.raises(UserFault, match="did not take a ping: status 400"):
            await add(settings, "site", receiver.url)  # the receiver does not know the secret yet
        secret = await add(settings, "site", receiver.url, "call.ended", probe=False)
        told, words = await crm_commands.list_connections(settings)
        assert [(one["key"], one["state"], one["steps"]) for one in told] == [("site", "active", ["call_finished"])]
        assert "/hook" not in words
        newer = await crm_commands.new_secret(settings, "site")
        assert newer != secret
    async with engine.connect() as connection:
        (row,) = (await connection.execute(text("select * from crm_connections"))).all()
    assert secret.encode() not in row.secrets
    assert secret not in str(row)


@pytest.mark.parametrize(
    "key, url, more, names",
    [
        ("Site", "https://example.com/", {}, "key: .*'Site'"),
        ("site", "ftp://example.com/", {}, "URL: .*'ftp://example.com/'"),
        ("site", "https://user@example.com/", {}, "URL"),
        ("site", "https://example.com/", {"link_days": 91}, "--link-days: .*91"),
        ("site", "http://10.0.0.1/", {"probe": True}, "crm.networks"),
    ],
)
async def test_bad_input_is_named_and_nothing_is_written(
    settings: Settings, engine: AsyncEngine, key: str, url: str, more: dict[str, Any], names: str
) -> None:
    """The field and the value, on one line."""
    with pytest.raises(UserFault, match=names):
        await add(settings, key, url, **({"probe": False} | more))
    async with engine.connect() as connection:
        assert (await connection.execute(text("select count(*) from crm_connections"))).scalar() == 0


async def test_dead_letters_are_told_and_sent_again_by_command(settings: Settings, ledger: Ledger) -> None:
    """With what was answered; wrong ids and states are named."""
    ledger.receiver.script = lambda _count, _told: Said(status=422, body=b"no")
    await ledger.happen(settled_call())
    await ledger.run()
    told, words = await crm_commands.list_effects(settings, "site", "dead")
    assert (told[0]["step"], told[0]["answer"]["text"], "status 422" in words) == ("call_finished", "no", True)
    assert await crm_commands.retry(settings, "site", None) == 1
    for wrong in ("nonsense", str(told[0]["key"]).replace(told[0]["key"][:8], "00000000")):
        with pytest.raises(UserFault, match=wrong):
            await crm_commands.retry(settings, "site", wrong)
    with pytest.raises(UserFault, match="'lost'"):
        await crm_commands.list_effects(settings, "site", "lost")
    await crm_commands.switch(settings, "site", "stopped")
    assert (await crm_commands.list_connections(settings))[0][0]["stopped_by"] == "hand"
    with pytest.raises(UserFault, match="'nobody'"):
        await crm_commands.switch(settings, "nobody", "active")


async def test_the_ledger_is_measured_by_connection(ledger: Ledger) -> None:
    """What is open, since when, what was asked; one family with what this process counts itself."""
    ledger.receiver.script = lambda count, _told: Said(status=422) if count == 1 else Said(status=401)
    for number in range(2):
        await ledger.happen(settled_call(f"{number}.1", number=f"7916000000{number}"))
    async with ledger.engine.begin() as connection:
        await connection.execute(text("update crm_effects set planned_at = planned_at - interval '2 hours'"))
    await ledger.run()
    registry = new_registry()
    CrmAsked(registry).note("told", 0.1)
    families = await DatabaseGauges(ledger.engine).read()
    told = generate_latest(_Together(registry, families)).decode()
    lines = dict(line.rsplit(" ", 1) for line in told.splitlines() if line and not line.startswith("#"))
    wanted = {
        'crm_ledger_open{crm="site",state="dead"}': 1,
        'crm_ledger_open{crm="site",state="planned"}': 1,
        'crm_ledger_open{crm="site",state="unknown"}': 0,
        'crm_connected{crm="site"}': 0,
        'crm_requests_total{crm="site",operation="call_finished",result="permanent"}': 1,
        'crm_requests_total{crm="http",operation="owner",result="told"}': 1,
        'crm_request_seconds_count{crm="site",operation="call_finished"}': 2,
        "crm_request_seconds_count": 1,
    }
    assert {name: float(lines[f"switchhook_{name}"]) for name in wanted} == wanted
    assert 7200 <= float(lines['switchhook_crm_oldest_effect_seconds{crm="site"}']) < 7300
    assert told.count("# TYPE switchhook_crm_requests_total") == 1


async def test_an_erased_person_is_in_no_effect_and_is_told_of_no_more(ledger: Ledger) -> None:
    """What was told keeps that it was, without whom; what was not yet told is not told."""
    call = await ledger.happen(settled_call("1.1"))
    await ledger.run()
    other = await ledger.happen(settled_call("2.1"))
    async with ledger.engine.begin() as connection:
        effect = "gen_random_uuid(), 'site', 'lead', id, 'x', false, 'done', '{\"told\": \"79161234567\"}', now()"
        columns = "key, connection, step, subject, lane, waits, state, request, ended_at"
        for sql in (
            "insert into parties (name) values ('Пётр')",
            "insert into party_numbers (number, party_id) select '79161234567', id from parties",
            "insert into leads (party_id, stage, opened_at, stage_at) select id, 'new', now(), now() from parties",
            "insert into lead_events (lead_id, at, by, kind) select id, now(), 'x', 'opened' from leads",
            f"insert into crm_effects ({columns}) select {effect} from lead_events",
        ):
            await connection.execute(text(sql))
        assert [await forget_effects(connection, one) for one in (call, other)] == [1, 1]
        await erase_parties(connection, ["79161234567"])
    await ledger.run()
    assert ledger.receiver.types() == ["call.ended"]
    rows = await ledger.rows("select cast(crm_effects as text) as told, request, lane from crm_effects")
    assert [(row.request, row.lane, "9161234567" in row.told) for row in rows] == [(None, "", False)] * 3
