"""What faults make of incidents: one each, over when it stayed well, the same when it is back soon."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from calls.incidents import KINDS, OVER_AFTER, SAME_WITHIN, Fault, Known, Step, weigh
from calls.missed import CAUSES

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=1)
PBX = Fault("pbx", "main", since=NOW)


def known(seen_ago: timedelta, *, ended: bool = False) -> Known:
    """An incident of the PBX."""
    seen = NOW - seen_ago
    return Known(7, "pbx", "main", seen, seen if ended else None)


def test_a_fault_opens_an_incident_and_is_seen_by_it_from_then_on() -> None:
    """However often it is seen, and by whoever."""
    assert list(weigh([], [PBX, PBX], NOW, LONG_AGO)) == [Step("opened", None, PBX)]
    assert list(weigh([known(timedelta(seconds=5))], [PBX], NOW, LONG_AGO)) == [Step(None, 7, PBX)]


def test_it_is_over_when_it_stayed_well_for_a_minute_and_not_before() -> None:
    """A fault that comes and goes within a minute is one incident."""
    assert list(weigh([known(OVER_AFTER - timedelta(seconds=1))], [], NOW, LONG_AGO)) == []
    assert list(weigh([known(OVER_AFTER)], [], NOW, LONG_AGO)) == [Step("closed", 7)]


def test_who_has_just_begun_to_look_ends_nothing() -> None:
    """It does not know yet what is wrong; the incident was seen last by a service that is gone."""
    assert list(weigh([known(timedelta(hours=1))], [], NOW, NOW - timedelta(seconds=59))) == []


def test_a_fault_that_is_soon_back_is_the_same_incident() -> None:
    """Within five minutes of its end; later it is another one."""
    soon = known(SAME_WITHIN - timedelta(seconds=1), ended=True)
    assert list(weigh([soon], [PBX], NOW, LONG_AGO)) == [Step("reopened", 7, PBX)]
    assert list(weigh([known(SAME_WITHIN, ended=True)], [PBX], NOW, LONG_AGO)) == [Step("opened", None, PBX)]


@given(st.permutations([Fault("trunk", "a", NOW), Fault("trunk", "a", LONG_AGO), Fault("pbx", "a", NOW)]))
def test_two_who_see_one_fault_see_it_since_the_earlier(faults: list[Fault]) -> None:
    """In whatever order they say so."""
    assert [(step.fault.of, step.fault.since) for step in weigh([], faults, NOW, LONG_AGO) if step.fault] == [
        (("pbx", "a"), NOW), (("trunk", "a"), LONG_AGO),
    ]  # fmt: skip


def test_the_causes_of_every_kind_are_causes_of_missed_calls() -> None:
    """A word that no call has would count nothing."""
    assert {cause for kind in KINDS.values() for cause in kind.causes} <= set(CAUSES)
