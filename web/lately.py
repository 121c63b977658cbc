"""What many ask for at once, read once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass
class Lately(Generic[T]):
    """What was read last, and when (`monotonic`). All who ask while it is read wait for one reading."""

    known: T
    read_at: float = float("-inf")
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def get(self, read: Callable[[], Awaitable[T]], seconds: float) -> T:
        """What is known, by `read` where that is older than `seconds`. Raises what `read` raises."""
        asked = monotonic()  # what takes long to read is still new to whoever asked before it was begun
        if asked - self.read_at > seconds:
            async with self._reading:
                if asked - self.read_at > seconds:
                    began = monotonic()
                    self.known = await read()
                    self.read_at = began
        return self.known
