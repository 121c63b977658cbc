"""How calls are shared out: each strategy is fair in its own way, whoever happens to be there."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from directory.model import Person
from directory.rules import STRATEGIES
from routing.arrival import Load
from routing.strategies import ORDERS

BEGAN = datetime(2026, 11, 23, 9, tzinfo=UTC)
PEOPLE = [Person(key=key, name=key.title(), role="manager") for key in ("anna", "boris", "vera", "oleg")]
AT_WORK = st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=60)
loads = st.builds(
    Load,
    calls_today=st.integers(0, 9),
    leads_open=st.integers(0, 9),
    idle_since=st.none() | st.datetimes(datetime(2026, 11, 23), datetime(2026, 11, 24), timezones=st.just(UTC)),  # noqa: DTZ001  # Hypothesis adds the zone
)


def shared_out(
    strategy: str, days: Sequence[Sequence[bool]], people: Sequence[Person] = PEOPLE, *, lead_each: bool = False
) -> list[str]:
    """Who takes each call when the first in the order always does; `days` tells who is there at each call."""
    load = {person.key: Load() for person in people}
    turns, taken = list[str](), list[str]()
    for number, there in enumerate(days):
        present = [person for person, here in zip(people, there, strict=True) if here]
        if not present:
            continue
        first = ORDERS[strategy](present, load, turns)[0].key
        taken.append(first)
        turns = [*(key for key in turns if key != first), first]
        known = load[first]
        load[first] = Load(
            calls_today=known.calls_today + 1,
            leads_open=known.leads_open + lead_each,
            idle_since=BEGAN + timedelta(minutes=number),
        )
    return taken


@given(
    st.sampled_from(STRATEGIES),
    st.lists(st.sampled_from(PEOPLE), unique=True),
    st.dictionaries(st.sampled_from([person.key for person in PEOPLE]), loads),
    st.lists(st.sampled_from([person.key for person in PEOPLE]), unique=True),
)
def test_a_strategy_only_orders_those_who_can_be_rung(
    strategy: str, people: list[Person], load: dict[str, Load], turns: list[str]
) -> None:
    """Nobody is added, left out or named twice, and the same facts give the same order."""
    ordered = ORDERS[strategy](people, load, turns)
    assert sorted(person.key for person in ordered) == sorted(person.key for person in people)
    assert ordered == ORDERS[strategy](people, load, turns)


@given(AT_WORK)
@settings(max_examples=60)
def test_round_robin_differs_by_at_most_one_among_those_who_are_always_there(days: list[list[bool]]) -> None:
    """Whoever else comes and goes."""
    always = [[True, True, *there[2:]] for there in days]
    counts = Counter(shared_out("round_robin", always))
    assert abs(counts["anna"] - counts["boris"]) <= 1


@given(AT_WORK)
@settings(max_examples=60)
def test_round_robin_rings_nobody_again_before_everybody_there_had_a_turn(days: list[list[bool]]) -> None:
    """Between two turns of one person lies a turn of each who was there all the time."""
    taken = shared_out("round_robin", [[True, True, True, *there[3:]] for there in days])
    for person in ("anna", "boris", "vera"):
        places = [place for place, key in enumerate(taken) if key == person]
        for before, after in pairwise(places):
            assert {"anna", "boris", "vera"} <= set(taken[before:after])


@given(AT_WORK)
@settings(max_examples=60)
def test_the_longest_idle_is_whoever_of_those_there_talked_longest_ago(days: list[list[bool]]) -> None:
    last: dict[str, int] = {}
    for number, there in enumerate(days):
        present = [person for person, here in zip(PEOPLE, there, strict=True) if here]
        load = {key: Load(idle_since=BEGAN + timedelta(minutes=place)) for key, place in last.items()}
        for person in ORDERS["longest_idle"](present, load, [])[:1]:
            assert last.get(person.key, -1) == min(last.get(other.key, -1) for other in present)
            last[person.key] = number


@given(AT_WORK)
@settings(max_examples=60)
def test_fewest_calls_keeps_those_who_are_always_there_within_one_call(days: list[list[bool]]) -> None:
    counts = Counter(shared_out("fewest_calls", [[True, True, *there[2:]] for there in days]))
    assert abs(counts["anna"] - counts["boris"]) <= 1


@given(AT_WORK)
@settings(max_examples=60)
def test_fewest_calls_gives_the_next_call_to_who_has_least_of_those_there(days: list[list[bool]]) -> None:
    """Who comes late catches up."""
    counts: Counter[str] = Counter()
    for there in days:
        present = [person for person, here in zip(PEOPLE, there, strict=True) if here]
        load = {key: Load(calls_today=count) for key, count in counts.items()}
        for person in ORDERS["fewest_calls"](present, load, [])[:1]:
            assert counts[person.key] == min(counts[other.key] for other in present)
            counts[person.key] += 1


@given(st.lists(st.integers(1, 20), min_size=4, max_size=4), st.integers(1, 300))
@settings(max_examples=60)
def test_shares_by_weight_converge_to_the_plan(plans: list[int], calls: int) -> None:
    """At any moment each person's leads are within one per rival of their part of all by the plan."""
    people = [replace(person, plan=plan) for person, plan in zip(PEOPLE, plans, strict=True)]
    taken = Counter(shared_out("weighted", [[True] * 4] * calls, people, lead_each=True))
    for person in people:
        due = calls * person.plan / sum(plans)
        assert abs(taken[person.key] - due) <= len(people) - 1


@given(st.lists(st.integers(1, 9), min_size=4, max_size=4), st.lists(st.integers(0, 9), min_size=4, max_size=4))
def test_who_has_less_in_work_for_their_plan_comes_first(plans: list[int], leads: list[int]) -> None:
    people = [replace(person, plan=plan) for person, plan in zip(PEOPLE, plans, strict=True)]
    load = {person.key: Load(leads_open=count) for person, count in zip(people, leads, strict=True)}
    ordered = ORDERS["weighted"](people, load, [])
    shares = [(load[person.key].leads_open + 1) / person.plan for person in ordered]
    assert shares == sorted(shares)


def test_ring_all_and_a_hunt_keep_the_order_of_the_team() -> None:
    load = {"anna": Load(calls_today=9, leads_open=9)}
    assert ORDERS["ring_all"](PEOPLE, load, ["anna"]) == ORDERS["hunt"](PEOPLE, load, ["anna"]) == PEOPLE
