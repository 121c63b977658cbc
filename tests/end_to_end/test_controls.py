"""What the page asks for in a talk is done by a real PBX: hold, a transfer, a consultation however it ends, hang-up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from pprint import pformat
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.call import Call, facts
from calls.consulting import consultations
from calls.record import state_call
from calls.view import CallView, view
from directory.model import Device, Directory
from directory.outgoing import Outgoing, Reach
from directory.store import apply
from service import controlling
from service.demo_world import Behaviour, OutsideCall, OutsideWorld, answer, busy, reject, ring_out
from service.pbx import Pbx, Phone
from service.telephony_role import Telephony
from telephony import controls
from tests.end_to_end.stage import DIRECTORY, FALLBACK, LINE, ROUTED, Stage, until
from web.background import read_live
from web.head.floor import talking_in

NUMBER = "79161230188"
TALK = ("ru/queue-youarenext",) * 12


@pytest.fixture(scope="module")
async def pbx() -> AsyncIterator[Pbx]:
    """The company's PBX."""
    phones = [Phone(ROUTED, "101"), Phone(FALLBACK, "102")]
    async with Pbx(phones, variables={"SWITCHHOOK_FEATURES": "T"}) as running:
        yield running


MOBILE, OUTSIDE, FORBIDDEN = "79160000011", "79161230007", "79169990001"
ABROAD = "4930123456"
"""Of Berlin, and of ten digits as numbers of ours are."""


def house() -> Directory:
    """Анна has 101, Борис 102, and there are numbers that nobody may call."""
    people = tuple(
        replace(person, devices=(replace(person.devices[0], number=number),))
        for person, number in zip(DIRECTORY.people, ("101", "102"), strict=True)
    )
    return replace(DIRECTORY, people=people, outgoing=Outgoing(everybody=Reach(deny=("7916999",))))


