"""What a settled call makes of parties and leads: whom it was with, which rule decides, whose the lead is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls import events as e
from calls.call import Call, apply
from calls.view import view
from crm_sync.book.lifecycle import AWAY, OPEN, STAGES, Move, check
from crm_sync.book.ownership import Shares, asked, candidates, choose
from crm_sync.book.rules import Booking, CallFacts, Created, Then, decide, facts_of, number_in_book, rule_for
from directory.lead_policy import BUILT_IN, CALL_TYPES, MAKES, OWNER_RULES, LeadPolicy, LeadRule, OwnerRule, TaskWish
from directory.model import Allowed, Device, Directory, FollowUpPolicy, Person
from directory.numbers import e164
from directory.presence import Absence, Presence
from tests.fakes.directories import LINE, OFFICE, lead_policies
from tests.fakes.recorded import T0, outgoing_call, settled_call

NUMBER = "79161234567"
ANSWERED = CallFacts(number=NUMBER, kind="inbound_answered", line=LINE, talked=("anna",), rung=("boris", "anna"))
MISSED = CallFacts(number=NUMBER, kind="inbound_missed", line=LINE, rung=("boris", "anna"))
DIALLED = CallFacts(number=NUMBER, kind="outbound_unanswered", line=LINE, rung=("anna",))
AWAY_NOW = Presence(absence=Absence(1, T0, T0 + timedelta(days=14), "vera"))

facts = st.builds(
    CallFacts,
    number=st.just(NUMBER),
    kind=st.sampled_from(CALL_TYPES),
    line=st.sampled_from([None, LINE, "74951234568"]),
    talked=st.lists(st.sampled_from(["anna", "boris", "vera"]), unique=True, max_size=3).map(tuple),
    rung=st.lists(st.sampled_from(["anna", "boris", "vera"]), unique=True, max_size=3).map(tuple),
)


def read(events: Sequence[e.Event], directory: Directory = OFFICE) -> CallFacts | None:
    call = Call(pbx="pbx")
    for event in events:
        call = apply(call, event)
    return facts_of(directory, view(call))


def spelt(number: str) -> list[str]:
    """Every way in which trunks and people write a Russian number."""
    rest = number[1:]
    grouped = f"({rest[:3]}) {rest[3:6]}-{rest[6:8]}-{rest[8:]}"
    return [f"{head}{tail}" for head in ("+7", "7", "8", "007", "") for tail in (rest, f" {grouped}")][:-1]


@given(st.integers(9_000_000_000, 9_999_999_999).map(lambda rest: f"7{rest}").filter(lambda it: e164(it, "RU")))
def test_every_spelling_of_a_number_is_one_number_of_the_book(number: str) -> None:
    """8…, +7…, 7…, 007… and no prefix at all, with and without punctuation, is one caller."""
    kept = {number_in_book(OFFICE, text.strip()) for text in spelt(number)}
    assert kept == {None if OFFICE.is_staff(number) or OFFICE.is_blocked(number) else number}


@given(st.integers(7_000_000_000, 7_999_999_999).map(lambda rest: f"44{rest}").filter(lambda it: e164(it, "RU")))
def test_a_number_abroad_is_one_number_however_it_is_dialled(number: str) -> None:
    """810… as it is dialled from here, and as the trunk sends it."""
    assert {number_in_book(OFFICE, head + number) for head in ("810", "+", "00")} == {number}


@pytest.mark.parametrize(
    "home, abroad, written, number",
    [
        ("RU", "KZ", "8 701 123-45-67", "77011234567"),
        ("KZ", "RU", "8 916 123-45-67", "79161234567"),
        ("RU", "GB", "020 7946 0018", "442079460018"),
        ("GB", "RU", "8 916 123-45-67", "79161234567"),
    ],
)
def test_a_caller_of_a_line_abroad_is_the_one_whom_its_country_means(
    home: str, abroad: str, written: str, number: str
) -> None:
    """Written nationally or with the country code, on that line or at home, it is one number of the book."""
    line = replace(OFFICE.lines[1], region=abroad)
    house = replace(OFFICE, company=replace(OFFICE.company, region=home), lines=(OFFICE.lines[0], line))
    assert number_in_book(house, written, line.number) == number
    assert number_in_book(house, written, f"+{line.number}") == number
    assert number_in_book(house, f"+{number}") == number_in_book(house, number, line.number) == number


HOME_DIGITS = 10


@given(st.text(max_size=30) | st.from_regex(r"\+?[0-9 ().\-]{0,24}", fullmatch=True))
def test_whatever_a_trunk_sends_is_a_number_of_digits_or_nobody(text: str) -> None:
    """The book never holds anything but 7 to 15 digits, and keeps what it holds in that very form.

    But ten digits of a number abroad (+961 1 123456) may be those of one at home, written nationally.
    """
    kept = number_in_book(OFFICE, text)
    if kept is not None:
        assert kept.isascii()
        assert kept.isdigit()
        assert 7 <= len(kept) <= 15
        assert number_in_book(OFFICE, kept) in {kept, f"7{kept}" if len(kept) == HOME_DIGITS else kept}


@pytest.mark.parametrize(
    "written",
    ["", "anonymous", "Unknown", "101", "112", "123456", "sip:79161234567@x", "7916123456a", "1" * 16, "٧٩١٦١٢٣٤٥٦٧",
     "+7 916 000-00-11", "89160000013", LINE, "8 495 123-45-67", "79160009999"],
)  # fmt: skip
def test_hidden_short_malformed_and_our_own_numbers_are_nobodys(written: str) -> None:
    """So are colleagues' mobiles, lines, and the blocked, in whatever spelling."""
    assert number_in_book(OFFICE, written) is None


