"""What every adapter promises the ledger, against a strict server of its CRM."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID, uuid4

import msgspec
import pytest

from crm_sync.book.lifecycle import SERVICE
from crm_sync.crm import Asked, Cards, Effect, Lists, Step
from crm_sync.errors import (
    AuthDeadError,
    CrmError,
    PermanentError,
    RateLimitedError,
    TransientError,
    UnknownOutcomeError,
)
from crm_sync.kinds import KINDS
from crm_sync.ledger.sending import _OPERATIONS
from crm_sync.told import (
    CrmCall,
    CrmIncident,
    CrmLead,
    CrmRecording,
    CrmSegment,
    CrmTask,
    CrmTranscript,
    Subject,
)
from tests.fakes.crms import RIGS, Fault, Rig
from tests.fakes.recorded import LINE, T0

NUMBER = "79161234567"
CALL = CrmCall(
    id=UUID(int=1), pbx="pbx", direction="inbound", status="answered", line=LINE, number=NUMBER, name="Пётр",
    started_at=T0, answered_at=T0, ended_at=T0, wait_seconds=3.0, talk_seconds=6.0, person="anna", missed_cause=None,
    party=1, lead=1, recovered=False,
)  # fmt: skip
LEAD = CrmLead(
    id=1, change="stage", party=1, name="Пётр", numbers=(NUMBER,), stage="in_work", step=None, owner="anna", line=LINE,
    before="new", after="in_work", reason=None, by="anna", call=CALL.id,
)  # fmt: skip
TASK = CrmTask(
    id=1, change="opened", call=CALL.id, number=NUMBER, line=LINE, origin="missed", cause="rang_out", owner="anna",
    due_at=T0, attempt_count=1, closed_by=None,
)  # fmt: skip
INCIDENT = CrmIncident(
    id=1, change="opened", kind="pbx", subject="pbx", grave=True, started_at=T0, ended_at=None, calls_lost=0,
    calls_saved=0,
)  # fmt: skip
RECORDING = CrmRecording(
    call=CALL.id,
    seconds=6.0,
    expires_at=datetime(2027, 1, 1, tzinfo=UTC),
    link=1,
    url="https://example.com/linked/1.x",
)
SUBJECTS: dict[Step, Subject] = {
    "call_started": CALL,
    "call_answered": CALL,
    "call_finished": CALL,
    "recording": RECORDING,
    "transcript": CrmTranscript(
        call=CALL.id,
        language="ru",
        text="Добрый день",
        is_whole=True,
        segments=(CrmSegment(side="staff", begins=0.2, ends=1.4, text="Добрый день"),),
    ),
    "task": TASK,
    "lead": LEAD,
    "message": LEAD,
    "incident": INCIDENT,
}


@pytest.fixture(params=sorted(RIGS))
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    async with RIGS[request.param]() as opened:
        yield opened


def effect() -> Effect:
    return Effect(uuid4(), T0)


async def test_it_can_be_asked_whether_all_is_well(rig: Rig) -> None:
    """Nothing is missing where nothing is; what it can do its kind says too."""
    assert (await rig.crm.probe()).missing == ()
    assert rig.crm.capabilities in {kind.capabilities for kind in KINDS.values()}


async def test_each_step_is_taken_once_in_the_order_it_is_told(rig: Rig) -> None:
    """All that the ledger may owe, one after another; the same again, as after doubt, leaves no second record."""
    remote: dict[str, str] = {}
    told = [(step, Effect(uuid4(), T0, remote)) for step in rig.steps]
    for doubted in (None, datetime.now(UTC)):
        for step, one in told:
            again = replace(one, sent_at=doubted)
            done = await rig.crm.read_back(step, again) if doubted else None
            done = done or await _OPERATIONS[step](rig.crm)(again, SUBJECTS[step])
            remote |= {step: done.remote_id} if done.remote_id else {}
    assert len(rig.records()) == len(rig.steps)


async def test_a_finished_call_needs_no_start(rig: Rig) -> None:
    """As after an outage of ours."""
    await rig.crm.call_finished(effect(), CALL)
    assert len(rig.calls()) == 1


async def test_a_lead_that_people_made_there_changes_by_people_alone(rig: Rig) -> None:
    """What the service decides of a client whom they work with already is our book's; what a person does is told."""
    read = rig.add_lead(NUMBER)
    before, remote = read(), dict[str, str]()

    async def happens(change: str, by: str) -> None:
        lead = msgspec.structs.replace(LEAD, change=change, by=by, stage="new" if change == "opened" else "lost")
        done = await rig.crm.ensure_lead(Effect(uuid4(), T0, dict(remote)), lead)
        remote.update({"lead": done.remote_id} if done.remote_id else {})

    for change in ("opened", "owner", "stage"):
        await happens(change, SERVICE)
        assert read() == before
    await happens("owner", "anna")
    assert (read() == before) == (before == {})


