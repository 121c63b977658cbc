"""The stages of a lead."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_sync.book.deadlines import deadline
from crm_sync.book.lifecycle import (
    AWAY,
    BACK,
    CLOSED,
    NEXT,
    OPEN,
    STAGES,
    LifecycleError,
    Move,
    after_call,
    check,
    first_stage,
    opens_again,
)
from directory.lead_policy import FunnelStep, LeadPolicy, OwnReason
from tests.fakes.directories import LINE, OFFICE

FRIDAY_EVENING = datetime(2026, 11, 27, 14, 30, tzinfo=UTC)  # 17:30 in Moscow; the office is open until 18:00
POLICY = LeadPolicy(
    funnel=(FunnelStep(key="meeting", name="Встреча", minutes=600), FunnelStep(key="contract", name="Договор")),
    lost=(OwnReason(key="moved_away", name="Переехал"),),
)

moves = st.builds(
    Move,
    stage=st.sampled_from([*STAGES, "nowhere", ""]),
    step=st.sampled_from([None, "meeting", "contract", "dance"]),
    reason=st.sampled_from([None, "spam", "duplicate", "moved_away", "too_expensive", "because"]),
    duplicate_of=st.none() | st.integers(1, 9),
)


def test_every_stage_is_open_or_closed_and_leads_somewhere_known() -> None:
    """The table of transitions is closed, and every stage can be reached."""
    assert set(NEXT) == set(STAGES) == set(OPEN) | set(CLOSED)
    assert {stage for following in NEXT.values() for stage in following} == set(STAGES) - {"new"}


@given(st.lists(moves | st.booleans(), max_size=30), st.booleans())
def test_no_decisions_and_calls_ever_lead_to_an_undefined_state(told: list[Move | bool], head: bool) -> None:
    """Whatever is asked for in whatever order, a lead is at a stage and step there are, with a reason where due."""
    stage, step, reason = "new", None, None
    for one in told:
        if isinstance(one, bool):
            moved = after_call(stage, talked=one)
            stage, step, reason = (stage, step, reason) if moved == stage else (moved, None, None)
        else:
            with suppress(LifecycleError):
                check(POLICY, stage, step, one, head=head)
                away = stage in AWAY and one.stage in AWAY
                stage, step, reason = one.stage, one.step, reason if away else one.reason
        assert stage in STAGES
        assert step is None or (stage == "in_work" and POLICY.step(step))
        assert (reason is not None) == (stage in {"lost", "reviving", "disqualified"})


def test_a_talk_takes_a_new_lead_up_and_a_missed_call_does_not() -> None:
    """Only people talking is work."""
    assert (first_stage(talked=True), first_stage(talked=False)) == ("qualifying", "new")
    assert (after_call("new", talked=True), after_call("new", talked=False)) == ("qualifying", "new")


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "new" and stage not in AWAY])
def test_a_call_never_moves_a_lead_that_a_person_decided_on(stage: str) -> None:
    """What a person decided stays."""
    assert after_call(stage, talked=True) == after_call(stage, talked=False) == stage


@pytest.mark.parametrize("stage", AWAY)
def test_any_call_brings_a_lost_lead_back_to_work(stage: str) -> None:
    """Answered or not, the client is interested again; and the table allows it."""
    assert after_call(stage, talked=True) == after_call(stage, talked=False) == BACK
    check(POLICY, stage, None, Move(stage=BACK), head=False)


def test_only_a_party_without_a_lead_or_with_a_won_one_gets_another_by_calling() -> None:
    """Spam stays spam, an existing client stays one, and a lost lead goes on itself."""
    assert [stage for stage in (None, *STAGES) if opens_again(stage)] == [None, "won"]


@pytest.mark.parametrize(
    "stage, move, field, said",
    [
        ("won", Move(stage="new"), "stage", "from 'won' to 'new' .from there: in_work"),
        ("won", Move(stage="in_work"), "head", "only a head"),
        ("disqualified", Move(stage="qualifying"), "head", "only a head"),
        ("qualified", Move(stage="in_work", step="dance"), "step", "no step 'dance'.*meeting, contract"),
        ("new", Move(stage="qualifying", step="meeting"), "step", "only a lead in work"),
        ("in_work", Move(stage="in_work"), "step", "there already"),
        ("new", Move(stage="lost"), "reason", "must be one of .*moved_away, got None"),
        ("new", Move(stage="disqualified", reason="moved_away"), "reason", "must be one of existing_client, spam"),
        ("new", Move(stage="disqualified", reason="duplicate"), "duplicate_of", "names the other lead"),
        ("new", Move(stage="disqualified", reason="spam", duplicate_of=3), "duplicate_of", "nothing else does"),
        ("new", Move(stage="qualified", reason="spam"), "reason", "'qualified' has no reason"),
    ],
)
def test_what_is_not_allowed_is_named_with_its_field(stage: str, move: Move, field: str, said: str) -> None:
    with pytest.raises(LifecycleError, match=said) as refused:
        check(POLICY, stage, None, move, head=False)
    assert refused.value.field == field


def test_a_head_takes_back_what_was_decided_wrongly() -> None:
    """Disqualified by mistake: back into qualification."""
    check(POLICY, "disqualified", None, Move(stage="qualifying"), head=True)


def test_deadlines_count_the_working_time_of_the_line() -> None:
    """An hour from Friday, half an hour before the line closes, ends on Saturday at half past ten."""
    directory = OFFICE
    assert deadline(directory, LINE, "new", None, FRIDAY_EVENING) == datetime(2026, 11, 28, 7, 30, tzinfo=UTC)
    assert deadline(directory, None, "new", None, FRIDAY_EVENING) == FRIDAY_EVENING + timedelta(hours=1)
    assert deadline(directory, LINE, "won", None, FRIDAY_EVENING) is None


def test_a_step_of_the_funnel_has_its_own_target() -> None:
    assert (POLICY.target("in_work", "meeting"), POLICY.target("in_work", "contract")) == (600, None)
    assert LeadPolicy(minutes={"in_work": 90}).target("in_work", None) == 90
