"""Which calls go into the book."""

from __future__ import annotations

from uuid import uuid4

import pytest

from calls import events as e
from calls.call import Call, apply
from calls.due import Change, Job
from calls.view import CallView, view
from crm_sync.due import due
from tests.fakes.recorded import outgoing_call, settled_call


def seen(events: list[e.Event]) -> CallView:
    call = Call(pbx="pbx")
    for event in events:
        call = apply(call, event)
    return view(call)


def owed(before: list[e.Event] | None, after: list[e.Event]) -> list[Job]:
    return due(Change(uuid4(), seen(before) if before else None, seen(after), ()))


@pytest.mark.parametrize("answered", [True, False])
def test_a_settled_call_from_outside_is_linked_once(answered: bool) -> None:
    """Answered or missed, at settling and never again."""
    call = settled_call(answered=answered)
    assert [job.task for job in owed(call[:-1], call)] == ["crm_sync.link_call"]
    assert owed(None, call[:-1]) == []
    assert owed(call, call) == []


@pytest.mark.parametrize("answered", [True, False])
def test_a_settled_call_out_is_linked_once(answered: bool) -> None:
    """Whom we called may be in the book; they wait in the lane of the number that was called, however it is spelt."""
    call = outgoing_call("1.1", answered=answered, number="89161234567")
    (job,) = owed(call[:-1], call)
    (inbound,) = owed(None, settled_call("2.1", number="+79161234567"))
    assert job.task == "crm_sync.link_call"
    assert job.lock == inbound.lock
    assert owed(call, call) == []


@pytest.mark.parametrize("number", ["anonymous", "", "101", "unknown"])
def test_a_call_without_a_telephone_number_is_nobody_s(number: str) -> None:
    """A hidden caller or an extension makes no party."""
    assert owed(None, settled_call(number=number)) == []


def test_calls_of_one_number_wait_for_each_other() -> None:
    """The lock is the number's, and does not tell the number."""
    (one,), (other,) = owed(None, settled_call("1.1")), owed(None, settled_call("2.1"))
    (stranger,) = owed(None, settled_call("3.1", number="79160000001"))
    assert one.lock == other.lock != stranger.lock
    assert one.lock is not None
    assert "7916" not in one.lock