@pytest.mark.parametrize("fault", ["lost_before", "lost_after", "hangs"])
async def test_what_nobody_heard_of_is_in_doubt_and_ends_as_one_record(rig: Rig, fault: Fault) -> None:
    """The ledger reads back, and sends again what is not there."""
    one = effect()
    rig.fail(fault)
    with pytest.raises(UnknownOutcomeError):
        await rig.crm.call_finished(one, CALL)
    again = replace(one, sent_at=datetime.now(UTC))
    if await rig.crm.read_back("call_finished", again) is None:
        await rig.crm.call_finished(again, CALL)
    assert len(rig.calls()) == 1


@pytest.mark.parametrize(
    "fault, error",
    [
        ("limit", RateLimitedError),
        ("away", TransientError),
        ("refuses", PermanentError),
        ("shut_out", AuthDeadError),
        ("redirects", TransientError),
    ],
)
async def test_each_refusal_is_told_apart_and_tells_no_secret(rig: Rig, fault: Fault, error: type[CrmError]) -> None:
    """Nor whom it was about: the text is for logs and for a person."""
    rig.fail(fault)
    with pytest.raises(error) as refused:
        await rig.crm.call_finished(effect(), CALL)
    told = f"{refused.value!r} {refused.value.answer}"
    assert not any(secret in told for secret in (*rig.secrets, NUMBER, "Пётр"))
    assert rig.calls() == []
    if isinstance(refused.value, RateLimitedError):
        assert refused.value.retry_after == 7


async def test_an_answer_that_does_not_come_is_not_waited_for_longer_than_told(rig: Rig) -> None:
    """A worker has other work."""
    rig.fail("hangs")
    began = asyncio.get_running_loop().time()
    with pytest.raises(CrmError):
        await rig.crm.call_finished(effect(), CALL)
    assert asyncio.get_running_loop().time() - began < 10


async def test_whoever_can_be_asked_knows_its_users_and_whose_a_number_is(rig: Rig) -> None:
    """By extension, and as a person of ours; a number that nobody has is nobody's."""
    if "parties" not in rig.crm.capabilities:
        return
    asked = cast("Asked", rig.crm)
    assert "1" in {one.id for one in await asked.users()}
    number, name = rig.party
    (found,) = await asked.find_party(number, 20.0)
    assert (found.name, found.owner) == (name, "anna")
    assert await asked.find_party("74950000000", 20.0) == []


async def test_whoever_is_asked_in_time_answers_or_says_so_in_time(rig: Rig) -> None:
    """A caller waits: what hangs there is given up when the deadline says."""
    if "parties" not in rig.crm.capabilities:
        return
    rig.fail("hangs")
    began = asyncio.get_running_loop().time()
    with pytest.raises(TransientError):
        await cast("Asked", rig.crm).find_party(rig.party[0], 0.2)
    assert asyncio.get_running_loop().time() - began < 10


async def test_a_question_that_is_cut_off_is_asked_again_or_not_answered(rig: Rig) -> None:
    """It changed nothing there, so nothing is in doubt."""
    if "parties" not in rig.crm.capabilities:
        return
    rig.fail("lost_before")
    try:
        found = await cast("Asked", rig.crm).find_party(rig.party[0], 20.0)
    except TransientError:
        return
    assert [one.name for one in found] == [rig.party[1]]


async def test_a_card_is_shown_to_whom_it_is_for(rig: Rig) -> None:
    """And taken away again, without an error where nothing is shown any more."""
    if "live_card" not in rig.crm.capabilities:
        return
    one = effect()
    started = await rig.crm.call_started(one, CALL)
    told = replace(one, remote={"call_started": started.remote_id} if started.remote_id else {})
    cards = cast("Cards", rig.crm)
    await cards.card_show(told, CALL, ["1"])
    assert rig.cards() == [(NUMBER, "1")]
    await cards.card_hide(told, CALL, ["1"])
    await cards.card_hide(told, CALL, ["1"])


async def test_whoever_lists_tells_each_finished_call_of_a_time_once(rig: Rig) -> None:
    """By its key or its id, whose it was and how long, where that is known there; of another time it tells nothing."""
    if "listing" not in rig.crm.capabilities:
        return
    lists, told = cast("Lists", rig.crm), [effect(), effect()]
    calls = [
        CALL,
        msgspec.structs.replace(CALL, id=UUID(int=2), number="79169876543", status="missed", talk_seconds=0.0),
    ]
    for one, call in zip(told, calls, strict=True):
        await rig.crm.call_finished(one, call)
    hour = timedelta(hours=1)
    # When it began, or when it was told: what is kept there differs.
    held = {
        one.remote_id: one for at in (T0, datetime.now(UTC)) for one in await lists.calls_told(at - hour, at + hour)
    }
    ours = sorted(held.values(), key=lambda one: -(one.seconds or 0.0))
    assert {one.key or one.call for one in ours} in ({one.key for one in told}, {one.id for one in calls})
    assert [one.seconds for one in ours] in ([6.0, 0.0], [None, None])
    if "parties" in rig.crm.capabilities:
        assert {one.owner for one in ours} <= {None, *(one.id for one in await cast("Asked", rig.crm).users())}
    assert await lists.calls_told(T0 - 30 * 24 * hour, T0 - 29 * 24 * hour) == []
