"""`switchhook crm`, what its metrics tell, and that an erased person is forgotten in the ledger too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import generate_latest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync import connections
from crm_sync.crm import STEPS
from crm_sync.erasing import erase_parties, forget_effects
from crm_sync.secrets import Keeper
from metrics.gauges import DatabaseGauges
from metrics.http import _Together, new_registry
from metrics.observe import CrmAsked
from notices.signing import read_secret
from service.commands import crm as crm_commands
from service.crm import ledger as crms
from service.crm import setup as crm_setup
from service.crm.workplaces import opener
from service.faults import UserFault
from service.settings import Settings
from tests.fakes.ledger import LOOPBACK, SECRET_KEY, Ledger, open_ledger
from tests.fakes.recorded import settled_call
from tests.fakes.webhooks import SECRET, Said, open_receiver
from web import links


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
    assert not any(one in f"{row} {row.secrets!r}" for one in (secret, "/hook"))
    assert await audited(engine) == [
        ("crm_added", "crm site", "127.0.0.1"),
        ("crm_removed", "crm site", "127.0.0.1"),
        ("crm_added", "crm site", "127.0.0.1"),
        ("crm_secret_made", "crm site", "127.0.0.1"),
    ]


async def audited(engine: AsyncEngine) -> list[tuple[str, str, str]]:
    async with engine.connect() as connection:
        sql = "select action, subject, details->>'host' from audit where action like 'crm%' order by id"
        return [tuple(row) for row in await connection.execute(text(sql))]


async def test_a_secret_is_made_anew_when_the_key_that_sealed_is_lost(settings: Settings, engine: AsyncEngine) -> None:
    """The address has to be told again then, for it was sealed too; what is told is taken."""
    told: dict[str, Any] = settings.model_dump() | {"secret_key": SECRET_KEY.replace("c3", "d3")}
    other = Settings(**told)
    async with open_receiver() as receiver:
        await add(settings, "site", receiver.url, probe=False)
        with pytest.raises(UserFault, match="--url"):
            await crm_commands.new_secret(other, "site")
        secret = await crm_commands.new_secret(other, "site", receiver.url)
        receiver.keys = (read_secret(secret),)
        async with engine.connect() as connection:
            to = await connections.read(connection, "site")
        assert to is not None
        assert set(STEPS) - set(to.steps) == {"message"}  # who sends messages on to clients has to say so
        crm = opener(other, engine)(to)
        await crm.probe()
        await crm.close()
    assert receiver.types() == ["switchhook.ping"]


async def test_an_address_that_an_earlier_version_kept_in_clear_is_sealed_by_the_worker(
    settings: Settings, ledger: Ledger
) -> None:
    """Once there is the key; without it, and with another, nothing is lost."""
    sealed = Keeper(SECRET_KEY).seal("site", {"keys": [SECRET]})
    async with ledger.engine.begin() as connection:
        sql = "update crm_connections set secrets = :sealed, settings = jsonb_build_object('url', cast(:url as text))"
        await connection.execute(text(sql), {"sealed": sealed, "url": ledger.receiver.url})
    for key in ("", SECRET_KEY.replace("c3", "d3"), SECRET_KEY):
        (row,) = await ledger.rows("select settings from crm_connections")
        assert row.settings == {"url": ledger.receiver.url}
        told: dict[str, Any] = settings.model_dump() | {"secret_key": key}
        await crms.mend_connections(ledger.engine, Settings(**told))
    (row,) = await ledger.rows("select settings from crm_connections")
    assert row.settings == {"origin": ledger.receiver.url.removesuffix("/hook")}
    await ledger.happen(settled_call())
    await ledger.run()
    assert ledger.receiver.types() == ["call.ended"]


async def test_an_account_that_a_migration_named_otherwise_is_named_by_the_worker(
    settings: Settings, engine: AsyncEngine
) -> None:
    """However its place is told: a port that goes without saying, a host in Russian, a webhook that is a secret."""
    keeper, hook = Keeper(SECRET_KEY), {"webhook": "https://house.bitrix24.ru/rest/1/a-secret-of-tests/"}
    told: dict[str, tuple[str, dict[str, str], bytes]] = {
        "house.bitrix24.ru:443": ("bitrix24", {"portal": "https://house.bitrix24.ru:443"}, keeper.seal("a", {})),
        "b": ("bitrix24", {}, keeper.seal("b", hook)),
        "дом.рф": ("odoo", {"address": "https://дом.рф/odoo"}, keeper.seal("c", {})),
        "d.ru?x=1": ("odoo", {"address": "https://d.ru?x=1"}, keeper.seal("d", {})),
        "e.ru:443": ("odoo", {"address": "https://e.ru:443"}, keeper.seal("another", {})),
    }
    async with engine.begin() as connection:
        for key, (account, (kind, where, sealed)) in zip("abcde", told.items(), strict=True):
            await connections.add(connection, key, kind, where, sealed, STEPS, "active")
            named = "update crm_connections set account = :account where key = :key"
            await connection.execute(text(named), {"account": account, "key": key})
    await crms.mend_connections(engine, Settings(**settings.model_dump() | {"secret_key": SECRET_KEY}))
    async with engine.connect() as connection:
        accounts = [to.account for to in await connections.listed(connection)]
    assert accounts == [*["bitrix24 house.bitrix24.ru"] * 2, "odoo xn--d1aqf.xn--p1ai", "odoo d.ru", "e.ru:443"]


@pytest.mark.parametrize(
    "told, origin, host",
    [
        ({"account": "https://house.amocrm.ru"}, "https://house.amocrm.ru", "house.amocrm.ru"),
        ({"address": "https://crm.example.com/odoo"}, "https://crm.example.com", "crm.example.com"),
        ({"portal": "house.bitrix24.ru"}, "house.bitrix24.ru", "house.bitrix24.ru"),
        ({}, "", None),
    ],
)
async def test_every_kind_is_listed_with_where_it_is(
    engine: AsyncEngine, told: dict[str, str], origin: str, host: str | None
) -> None:
    """As its settings call that."""
    async with engine.begin() as connection:
        await connections.add(connection, "site", "amocrm", told, b"", STEPS, "active")
        (listed,) = await connections.listed(connection)
    assert (listed.origin, listed.host) == (origin, host)


async def test_a_removed_connection_leaves_no_row_and_no_link(settings: Settings, ledger: Ledger) -> None:
    """Nothing that was made for it opens; links of others do. What is under way there meanwhile ends quietly."""
    call = await ledger.happen(settled_call())
    async with ledger.engine.begin() as connection:
        for actor in (crms.maker("site"), crms.maker("other")):
            await links.make(connection, actor, call)

    async def removes() -> None:
        await crm_setup.remove(settings, "site")

    ledger.receiver.meanwhile = removes
    await ledger.run()
    assert [
        row.n for row in await ledger.rows("select count(*) n from crm_connections, crm_effects, crm_requests")
    ] == [0]
    rows = await ledger.rows("select made_by, revoked_at is null as opens from links order by id")
    assert [tuple(row) for row in rows] == [("crm site", False), ("crm other", True)]
    with pytest.raises(UserFault, match="'site'"):
        await crm_setup.remove(settings, "site")
    assert await audited(ledger.engine) == [("crm_removed", "crm site", "127.0.0.1")]


@pytest.mark.parametrize(
    "key, url, more, names",
    [
        ("Site", "https://example.com/", {}, "key: .*'Site'"),
        ("site", "ftp://example.com/", {}, "URL: must be http"),
        ("site", "ftp://user@example.com/hook", {}, "URL: (?!.*hook)"),
        ("site", "https://example.com/", {"link_days": 91}, "--link-days: .*91"),
        ("site", "http://10.0.0.1/", {"probe": True}, "crm.networks"),
        ("site", "https://10.0.0.1/", {}, "crm.networks"),
        ("new", "https://example.com/", {}, "key: .*'new'"),
        ("site", "http://[2001:db8::1]/", {}, "URL: "),
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
    await ledger.run()
    assert await crm_commands.discard(settings, "site", told[0]["key"]) == 1
    with pytest.raises(UserFault, match=told[0]["key"]):
        await crm_commands.discard(settings, "site", told[0]["key"])
    (row,) = await ledger.rows("select state, request, answer from crm_effects")
    assert tuple(row) == ("done", None, {"not_told": "discarded"})
    assert await crm_commands.discard(settings, "site", "all") == 0
    await crm_commands.switch(settings, "site", "stopped")
    assert (await crm_commands.list_connections(settings))[0][0]["stopped_by"] == "hand"
    with pytest.raises(UserFault, match="'nobody'"):
        await crm_commands.switch(settings, "nobody", "active")
    assert [action for action, _, _ in await audited(ledger.engine)] == [
        "crm_retried", "crm_discarded", "crm_discarded", "crm_stopped",
    ]  # fmt: skip
    noted = await ledger.rows("select details - 'host' as told from audit where action like 'crm%ed' order by id")
    one, every = {"effect": told[0]["key"], "count": 1}, {"effect": None, "count": 1}
    assert [row.told for row in noted] == [every, one, {"effect": None, "count": 0}, {}]


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
        'crm_request_seconds_count{crm="http",operation="owner"}': 1,
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