def test_who_is_allowed_is_a_client_whoever_blocked_them() -> None:
    """The list of the allowed is stronger than the list of the blocked."""
    house = replace(OFFICE, allowed=(Allowed(number="79160009999"),))
    assert number_in_book(house, "8 916 000-99-99") == "79160009999"
    assert not house.is_blocked("79160009999")


def test_an_answered_call_tells_who_talked_and_who_was_rung() -> None:
    """By their devices; the line is the one that was called."""
    assert read(settled_call()) == CallFacts(
        number=NUMBER, kind="inbound_answered", line=LINE, talked=("anna",), rung=("anna",)
    )
    assert read(settled_call(answered=False)) == CallFacts(
        number=NUMBER, kind="inbound_missed", line=LINE, rung=("anna",)
    )


def test_a_device_of_nobody_is_told_and_owns_nothing() -> None:
    """Whoever sits there, the directory does not know them."""
    found = read(settled_call(device="PJSIP/reception"))
    assert found is not None
    assert (found.talked, found.nobodys) == ((), ("PJSIP/reception",))


def test_a_call_out_is_of_who_made_it_and_goes_out_as_their_line() -> None:
    """Answered, they talked with the client; unanswered, theirs is the only phone that there was."""
    talked = read(outgoing_call("1.1", number="8 916 123-45-67"))
    in_vain = read(outgoing_call("1.1", answered=False))
    assert talked == CallFacts(number=NUMBER, kind="outbound_answered", line=LINE, talked=("anna",), rung=("anna",))
    assert in_vain == CallFacts(number=NUMBER, kind="outbound_unanswered", line=LINE, rung=("anna",))


def test_a_call_with_a_colleague_or_a_hidden_caller_is_nobodys() -> None:
    """A colleague's mobile is outside and yet no client."""
    assert read(settled_call(number="anonymous")) is None
    assert read(settled_call(number="79160000013")) is None
    assert read(outgoing_call("1.1", number="102")) is None


def test_the_first_rule_whose_conditions_all_hold_decides() -> None:
    """Line, call type, and known or not; the house's own are asked before the built-in ones."""
    new = LeadRule(name="new", lines=(LINE,), types=("inbound_answered", "inbound_missed"), known=False)
    other = LeadRule(name="other", lines=(LINE,))
    policy = LeadPolicy(rules=(new, other))
    assert rule_for(policy, MISSED, known=False).name == "new"
    assert rule_for(policy, MISSED, known=True).name == "other"
    assert rule_for(policy, DIALLED, known=False).name == "other"
    assert rule_for(policy, replace(MISSED, line="74951234568"), known=False).name == "missed"


