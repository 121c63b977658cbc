"""How late an event is, and what heartbeats tell, with clocks that do not agree."""

import pytest

from telephony.heartbeat import Heartbeats, PbxClock
from telephony.pbx import LinkSettings, LinkState, Message


def test_an_events_age_does_not_depend_on_whose_clock_is_right() -> None:
    """A PBX an hour ahead raises an event; two seconds later it is two seconds old."""
    ours = [1000.0]
    clock = PbxClock(LinkState(), lambda: ours[0])
    clock.learn(0.010, 4600.0 - 0.005)
    assert clock.pbx_now() == pytest.approx(4600.0)
    event: Message = {"Event": "UserEvent", "Timestamp": f"{clock.pbx_now():.6f}"}
    ours[0] += 2.0
    assert clock.age(event) == pytest.approx(2.0)


def test_the_quickest_ping_tells_the_offset() -> None:
    """A slow answer says little about the other clock; the best of the last ones counts."""
    state = LinkState()
    clock = PbxClock(state, lambda: 1000.0)
    clock.learn(2.0, 1000.9)
    clock.learn(0.002, 1000.5 - 0.001)
    clock.learn(3.0, 990.0)
    assert state.clock_offset_seconds == pytest.approx(0.5)
    for _ in range(8):
        clock.learn(0.004, 1007.0 - 0.002)
    assert state.clock_offset_seconds == pytest.approx(7.0)


@pytest.mark.parametrize("told", ["99999999999999.000000", "1e300", "inf", "nan", "-1"])
def test_a_time_that_is_no_date_costs_nothing_but_itself(told: str) -> None:
    """It can come from a broken PBX; no event and no clock fails on it."""
    state = LinkState()
    clock = PbxClock(state, lambda: 5.0)
    clock.note({"Event": "X", "Timestamp": told})
    assert clock.age({"Event": "X", "Timestamp": told}) == 0.0
    assert (state.events_total, state.last_pbx_event_at) == (1, None)


@pytest.mark.parametrize("message", [{"Event": "X"}, {"Event": "X", "Timestamp": "soon"}])
def test_an_event_without_a_time_is_not_late(message: Message) -> None:
    """Nothing is known about its age, so nothing is held against it."""
    assert PbxClock(LinkState(), lambda: 5.0).age(message) == 0.0


def test_heartbeats_that_do_not_come_back_are_counted() -> None:
    """A silent loss shows as a number; another sender's heartbeat is nobody's event."""
    state = LinkState()
    mine, other = Heartbeats(state), Heartbeats(LinkState())
    first = {name: str(value) for name, value in mine.next().items()}
    assert mine.heard({"Event": "UserEvent", **first})
    assert state.heartbeat_lag_seconds is not None
    mine.next()
    assert mine.heard({"Event": "UserEvent", **{name: str(value) for name, value in other.next().items()}})
    mine.next()
    assert (state.heartbeats_sent_total, state.heartbeats_lost_total) == (3, 1)
    mine.forget()
    mine.next()
    assert state.heartbeats_lost_total == 1
    assert not mine.heard({"Event": "UserEvent", "UserEvent": "SwitchhookArrival"})


def test_waiting_for_a_pbx_grows_and_has_an_end() -> None:
    """Links do not hammer a PBX that is away, and do not forget it either."""
    settings = LinkSettings("main", backoff_first_seconds=0.25, backoff_most_seconds=15)
    assert [settings.backoff(failures, 1.0) for failures in range(8)] == [0.25, 0.5, 1, 2, 4, 8, 15, 15]
    assert settings.backoff(10_000, 0.5) == 7.5


def test_settings_do_not_show_their_secret() -> None:
    """A settings value that is printed somewhere gives nothing away."""
    assert "geheim" not in repr(LinkSettings("main", secret="geheim"))