@pytest.fixture
async def stage(
    pbx: Pbx, world: OutsideWorld, engine: AsyncEngine, database_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    """A fresh store with the directory in it; afterwards nobody is on the line."""
    async with engine.begin() as connection:
        await apply(connection, house())
    yield Stage(pbx, world, engine, database_url, tmp_path)
    await world.quiet()


async def seen(
    stage: Stage, what: str, fact: Any, column: str = "caller_number", number: str = NUMBER
) -> tuple[UUID, CallView]:
    """The newest call of the client once `fact` holds of it."""
    sql = f"select id, state from calls where {column} = :number and joined_into is null order by started_at desc"
    last: list[Call] = []

    async def there() -> tuple[UUID, CallView] | None:
        for row in (await stage.rows(sql, number=number))[:1]:
            call = state_call(row.state)
            last[:] = [call]
            told = view(call)
            if fact(call, told):
                return row.id, told
        return None

    try:
        found = await until(there, what)
    except BaseException as failure:
        failure.add_note(pformat(last))
        raise
    assert found is not None
    return found


async def wanted(stage: Stage, call: UUID, what: controls.What, person: str = "anna", **to: str) -> str | None:
    """What becomes of it."""
    async with stage.engine.begin() as connection:
        control = await controls.ask(connection, call, what, person, by="anna", **to)

    async def settled() -> str | None:
        async with stage.engine.connect() as connection:
            return await controls.outcome_of(connection, control)

    return await until(settled, f"{what} is settled")


def talk_with(told: CallView, device: str) -> bool:
    """Whether the client talks with the phone now."""
    return any(talk.until is None and f"PJSIP/{device}" in talk.between for talk in told.talks)


def held(call: Call) -> bool:
    """Whether somebody is on hold now."""
    return any(max(channel.holds)[1] for channel in call.channels.values() if channel.holds and not channel.ended_at)


async def test_a_talk_is_held_taken_back_sent_on_comes_back_and_is_hung_up(stage: Stage) -> None:
    """Each is done and told by the PBX itself; a client whom nobody takes comes back."""
    await stage.world.phone(ROUTED).behave(answer(0.1, speak=TALK))
    await stage.world.phone(FALLBACK).behave(busy())
    async with stage.open(stage.settings()):
        await until(stage.asked, "the PBX asks the service")
        await stage.world.call(NUMBER, "Клиент", LINE, speak=TALK, stay=True)
        call, _ = await seen(stage, "they talk", lambda _, told: talk_with(told, ROUTED))
        assert await wanted(stage, call, "hold") == "done"
        await seen(stage, "the client is held", lambda call, _: held(call))
        assert await wanted(stage, call, "resume") == "done"
        await seen(stage, "they talk again", lambda call, told: told.hold_seconds > 0 and not held(call))
        assert await wanted(stage, call, "transfer", colleague="boris") == "done"
        _, back = await seen(stage, "the client is back with Анна", lambda _, told: len(told.talks) == 2)
        assert talk_with(back, ROUTED)
        await stage.world.phone(FALLBACK).behave(answer(0.1, speak=TALK))
        assert await wanted(stage, call, "transfer", colleague="boris") == "done"
        _, moved = await seen(stage, "the client talks with Борис", lambda _, told: talk_with(told, FALLBACK))
        told = [(one.kind, one.by, one.to) for one in moved.transfers]
        assert told == [("blind", f"PJSIP/{ROUTED}", "102")] * 2
        assert await wanted(stage, call, "hold") == "over"
        assert await wanted(stage, call, "hang_up", "boris") == "done"
        _, over = await seen(stage, "the call is over", lambda _, told: told.ended_at is not None)
    assert over.status == "answered"


async def talking(stage: Stage) -> tuple[UUID, OutsideCall]:
    """A client talks with Анна: the call in the store, and theirs."""
    await stage.world.phone(ROUTED).behave(answer(0.1, speak=TALK))
    await until(stage.asked, "the PBX asks the service")
    client = await stage.world.call(NUMBER, "Клиент", LINE, speak=TALK, stay=True)
    call, _ = await seen(stage, "they talk", lambda _, told: talk_with(told, ROUTED))
    return call, client


async def consulting(
    stage: Stage, behaviour: Behaviour, *, answered: bool = True, **to: str
) -> tuple[UUID, OutsideCall]:
    """Анна consults Борис, who behaves so, or whom else she wants, and the client waits."""
    await stage.world.phone(FALLBACK).behave(behaviour)
    call, client = await talking(stage)
    assert await wanted(stage, call, "consult", **(to or {"colleague": "boris"})) == "done"
    await seen(
        stage,
        "Анна consults",
        lambda call, _: held(call) and [it for it in consultations(call) if bool(it.other) is answered],
    )
    return call, client


def back_with_anna(call: Call, told: CallView) -> bool:
    """The client talks with Анна, and nobody is consulted or waits."""
    with_client = [talk for talk in told.talks if talk.until is None and NUMBER in talk.between]
    return [f"PJSIP/{ROUTED}" in talk.between for talk in with_client] == [True] and not consultations(call)


def moves(told: CallView) -> list[tuple[Any, ...]]:
    """The transfers as the record tells them."""
    return [(one.kind, one.by, one.to, one.reached, one.completed) for one in told.transfers]


HANDED_OVER = ("attended", f"PJSIP/{ROUTED}", "102", (f"PJSIP/{FALLBACK}",), True)


@pytest.mark.parametrize("do", ["connect", "hang_up"])
async def test_a_client_is_handed_over_to_who_was_consulted(stage: Stage, do: controls.What) -> None:
    """By a click, or as telephones do: who consults hangs up. Nothing else is done meanwhile."""
    async with stage.open(stage.settings()):
        call, client = await consulting(stage, answer(0.1, speak=TALK))
        for other in ("hold", "transfer", "consult"):
            assert await wanted(stage, call, other, colleague="boris") == "consulting"
        assert await wanted(stage, call, "hold", "boris") == "consulting"
        assert await wanted(stage, call, do) == "done"
        await seen(stage, "the client is handed over", lambda _, told: moves(told) == [HANDED_OVER])
        await seen(stage, "nobody is held", lambda call, told: not held(call) and not talk_with(told, ROUTED))
        assert await wanted(stage, call, "hang_up", "boris") == "done"
        await client.ended()
        _, over = await seen(stage, "the call is over", lambda _, told: told.ended_at is not None)
    assert [talk.between for talk in over.talks] == [
        (NUMBER, f"PJSIP/{ROUTED}"),
        (f"PJSIP/{ROUTED}", f"PJSIP/{FALLBACK}"),
        (NUMBER, f"PJSIP/{FALLBACK}"),
    ]
    assert (over.status, over.missed_cause) == ("answered", None)


@pytest.mark.parametrize(
    "behaviour",
    [ring_out(), busy(), reject(0.2), answer(0.1, speak=TALK[:1], hangup_after=0.5)],
    ids=lambda it: it.mode,
)
async def test_who_is_consulted_in_vain_leaves_the_client_with_the_person(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, behaviour: Behaviour
) -> None:
    """Nobody answers, it is busy, it is declined, or it is answered and ended."""
    monkeypatch.setattr(controlling, "RING_SECONDS", 2)
    await stage.world.phone(FALLBACK).behave(behaviour)
    async with stage.open(stage.settings()):
        call, _ = await talking(stage)
        assert await wanted(stage, call, "consult", colleague="boris") == "done"
        _, told = await seen(
            stage, "they talk again", lambda call, told: told.hold_seconds > 0 and back_with_anna(call, told)
        )
        assert moves(told) == []
        await seen(stage, "nobody waits", lambda call, _: not held(call))


async def test_a_client_is_taken_back_while_it_rings_and_while_they_consult(stage: Stage) -> None:
    """The colleague's phone is let go; then all can be done anew, also by the keys of the phone's own transfers."""
    async with stage.open(stage.settings()):
        call, _ = await consulting(stage, ring_out(), answered=False)
        assert await wanted(stage, call, "connect") == "not_answered"
        assert await wanted(stage, call, "resume") == "done"
        await seen(stage, "they talk again", back_with_anna)
        await stage.world.phone(FALLBACK).behave(answer(0.1, speak=TALK))
        assert await wanted(stage, call, "consult", colleague="boris") == "done"
        await seen(stage, "they consult", lambda call, _: [it for it in consultations(call) if it.other])
        assert await wanted(stage, call, "resume") == "done"
        await seen(stage, "they talk again", back_with_anna)
        _, told = await seen(stage, "nobody waits", lambda call, _: not held(call))
        assert moves(told) == []
        assert await wanted(stage, call, "connect") == "not_answered"
        assert not await variable(stage, ROUTED, "TRANSFER_CONTEXT")


async def test_a_client_who_hangs_up_meanwhile_leaves_the_two_talking(stage: Stage) -> None:
    """There is nobody to hand over any more; whoever consults hears it, and ends their talk as any other."""
    async with stage.open(stage.settings()):
        call, client = await consulting(stage, answer(0.1, speak=TALK))
        await client.hangup()
        _, told = await seen(stage, "the consultation is a talk", lambda call, _: not consultations(call))
        assert [talk.between for talk in told.talks if talk.until is None] == [(f"PJSIP/{ROUTED}", f"PJSIP/{FALLBACK}")]
        assert await wanted(stage, call, "connect") == "not_answered"
        assert await wanted(stage, call, "hang_up") == "done"
        _, over = await seen(stage, "the call is over", lambda _, told: told.ended_at is not None)
        assert (over.status, moves(over)) == ("answered", [])


async def test_who_hangs_up_while_it_rings_sends_the_client_there(stage: Stage) -> None:
    """As telephones do; where nobody answers, the client comes back to who sent them."""
    async with stage.open(stage.settings()):
        call, _ = await consulting(stage, answer(3.0, speak=TALK), answered=False)
        assert await wanted(stage, call, "hang_up") == "done"
        _, told = await seen(stage, "the client talks with Борис", lambda _, told: talk_with(told, FALLBACK))
        assert [(one.by, one.to, one.reached) for one in told.transfers] == [
            (f"PJSIP/{ROUTED}", "102", (f"PJSIP/{FALLBACK}",))
        ]


async def test_who_hangs_up_while_it_rings_in_vain_has_the_client_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their phone rings anew."""
    monkeypatch.setattr(controlling, "RING_SECONDS", 2)
    async with stage.open(stage.settings()):
        call, _ = await consulting(stage, ring_out(), answered=False)
        assert await wanted(stage, call, "hang_up") == "done"
        _, told = await seen(stage, "the client is back with Анна", lambda _, told: talks_with_anna(told) == 2)
        assert not any(one.completed for one in told.transfers)


def talks_with_anna(told: CallView) -> int:
    """How often the client has talked with Анна."""
    return len([talk for talk in told.talks if {NUMBER, f"PJSIP/{ROUTED}"} == set(talk.between)])


async def test_a_service_that_dies_leaves_nobody_on_hold(stage: Stage) -> None:
    """The PBX goes on by itself; the next service knows where everybody is, and the record is the same."""
    async with stage.open(stage.settings()):
        call, _ = await consulting(stage, answer(0.1, speak=TALK))
    async with stage.open(stage.settings()):
        await until(stage.asked, "the PBX asks the service")
        _, told = await seen(stage, "they consult", lambda call, _: [it for it in consultations(call) if it.other])
        assert talk_with(told, FALLBACK)
    (anna,) = await channels(stage, ROUTED)
    await stage.pbx.cli(f"channel request hangup {anna}")
    async with stage.open(stage.settings()):
        _, told = await seen(stage, "the client talks with Борис", lambda _, told: moves(told) == [HANDED_OVER])
        assert await wanted(stage, call, "hold") == "over"
        assert await wanted(stage, call, "hang_up", "boris") == "done"
        await seen(stage, "the call is over", lambda _, told: told.ended_at is not None)


async def test_a_mobile_is_consulted_by_who_pressed_1(stage: Stage) -> None:
    """A mailbox is not: the client is handed over to a person."""
    mobile = Device(kind="mobile", address=MOBILE, trunk="PJSIP/trunk")
    anna, boris = house().people
    async with stage.engine.begin() as connection:
        await apply(connection, replace(house(), people=(anna, replace(boris, devices=(mobile,)))))
    await stage.world.mobile(MOBILE).behave(answer(0.1, confirm=True, confirm_after=1.0, speak=TALK))
    async with stage.open(stage.settings()):
        call, _ = await consulting(stage, busy(), answered=False, colleague="boris")
        await stage.world.mobile(MOBILE).answers()
        assert await wanted(stage, call, "connect") == "not_answered"
        await seen(stage, "they consult", lambda call, _: [it for it in consultations(call) if it.other])
        assert await wanted(stage, call, "connect") == "done"
        await seen(
            stage,
            "the client talks with the mobile",
            lambda _, told: any(talk.until is None and talk.between == (NUMBER, MOBILE) for talk in told.talks),
        )


async def test_who_talks_on_a_mobile_consults_too(stage: Stage) -> None:
    """The client waits behind the halves of the channel that the mobile was called by."""
    mobile = Device(kind="mobile", address=MOBILE, trunk="PJSIP/trunk")
    anna, boris = house().people
    async with stage.engine.begin() as connection:
        await apply(connection, replace(house(), people=(replace(anna, devices=(mobile,)), boris)))
    await stage.world.mobile(MOBILE).behave(answer(0.1, confirm=True, speak=TALK))
    await stage.world.phone(FALLBACK).behave(answer(0.1, speak=TALK))
    async with stage.open(stage.settings()):
        await until(stage.asked, "the PBX asks the service")
        await stage.world.call(NUMBER, "Клиент", LINE, speak=TALK, stay=True)
        call, _ = await seen(stage, "they talk", lambda _, told: open_talks(told))
        for end in ("resume", "connect"):
            assert await wanted(stage, call, "consult", colleague="boris") == "done"
            await seen(stage, "they consult", lambda call, _: [it for it in consultations(call) if it.other])
            assert await wanted(stage, call, end) == "done"
            await seen(stage, "the consultation is over", lambda call, _: not consultations(call))
        _, told = await seen(stage, "the client talks with Борис", lambda _, told: client_with(told, FALLBACK))
        assert [(one.kind, one.to, one.completed) for one in told.transfers] == [("attended", "102", True)]


def client_with(told: CallView, phone: str) -> bool:
    """Whether the client, and nobody else, talks with the phone now."""
    return [talk.between for talk in told.talks if talk.until is None] == [(NUMBER, f"PJSIP/{phone}")]


async def test_who_called_out_consults_and_so_does_who_was_consulted(stage: Stage) -> None:
    """The client whom Анна called goes to Борис, and from him to somebody outside: one record tells both.

    Pages show Анна in the call no longer than she is in it, and Борис neither.
    """
    for number in (OUTSIDE, MOBILE):
        await stage.world.mobile(number).behave(answer(0.1, speak=TALK))
    await stage.world.phone(FALLBACK).behave(answer(0.1, speak=TALK))
    async with stage.open(stage.settings()):
        await until(stage.asked, "the PBX asks the service")
        await stage.world.phone(ROUTED).dial(OUTSIDE, speak=TALK)
        call, _ = await outgoing(stage, lambda _, told: open_talks(told))
        assert await talkers_shown(stage, call) == ["anna"]
        ways: tuple[tuple[str, dict[str, str], str, list[str]], ...] = (
            ("anna", {"colleague": "boris"}, f"PJSIP/{FALLBACK}", ["boris"]),
            ("boris", {"number": MOBILE}, MOBILE, []),
        )
        for person, to, reached, left in ways:
            assert await wanted(stage, call, "consult", person, **to) == "done"
            await outgoing(stage, lambda call, _: [it for it in consultations(call) if it.other])
            assert await wanted(stage, call, "connect", person) == "done"
            await outgoing(stage, lambda _, told, reached=reached: open_talks(told) == [{OUTSIDE, reached}])
            async with asyncio.timeout(20):
                while await talkers_shown(stage, call) != left:
                    await asyncio.sleep(0.05)
        _, told = await outgoing(stage, lambda _, told: len(told.transfers) == 2)
        assert [(one.kind, one.by, one.to, one.completed) for one in told.transfers] == [
            ("attended", f"PJSIP/{ROUTED}", "102", True),
            ("attended", f"PJSIP/{FALLBACK}", f"00{MOBILE}", True),
        ]


async def talkers_shown(stage: Stage, call: UUID) -> list[str]:
    """Who of ours talks now, as pages that are live show it."""
    async with stage.engine.connect() as connection:
        (live,) = await read_live(connection, [call])
    return talking_in(live, house())


def open_talks(told: CallView) -> list[set[str]]:
    """Who talks now."""
    return [set(talk.between) for talk in told.talks if talk.until is None]


async def outgoing(stage: Stage, fact: Any) -> tuple[UUID, CallView]:
    """The newest call to the outside once `fact` holds of it."""
    return await seen(stage, "the call out is so", fact, "dialed", OUTSIDE)


@pytest.mark.parametrize("do", ["consult", "transfer"])
async def test_a_number_outside_is_reached_by_the_trunk(stage: Stage, do: controls.What) -> None:
    """It sees the company's line, and the dialplan has asked who may call there in the name of who wants it."""
    await stage.world.mobile(OUTSIDE).behave(answer(0.1, speak=TALK))
    async with stage.open(stage.settings()):
        call, _ = await talking(stage)
        assert await wanted(stage, call, do, number=OUTSIDE) == "done"
        assert await stage.world.mobile(OUTSIDE).rings() == LINE
        if do == "consult":
            await seen(stage, "they consult", lambda call, _: [it for it in consultations(call) if it.other])
            assert await wanted(stage, call, "connect") == "done"
        _, told = await seen(
            stage,
            "the client talks with them",
            lambda _, told: any(talk.until is None and talk.between == (NUMBER, OUTSIDE) for talk in told.talks),
        )
        assert [(one.kind, one.by, one.to, one.completed) for one in told.transfers] == [
            ("attended", f"PJSIP/{ROUTED}", f"00{OUTSIDE}", True)
            if do == "consult"
            else ("blind", f"PJSIP/{ROUTED}", f"+{OUTSIDE}", True)
        ]
        (judged,) = await stage.rows("select body from call_events where kind = 'OutgoingJudged'")
        assert (judged.body["person"], judged.body["number"]) == ("anna", OUTSIDE)


@pytest.mark.parametrize("do", ["consult", "transfer"])
async def test_who_talks_on_a_mobile_is_judged_by_their_own_limits(stage: Stage, do: controls.What) -> None:
    """The name of its channel is the trunk's. What is rung is what was judged: these digits alone would be ours."""
    mobile = Device(kind="mobile", address=MOBILE, trunk="PJSIP/trunk")
    anna, boris = house().people
    policy = Outgoing(roles=(Reach(role="manager", allow=(ABROAD,)),))
    async with stage.engine.begin() as connection:
        people = (replace(anna, role="manager", devices=(mobile,)), boris)
        await apply(connection, replace(house(), people=people, outgoing=policy))
    await stage.world.mobile(MOBILE).behave(answer(0.1, confirm=True, speak=TALK))
    await stage.world.mobile(ABROAD).behave(answer(0.1, speak=TALK))
    async with stage.open(stage.settings()):
        await until(stage.asked, "the PBX asks the service")
        await stage.world.call(NUMBER, "Клиент", LINE, speak=TALK, stay=True)
        call, _ = await seen(stage, "they talk", lambda _, told: open_talks(told))
        assert await wanted(stage, call, do, number=ABROAD) == "done"
        await stage.world.mobile(ABROAD).rings()
        judged, _ = await seen(stage, "the number is judged", lambda call, _: facts(call, e.OutgoingJudged))
        told = await stage.rows(
            "select body from call_events where kind = 'OutgoingJudged' and call_id = :id", id=judged
        )
        assert [(it.body["person"], it.body["number"]) for it in told] == [("anna", ABROAD)]


@pytest.mark.parametrize("do", ["consult", "transfer"])
async def test_from_a_number_that_may_not_be_called_the_client_comes_back(stage: Stage, do: controls.What) -> None:
    """What the page has not refused the dialplan does; nobody outside is rung."""
    await stage.world.mobile(FORBIDDEN).behave(answer(0.1, speak=TALK))
    async with stage.open(stage.settings()):
        call, _ = await talking(stage)
        assert await wanted(stage, call, do, number=FORBIDDEN) == "done"
        await seen(stage, "the number is judged", lambda call, _: facts(call, e.OutgoingJudged))
        again = 2 if do == "transfer" else 1
        await seen(
            stage,
            "the client is back with Анна",
            lambda call, told: talks_with_anna(told) >= again and back_with_anna(call, told) and not held(call),
        )
        assert not stage.world.mobile(FORBIDDEN).has_rung


async def test_from_a_number_that_does_not_answer_the_client_comes_back(stage: Stage) -> None:
    """With their own number on the phone of who sent them."""
    await stage.world.mobile(OUTSIDE).behave(busy())
    async with stage.open(stage.settings()):
        call, _ = await talking(stage)
        await stage.world.phone(ROUTED).rings()
        assert await wanted(stage, call, "transfer", number=OUTSIDE) == "done"
        assert await stage.world.phone(ROUTED).rings() == NUMBER
        await seen(stage, "the client is back with Анна", lambda _, told: talks_with_anna(told) == 2)


@pytest.fixture
async def old_dialplan(pbx: Pbx) -> AsyncIterator[None]:
    """The PBX has a switchhook.conf of before there were consultations."""
    await pbx.cli("dialplan remove context switchhook-consult")
    yield
    await pbx.cli("dialplan reload")


@pytest.mark.usefixtures("old_dialplan")
async def test_a_pbx_with_an_older_dialplan_sends_nobody_outside(stage: Stage) -> None:
    """Who asks is told so, and the client goes on talking with them."""
    async with stage.open(stage.settings()):
        call, _ = await talking(stage)
        assert await wanted(stage, call, "transfer", number=OUTSIDE) == "refused_by_pbx"
        assert await wanted(stage, call, "consult", number=OUTSIDE) == "no_consult"
        await seen(stage, "they talk on", back_with_anna)


async def test_who_is_sent_with_no_word_of_where_is_sent_nowhere_outside(stage: Stage) -> None:
    """The number alone opens nothing: it says so in words, to the client."""
    await stage.world.mobile(OUTSIDE).behave(answer(0.1, speak=TALK))
    async with stage.open(stage.settings()) as (_, telephony):
        _, client = await talking(stage)
        (anna,) = await channels(stage, ROUTED)
        sent = {"Action": "BlindTransfer", "Channel": anna, "Context": "switchhook-send", "Exten": OUTSIDE}
        await telephony.attendants[0].link.action(sent)
        await client.ended()
        assert not stage.world.mobile(OUTSIDE).has_rung
        assert not await stage.rows("select id from outgoing_calls")


async def test_of_three_who_talk_nobody_is_held_or_sent_on(stage: Stage) -> None:
    """The page says so, and the keys of the phone do nothing either."""
    async with stage.open(stage.settings()) as (_, telephony):
        call, _ = await consulting(stage, answer(0.1, speak=TALK))
        (anna,) = await channels(stage, ROUTED)
        await press(telephony, anna, "*3")
        await seen(stage, "all three talk", lambda _, told: told.conference)
        assert [await wanted(stage, call, "hold")] == ["crowd"]
        for what in ("transfer", "consult"):
            assert await wanted(stage, call, what, colleague="boris") == "crowd"
        await press(telephony, anna, "*9")
        await until(lambda: toned(stage, anna), "the phone hears that it is not done")
        _, told = await seen(stage, "all three talk", lambda _, told: told.conference)
        assert len([talk for talk in told.talks if talk.until is None]) == 3


async def test_a_phone_that_may_not_consult_is_told_so_and_the_client_hears_no_keys(stage: Stage) -> None:
    async with stage.open(stage.settings()):
        call, _ = await talking(stage)
        (anna,) = await channels(stage, ROUTED)
        assert await wanted(stage, call, "hold") == "done"
        await seen(stage, "the client is held", lambda call, _: held(call))
        assert await wanted(stage, call, "consult", colleague="boris") == "on_hold"
        assert await wanted(stage, call, "resume") == "done"
        await seen(stage, "they talk again", lambda call, _: not held(call))
        await stage.pbx.cli(f"dialplan set chanvar {anna} CHANNEL(dtmf_features) K")
        assert await wanted(stage, call, "consult", colleague="boris") == "no_consult"


async def channels(stage: Stage, phone: str) -> list[str]:
    """The names of a phone's channels at the PBX."""
    told = await stage.pbx.cli("core show channels concise")
    return [row.partition("!")[0] for row in told.splitlines() if row.startswith(f"PJSIP/{phone}-")]


async def variable(stage: Stage, phone: str, name: str) -> str:
    """A variable of the phone's channel; "" for none."""
    (channel,) = await channels(stage, phone)
    told = await stage.pbx.cli(f"core show channel {channel}")
    return next((row.partition("=")[2] for row in told.splitlines() if row.startswith(f"{name}=")), "")


async def press(telephony: Telephony, channel: str, keys: str) -> None:
    """Who talks there presses keys."""
    for key in keys:
        pressed = {"Action": "PlayDTMF", "Channel": channel, "Digit": key, "Receive": "true", "Duration": "100"}
        await telephony.attendants[0].link.action(pressed)


async def toned(stage: Stage, channel: str) -> bool:
    """Whether the dialplan of hold has played its error tone there."""
    return "PLAYBACKSTATUS=" in await stage.pbx.cli(f"core show channel {channel}")
