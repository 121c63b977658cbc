"""Calls to the outside in the database: judged one after another, asked once a key, taken by one."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from crm_sync.book.parties import must_not_be_called, set_do_not_call
from directory import store
from directory.outgoing import Outgoing, Price
from routing import placing
from routing.requests import (
    ASKED_PER_MINUTE_MOST,
    CALLBACKS_PER_MINUTE_MOST,
    CHANNEL,
    Answered,
    Desk,
    TooManyAskedError,
    UnknownPersonError,
    Wish,
    ask,
    callbacks_left,
    keep,
    midnight_of,
    usage,
)
from routing.tables import outgoing_calls
from telephony.devices import DeviceState, pbx_of
from telephony.devices import store as store_devices
from tests.fakes.directories import OFFICE, noon_zone
from tests.fakes.story import Told

CLIENT = "79161234567"
DESK = Desk(flagged=must_not_be_called, pbx_of=pbx_of)


def wish(to: str = CLIENT, **told: Any) -> Wish:
    return Wish(**{"to": to, "person": "anna", "purpose": "click", "asked_by": "anna", **told})


async def asked(engine: AsyncEngine, wanted: Wish) -> Answered:
    async with engine.begin() as connection:
        return await ask(connection, wanted, DESK)


async def rows(engine: AsyncEngine) -> list[Any]:
    async with engine.connect() as connection:
        return list((await connection.execute(select(outgoing_calls).order_by(outgoing_calls.c.asked_at))).all())


@pytest.fixture(autouse=True)
async def office(engine: AsyncEngine) -> None:
    """The office, with a limit of three calls a person and minute."""
    async with engine.begin() as connection:
        await store.apply(connection, replace(OFFICE, outgoing=Outgoing(person_per_minute=3)))


async def test_a_wanted_call_is_told_to_who_places_it_when_it_is_written(
    engine: AsyncEngine, database_dsn: str
) -> None:
    """Its number in one form, its line, and the PBX that knows the person's phone."""
    async with engine.begin() as connection:
        await store_devices(connection, "branch", [DeviceState("PJSIP/anna-desk", "not_inuse")])
    listener = await asyncpg.connect(database_dsn)
    heard: asyncio.Queue[str] = asyncio.Queue()
    await listener.add_listener(CHANNEL, lambda *told: heard.put_nowait(told[3]))
    told = await asked(engine, wish("8 916 123-45-67"))
    assert await asyncio.wait_for(heard.get(), 30) == str(told.id)
    await listener.close()
    (row,) = await rows(engine)
    assert (row.id, row.state, row.number, row.person) == (told.id, "wanted", CLIENT, "anna")
    assert (row.line, row.pbx, row.purpose) == (OFFICE.lines[0].number, "branch", "click")


async def test_the_same_key_is_one_call_and_another_number_with_it_is_told(engine: AsyncEngine) -> None:
    first = await asked(engine, wish(key="k1"))
    again = await asked(engine, wish("+7 916 123-45-67", key="k1"))
    other = await asked(engine, wish("79161234568", key="k1"))
    assert (again.id, again.to_other_end) == (first.id, False)
    assert (other.id, other.to_other_end) == (first.id, True)
    assert (await asked(engine, wish(key="k1", asked_by="boris"))).id != first.id
    assert len(await rows(engine)) == 2


async def test_two_at_once_do_not_pass_a_limit(engine: AsyncEngine) -> None:
    """Ten requests in the same moment, three may; the others are refused, written down, and told to nobody."""
    answers = await asyncio.gather(*(asked(engine, wish()) for _ in range(10)))
    assert sorted(answer.state for answer in answers) == ["refused"] * 7 + ["wanted"] * 3
    kept = await rows(engine)
    assert {row.reason for row in kept if row.state == "refused"} == {"person_per_minute"}
    assert (await asked(engine, wish(person="boris"))).state == "wanted"


async def test_who_does_not_want_to_be_called_is_not_by_any_of_their_numbers(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("insert into parties (name) values ('Пётр')"))
        await connection.execute(
            text("insert into party_numbers select n, id from parties, unnest(array['79161234567','79161234568']) n")
        )
        assert await set_do_not_call(connection, CLIENT, may_be_called=False)
        assert not await set_do_not_call(connection, "79169999999", may_be_called=False)
    assert (await asked(engine, wish("8 916 123-45-68"))).reason_key == "do_not_call"
    async with engine.begin() as connection:
        await set_do_not_call(connection, "79161234568", may_be_called=True)
    assert (await asked(engine, wish())).state == "wanted"


