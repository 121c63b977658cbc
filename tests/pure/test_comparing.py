"""What a CRM holds is compared with what it is owed, call by call, without asking anybody."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from crm_sync.crm import HeldCall
from crm_sync.ledger.comparing import NEVER_PLANNED, OwedCall, compare

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
CALL, JOINED, KEY, OTHER = (UUID(int=one) for one in (1, 2, 3, 4))


def owed(**changes: Any) -> OwedCall:
    """A call of Anna's that was told."""
    told: dict[str, Any] = {
        "call": CALL, "ids": frozenset({CALL}), "began_at": AT, "seconds": 6.4, "person": "anna", "user": "5",
        "keys": frozenset({KEY}), "effect": KEY, "state": "done", "remote_id": "notes/1",
    }  # fmt: skip
    return OwedCall(**{**told, **changes})


def held(remote_id: str = "notes/1", **changes: Any) -> HeldCall:
    """The same call there."""
    told: dict[str, Any] = {"key": KEY, "at": AT, "seconds": 6.0, "owner": "5"}
    return HeldCall(remote_id, **{**told, **changes})


def kinds(call: OwedCall, *there: HeldCall) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.kind, one.remote_ids) for one in compare([call], there).differences]


@pytest.mark.parametrize(
    "call, there",
    [
        (owed(), held()),
        (owed(), held(key=None, call=CALL)),
        (owed(), held(key=None)),  # kept by neither: by what the ledger calls it there
        (owed(ids=frozenset({CALL, JOINED})), held(key=None, call=JOINED)),
        (owed(user=None), held(owner="1")),  # nobody says who Anna is there
        (owed(), held(owner=None, seconds=None)),
        (owed(seconds=0.3), held(seconds=1.0)),  # of a talk at least a second is kept
    ],
)
def test_the_same_call_is_no_difference(call: OwedCall, there: HeldCall) -> None:
    """By whatever the CRM knows it, and as far as both sides say who and how long."""
    assert kinds(call, there) == []


def test_what_is_told_and_not_there_is_missing() -> None:
    """Another call there is not it."""
    assert kinds(owed()) == [("missing", ("notes/1",))]
    assert kinds(owed(), held("notes/7", key=OTHER)) == [("missing", ("notes/1",))]


def test_what_is_there_more_than_once_is_told_with_both_names() -> None:
    """Also when the ledger knows but one, and when one was told of a call that became part of it later."""
    assert kinds(owed(), held(), held("notes/2")) == [("twice", ("notes/1", "notes/2"))]
    joined = owed(keys=frozenset({KEY, OTHER}))
    assert kinds(joined, held(), held("notes/2", key=OTHER)) == [("twice", ("notes/1", "notes/2"))]
    assert kinds(owed(), held(), held()) == []


@pytest.mark.parametrize("state", ["planned", "sent", "unknown"])
def test_what_is_owed_for_long_is_not_told_and_what_is_new_is_on_its_way(state: str) -> None:
    """With the state of its effect and what was answered last."""
    late = owed(state=state, remote_id=None, error="transient")
    (found,) = compare([late], []).differences
    assert (found.kind, found.why, found.call, found.effect) == ("not_told", f"{state} transient", CALL, KEY)
    new = compare([owed(state=state, remote_id=None, is_recent=True)], [])
    assert (new.waiting, new.differences) == (1, ())


def test_what_was_never_planned_or_given_up_is_not_told() -> None:
    """One that was given up and is there all the same is known to be so."""
    (found,) = compare([owed(keys=frozenset(), effect=None, state=None, remote_id=None)], []).differences
    assert (found.kind, found.why) == ("not_told", NEVER_PLANNED)
    dead = owed(state="dead", error="permanent", remote_id=None)
    assert kinds(dead) == [("not_told", ())]
    assert kinds(dead, held("notes/9")) == [("not_noted", ("notes/9",))]


@pytest.mark.parametrize(
    "call",
    [
        owed(not_told="no_number", remote_id=None),
        owed(state="shadow", remote_id=None),
        owed(remote_id=None),  # what it is called there nobody knows
        owed(is_recent=True),  # a list may not have it yet
    ],
)
def test_what_nobody_can_miss_is_no_difference(call: OwedCall) -> None:
    """It was not to be told, or there is nothing yet that could be found."""
    assert kinds(call) == []


def test_another_owner_and_another_length_are_told_as_both_sides_have_them() -> None:
    """Who it was by our key and theirs."""
    (found,) = compare([owed()], [held(owner="6", seconds=60.0)]).differences
    assert (found.kind, found.fields) == ("differs", {"owner": ("anna (5)", "6"), "talk_seconds": ("6.4", "60")})


def test_a_crm_that_cannot_be_read_is_compared_by_the_ledger_alone() -> None:
    """Nothing is missing there that nobody can look for; what was not told is known all the same."""
    assert compare([owed()], None).differences == ()
    assert [one.kind for one in compare([owed(state="dead", remote_id=None)], None).differences] == ["not_told"]


def test_what_nobody_looks_for_is_a_stray_when_it_is_ours() -> None:
    """What has neither a key nor an id of ours is somebody else's."""
    ours = held("notes/7", key=OTHER)
    assert compare([owed()], [held(), ours, held("notes/8", key=None)]).strays == (ours,)