@given(lead_policies([LINE]), facts, st.booleans(), st.sampled_from([None, *STAGES]))
def test_every_call_is_decided_by_one_rule_and_never_leaves_the_lifecycle(
    policy: LeadPolicy, call: CallFacts, known: bool, stage: str | None
) -> None:
    """Whatever the rules: one of them decides, a lead that moves may move so, and nobody gets two open leads."""
    known = known or stage is not None
    found = decide(policy, call, known=known, stage=stage)
    assert found.rule in (*policy.rules, *BUILT_IN)
    assert (found.then == "new") == (found.created in {"lead", "party_and_lead"})
    assert (found.created in {"party", "party_and_lead"}) <= (not known)
    if found.then == "new":
        assert stage in {None, "won"}
        assert found.stage in OPEN
    elif found.stage != stage:
        assert stage is not None
        check(policy, stage, None, Move(stage=found.stage or ""), head=False)
    assert (found.then == "back") == (stage in AWAY and call.kind != "outbound_unanswered")
    assert found.then in get_args(Then)
    assert found.created in get_args(Created)


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("known", [True, False])
def test_a_rule_says_what_is_new(make: Any, known: bool) -> None:
    """A lead with its party, a party alone, or nothing; who is known is linked in any case."""
    policy = LeadPolicy(rules=(LeadRule(name="all", make=make, stage="qualified"),))
    found = decide(policy, DIALLED, known=known, stage=None)
    lead: Created = "lead" if known else "party_and_lead"
    party: Created = "nothing" if known else "party"
    created = {"lead": lead, "party": party, "nothing": "nothing"}[make]
    assert (found.created, found.stage) == (created, "qualified" if make == "lead" else None)


def test_calling_in_vain_brings_no_lost_lead_back() -> None:
    """The client gave no sign; the call is still one of that lead's."""
    found = decide(LeadPolicy(), DIALLED, known=True, stage="lost")
    assert (found.then, found.stage) == ("goes_on", "lost")
    assert decide(LeadPolicy(), replace(DIALLED, kind="outbound_answered"), known=True, stage="lost").then == "back"


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage not in OPEN])
@pytest.mark.parametrize("call", [ANSWERED, MISSED, DIALLED])
def test_a_lead_that_was_closed_since_the_call_began_stays_as_it_is(call: CallFacts, stage: str) -> None:
    """No move, no new lead, no other owner, no task: the call is only linked."""
    task = TaskWish(text="Позвонить", minutes=60)
    policy = LeadPolicy(rules=(LeadRule(name="all", make="lead", reassign=True, owner=("answered",), task=task),))
    found = decide(policy, call, known=True, stage=stage, closed_since=True)
    assert (found.created, found.then, found.stage, found.owes_task) == ("nothing", "over", stage, False)
    assert asked(OFFICE, found, None, {}) == ()


def booked(rule: LeadRule, then: Then = "goes_on") -> Booking:
    return Booking(rule, "nothing", then, "new")


def chosen(
    house: Directory,
    call: CallFacts,
    *rules: OwnerRule,
    presence: dict[str, Presence] | None = None,
    shares: Shares | None = None,
) -> tuple[str, str] | None:
    there = presence or {}
    found = choose(house, rules, candidates(house, call, there, shares or Shares()), there)
    return (found.person, found.by) if found else None


def test_each_owner_rule_names_whom_it_says() -> None:
    """Who answered, who talked last, whose phone rang last, the line's own person."""
    passed_on = replace(ANSWERED, talked=("anna", "boris"))
    house = replace(OFFICE, company=replace(OFFICE.company, follow_up=FollowUpPolicy(person="vera")))
    assert chosen(house, passed_on, "answered") == ("anna", "answered")
    assert chosen(house, passed_on, "answered_last") == ("boris", "answered_last")
    assert chosen(house, MISSED, "answered", "rung_last") == ("boris", "rung_last")
    assert chosen(house, MISSED, "line_person") == ("vera", "line_person")
    assert chosen(house, MISSED, "answered") is None


