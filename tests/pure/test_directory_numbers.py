"""Phone numbers: one stored form, whatever a trunk sends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata

from directory.numbers import (
    beginnings_abroad,
    e164,
    is_anonymous,
    longest_number,
    normal,
    premium_below,
    regions,
    show,
    within_premium,
)


@pytest.mark.parametrize(
    "written",
    [
        "79161234567",
        "+79161234567",
        "89161234567",
        "9161234567",
        "8 (916) 123-45-67",
        "+7 916 123 45 67",
        "0079161234567",
    ],
)
def test_every_spelling_of_a_russian_mobile_is_one_number(written: str) -> None:
    assert e164(written, "RU") == "79161234567"


@pytest.mark.parametrize("written", ["810442079460000", "+442079460000", "442079460000", "00442079460000"])
def test_every_spelling_of_a_foreign_number_is_one_number(written: str) -> None:
    assert e164(written, "RU") == "442079460000"


def test_the_region_decides_what_a_national_number_is() -> None:
    assert e164("030 12345678", "DE") == "493012345678"


@pytest.mark.parametrize(
    "written", ["101", "112", "", "anonymous", "Restricted", "7916", "+", "8916123456a", "7" * 40, "٧٩١٦"]
)
def test_what_is_no_public_number_is_none_and_kept_as_given(written: str) -> None:
    assert e164(written, "RU") is None
    assert normal(written, "RU") == written


@given(st.text(max_size=40), st.sampled_from(["RU", "US", "GB", "ZZ", "??"]))
def test_any_text_has_a_stored_and_a_shown_form(text: str, region: str) -> None:
    stored = normal(text, region)
    assert isinstance(show(stored), str)


@given(st.integers(79000000000, 79999999999).map(str))
def test_the_stored_form_is_its_own_stored_form(number: str) -> None:
    assert normal(normal(number, "RU"), "RU") == normal(number, "RU")


@pytest.mark.parametrize(
    "stored, shown", [("79161234567", "+7 916 123-45-67"), ("101", "101"), ("anonymous", "anonymous"), ("", "")]
)
def test_people_see_a_number_with_its_groups(stored: str, shown: str) -> None:
    assert show(stored) == shown


@pytest.mark.parametrize("number", [None, "", "anonymous", "Anonymous", " unknown "])
def test_a_hidden_caller_is_known_as_hidden(number: str | None) -> None:
    assert is_anonymous(number)


def test_a_number_is_not_anonymous() -> None:
    assert not is_anonymous("79161234567")


@pytest.mark.parametrize("region", sorted(regions()))
def test_what_costs_a_premium_is_known_by_its_beginning_in_every_region(region: str) -> None:
    """The numbering plan's own examples of premium rates, shared costs and personal numbers are all among them."""
    plan = PhoneMetadata.metadata_for_region(region)
    assert plan is not None
    kinds = [kind for kind in (plan.premium_rate, plan.shared_cost, plan.personal_number) if kind is not None]
    for kind in kinds:
        if kind.example_number:
            number = f"{plan.country_code}{kind.example_number}"
            assert number.startswith(tuple(beginnings_abroad(region))), number
            assert within_premium(number)


def test_the_beginnings_of_numbers_that_cost_a_premium() -> None:
    assert {"49900", "49137", "49180"} <= beginnings_abroad("DE")
    assert "375902" in beginnings_abroad("BY")
    assert "39899" in beginnings_abroad("IT")
    assert beginnings_abroad("RU") == {"77", "7803", "7808", "7809"}
    assert premium_below("780") == {"7803", "7808", "7809"}
    assert not within_premium("780")
    assert within_premium("78091")


@pytest.mark.parametrize("region, most", [("RU", 11), ("US", 11), ("DE", 15), ("FR", 11), ("??", 15)])
def test_a_number_of_a_region_has_at_most_so_many_digits(region: str, most: int) -> None:
    assert longest_number(region) == most
