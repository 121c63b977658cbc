"""What of a call CRMs are told, and when it is told again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls import events as e
from calls.call import Call, apply
from calls.due import Change
from calls.view import view
from crm_sync.errors import (
    AuthDeadError,
    AuthExpiredError,
    BannedError,
    CrmError,
    FaultError,
    GoneError,
    PermanentError,
    RateLimitedError,
    TransientError,
    UnknownOutcomeError,
)
from crm_sync.ledger.owed import lane_of, owed
from crm_sync.ledger.retry import GIVE_UP_SECONDS, Policy, after
from crm_sync.spans import MOST_SECONDS
from tests.fakes.recorded import T0, settled_call

CALL = UUID(int=7)


POLICY = Policy()


def test_an_error_that_passes_is_tried_again_with_growing_waits_for_a_day() -> None:
    """1, 5, 30, 120, 600 seconds, then 600 again and again; after a day a person is told."""
    waits = [after(TransientError(""), n, 0, 0, 0, POLICY).seconds for n in range(1, 8)]
    assert waits == [1, 5, 30, 120, 600, 600, 600]
    assert after(TransientError(""), 5, 0, 0, 1, POLICY).seconds == pytest.approx(720)
    assert after(TransientError(""), 99, 0, GIVE_UP_SECONDS, 0, POLICY).dead


@pytest.mark.parametrize(
    "error, dead, stop, pauses",
    [
        (PermanentError(""), True, False, False),
        (GoneError(""), True, True, False),
        (AuthDeadError(""), False, True, False),
        (AuthExpiredError(""), False, False, True),
        (BannedError(""), False, False, True),
        (RateLimitedError(""), False, False, True),
        (RateLimitedError("", scope="effect"), False, False, False),
        (TransientError(""), False, False, False),
        (TransientError("", is_away=True), False, False, True),
        (UnknownOutcomeError(""), False, False, True),
        (FaultError(""), False, False, False),
    ],
)
def test_each_error_has_one_consequence(error: CrmError, dead: bool, stop: bool, pauses: bool) -> None:
    """Dead letter, a stopped connection, a pause for all, or just this one later."""
    verdict = after(error, 1, 0, 0, 0, POLICY)
    assert (verdict.dead, verdict.stop, verdict.pause > 0) == (dead, stop, pauses)


def test_a_limit_is_kept_to_as_long_as_it_asks_but_six_hours() -> None:
    """Retry-After wins over our own waits, and no answer silences us for ever."""
    assert after(RateLimitedError("", retry_after=90.0), 1, 0, 0, 0, POLICY).pause == 90
    assert after(RateLimitedError("", retry_after=0.0), 3, 0, 0, 0, POLICY).seconds == 30
    assert after(RateLimitedError("", retry_after=9e9), 1, 0, 0, 0, POLICY).seconds == MOST_SECONDS
    assert after(BannedError(""), 1, 0, 0, 0, POLICY).pause >= 3600


def test_a_connection_is_left_alone_for_longer_the_more_often_it_fails_in_a_row() -> None:
    """However many effects it fails with, each of them for the first time."""
    away = TransientError("", is_away=True)
    assert [after(away, 1, failures, 0, 0, POLICY).pause for failures in range(6)] == [1, 5, 30, 120, 600, 600]


def test_one_that_hangs_holds_up_the_others_for_half_a_minute_at_most() -> None:
    """Its own next attempt may be later."""
    verdict = after(UnknownOutcomeError(""), 9, 9, 0, 0, POLICY)
    assert (verdict.seconds, verdict.pause) == (600, 30)


def steps(events: list[e.Event], cuts: list[int]) -> list[str]:
    """What is owed when `events` are recorded in pieces that end at `cuts`."""
    told, call, before = list[str](), Call(pbx="pbx"), None
    for since, until in zip([0, *cuts], [*cuts, len(events)], strict=True):
        piece = events[since:until]
        for event in piece:
            call = apply(call, event)
        now = view(call)
        told += [one.step for one in owed(Change(CALL, before, now, tuple(piece)))]
        before = now
    return told


@given(cuts=st.lists(st.integers(0, len(settled_call())), max_size=6).map(sorted))
def test_a_call_is_owed_each_step_once_however_it_is_told(cuts: list[int]) -> None:
    """In pieces of any size; its end always, its beginning when it was known while it rang."""
    told = steps(settled_call(), cuts)
    assert told.count("call_finished") == 1
    assert sorted(set(told), key=told.index) == told
    assert told[-1] == "call_finished"


def test_a_call_that_is_told_as_it_goes_is_owed_its_three_steps() -> None:
    """It rings, people talk, it is over."""
    one_by_one = list(range(1, len(settled_call())))
    events = sorted(settled_call(), key=lambda event: event.at or T0)
    assert steps(events, one_by_one) == ["call_started", "call_answered", "call_finished"]
    assert steps(settled_call(), []) == ["call_finished"]


def test_sound_and_text_are_owed_when_they_are_there_and_sound_waits_for_its_archive() -> None:
    """Each once a telling; keys make them one."""
    seen = view(_call(settled_call()))
    stored = e.RecordingStored(pbx="pbx", channel="1.1", side="caller")
    text = e.Transcribed(pbx="pbx", channel="1.1", model="base")
    told = owed(Change(CALL, seen, seen, (stored, text)))
    assert [(one.step, one.waits) for one in told] == [("recording", True), ("transcript", False)]


def test_calls_between_colleagues_and_erased_calls_are_nobodys_business() -> None:
    """Nothing is planned for them."""
    seen = view(_call(settled_call()))
    for quiet in (replace(seen, direction="internal"), replace(seen, erased=True)):
        assert owed(Change(CALL, None, quiet, ())) == []


def test_a_number_has_one_lane_in_any_spelling_and_does_not_stand_in_it() -> None:
    """8 916 …, +7 916 … and 7916… are one; the lane tells no digits."""
    assert len({lane_of(told) for told in ("79161234567", "+7 916 123-45-67", "8 (916) 123 45 67")}) == 1
    assert "9161234567" not in lane_of("79161234567")
    assert lane_of("anonymous") != lane_of("79161234567")


def _call(events: list[e.Event]) -> Call:
    call = Call(pbx="pbx")
    for event in events:
        call = apply(call, event)
    return call


def test_the_moment_of_a_settled_call_is_not_told_again_when_its_text_comes() -> None:
    """`just_settled` is once."""
    seen = view(_call(settled_call()))
    later = replace(seen, settled_at=(seen.settled_at or T0) + timedelta(seconds=1))
    assert [one.step for one in owed(Change(CALL, seen, later, ()))] == []
