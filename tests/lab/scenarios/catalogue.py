"""All scenarios: importing this file fills `SCENARIOS`."""

from tests.lab.scenarios import answers, transfers_blind  # noqa: F401 - a module keeps its scenarios when it is imported
from tests.lab.scenarios.scenario import SCENARIOS

__all__ = ["SCENARIOS"]
