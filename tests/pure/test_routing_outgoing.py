"""Whether a call to the outside may be made: every refusal for its reason, and emergencies always."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from directory.model import Device, Directory, DoNotCall, Person
from directory.numbers import e164
from directory.outgoing import Outgoing, Price, Reach
from routing.destinations import BYTES_MOST, destinations
from routing.outgoing import REFUSALS, Allowed, Refused, Usage, cost, may_call
from tests.fakes.directories import OFFICE
from web.words import LANGUAGES, say

ANNA = OFFICE.people[0]
CLIENT = "79161234567"
prefixes = st.from_regex(r"79[0-9]{0,4}", fullmatch=True)
BERLIN, ALMATY, PREMIUM = "+49 30 901820", "+7 701 123 45 67", "8 809 123 45 67"


def office(**policy: Any) -> Directory:
    """The office with this policy."""
    return replace(OFFICE, outgoing=Outgoing(**policy))


def key(judged: Allowed | Refused) -> str:
    return "" if isinstance(judged, Allowed) else judged.reason.key


@pytest.mark.parametrize(
    "written", ["79161234567", "+79161234567", "8 916 123-45-67", "8 (916) 123-45-67", "+7-916-123-45-67", "9161234567"]
)
def test_a_number_is_the_same_in_any_spelling(written: str) -> None:
    assert may_call(written, ANNA, OFFICE) == Allowed(CLIENT)
    denied = office(everybody=Reach(deny=("7916",)))
    assert key(may_call(written, ANNA, denied)) == "destination_denied"


@pytest.mark.parametrize(
    "written, why",
    [
        (BERLIN, "international"),
        ("810 49 30 901820", "international"),
        ("00 49 30 901820", "international"),
        (ALMATY, "international"),
        (PREMIUM, "premium_rate"),
        ("+7 803 123-45-67", "premium_rate"),
        ("101", "internal"),
        ("777", "not_a_number"),
        ("", "not_a_number"),
        ("+7916123456789012345", "not_a_number"),
        ("79161234567@evil", "not_a_number"),
        ("s", "not_a_number"),
    ],
)
def test_without_a_word_of_it_only_the_own_country_is_called(written: str, why: str) -> None:
    """Other countries, also those that share the country code, premium numbers and what is no number are refused."""
    assert key(may_call(written, ANNA, OFFICE)) == why


def test_the_longest_prefix_decides_and_a_role_may_differ_from_the_others() -> None:
    directory = office(
        everybody=Reach(allow=("49", "7809"), deny=("4930",)), roles=(Reach(role="head", allow=("4930",)),)
    )
    anna, vera = directory.people[0], directory.people[2]
    assert vera.role == "head"
    assert key(may_call("+49 89 2180 0", anna, directory)) == ""
    assert key(may_call(BERLIN, anna, directory)) == "destination_denied"
    assert key(may_call(BERLIN, vera, directory)) == ""
    assert key(may_call(PREMIUM, anna, directory)) == ""
    assert key(may_call(BERLIN, None, directory)) == "destination_denied"


@given(
    st.lists(st.from_regex(r"79[0-9]{0,4}", fullmatch=True)), st.lists(st.from_regex(r"79[0-9]{0,4}", fullmatch=True))
)
def test_prefixes_are_judged_as_if_looked_up_one_digit_less_at_a_time(allow: list[str], deny: list[str]) -> None:
    """The longest decides, deny on a tie, and the own country is allowed where none fits."""
    directory = office(everybody=Reach(allow=tuple(allow), deny=tuple(deny)))
    expected = True
    for end in range(len(CLIENT), 0, -1):
        if CLIENT[:end] in deny or CLIENT[:end] in allow:
            expected = CLIENT[:end] not in deny
            break
    assert isinstance(may_call(CLIENT, ANNA, directory), Allowed) is expected


def test_who_does_not_want_to_be_called_is_not() -> None:
    directory = replace(OFFICE, do_not_call=(DoNotCall(number=CLIENT),))
    assert key(may_call("8 916 123-45-67", ANNA, directory)) == "do_not_call"
    assert key(may_call(CLIENT, ANNA, OFFICE, flagged=True)) == "do_not_call"


@given(
    st.sampled_from(["112", "101", "102", "103", "911", " 112 "]),
    st.builds(Usage, person_minute=st.integers(0, 10**9), company_spent=st.decimals(0, 10**9)),
)
def test_an_emergency_number_is_always_allowed(written: str, usage: Usage) -> None:
    """Whatever was used up, denied or flagged; an extension that looks like one is the extension, but never 112."""
    nobody = replace(OFFICE, people=(), teams=(), lines=())
    closed = replace(nobody, outgoing=Outgoing(everybody=Reach(deny=("1", "9")), company_day_budget=Decimal(0)))
    assert may_call(written, None, closed, usage, flagged=True) == Allowed(written.strip())
    stolen = Person(key="x", name="X", role="manager", devices=(Device(kind="desk", address="PJSIP/x", number="112"),))
    assert may_call("112", stolen, replace(nobody, people=(stolen,))) == Allowed("112")


@pytest.mark.parametrize(
    "used, why",
    [
        ({"person_minute": 10}, "person_per_minute"),
        ({"person_hour": 120}, "person_per_hour"),
        ({"company_minute": 60}, "company_per_minute"),
        ({"company_hour": 1000}, "company_per_hour"),
        ({"person_spent": Decimal("8.51")}, "person_day_budget"),
        ({"company_spent": Decimal("98.51")}, "company_day_budget"),
    ],
)
def test_a_limit_that_is_used_up_refuses_the_next_call(used: dict[str, Any], why: str) -> None:
    """One less is still allowed; the budget must hold for another minute."""
    directory = office(
        prices=(Price(prefix="79", per_minute=Decimal("1.5")),),
        person_day_budget=Decimal(10),
        company_day_budget=Decimal(100),
    )
    assert key(may_call(CLIENT, ANNA, directory, Usage(**used))) == why
    (name, value), cent = next(iter(used.items())), Decimal("0.01")
    less: dict[str, Any] = {name: value - (1 if isinstance(value, int) else cent)}
    assert key(may_call(CLIENT, ANNA, directory, Usage(**less))) == ""


def test_the_price_is_that_of_the_longest_prefix_and_every_minute_that_began_is_paid() -> None:
    policy = Outgoing(
        price_per_minute=Decimal(9),
        prices=(Price(prefix="7", per_minute=Decimal(1)), Price(prefix="7916", per_minute=Decimal("2.5"))),
    )
    assert [policy.price(number) for number in (CLIENT, "74951234567", "4930901820")] == [Decimal("2.5"), 1, 9]
    assert [cost(Decimal("2.5"), seconds) for seconds in (0, 1, 60, 60.1)] == [0, Decimal("2.5"), Decimal("2.5"), 5]


@given(st.text(max_size=30), st.booleans())
def test_every_text_gets_an_answer_with_a_known_reason(written: str, flagged: bool) -> None:
    judged = may_call(written, ANNA, OFFICE, flagged=flagged)
    assert isinstance(judged, Allowed) or judged.reason.key in REFUSALS


def test_every_refusal_has_words_in_both_languages() -> None:
    assert all(say(language, f"not_called.{why}") for why in REFUSALS for language in LANGUAGES)


# --- what is left in the PBX ------------------------------------------------------------------------------------------


def alone(number: str, left: str) -> bool:
    """What the dialplan does with the prefixes: the longest that fits, and no when none does."""
    entries = {entry[:-1]: entry[-1] for entry in left.strip("/").split("/")}
    return next((entries[number[:end]] == "+" for end in range(len(number), 0, -1) if number[:end] in entries), False)


def test_the_prefixes_left_in_the_pbx_are_few_and_name_the_emergencies() -> None:
    assert destinations(OFFICE) == "/101*/102*/103*/112*/911*/7+/77-/7803-/7808-/7809-/"


@given(
    st.lists(st.from_regex(r"(?:7[0-9]{0,3}|49[0-9]{0,2})", fullmatch=True), max_size=6),
    st.lists(st.from_regex(r"(?:7[0-9]{0,3}|49[0-9]{0,2})", fullmatch=True), max_size=6),
    st.sampled_from([CLIENT, "74951234567", "78091234567", "77011234567", "493090182000", "4989218000", "33142685300"]),
)
def test_the_prefixes_left_in_the_pbx_allow_what_every_role_may(allow: list[str], deny: list[str], number: str) -> None:
    """The service away, nobody may call where they may not with it; and where all may, all still may."""
    directory = office(everybody=Reach(allow=tuple(allow)), roles=(Reach(role="manager", deny=tuple(deny)),))
    roles = [None, *directory.people]
    everybody_may = all(isinstance(may_call(f"+{number}", person, directory), Allowed) for person in roles)
    assert alone(number, destinations(directory)) is everybody_may


def test_more_prefixes_than_fit_leave_the_emergencies_alone() -> None:
    """What cannot be told is not allowed."""
    many = tuple(DoNotCall(number=f"7916{number:07}") for number in range(200))
    left = destinations(replace(OFFICE, do_not_call=many))
    assert left == "/101*/102*/103*/112*/911*/"
    assert len(destinations(replace(OFFICE, do_not_call=many[:20]))) <= BYTES_MOST
    assert not alone("79160000001", destinations(replace(OFFICE, do_not_call=many[:20])))


@given(st.sampled_from(OFFICE.people))
def test_a_person_calls_out_as_one_of_the_companys_lines(person: Person) -> None:
    assume(OFFICE.lines)
    assert OFFICE.outgoing_line(person) in OFFICE.lines
    line = OFFICE.lines[1]
    assert replace(OFFICE, outgoing=Outgoing(line=line.number)).outgoing_line(person) == line
    theirs = replace(person, line=OFFICE.lines[0].number)
    assert replace(OFFICE, outgoing=Outgoing(line=line.number)).outgoing_line(theirs) == OFFICE.lines[0]


@pytest.mark.parametrize(
    "allow, number, why",
    [
        ("7", PREMIUM, "premium_rate"),
        ("780", PREMIUM, "premium_rate"),
        ("7809", PREMIUM, ""),
        ("78091", PREMIUM, ""),
        ("7803", PREMIUM, "premium_rate"),
        ("7", "+7 808 123-45-67", "premium_rate"),
        ("49", "+49 900 1234567", "premium_rate"),
        ("49", BERLIN, ""),
        ("49900", "+49 900 1234567", ""),
    ],
)
def test_a_premium_number_is_called_only_where_a_prefix_names_it(allow: str, number: str, why: str) -> None:
    """Whoever allows a country has not allowed what costs a premium there; the PBX alone judges the same."""
    directory = office(everybody=Reach(allow=(allow,)))
    assert key(may_call(number, ANNA, directory)) == why
    digits = e164(number, "RU")
    assert digits is not None
    assert alone(digits, destinations(directory)) is (why == "")
