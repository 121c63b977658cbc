"""How often a password may be tried: a few times per address and login, more per address alone."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

WINDOW_SECONDS: Final = 300.0
PER_LOGIN: Final = 5
PER_ADDRESS: Final = 40
KEYS_MOST: Final = 10_000


@dataclass
class Attempts:
    """Logins tried in the last five minutes that have not succeeded, in this process only: a restart forgives.

    A try is booked before its password is looked at, so that those who try at the same time are counted too.
    """

    clock: Callable[[], float] = monotonic
    _failures: dict[tuple[str, str], deque[float]] = field(default_factory=dict)

    def wait_seconds(self, address: str, login: str) -> float:
        """How long this address has to wait before it may try this login again; 0 when it may now."""
        return max(self._wait((address, login), PER_LOGIN), self._wait((address, ""), PER_ADDRESS))

    def book(self, address: str, login: str) -> None:
        """Count a try as failed until it succeeds."""
        for key in ((address, login), (address, "")):
            failures = self._failures.pop(key, deque(maxlen=PER_ADDRESS))
            failures.append(self.clock())
            self._failures[key] = failures
        while len(self._failures) > KEYS_MOST:
            # The key that failed longest ago comes first, for each failure moves its key to the end.
            self._failures.pop(next(iter(self._failures)))

    def take_back(self, address: str, login: str) -> None:
        """Forget one try, for its password was never looked at."""
        for key in ((address, login), (address, "")):
            if failures := self._failures.get(key):
                failures.pop()

    def succeeded(self, address: str, login: str) -> None:
        """Forget this try, and forgive the login's failures from this address."""
        self.take_back(address, login)
        self._failures.pop((address, login), None)

    def _wait(self, key: tuple[str, str], most: int) -> float:
        failures = self._failures.get(key, deque())
        while failures and failures[0] <= self.clock() - WINDOW_SECONDS:
            failures.popleft()
        return failures[-most] + WINDOW_SECONDS - self.clock() if len(failures) >= most else 0.0