async def test_nobody_calls_for_somebody_who_is_not_there(engine: AsyncEngine) -> None:
    with pytest.raises(UnknownPersonError):
        await asked(engine, wish(person="nobody"))
    assert await rows(engine) == []


async def test_what_was_talked_today_is_spent(engine: AsyncEngine) -> None:
    """By the person whose call it was, in minutes that began; a call under way counts for one minute."""
    policy = Outgoing(prices=(Price(prefix="79", per_minute=Decimal(2)),), company_day_budget=Decimal(1000))
    company = replace(OFFICE.company, time_zone=noon_zone(datetime.now(UTC)))
    directory = replace(OFFICE, company=company, outgoing=policy)
    async with engine.begin() as connection:
        await store.apply(connection, directory)
    call = Told(engine, number="101", at=datetime.now(UTC) - timedelta(seconds=100))
    await called_out(call, CLIENT, 61.0)
    told = await asked(engine, wish(purpose="dialled", pbx="main", channel=call.uid))
    assert told.state == "dialled"
    await asked(engine, wish(person="boris"))
    async with engine.connect() as connection:
        annas = await usage(connection, directory, directory.person("anna"))
        boriss = await usage(connection, directory, directory.person("boris"))
    assert (annas.person_spent, annas.company_spent) == (Decimal(4), Decimal(6))
    assert (boriss.person_spent, boriss.person_minute, boriss.company_minute) == (Decimal(2), 1, 2)


async def called_out(call: Told, number: str, seconds: float) -> None:
    """The call's own phone dials the number, which answers at once."""
    trunk = {**call.base(f"{call.uid}-t"), "name": "PJSIP/trunk-0000000f"}
    phone = {**call.base(), "name": "PJSIP/anna-desk-0000000e"}
    await call.tell(
        e.ChannelCreated(**phone, number="101", dialed=number, context="from-phones", incoming=True),
        e.ChannelCreated(**trunk, number=number, incoming=False),
        e.Dialed(**phone, target=f"{call.uid}-t", dial_string=f"{number}@trunk"),
        e.BridgeEntered(**phone, bridge="b"),
        e.BridgeEntered(**trunk, bridge="b"),
    )
    call.later(seconds)
    trunk, phone = trunk | {"at": call.at}, phone | {"at": call.at}
    await call.tell(e.ChannelHungUp(**trunk, cause=16), e.ChannelHungUp(**phone, cause=16))


DEAR = "74951112233"


@pytest.mark.parametrize("inbound", [True, False])
async def test_who_is_consulted_is_spent_at_their_own_price_by_who_asked(engine: AsyncEngine, inbound: bool) -> None:
    """As long as they talk, also after they were handed over; not the client's call at it, and nothing twice."""
    prices = (Price(prefix="79", per_minute=Decimal(2)), Price(prefix="7495", per_minute=Decimal(50)))
    policy = Outgoing(prices=prices, company_day_budget=Decimal(10_000))
    company = replace(OFFICE.company, time_zone=noon_zone(datetime.now(UTC)))
    directory = replace(OFFICE, company=company, outgoing=policy)
    async with engine.begin() as connection:
        await store.apply(connection, directory)
    call = Told(engine, number=CLIENT if inbound else "101", at=datetime.now(UTC) - timedelta(hours=1))
    if not inbound:
        await asked(engine, wish(purpose="dialled", pbx="main", channel=call.uid))
    client, anna = await talks_with_a_client(call, inbound=inbound)
    nobody = await consults(call, anna, 1)
    call.later(30)
    await call.tell(e.ChannelHungUp(**nobody | {"at": call.at}, cause=19))
    for half in (1, 2):
        await asked(engine, wish(DEAR, person="boris", purpose="dialled", pbx="main", channel=f"{call.uid}-l{half}"))
    dear = await consults(call, anna, 2)
    await call.tell(*(e.BridgeEntered(**one | {"at": call.at}, bridge="b2") for one in (anna, dear)))
    call.later(90)  # they are handed over
    await call.tell(
        e.BridgeLeft(**anna | {"at": call.at}, bridge="b2"),
        e.ChannelHungUp(**anna | {"at": call.at}, cause=16),
        e.BridgeLeft(**dear | {"at": call.at}, bridge="b2"),
        e.BridgeEntered(**dear | {"at": call.at}, bridge="b1"),
    )
    call.later(120)
    await call.tell(*(e.ChannelHungUp(**one | {"at": call.at}, cause=16) for one in (dear, client)))
    async with engine.connect() as connection:
        told = [await usage(connection, directory, directory.person(person)) for person in ("anna", "boris")]
    talked_out = Decimal(0 if inbound else 2 * 5)  # 270 seconds
    assert [one.person_spent for one in told] == [talked_out, Decimal(4 * 50)]
    assert told[0].company_spent == talked_out + 4 * 50


