"""What every adapter promises the ledger, against a strict server of its CRM."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from crm_sync.crm import STEPS, CrmCall, CrmLead, CrmRecording, CrmTask, CrmTranscript, Effect, Step, Subject
from crm_sync.errors import (
    AuthDeadError,
    CrmError,
    PermanentError,
    RateLimitedError,
    TransientError,
    UnknownOutcomeError,
)
from crm_sync.sending import _OPERATIONS
from tests.fakes.crms import RIGS, SECONDS, Fault, Rig
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
SUBJECTS: dict[Step, Subject] = {
    "call_started": CALL,
    "call_answered": CALL,
    "call_finished": CALL,
    "recording": CrmRecording(
        call=CALL.id,
        seconds=6.0,
        expires_at=datetime(2027, 1, 1, tzinfo=UTC),
        link=1,
        url="https://example.com/linked/1.x",
    ),
    "transcript": CrmTranscript(call=CALL.id, language="ru", text="Добрый день", is_whole=True),
    "task": TASK,
    "lead": LEAD,
    "message": LEAD,
}


@pytest.fixture(params=sorted(RIGS))
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    async with RIGS[request.param]() as opened:
        yield opened


def effect() -> Effect:
    return Effect(uuid4(), T0)


async def test_it_can_be_asked_whether_all_is_well(rig: Rig) -> None:
    """Nothing is missing where nothing is."""
    assert (await rig.crm.probe()).missing == ()


async def test_each_step_is_taken_once_in_the_order_it_is_told(rig: Rig) -> None:
    """All that the ledger may owe, one after another, the same again leaves no second record."""
    told = [(step, effect()) for step in STEPS]
    for _ in range(2):
        for step, one in told:
            await _OPERATIONS[step](rig.crm)(one, SUBJECTS[step])
    assert len(rig.records()) == len(STEPS)


async def test_a_finished_call_needs_no_start(rig: Rig) -> None:
    """As after an outage of ours."""
    await rig.crm.call_finished(effect(), CALL)
    assert len(rig.records()) == 1


@pytest.mark.parametrize("fault", ["lost_before", "lost_after", "hangs"])
async def test_what_nobody_heard_of_is_in_doubt_and_ends_as_one_record(rig: Rig, fault: Fault) -> None:
    """The ledger reads back, and sends again what is not there."""
    one = effect()
    rig.fail(fault)
    with pytest.raises(UnknownOutcomeError):
        await rig.crm.call_finished(one, CALL)
    if await rig.crm.read_back("call_finished", one) is None:
        await rig.crm.call_finished(one, CALL)
    assert len(rig.records()) == 1


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
    assert rig.records() == []
    if isinstance(refused.value, RateLimitedError):
        assert refused.value.retry_after == 7


async def test_an_answer_that_does_not_come_is_not_waited_for_longer_than_told(rig: Rig) -> None:
    """A worker has other work."""
    rig.fail("hangs")
    began = asyncio.get_running_loop().time()
    with pytest.raises(CrmError):
        await rig.crm.call_started(effect(), CALL)
    assert asyncio.get_running_loop().time() - began < SECONDS + 5
