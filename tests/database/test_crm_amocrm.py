"""AmoCRM and what the house knows: who called lately, since when there is a doubt, and whose a client is there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync import connections
from crm_sync.amocrm.adapter import KIND
from crm_sync.crm import Asked as CanBeAsked
from crm_sync.errors import BannedError, TransientError
from crm_sync.heard import HeardJobs
from crm_sync.jobs import CrmJobs
from crm_sync.ledger.sending import SendingJobs
from crm_sync.ledger.upkeep import plan_told
from crm_sync.secrets import Keeper
from routing import look_up
from routing.owner import Copy
from service.crm import setup as crm_setup
from service.crm.doors import Doors, acts
from service.crm.ledger import maker
from service.crm.owners import ConnectionOwners
from service.crm.probing import probe_due
from service.crm.reconcile import compare_due
from service.crm.setup import Wanted
from service.crm.workplaces import Adapters, links_of
from service.faults import UserFault
from service.settings import Settings
from tests.fakes.amocrm import ADMIN, BORIS, Asked, open_amo
from tests.fakes.amocrm_place import INBOUND, Rig, open_rig
from tests.fakes.ledger import OWES, ROOMS, SECRET_KEY, Ledger
from tests.fakes.recorded import T0, settled_call
from tests.fakes.site import open_site
from tests.fakes.webhooks import OK, Receiver, Said
from web import links


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """An account whose searches find nothing for a while."""
    async with open_rig(visible_seconds=30.0) as opened:
        opened.account.hidden_for = 3600.0
        yield opened


@pytest.fixture
async def ledger(engine: AsyncEngine, rig: Rig) -> AsyncIterator[Ledger]:
    """A ledger whose only connection is that account, told of finished calls."""
    async with engine.begin() as connection:
        await connections.add(connection, "amo", "amocrm", {}, b"", ("call_finished",), "active")
        await connection.execute(text("update crm_connections set created_at = clock_timestamp() - interval '1 hour'"))
    jobs = SendingJobs(engine=engine, rooms=ROOMS, open_crm=lambda _to: rig.at(lambda: opened.at))
    opened = Ledger(engine, Receiver(), jobs)
    jobs.now = lambda: opened.at
    yield opened
    await opened.jobs.close()


async def test_who_called_a_moment_ago_is_known_before_a_search_finds_them(ledger: Ledger, rig: Rig) -> None:
    """Three calls of one stranger, of whom no search knows: one contact, one lead, three records."""
    for number in range(3):
        await ledger.happen(settled_call(f"179543{number}.1", number="79161234567", at=ledger.at))
        await ledger.run()
    await ledger.happen(settled_call("1795439.1", number="79160000000", at=ledger.at))
    await ledger.run()
    assert [(step, state) for step, state in await ledger.states()] == [("call_finished", "done")] * 4
    assert (len(rig.account.contacts), len(rig.account.leads), len(rig.account.notes)) == (2, 2, 4)


async def test_a_doubt_stays_one_until_what_was_sent_would_be_seen(ledger: Ledger, rig: Rig) -> None:
    """It counts from when it arose, is kept through questions that come too early, and then it is sent again, once."""
    rig.account.add_contact("79161234567")
    sent: list[Asked] = []

    def script(_count: int, asked: Asked) -> Said:
        if asked.is_write:
            sent.append(asked)
        elif not sent:
            ledger.later(20)  # the account is slow
        return Said(cut=True) if asked.is_write and len(sent) == 1 else OK

    rig.account.script = script
    await ledger.happen(settled_call(at=ledger.at))
    await ledger.run()
    assert await ledger.states() == [("call_finished", "unknown")]
    ledger.later(2)
    await ledger.run()
    assert (ledger.waits[-1][0], await ledger.states()) == ("transient", [("call_finished", "unknown")])
    assert 27 < ledger.waits[-1][1] <= 30
    ledger.later(31)
    await ledger.run()
    assert (await ledger.states(), len(sent), len(rig.account.notes)) == ([("call_finished", "done")], 2, 1)


async def test_a_change_of_a_lead_without_a_call_is_of_the_deal_that_it_was_opened_as(ledger: Ledger, rig: Rig) -> None:
    """A deal that people made since for the same client stays as it is; all that is told of a client is in one lane."""
    said = "insert into lead_events (lead_id, at, by, kind, after) select id, now(), 'anna', 'stage', 'lost' from leads"
    numbers = "insert into party_numbers (party_id, number) values (1, '74950000001'), (1, '79161234567')"
    async with ledger.engine.begin() as connection:
        for one in ("update crm_connections set steps = '{call_finished,lead}'", "insert into parties default values"):
            await connection.execute(text(one))
        await connection.execute(text(numbers))
    call = await ledger.happen(settled_call(number="79161234567", at=ledger.at))
    await CrmJobs(engine=ledger.engine, owes=OWES).link_call(call, 0)
    await plan_told(ledger.engine)
    await ledger.run()
    ((contact, ours),) = [(lead["contacts"][0], lead) for lead in rig.account.leads.values()]
    theirs = rig.account.leads[rig.account.add_lead(contact, owner=BORIS)]
    async with ledger.engine.begin() as connection:
        await connection.execute(text("update leads set stage = 'lost'"))
        await connection.execute(text(said))
    await plan_told(ledger.engine)
    await ledger.run()
    assert (ours["status_id"], theirs["status_id"] == 143) == (143, False)
    with_call = "select count(distinct lane) from crm_effects where call_id is not null"
    assert (await ledger.rows(with_call))[0][0] == 1


async def test_a_call_has_one_address_of_its_sound_while_that_opens_for_long(
    engine: AsyncEngine, ledger: Ledger
) -> None:
    """Whoever asks again is told the same, another when that soon ends; without an address of ours there is none."""
    call = await ledger.happen(settled_call(at=ledger.at))
    async with engine.begin() as connection:
        to = await connections.read(connection, "amo")
        assert to is not None
        old = await links.make(connection, maker("amo"), call, 30, now=datetime.now(UTC) - timedelta(days=16))
        await links.make(connection, maker("other"), call, 30)
    link = links_of(engine, to, "https://calls.example.com")
    first = await link(call)
    assert first is not None
    assert first.startswith("https://calls.example.com/linked/")
    assert first != f"https://calls.example.com{old.path}"
    assert await link(call) == first
    async with engine.connect() as connection:
        assert await connection.scalar(text("select count(*) from links")) == 3
    assert await links_of(engine, to, None)(call) is None
    assert KIND.name == to.kind


@pytest.fixture
def settings(database_url: str) -> Settings:
    told: Any = {
        "database_url": database_url,
        "secret_key": SECRET_KEY,
        "web": {"public_url": "https://calls.example.com"},
        "crm": {"owner_from": "amo", "networks": ["127.0.0.0/8"]},
    }
    return Settings(**told)


async def test_an_account_is_connected_and_whose_a_client_became_there_is_known_here(
    engine: AsyncEngine, settings: Settings, tmp_path: Path
) -> None:
    """By one command with a long-lived token; its webhook names a lead, and the lead's contact has the number."""
    said: list[str] = []
    async with open_amo() as account:
        doors = Doors(settings, engine)
        async with open_site(engine, tmp_path, crm=doors) as site:
            secrets = {"token": account.give_long_lived(), "inbound": INBOUND}
            wanted = Wanted(kind="amocrm", key="amo", settings={"account": account.url}, secrets=secrets)
            await crm_setup.add(settings, wanted, said.append)
            await crm_setup.pair(settings, "amo", str(BORIS), "boris")
            contact = account.add_contact("8 (916) 123-45-67", owner=ADMIN)
            lead = account.add_lead(contact, owner=BORIS)
            async with engine.begin() as connection:
                await look_up.keep(connection, "79161234567", Copy(None, T0))
            hook = f"{site.url}/crm/amo/events"
            happened = {"leads": {"responsible": [{"id": lead, "responsible_user_id": BORIS}]}}
            assert await account.tell(hook, happened) == 403
            assert await account.tell(f"{hook}?secret={INBOUND}", happened) == 200
        async with engine.connect() as connection:
            heard = (await connection.execute(text("select id from crm_heard"))).scalar_one()
        await HeardJobs(engine=engine, acts=acts(settings, engine)).act_on_heard(heard, 0)
        async with engine.connect() as connection:
            copies = await look_up.read(connection, ["79161234567"])
        await doors.close()
    assert copies["79161234567"].owner == "boris"
    assert "3 users there, 0 of them known here" in said
    assert account.wrong == []


