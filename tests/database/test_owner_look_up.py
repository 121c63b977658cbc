"""A CRM is asked whose a caller is, and costs a caller no more than its budget, whatever it does."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.book.owners import owners
from crm_sync.owner_by_http import HttpOwners, OwnerNotTold, read_owner
from directory import store
from routing import look_up
from routing.arrival import Arrival
from routing.controller import Decision, Router
from routing.dry_run import dry_run
from routing.look_up import CrmOwners
from routing.memory import Memory
from routing.owner import Copy
from telephony import devices
from tests.fakes.crm import TOKEN, Answer, Crm, open_crm, says
from tests.fakes.directories import LINE, OFFICE

CALLER = "79161234567"
MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)
BUDGET_SECONDS = 0.3


@dataclass
class Desk:
    """Where arrivals are decided with a CRM's owners."""

    memory: Memory
    crm: Crm
    owners: CrmOwners
    engine: AsyncEngine

    async def decide(self, number: str = CALLER, until: float | None = None) -> Decision:
        arrival = Arrival(
            pbx="main", channel="1.1", line=LINE, caller_number=number, caller_name="", at=MONDAY, name="PJSIP/trunk-1"
        )

        async def sent() -> str:
            return "sent"

        router = Router(self.memory, lambda _arrival, _plan, _until: sent(), crm=self.owners)
        return await router.route(arrival, until)

    async def until_copied(self, owner: str | None) -> None:
        async with asyncio.timeout(10):
            while True:
                async with self.engine.connect() as connection:
                    copies = await look_up.read(connection, [CALLER])
                if CALLER in copies and copies[CALLER].owner == owner:
                    return
                await asyncio.sleep(0.01)


@pytest.fixture
async def desk(engine: AsyncEngine) -> AsyncIterator[Desk]:
    async with engine.begin() as connection:
        await store.apply(connection, OFFICE)
    async with open_crm() as crm:
        http = HttpOwners(crm.url, TOKEN)
        asked = CrmOwners(http, engine, budget_seconds=BUDGET_SECONDS)
        memory = Memory(engine, devices=devices.read, owners=owners, copies=asked.copies)
        following = asyncio.create_task(memory.run())
        async with asyncio.timeout(10):
            while not memory.fresh:
                await asyncio.sleep(0.005)
        yield Desk(memory, crm, asked, engine)
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
        await asked.close()
        await http.close()


async def copied(engine: AsyncEngine, owner: str | None, ago: timedelta) -> None:
    async with engine.begin() as connection:
        await look_up.keep(connection, CALLER, Copy(owner, datetime.now(UTC) - ago))


def keys(decision: Decision) -> list[str]:
    return [reason.key for reason in decision.plan.reasons]


async def test_the_owner_that_the_crm_tells_rings_first_and_is_kept(desk: Desk) -> None:
    desk.crm.owners[CALLER] = "boris"
    decision = await desk.decide()
    assert (decision.plan.rule, decision.outcome) == ("owner", "in_time")
    assert decision.plan.steps[0].targets[0].person == "boris"
    assert desk.crm.asked == [CALLER]
    await desk.until_copied("boris")


async def test_nobody_is_an_answer_too(desk: Desk) -> None:
    assert "owner_nobody" in keys(await desk.decide())
    await desk.until_copied(None)


BAD: dict[str, Answer] = {
    "error": says(b'{"error": "the disk is full"}', status=500),
    "login": says(b"<form>", kind="text/html"),
    "moved": says(b"", status=302, Location="http://127.0.0.1:1/owner"),
    "garbage": says(b"\xff\x00{"),
    "nested": says(b"[" * 60_000),
    "no owner": says(b"{}"),
    "list": says(b'["boris"]'),
    "number": says(b'{"owner": 7}'),
    "injection": says(b'{"owner": "boris\\r\\nAction: Originate"}'),
    "endless": says(b" " * 1_000_000),
}


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD)
async def test_an_answer_that_is_none_leaves_the_copy_and_says_so(desk: Desk, answer: Answer) -> None:
    """Without a copy the rule passes; with one its owner rings, and its age is told."""
    desk.crm.answer = answer
    decision = await desk.decide()
    assert "crm_failed" in keys(decision)
    assert "owner_not_in_time" in keys(decision)
    assert decision.plan.rule == "team"
    await copied(desk.engine, "boris", timedelta(hours=3, minutes=1))
    async with asyncio.timeout(10):
        while CALLER not in desk.owners.copies:
            await asyncio.sleep(0.005)
    decision = await desk.decide()
    assert (decision.plan.rule, decision.outcome) == ("owner", "from_cache")
    assert decision.plan.reasons[0].text == (
        "who owns this caller is from a copy of 3 h ago: the CRM did not tell, but gave an error"
    )


