"""All scenarios: importing this file fills `SCENARIOS`."""

from tests.lab.scenarios import (  # noqa: F401 - a module keeps its scenarios when it is imported
    answers,
    click_to_call,
    conferences,
    forwards,
    holding,
    mixed,
    mobiles,
    outgoing,
    parking,
    pickup,
    queues,
    transfers_attended,
    transfers_blind,
    transfers_blonde,
)
from tests.lab.scenarios.scenario import SCENARIOS

__all__ = ["SCENARIOS"]
