"""When a person has a card for a call, and what it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from web.cards import KEPT, LiveCall, Reach, When, card_for, cards_for, done_card

T = datetime(2026, 3, 2, 9, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T + timedelta(seconds=seconds)


def reach(person: str | None, outcome: str | None = None, **when: float) -> Reach:
    times = {name: at(when[name]) if name in when else None for name in ("started_at", "answered_at", "ended_at")}
    return Reach(person, f"PJSIP/{person}", "", outcome, **times)


def call(*reaches: Reach, **how: Any) -> LiveCall:
    told: dict[str, Any] = {"direction": "inbound", "status": "ringing", "line": "74951234567", "dialed": ""}
    told |= dict.fromkeys(("caller_number", "caller_name", "answered_at", "ended_at", "missed_cause", "person"))
    told |= {"id": uuid4(), "started_at": T, "talk_seconds": 0.0, "reaches": reaches}
    return LiveCall(**(told | how))


def state(one: LiveCall, person: str | None = "anna", seconds: float = 30, when: When = "ring") -> str | None:
    card = card_for(one, person, at(seconds), when)
    return card.state if card else None


def test_it_rings_from_the_moment_the_device_is_dialled() -> None:
    assert state(call(reach("anna", started_at=1))) == "ringing"
    assert state(call(reach("boris", started_at=1))) is None
    assert state(call()) is None
    assert state(call(reach(None, started_at=1)), person=None) is None


def test_it_closes_when_somebody_else_answers() -> None:
    mine = reach("anna", "answered_elsewhere", started_at=1, ended_at=5)
    theirs = reach("boris", "answered", started_at=1, answered_at=5)
    assert state(call(mine, theirs, status="talking", answered_at=at(5))) is None
    assert state(call(mine, theirs, status="talking", answered_at=at(5)), "boris") == "talking"
    ended = call(mine, theirs, status="answered", answered_at=at(5), ended_at=at(9))
    assert state(ended) is None
    assert state(ended, "boris") is None


def test_a_second_device_of_the_same_person_does_not_make_a_second_card() -> None:
    desk, soft = (
        reach("anna", "answered_elsewhere", started_at=1, ended_at=5),
        reach("anna", started_at=1, answered_at=5),
    )
    assert [card.state for card in cards_for([call(desk, soft, status="talking")], "anna", at(9))] == ["talking"]


def test_a_missed_call_stays_a_while() -> None:
    rang_out = call(reach("anna", "no_answer", started_at=1, ended_at=20), status="missed", ended_at=at(20))
    assert state(rang_out, seconds=21) == "missed"
    assert state(rang_out, seconds=20 + KEPT.total_seconds()) is None


def test_a_card_stays_as_long_when_the_clock_of_the_pbx_is_wrong() -> None:
    """The call ended an hour ahead of us, or an hour behind: now, by the PBX's clock, is as far off."""
    for ahead in (timedelta(hours=1), -timedelta(hours=1)):
        over = at(20) + ahead
        rang_out = call(
            reach("anna", "no_answer", started_at=1), status="missed", started_at=T + ahead, ended_at=over, ahead=ahead
        )
        assert rang_out.over_at == at(20) + KEPT
        assert state(rang_out, seconds=21) == "missed"
        assert state(rang_out, seconds=20 + KEPT.total_seconds()) is None


def test_after_a_transfer_the_first_is_through_and_the_second_talks() -> None:
    first = reach("anna", "answered", started_at=1, answered_at=2, ended_at=10)
    one = call(first, reach("boris", "answered", started_at=8, answered_at=10), status="talking")
    assert (state(one), state(one, "boris")) == (None, "talking")
    done = done_card(one, "anna")
    assert (done.state, done.since) == ("done", at(10))


def test_a_person_has_cards_as_they_wish() -> None:
    """From the ringing on, from the answer on, or none; a missed call is told whom cards are shown at all."""
    ringing = call(reach("anna", started_at=1))
    talking = call(reach("anna", "answered", started_at=1, answered_at=5), status="talking")
    missed = call(reach("anna", "no_answer", started_at=1, ended_at=20), status="missed", ended_at=at(20))
    shown = {
        when: [state(one, when=when) for one in (ringing, talking, missed)] for when in ("ring", "answer", "never")
    }
    assert shown == {
        "ring": ["ringing", "talking", "missed"],
        "answer": [None, "talking", "missed"],
        "never": [None, None, None],
    }


def test_who_calls_out_has_a_card_too() -> None:
    """From the moment they call until it is over, with the number that they called."""
    told = {"direction": "outbound", "dialed": "79165550177", "person": "anna"}
    trunk = reach(None, started_at=1)
    assert state(call(trunk, **told)) == "calling"
    assert state(call(trunk, **told), "boris") is None
    talking = call(trunk, **told, status="talking", answered_at=at(5))
    assert (state(talking), talking.number) == ("talking", "79165550177")
    assert state(call(trunk, **told, answered_at=at(5), ended_at=at(9))) is None


def test_who_hands_over_a_call_out_is_through_with_it() -> None:
    """Those who took over talk on; they may give it back."""
    told = {"direction": "outbound", "dialed": "79165550177", "person": "anna", "status": "talking"}
    left = {"answered_at": at(5), "caller_ended_at": at(20)}
    boris = reach("boris", "answered", started_at=12, answered_at=15)
    one = call(reach(None, started_at=1, answered_at=5), boris, **told, **left)
    assert (state(one), state(one, "boris")) == (None, "talking")
    done = done_card(one, "anna")
    assert (done.state, done.since, done.reach.ended_at) == ("done", at(20), at(20))
    back = reach("anna", "answered", started_at=25, answered_at=28)
    assert state(call(boris, back, **told, **left)) == "talking"


def test_who_sends_a_caller_outside_has_not_called_out() -> None:
    """They are through when they leave."""
    mine = reach("anna", "answered", started_at=1, answered_at=2, ended_at=10)
    outside = reach(None, "answered", started_at=8, answered_at=10)
    one = call(mine, outside, status="talking", person="anna", answered_at=at(2))
    assert (state(one), one.placed_by) == (None, None)


def test_it_leaves_the_first_of_a_hunt_when_the_second_rings() -> None:
    gone = reach("anna", "no_answer", started_at=1, ended_at=20)
    one = call(gone, reach("boris", started_at=20))
    assert (state(one), state(one, "boris")) == (None, "ringing")


def test_ringing_comes_first_then_talking_then_what_was_missed_and_of_each_the_newest() -> None:
    over = call(reach("anna", "no_answer", started_at=1, ended_at=9), status="missed", ended_at=at(9))
    talking = call(reach("anna", started_at=3, answered_at=4), status="talking")
    ringing = call(reach("anna", started_at=8))
    later = call(reach("anna", started_at=9))
    cards = cards_for([over, talking, ringing, later], "anna", at(10))
    assert [card.state for card in cards] == ["ringing", "ringing", "talking", "missed"]
    assert [card.call for card in cards[:2]] == [later, ringing]