def test_who_is_away_hands_on_and_who_answered_does_not() -> None:
    """A substitute stands in; whoever talked with the client was there."""
    away = {
        "anna": AWAY_NOW,
        "boris": Presence(absence=replace(AWAY_NOW.absence or Absence(1, T0, T0), substitute=None)),
    }
    assert chosen(OFFICE, replace(MISSED, rung=("boris", "anna")), "rung_last", presence=away) == ("vera", "rung_last")
    assert chosen(OFFICE, ANSWERED, "answered", presence=away) == ("anna", "answered")


@pytest.mark.parametrize(
    "open_leads,last_given,expected",
    [
        ({}, {}, "anna"),
        ({"anna": 1}, {}, "boris"),
        ({"anna": 3, "boris": 2}, {}, "anna"),  # her plan is twice his
        ({"anna": 2, "boris": 1}, {"anna": 9, "boris": 5}, "boris"),
        ({"anna": 10, "boris": 30}, {}, "boris"),  # ten are too many for her
    ],
)
def test_a_round_goes_by_load_and_plan(open_leads: dict[str, int], last_given: dict[str, int], expected: str) -> None:
    """Least open leads for one's plan first, then who was given one longest ago; who is full comes last."""
    people = [replace(it, plan=2, leads_most=10) if it.key == "anna" else it for it in OFFICE.people]
    house = replace(OFFICE, people=tuple(people))
    found = chosen(house, MISSED, "round_robin", shares=Shares(open_leads=open_leads, last_given=last_given))
    assert found == (expected, "round_robin")
    away = chosen(house, MISSED, "round_robin", presence={expected: AWAY_NOW}, shares=Shares())
    assert away is not None
    assert away[0] != expected


def test_an_owner_stays_unless_the_rule_says_otherwise_or_they_left() -> None:
    """Filling in is not taking away."""
    stays, takes = LeadRule(name="a", owner=("answered",)), LeadRule(name="b", owner=("answered",), reassign=True)
    assert asked(OFFICE, booked(stays), "boris", {}) == ()
    assert asked(OFFICE, booked(stays), None, {}) == ("answered",)
    assert asked(OFFICE, booked(stays), "who_left", {}) == ("answered",)
    assert asked(OFFICE, booked(takes), "boris", {}) == ("answered",)
    assert asked(OFFICE, booked(takes, "none"), None, {}) == ()


def test_a_lead_that_comes_back_is_its_owners_unless_they_are_away() -> None:
    """Then the policy's own rules of return are asked before those of the call."""
    house = replace(OFFICE, leads=LeadPolicy(return_owner=("line_person", "answered")))
    rule = LeadRule(name="a", owner=("answered", "rung_last"))
    assert asked(house, booked(rule, "back"), "boris", {}) == ()
    assert asked(house, booked(rule, "back"), "boris", {"boris": AWAY_NOW}) == ("line_person", "answered", "rung_last")
    assert asked(house, booked(rule, "back"), None, {}) == ("line_person", "answered", "rung_last")


@given(facts, st.lists(st.sampled_from(OWNER_RULES), max_size=5, unique=True), st.booleans())
def test_whoever_is_chosen_works_here(call: CallFacts, rules: list[OwnerRule], away: bool) -> None:
    """Nobody who is not in the directory ever becomes an owner, and by none but a rule that was asked."""
    someone = Person(key="nobody_knows", name="Ушёл", role="manager", devices=(Device(kind="soft", address="PJSIP/x"),))
    call = replace(call, talked=(someone.key, *call.talked))
    found = chosen(OFFICE, call, *rules, presence={"anna": AWAY_NOW} if away else {})
    if found is not None:
        assert OFFICE.person(found[0]) is not None
        assert found[1] in rules


def test_times_are_read_in_order_whatever_order_they_came_in() -> None:
    """The events of a call may be told backwards."""
    assert read(settled_call()[::-1]) == read(settled_call())