async def test_a_late_crm_costs_the_budget_and_its_answer_serves_the_next_call(desk: Desk) -> None:
    desk.crm.owners[CALLER], desk.crm.answer = "boris", desk.crm.late
    began = time.monotonic()
    decision = await desk.decide()
    assert time.monotonic() - began > BUDGET_SECONDS - 0.01
    assert keys(decision)[0] == "crm_late"
    assert decision.outcome == "from_cache"
    assert json.loads(decision.event.plan)["reasons"][0]["key"] == "crm_late"
    desk.crm.go_on.set()
    await desk.until_copied("boris")
    desk.crm.answer = desk.crm.never
    decision = await desk.decide()
    assert keys(decision)[0] == "owner_copy_late"
    assert decision.plan.rule == "owner"
    waited = int(dict(decision.plan.reasons[0].values)["ms"])
    assert waited >= BUDGET_SECONDS * 1000 - 1
    assert decision.plan.reasons[0].text.endswith(f" s ago: the CRM did not answer in {waited} ms")


async def test_a_crm_that_is_not_there_is_an_error_at_once(desk: Desk) -> None:
    desk.owners._look_up = nowhere = HttpOwners("http://127.0.0.1:1/owner")
    desk.owners._budget_seconds = 60
    try:
        assert "crm_failed" in keys(await desk.decide())
    finally:
        await nowhere.close()


async def test_the_wait_for_a_crm_ends_before_the_callers_own_budget_does(desk: Desk) -> None:
    desk.crm.answer, desk.owners._budget_seconds = desk.crm.never, 60
    async with asyncio.timeout(30):
        decision = await desk.decide(until=time.monotonic() + 0.5)
    assert "crm_late" in keys(decision)


async def test_two_calls_of_one_number_ask_once(desk: Desk) -> None:
    desk.crm.answer = desk.crm.never
    await asyncio.gather(desk.decide(), desk.decide())
    assert desk.crm.asked == [CALLER]


async def test_a_crm_that_hangs_is_asked_by_few_calls_at_a_time(desk: Desk) -> None:
    """A hundred callers are all answered in time, and the CRM is not buried."""
    desk.crm.answer = desk.crm.never
    decisions = await asyncio.gather(*(desk.decide(str(79161230000 + n)) for n in range(100)))
    assert {keys(one)[0] for one in decisions} == {"crm_late"}
    assert len(desk.crm.asked) == 32


@pytest.mark.parametrize("number", ["79160000011", "101", "79160009999", "anonymous", ""])
async def test_colleagues_the_blocked_and_the_hidden_are_not_told_to_the_crm(desk: Desk, number: str) -> None:
    decision = await desk.decide(number)
    assert desk.crm.asked == []
    assert not [key for key in keys(decision) if key.startswith("crm")]


async def test_a_copy_written_by_another_process_is_known_here(desk: Desk) -> None:
    """As when the CRM itself told of a new owner; an older word changes nothing."""
    desk.crm.answer = desk.crm.never
    await copied(desk.engine, "boris", timedelta(minutes=5))
    await copied(desk.engine, "anna", timedelta(hours=1))
    async with asyncio.timeout(10):
        while CALLER not in desk.owners.copies:
            await asyncio.sleep(0.005)
    decision = await desk.decide()
    assert decision.plan.steps[0].targets[0].person == "boris"


async def test_what_the_crm_said_survives_a_restart(desk: Desk) -> None:
    await copied(desk.engine, "boris", timedelta(days=2))
    again = CrmOwners(HttpOwners(desk.crm.url), desk.engine)
    await Memory(desk.engine, devices=devices.read, owners=owners, copies=again.copies).load()
    assert again.copies[CALLER].owner == "boris"


async def test_a_dry_run_asks_the_crm_as_a_call_does(desk: Desk) -> None:
    desk.crm.owners[CALLER] = "boris"
    arrival = Arrival(pbx="main", channel="x", line=LINE, caller_number=CALLER, caller_name="", at=MONDAY)
    shown = await dry_run(desk.engine, arrival, devices=devices.read, owners=owners, crm=desk.owners)
    assert shown.plan.rule == "owner"
    desk.crm.answer = desk.crm.never
    await copied(desk.engine, "anna", timedelta(hours=-1))
    shown = await dry_run(desk.engine, arrival, devices=devices.read, owners=owners, crm=desk.owners)
    assert shown.plan.steps[0].targets[0].person == "anna"
    assert "from a copy of" in shown.text


async def test_each_wait_for_the_crm_is_told_with_its_end(desk: Desk) -> None:
    told: list[tuple[str, float]] = []
    desk.owners._waited = lambda result, seconds: told.append((result, seconds))
    for answer in (None, BAD["error"], desk.crm.never):
        desk.crm.answer = answer
        await desk.decide()
    assert [result for result, _ in told] == ["told", "failed", "late"]
    assert told[-1][1] >= BUDGET_SECONDS - 0.01


async def test_a_wrong_token_is_an_error_of_the_crm(desk: Desk) -> None:
    stranger = HttpOwners(desk.crm.url, "wrong")
    with pytest.raises(OwnerNotTold, match="status 401"):
        await stranger(CALLER)
    await stranger.close()


@pytest.mark.parametrize("body, owner", [(b'{"owner": "anna"}', "anna"), (b'{"owner": null, "more": 1}', None)])
def test_an_answer_is_read_as_the_docs_say(body: bytes, owner: str | None) -> None:
    assert read_owner(body) == owner
