"""Which calls are owed a call back, by whom and until when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import reduce
from uuid import uuid4

from calls import events as e
from calls.call import Call, apply
from calls.due import Change
from calls.events import Event
from calls.follow_up import (
    Owner,
    choose_owner,
    deadline,
    due,
    head_of,
    is_conversation,
    number_of,
    origin_of,
    priority,
)
from calls.view import CallView, view
from directory.model import FollowUpOwner, FollowUpPolicy, Line
from directory.presence import Absence, Presence
from tests.fakes.directories import LINE, OFFICE
from tests.fakes.recorded import T0, settled_call

MONDAY_NOON = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
MONDAY_NIGHT = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
Candidates = dict[FollowUpOwner, list[str]]
POLICY = FollowUpPolicy(owners=("crm_owner", "last_rung", "line_person", "round_robin"), minutes=60)


def seen(*events: Event) -> CallView:
    return view(reduce(apply, events, Call(pbx="pbx")))


def asked() -> Event:
    return e.CallbackRequested(pbx="pbx", channel="1795427050.1", at=T0, team="sales")


def test_a_call_that_nobody_talked_on_is_owed_one() -> None:
    call = seen(*settled_call(answered=False))
    assert (origin_of(call), number_of(call), is_conversation(call)) == ("missed", "79161234567", False)


def test_a_talk_is_a_conversation_and_owes_nothing() -> None:
    call = seen(*settled_call())
    assert (origin_of(call), is_conversation(call)) == (None, True)


def test_a_voicemail_and_a_request_are_owed_one_and_are_more_urgent() -> None:
    box = e.AppStarted(pbx="pbx", channel="1795427050.1", at=T0, app="VoiceMail", data="100@default")
    assert origin_of(seen(*settled_call(answered=False), box)) == "voicemail"
    told = seen(*settled_call(answered=False), asked())
    assert (origin_of(told), number_of(told)) == ("requested", "79161234567")
    assert priority("missed", 1) < priority("missed", 2) < priority("requested", 2)
    assert priority("voicemail", 1) < priority("requested", 1)


def test_who_left_the_queue_to_be_called_back_keeps_their_place() -> None:
    told = [priority("requested", 1, place) for place in (1, 2, 7, 19, 20)]
    assert told == sorted(set(told), reverse=True)
    assert told[-1] == priority("requested", 1, 500) == priority("requested", 1)


def test_outgoing_and_internal_calls_owe_nothing() -> None:
    """A colleague who does not answer a colleague is nobody's missed client."""
    assert origin_of(seen(*settled_call(answered=False, direction="outbound"))) is None


def test_work_is_owed_once_when_the_call_settles_and_again_only_when_its_outcome_changes() -> None:
    *rest, settled = settled_call(answered=False)
    before, after = seen(*rest), seen(*rest, settled)
    call_id = uuid4()
    (job,) = due(Change(call_id, before, after, (settled,)))
    assert (job.queue, job.args) == ("follow_ups", {"call_id": str(call_id)})
    assert "9161234567" not in str(job)
    assert due(Change(call_id, after, after, (settled,))) == []
    assert due(Change(call_id, None, before, tuple(rest))) == []
    late = replace(after, answered_at=T0, status="answered", missed_cause=None)
    assert len(due(Change(call_id, after, late, ()))) == 1


def test_callers_who_hide_their_number_cannot_be_called_back() -> None:
    assert due(Change(uuid4(), None, seen(*settled_call(answered=False, number="anonymous")), ())) == []


def test_the_policy_s_order_decides_whose_it_is() -> None:
    both: Candidates = {"crm_owner": ["vera"], "last_rung": ["boris"]}
    assert choose_owner(OFFICE, POLICY, both, {}, MONDAY_NOON, None) == Owner("vera", "crm_owner")
    other = replace(POLICY, owners=("last_rung", "crm_owner"))
    assert choose_owner(OFFICE, other, both, {}, MONDAY_NOON, None) == Owner("boris", "last_rung")


def test_who_does_not_work_before_the_deadline_is_passed_over_unless_nobody_does() -> None:
    """Anna works in the office's hours, Vera whenever a line is open."""
    due_at = MONDAY_NIGHT.replace(hour=21)
    told: Candidates = {"crm_owner": ["anna"], "last_rung": ["vera"]}
    assert choose_owner(OFFICE, POLICY, told, {}, MONDAY_NIGHT, due_at) == Owner("vera", "last_rung")
    assert choose_owner(OFFICE, POLICY, {"crm_owner": ["anna"]}, {}, MONDAY_NIGHT, due_at) == Owner("anna", "crm_owner")


def test_who_is_absent_hands_on_to_who_stands_in_or_is_passed_over() -> None:
    """Anna is away all week; Boris stands in for her, or nobody does."""
    week = Absence(1, MONDAY_NOON, MONDAY_NOON.replace(day=28), "boris")
    told: Candidates = {"crm_owner": ["anna"], "last_rung": ["vera"]}
    due_at = MONDAY_NOON.replace(hour=10)
    away = {"anna": Presence(absence=week)}
    assert choose_owner(OFFICE, POLICY, told, away, MONDAY_NOON, due_at) == Owner("boris", "crm_owner")
    alone = {"anna": Presence(absence=replace(week, substitute=None))}
    assert choose_owner(OFFICE, POLICY, told, alone, MONDAY_NOON, due_at) == Owner("vera", "last_rung")


def test_who_has_left_is_nobody_s_owner() -> None:
    told: Candidates = {"crm_owner": ["gone"], "round_robin": ["boris", "anna"]}
    assert choose_owner(OFFICE, POLICY, told, {}, MONDAY_NOON, None) == Owner("boris", "round_robin")
    assert choose_owner(OFFICE, POLICY, {}, {}, MONDAY_NOON, None) == Owner(None, None)


def test_the_deadline_is_the_lines_or_the_companys_in_the_working_time_of_the_line_or_else_the_owner() -> None:
    assert deadline(OFFICE, LINE, MONDAY_NIGHT) == datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
    assert deadline(OFFICE, "74951234568", MONDAY_NIGHT) == MONDAY_NIGHT.replace(hour=21)
    assert deadline(OFFICE, "74951234568", MONDAY_NIGHT, "anna") == datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
    slow = replace(OFFICE.lines[0], follow_up=FollowUpPolicy(minutes=120))
    assert deadline(replace(OFFICE, lines=(slow,)), LINE, MONDAY_NIGHT) == datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def test_the_head_of_the_lines_team_learns_of_it_else_the_companys() -> None:
    assert head_of(OFFICE, "74951234568") == "vera"
    assert head_of(OFFICE, LINE) == "vera"
    nobody = replace(OFFICE, people=tuple(one for one in OFFICE.people if one.role != "head"))
    assert head_of(nobody, LINE) is None


def test_what_a_line_leaves_out_the_company_says() -> None:
    house = replace(OFFICE.company, follow_up=FollowUpPolicy(minutes=30, person="boris"), ring_seconds_least=7)
    line = Line(number="74951234569", name="Третья", team="sales", follow_up=FollowUpPolicy(minutes=15))
    told = replace(OFFICE, company=house, lines=(*OFFICE.lines, line))
    assert told.follow_up_of(line.number) == FollowUpPolicy(owners=POLICY.owners, minutes=15, person="boris")
    assert told.follow_up_of("1").minutes == 30
    assert told.ring_seconds_least(line.number) == 7
    assert OFFICE.follow_up_of(LINE) == POLICY