async def test_until_its_leg_is_known_a_consultation_is_spent_by_the_rest_of_its_call(engine: AsyncEngine) -> None:
    """What was refused never is."""
    directory = replace(OFFICE, outgoing=Outgoing(prices=(Price(prefix="7", per_minute=Decimal(50)),)))
    directory = replace(directory, outgoing=replace(directory.outgoing, company_day_budget=Decimal(100)))
    async with engine.begin() as connection:
        await store.apply(connection, directory)
    call = Told(engine, at=datetime.now(UTC) - timedelta(hours=1))
    await talks_with_a_client(call, inbound=True)
    wanted = [wish(DEAR, purpose="dialled", pbx="main", channel=f"{call.uid}-l{half}") for half in (1, 2, 1)]
    assert [(await asked(engine, one)).reason_key for one in wanted] == [None, None, "company_day_budget"]


async def talks_with_a_client(call: Told, *, inbound: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Анна's phone and a client, who called or is called, for 30 seconds so far; the bases of their channels."""
    client = {**call.base(call.uid if inbound else f"{call.uid}-t"), "name": "PJSIP/trunk-0000000f"}
    anna = {**call.base(f"{call.uid}-t" if inbound else call.uid), "name": "PJSIP/anna-desk-0000000e"}
    caller, called = (client, anna) if inbound else (anna, client)
    numbers = (CLIENT, "101") if inbound else ("101", CLIENT)
    dialled = call.line if inbound else CLIENT
    await call.tell(
        e.ChannelCreated(**caller, number=numbers[0], dialed=dialled, incoming=True),
        e.ChannelCreated(**called, number=numbers[1], incoming=False),
        e.Dialed(**caller, target=called["channel"], dial_string="it"),
        *(e.BridgeEntered(**one, bridge="b1") for one in (caller, called)),
    )
    call.later(30)
    return client, anna


async def consults(call: Told, anna: dict[str, Any], attempt: int) -> dict[str, Any]:
    """She leaves the client and the dear number rings, by halves of a channel; the base of its channel."""
    half = {**call.base(f"{call.uid}-l{attempt}"), "name": f"Local/{DEAR}@switchhook-consult-0000000{attempt};2"}
    dear = {**call.base(f"{call.uid}-x{attempt}"), "name": f"PJSIP/trunk-0000001{attempt}"}
    await call.tell(
        e.BridgeLeft(**anna | {"at": call.at}, bridge="b1"),
        e.ChannelCreated(**half, number="101", dialed=DEAR, incoming=True),
        e.ChannelCreated(**dear, number=DEAR, incoming=False),
        e.Dialed(**half, target=dear["channel"], dial_string=f"{DEAR}@trunk"),
    )
    return dear


# --- placing ----------------------------------------------------------------------------------------------------------


async def test_each_wanted_call_is_taken_once(engine: AsyncEngine) -> None:
    """Whoever takes at the same time gets another one, or none."""
    wanted = {(await asked(engine, wish(f"7916123456{digit}"))).id for digit in range(3)}

    async def take() -> Any:
        async with engine.begin() as connection:
            row = await placing.take(connection, "pbx")
            return row.id if row else None

    taken = await asyncio.gather(*(take() for _ in range(6)))
    assert sorted(map(str, filter(None, taken))) == sorted(map(str, wanted))
    kept = await rows(engine)
    assert {(row.state, row.pbx, row.channel) for row in kept} == {
        ("placing", "pbx", f"switchhook-{call_id}") for call_id in wanted
    }


async def test_a_call_of_another_pbx_is_left_to_it(engine: AsyncEngine) -> None:
    await asked(engine, wish(pbx="branch"))
    async with engine.begin() as connection:
        assert await placing.take(connection, "main") is None
        assert await placing.take(connection, "branch") is not None


async def test_a_call_that_waited_too_long_is_not_placed_any_more(engine: AsyncEngine) -> None:
    await asked(engine, wish())
    async with engine.begin() as connection:
        await connection.execute(text("update outgoing_calls set asked_at = now() - interval '1 minute'"))
        assert await placing.take(connection, "pbx") is None
    (row,) = await rows(engine)
    assert (row.state, row.reason) == ("failed", "too_late")


async def test_the_last_word_on_a_call_stays(engine: AsyncEngine) -> None:
    """A late answer of the PBX does not make a failed call a connected one."""
    told = await asked(engine, wish())
    async with engine.begin() as connection:
        await placing.take(connection, "pbx")
        await placing.settle(connection, told.id, "failed", "no_answer")
        await placing.settle(connection, told.id, "connected")
        assert not await placing.want_again(connection, told.id)
        assert await placing.left_behind(connection, "pbx", []) == []
    (row,) = await rows(engine)
    assert (row.state, row.reason) == ("failed", "no_answer")


# --- limits -----------------------------------------------------------------------------------------------------------


async def test_a_login_asks_for_so_many_calls_a_minute_whatever_becomes_of_them(engine: AsyncEngine) -> None:
    """Refused ones and emergency numbers too; what is dialled on a phone is not counted, nor is another login."""
    for number in ("8 809 123 45 67", "112") * (ASKED_PER_MINUTE_MOST // 2):
        await asked(engine, wish(number))
    with pytest.raises(TooManyAskedError):
        await asked(engine, wish("112"))
    assert len(await rows(engine)) == ASKED_PER_MINUTE_MOST
    assert (await asked(engine, wish("112", purpose="dialled", pbx="main", channel="1.1"))).state == "dialled"
    assert (await asked(engine, wish("112", asked_by="boris", person="boris"))).state == "wanted"


async def test_one_persons_calls_wait_for_nobody_elses(engine: AsyncEngine) -> None:
    """While a request of anna's is being judged, boris's is answered, and hers are not."""
    async with engine.begin() as connection:
        await ask(connection, wish(), DESK)
        assert (await asyncio.wait_for(asked(engine, wish(person="boris", asked_by="boris")), 30)).state == "wanted"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asked(engine, wish(asked_by="gleb")), 0.3)


async def test_calls_back_by_themselves_use_up_nobodys_limit(engine: AsyncEngine) -> None:
    """And are not refused by it; so many begin in a minute."""
    for digit in range(4):
        told = await asked(engine, wish(f"7916123456{digit}", purpose="callback", asked_by="switchhook"))
        assert told.state == "wanted"
    async with engine.connect() as connection:
        assert await callbacks_left(connection) == CALLBACKS_PER_MINUTE_MOST - 4
    assert (await asked(engine, wish())).state == "wanted"


async def test_a_talk_over_midnight_is_spent_by_its_minutes_of_today(engine: AsyncEngine) -> None:
    """And a call that was dialled counts a minute until somebody answers or it ends."""
    policy = Outgoing(prices=(Price(prefix="79", per_minute=Decimal(2)),), company_day_budget=Decimal(1000))
    directory = replace(OFFICE, outgoing=policy)
    async with engine.begin() as connection:
        await store.apply(connection, directory)
    midnight = midnight_of(directory, datetime.now(UTC))
    call = Told(engine, number="101", at=midnight - timedelta(seconds=300))
    await called_out(call, CLIENT, 359.0)
    await asked(engine, wish(purpose="dialled", pbx="main", channel="1.77"))
    async with engine.connect() as connection:
        annas = await usage(connection, directory, directory.person("anna"))
    assert (annas.person_spent, annas.company_spent) == (Decimal(2), Decimal(4))


async def test_what_was_judged_without_the_database_is_kept_over_what_came_of_the_question(engine: AsyncEngine) -> None:
    """The answer that was given stands, once, with the time it was given."""
    at = datetime.now(UTC) - timedelta(seconds=30)
    wanted = wish(purpose="dialled", pbx="main", channel="1.5")
    told = await asked(engine, wanted)
    late = replace(told, state="refused", reason_key="person_per_minute")
    other = wish(purpose="dialled", pbx="main", channel="1.6")
    for one, answer in ((wanted, late), (other, replace(told, id=other.id)), (other, replace(told, id=other.id))):
        async with engine.begin() as connection:
            await keep(connection, one, answer, OFFICE, at)
    kept = {row.channel: (row.state, row.reason) for row in await rows(engine)}
    assert kept == {"1.5": ("refused", "person_per_minute"), "1.6": ("dialled", None)}
    assert {row.asked_at for row in await rows(engine) if row.channel == "1.6"} == {at}
