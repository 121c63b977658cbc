"""Two readings of one call differ in what people would notice, not in which witness looked at its watch first."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from calls.call import Call
from calls.differences import CORE, differences
from calls.view import CallView, TalkView, view

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def seen() -> CallView:
    """A call with some facts."""
    talk = TalkView(("79160000001", "PJSIP/anna"), NOON, None)
    return replace(view(Call()), started_at=NOON, status="talking", talks=(talk,), talk_seconds=3.0, line="74950000001")


def test_one_moment_told_by_two_witnesses_is_one(seen: CallView) -> None:
    """Milliseconds apart, as AMI and CEL are."""
    other = replace(seen, started_at=NOON + timedelta(milliseconds=8), talk_seconds=3.004)
    assert differences(seen, other) == {}


def test_what_is_told_otherwise_is_named_with_both(seen: CallView) -> None:
    """A time that nobody told is no time that is near."""
    other = replace(seen, ended_at=NOON, status="answered", started_at=NOON + timedelta(seconds=2))
    assert differences(seen, other) == {
        "status": ("talking", "answered"),
        "started_at": (NOON, NOON + timedelta(seconds=2)),
        "ended_at": (None, NOON),
    }
    assert differences(seen, other, near_seconds=5).keys() == {"status", "ended_at"}


def test_the_core_is_part_of_what_is_compared(seen: CallView) -> None:
    """A core field that nothing compares would never mark a call."""
    other = replace(
        seen, status="answered", answered_at=NOON, ended_at=NOON, answered_by=("PJSIP/anna",), talk_seconds=9.0
    )
    assert differences(seen, other).keys() == CORE