async def test_a_token_that_is_over_is_replaced_and_what_was_owed_goes_on(
    engine: AsyncEngine, settings: Settings
) -> None:
    """As it went before, here in shadow; the others stay, what lets nobody in is not kept, and none is refused."""
    async with open_amo() as account:
        secrets = {"token": account.give_long_lived(), "inbound": INBOUND}
        told = {"account": account.url}
        wanted = Wanted(kind="amocrm", key="amo", settings=told, secrets=secrets, shadow=True)
        await crm_setup.add(settings, wanted, lambda _line: None)
        account.long_lived.clear()
        async with engine.begin() as connection:
            await connections.stop(connection, "amo", "auth_dead")
        for wrong in ({"token": "wrong"}, {"token": ""}):
            with pytest.raises(UserFault):
                await crm_setup.renew(settings, "amo", wrong, lambda _line: None)
        token = account.give_long_lived()
        await crm_setup.renew(settings, "amo", {"token": token, "inbound": ""}, lambda _line: None)
    async with engine.connect() as connection:
        to = await connections.read(connection, "amo")
    assert to is not None
    assert (to.state, Keeper(SECRET_KEY).open("amo", to.secrets)) == ("shadow", {"token": token, "inbound": INBOUND})


async def test_who_shut_us_out_is_asked_nothing_by_anybody(engine: AsyncEngine, settings: Settings) -> None:
    """Whoever hears of it first tells the others: one request more could make it last."""
    async with open_amo() as account:
        wanted = Wanted(
            kind="amocrm", key="amo", settings={"account": account.url}, secrets={"token": account.give_long_lived()}
        )
        await crm_setup.add(settings, wanted, lambda _line: None)
        account.is_banned = True
        before = len(account.requests)
        owners, adapters = ConnectionOwners(settings, engine), Adapters(settings, engine)
        with pytest.raises(BannedError):
            await owners("79161234567")
        with pytest.raises(TransientError):
            await owners("79161234567")
        assert await probe_due(engine, adapters, timedelta()) == 0
        await compare_due(engine, settings)
        assert len(account.requests) - before == 1
        await owners.close()
        await adapters.close()
    async with engine.connect() as connection:
        to = await connections.read(connection, "amo")
    assert to is not None
    assert (to.state, to.is_paused(datetime.now(UTC) + timedelta(minutes=59))) == ("active", True)


async def test_an_answer_that_is_long_is_no_answer_to_a_caller_who_waits(
    engine: AsyncEngine, settings: Settings
) -> None:
    """It would be read in the loop that handles calls; what the ledger asks may be longer."""
    async with open_amo() as account:
        secrets = {"token": account.give_long_lived()}
        wanted = Wanted(kind="amocrm", key="amo", settings={"account": account.url}, secrets=secrets)
        await crm_setup.add(settings, wanted, lambda _line: None)
        card = account.add_contact("79161234567", note="x" * 300_000)
        owners, adapters = ConnectionOwners(settings, engine), Adapters(settings, engine)
        with pytest.raises(TransientError, match="no JSON"):
            await owners("79161234567")
        opened = await adapters.of("amo")
        assert opened is not None
        (found,) = await cast("CanBeAsked", opened[1]).find_party("79161234567", 5.0)
        await owners.close()
        await adapters.close()
    assert found.remote_id == f"contacts/{card}"
