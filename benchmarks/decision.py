"""What one decision costs, alone: people with three devices each, in the order written and in one learned."""

from __future__ import annotations

import gc
import statistics
import time
from datetime import UTC, datetime

from directory.model import Company, Device, Directory, Line, Order, Person, Team
from directory.presence import NOTHING_KNOWN, Presences
from routing.arrival import Arrival, DeviceState, Facts
from routing.decide import decide
from routing.learned import Answers, Ring, tally

AT = datetime(2026, 11, 26, 9, 10, tzinfo=UTC)
LINE = "74951234567"
ARRIVAL = Arrival(pbx="pbx", channel="1.1", line=LINE, caller_number="79161234567", caller_name="", at=AT)
ROUNDS = 1000


def office(size: int, order: Order) -> Facts:
    """A team of so many, all free; the first owns the caller, and what each device answers is known of every hour."""
    people = tuple(
        Person(
            key=f"p{n}",
            name=f"Person {n}",
            role="manager",
            order=order,
            ring="in_turn",
            devices=(
                Device(kind="desk", address=f"PJSIP/desk-{n}", number=str(100 + n)),
                Device(kind="soft", address=f"PJSIP/soft-{n}"),
                Device(kind="mobile", address=str(79160000000 + n), trunk="PJSIP/trunk"),
            ),
        )
        for n in range(size)
    )
    directory = Directory(
        company=Company(name="Bench"),
        people=people,
        teams=(Team(key="t", name="Team", strategy="ring_all", members=tuple(it.key for it in people)),),
        lines=(Line(number=LINE, name="Line", team="t"),),
    )
    devices = [device for person in people for device in person.devices]
    week = dict.fromkeys(range(168), tally([Ring(AT, answered=n < 9) for n in range(10)]))
    return Facts(
        directory=directory,
        devices={it.address: DeviceState("not_inuse", reachable=True) for it in devices if it.kind != "mobile"},
        presence=Presences(directory, NOTHING_KNOWN, AT),
        owner="p0",
        answers={it.address: Answers.of(week) for it in devices},
    )


def measure() -> None:
    """Print the median and the slowest hundredth of a thousand decisions, for teams of one, five and forty."""
    print("a decision, with presence and what people answer on")
    orders: tuple[Order, ...] = ("fixed", "learned")
    for size in (1, 5, 40):
        for order in orders:
            facts = office(size, order)
            assert decide(ARRIVAL, facts).rule
            gc.collect()
            spent = []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                decide(ARRIVAL, facts)
                spent.append((time.perf_counter() - began) * 1000)
            p50, p99 = statistics.median(spent), sorted(spent)[int(ROUNDS * 0.99)]
            print(f"  team of {size:2}, order {order:<8} p50 {p50:5.2f} ms   p99 {p99:5.2f} ms", flush=True)
