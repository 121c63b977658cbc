"""Where a PBX's CEL can be read: a file that cel_custom writes, or a table of a database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol

from telephony.cel_file import Row


class CelSource(Protocol):
    """Rows of any period, read as often as wanted. `telephony.cel_file.CelFile`, `telephony.cel_table.CelTable`."""

    def rows(self, since: datetime, until: datetime) -> AsyncIterator[list[Row]]:
        """The rows from `since` to `until` (aware, both included), about in the order of time, in bounded pieces."""
