"""What one change of a call counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry

from calls.call import Call, apply
from calls.due import Change
from calls.events import (
    Arrived,
    BridgeEntered,
    BridgeLeft,
    ChannelCreated,
    ChannelHungUp,
    Dialed,
    Event,
    FallbackTaken,
    Recovered,
    Routed,
    Settled,
)
from calls.missed import CAUSES
from calls.view import view
from directory.model import Company, Device, Directory, Line, Person, Team
from directory.rules import Rule
from metrics.http import new_registry
from metrics.observe import Observed

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LINE = "74951234567"
DIRECTORY = Directory(
    company=Company(name="Ромашка"),
    teams=(Team(key="sales", name="Продажи", strategy="ring_all", members=()),),
    lines=(Line(number=LINE, name="Основная", team="sales"),),
)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def arrival(line: str = LINE) -> list[Event]:
    return [
        ChannelCreated(
            pbx="main",
            channel="1.1",
            linkedid="1.1",
            name="PJSIP/trunk-1",
            at=at(0),
            number="79161234567",
            dialed=line,
            incoming=True,
        ),
        Arrived(pbx="main", channel="1.1", linkedid="1.1", at=at(0.1), line=line, number="79161234567"),
    ]


def hung_up(seconds: float) -> list[Event]:
    return [ChannelHungUp(pbx="main", channel="1.1", at=at(seconds), cause=16)]


def talk(since: float, until: float) -> list[Event]:
    told: list[Event] = [
        Dialed(pbx="main", channel="1.1", target="1.2", target_name="PJSIP/anna-desk-2", at=at(1)),
        ChannelCreated(pbx="main", channel="1.2", linkedid="1.1", name="PJSIP/anna-desk-2", at=at(1), incoming=False),
    ]
    for channel in ("1.1", "1.2"):
        told.append(BridgeEntered(pbx="main", channel=channel, linkedid="1.1", bridge="b", at=at(since)))
        told.append(BridgeLeft(pbx="main", channel=channel, linkedid="1.1", bridge="b", at=at(until)))
    return [*told, ChannelHungUp(pbx="main", channel="1.2", at=at(until), cause=16)]


SETTLED = Settled(pbx="main", channel="1.1", at=at(90))


class Told:
    """A call that grows change by change, as `record` would tell it."""

    def __init__(self, directory: Directory | None = DIRECTORY) -> None:
        self.registry: CollectorRegistry = new_registry()
        self.observed = Observed(self.registry, lambda: directory)
        self.call: Call | None = None

    def tell(self, *batches: Sequence[Event]) -> Told:
        for events in batches:
            before = self.call
            after = before or Call(pbx="main")
            for event in events:
                after = apply(after, event)
            change = Change(UUID(int=1), view(before) if before else None, view(after), tuple(events))
            self.call = after
            self.observed.observe(change)
        return self

    def value(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"switchhook_{name}", labels) or 0.0


def test_a_call_is_counted_once_and_only_when_it_settles() -> None:
    """Every change before it settles, and every one after, counts nothing."""
    told = Told().tell(arrival(), talk(11, 71), hung_up(71))
    labels = {"direction": "inbound", "status": "answered", "line": LINE, "team": "sales"}
    assert told.value("calls_total", **labels) == 0
    told.tell([SETTLED], [SETTLED], hung_up(71))
    assert told.value("calls_total", **labels) == 1
    assert told.value("call_wait_seconds_count") == 1
    assert told.value("call_wait_seconds_sum") == pytest.approx(11)
    assert told.value("call_talk_seconds_sum") == pytest.approx(60)


def test_a_missed_call_is_counted_under_its_cause() -> None:
    told = Told().tell(arrival(), hung_up(5), [SETTLED])
    assert told.value("missed_calls_total", cause="caller_gave_up_early", line=LINE, team="sales") == 1
    assert told.value("calls_total", direction="inbound", status="missed", line=LINE, team="sales") == 1
    assert told.value("call_talk_seconds_count") == 0


def test_a_line_in_any_spelling_is_the_line_of_the_directory() -> None:
    told = Told().tell(arrival("84951234567"), hung_up(5), [SETTLED])
    assert told.value("calls_total", direction="inbound", status="missed", line=LINE, team="sales") == 1


def test_a_call_is_counted_by_its_trunk_and_a_trunk_of_no_directory_is_other() -> None:
    """The trunks of lines and of mobiles are told from zero on; whatever else brings a call is no label."""
    mobile = Device(kind="mobile", address="79160000001", trunk="PJSIP/second")
    directory = replace(
        DIRECTORY,
        lines=(replace(DIRECTORY.lines[0], trunk="PJSIP/trunk"),),
        people=(Person(key="anna", name="Анна", role="manager", devices=(mobile,)),),
    )
    told = Told(directory)
    told.observed.prepare()
    trunks = ("PJSIP/trunk", "PJSIP/second", "other")
    assert [told.registry.get_sample_value("switchhook_trunk_calls_total", {"trunk": one}) for one in trunks] == [0] * 3
    told.tell(arrival(), hung_up(5), [SETTLED])
    assert [told.value("trunk_calls_total", trunk=one) for one in trunks] == [1, 0, 0]
    stranger = Told().tell(arrival(), hung_up(5), [SETTLED])
    assert stranger.value("trunk_calls_total", trunk="other") == 1


@pytest.mark.parametrize("directory", [DIRECTORY, None])
def test_a_number_that_is_no_line_of_ours_never_becomes_a_label(directory: Directory | None) -> None:
    """Whatever a trunk sends as the number dialled, the labels stay closed."""
    told = Told(directory).tell(arrival("79169999999"), hung_up(5), [SETTLED])
    assert told.value("calls_total", direction="inbound", status="missed", line="other", team="other") == 1
    labels = {
        value
        for family in told.registry.collect()
        for sample in family.samples
        for name, value in sample.labels.items()
        if name in {"line", "team"}
    }
    assert labels == {"other"}


def test_a_new_line_is_told_from_zero_so_that_its_first_miss_is_an_increase() -> None:
    told = Told()
    told.observed.prepare()
    for cause in CAUSES:
        sample = told.registry.get_sample_value(
            "switchhook_missed_calls_total", {"cause": cause, "line": LINE, "team": "sales"}
        )
        assert sample == 0.0


def test_a_routing_decision_is_counted_once_with_its_time() -> None:
    routed = Routed(pbx="main", channel="1.1", at=at(0.2), outcome="in_time", seconds=0.004, rule="owner")
    told = Told().tell(arrival(), [routed], [routed])
    assert told.value("routing_outcome_total", outcome="in_time") == 1
    assert told.value("routed_calls_total", rule="owner") == 1
    assert told.value("routing_decision_seconds_count", source="fresh") == 1
    assert told.value("routing_decision_seconds_sum", source="fresh") == pytest.approx(0.004)


def test_a_decision_is_counted_by_a_rule_of_the_directory_and_by_no_other_name() -> None:
    """The names that operators write are labels; what is in no directory is not."""
    directory = replace(DIRECTORY, rules=(Rule(name="night", then=()),))
    for name, label in (("night", "night"), ("vip", "other")):
        told = Told(directory).tell(arrival(), [Routed(pbx="main", channel="1.1", at=at(0.2), rule=name)])
        assert told.value("routed_calls_total", rule=label) == 1


def test_a_decision_from_memory_alone_is_told_apart() -> None:
    routed = Routed(pbx="main", channel="1.1", at=at(0.2), outcome="from_cache", seconds=0.002)
    told = Told().tell([*arrival(), routed])
    assert told.value("routing_outcome_total", outcome="from_cache") == 1
    assert told.value("routing_decision_seconds_count", source="cache") == 1


def test_an_outcome_nobody_knows_is_a_refusal_and_no_new_label() -> None:
    routed = Routed(pbx="main", channel="1.1", at=at(0.2), outcome="invented", seconds=0.002)
    assert Told().tell([*arrival(), routed]).value("routing_outcome_total", outcome="refused") == 1


def test_a_fallback_is_counted_and_its_loss_has_a_cause() -> None:
    fallback = FallbackTaken(pbx="main", channel="1.1", at=at(2), reason="late", line=LINE)
    told = Told().tell(arrival(), [fallback], hung_up(40), [SETTLED])
    assert told.value("routing_outcome_total", outcome="fallback") == 1
    assert told.value("missed_calls_total", cause="routing_late", line=LINE, team="sales") == 1


def test_a_recovered_call_is_counted_once_as_caught_up() -> None:
    recovered = Recovered(pbx="main", channel="1.1", at=at(1))
    assert Told().tell(arrival(), [recovered], [recovered]).value("catch_up_calls_total") == 1


def test_a_call_between_colleagues_has_no_line() -> None:
    told = Told().tell(
        [
            ChannelCreated(
                pbx="main",
                channel="1.1",
                linkedid="1.1",
                name="PJSIP/anna-desk-1",
                at=at(0),
                number="101",
                dialed="102",
                incoming=True,
            ),
            *talk(3, 20),
            *hung_up(20),
        ],
        [SETTLED],
    )
    assert told.value("calls_total", direction="internal", status="answered", line="none", team="none") == 1
    assert told.value("call_wait_seconds_count") == 0
