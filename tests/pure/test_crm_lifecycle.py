"""The stages of a lead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crm_sync.lifecycle import (
    CLOSED,
    NEXT,
    OPEN,
    STAGES,
    LifecycleError,
    after_call,
    deadline,
    first_stage,
    move,
    opens_again,
)

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def test_every_stage_is_open_or_closed_and_leads_somewhere_known() -> None:
    """The table of steps is closed."""
    assert set(NEXT) == set(STAGES) == set(OPEN) | set(CLOSED)
    assert all(step in STAGES for steps in NEXT.values() for step in steps)


def test_a_talk_takes_a_lead_into_work_and_a_missed_call_does_not() -> None:
    """Only people talking is work."""
    assert first_stage(talked=True) == "in_work"
    assert first_stage(talked=False) == "new"
    assert after_call("new", talked=True) == "in_work"
    assert after_call("new", talked=False) == "new"


@pytest.mark.parametrize("stage", [stage for stage in OPEN if stage != "new"])
def test_a_call_never_moves_a_lead_back(stage: str) -> None:
    """What a person decided stays."""
    assert after_call(stage, talked=True) == stage
    assert after_call(stage, talked=False) == stage


def test_a_disqualified_party_gets_no_new_lead_by_calling() -> None:
    """Spam stays spam; a lost client who calls comes back."""
    assert not opens_again("disqualified")
    assert opens_again("lost")
    assert opens_again(None)


def test_a_step_that_is_not_allowed_is_named() -> None:
    """The message says from where and to where."""
    assert move("in_work", "won") == "won"
    with pytest.raises(LifecycleError, match="from 'won' to 'new'"):
        move("won", "new")


def test_open_leads_have_deadlines() -> None:
    """A missed caller is called back within the hour."""
    assert deadline("new", NOW) == NOW + timedelta(hours=1)
    assert deadline("in_work", NOW) == NOW + timedelta(days=1)
    assert deadline("won", NOW) is None
