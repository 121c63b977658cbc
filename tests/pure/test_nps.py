"""Whether and when a client is asked how willing they are to recommend the house."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from calls.nps import OF_NOBODY, PREFIX, is_nps
from directory.model import Directory, DoNotCall
from directory.nps import NpsPolicy
from reports.nps import Client, Occasion, Verdict, may_ask, open_from
from tests.fakes.directories import LINE, OFFICE

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # Monday noon in Moscow; the line is open from 9 to 18
POLICY = NpsPolicy(stages=("won",), prompt="custom/nps", days_between=90, delay_minutes=30)
HOUSE = replace(OFFICE, nps=POLICY)
TALK = Occasion(at=AT, number="79161234567", line=LINE)
NOBODY = Client()


def house(**policy: object) -> Directory:
    return replace(HOUSE, nps=NpsPolicy(**({"stages": ("won",), "prompt": "custom/nps"} | policy)))  # type: ignore[arg-type]


def test_a_client_is_asked_after_the_delay() -> None:
    assert may_ask(TALK, NOBODY, HOUSE) == Verdict(AT + timedelta(minutes=30))


def test_a_client_is_asked_in_the_hours_of_the_line_or_those_that_the_policy_names() -> None:
    evening = replace(TALK, at=AT + timedelta(hours=5, minutes=45))  # 17:45: half an hour later the line is closed
    morning = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
    assert may_ask(evening, NOBODY, HOUSE).due_at == morning
    always = replace(TALK, line="74951234568")  # a line that is always open, but has no trunk
    assert may_ask(replace(always, at=evening.at, has_lead=True), NOBODY, house(way="link", hours="office")).due_at == (
        morning
    )


@pytest.mark.parametrize("hour, opens", [(0, 6), (5.9, 6), (6, 6), (16.9, 16.9), (17, 30)])
def test_a_client_of_a_line_without_hours_is_not_asked_at_night(hour: float, opens: float) -> None:
    """From nine to eight in the evening by the line's clock, here three hours ahead."""
    midnight, always = datetime(2026, 11, 28, tzinfo=UTC), HOUSE.line("74951234568")
    assert always is not None
    assert open_from(HOUSE, always, midnight + timedelta(hours=hour)) == midnight + timedelta(hours=opens)


@pytest.mark.parametrize("days, why", [(0, "asked_lately"), (89.9, "asked_lately"), (90, ""), (-0.5, "asked_lately")])
def test_nobody_is_asked_twice_within_the_days_of_the_policy(days: float, why: str) -> None:
    """Nor who is going to be asked for another reason."""
    assert may_ask(TALK, Client(asked_at=AT - timedelta(days=days)), HOUSE).why == why


@pytest.mark.parametrize(
    "change, client, why",
    [
        ({"number": "anonymous"}, NOBODY, "no_number"),
        ({"number": ""}, NOBODY, "no_number"),
        ({"number": "79160000011"}, NOBODY, "ours"),
        ({"number": "79160009999"}, NOBODY, "do_not_call"),  # blocked
        ({}, Client(unwanted=True), "do_not_call"),
        ({"number": "79169990000"}, NOBODY, "do_not_call"),
        ({"line": "74951234568"}, NOBODY, "no_line"),  # without a trunk
        ({"number": "491701234567"}, NOBODY, "not_allowed"),  # abroad
    ],
)
def test_who_is_not_asked_is_told_why(change: dict[str, Any], client: Client, why: str) -> None:
    unwilling = replace(HOUSE, do_not_call=(DoNotCall(number="79169990000"),))
    assert may_ask(replace(TALK, **change), client, unwilling) == Verdict(None, why)


def test_a_link_goes_abroad_and_to_clients_with_a_lead_alone() -> None:
    by_link = house(way="link")
    abroad = replace(TALK, number="491701234567")
    assert may_ask(abroad, NOBODY, by_link).why == "no_lead"
    assert may_ask(replace(abroad, has_lead=True), NOBODY, by_link).why == ""


def test_a_lead_of_no_line_is_asked_as_the_line_that_the_company_calls_out_as() -> None:
    assert may_ask(replace(TALK, line=""), NOBODY, HOUSE).due_at is not None


def test_only_a_call_of_channels_that_ask_is_one() -> None:
    asks = f"{PREFIX}0123"
    assert is_nps([asks])
    assert not is_nps([asks, "1795427050.1"])
    assert not is_nps([])
    assert "nps" in OF_NOBODY
