"""How old the newest backup is: what happened since would be lost with the disk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from service.backups.rows import newest_backup
from service.doctor.check import Check
from service.doctor.look import Known

DUE: Final = timedelta(hours=26)
"""One a day, and some time to make it."""

_REMEDY: Final = "switchhook backup, by a timer once a day; see docs/operations/backup.md"


async def age(known: Known) -> list[Check]:
    """Whether a backup was finished within a day."""
    async with known.engine.connect() as connection:
        newest = await newest_backup(connection)
    if newest is None:
        return [Check("backup", "warn", "none was ever made", _REMEDY)]
    since = datetime.now(UTC) - newest
    told = f"the newest is {since / timedelta(hours=1):.0f} h old"
    return [Check("backup", "warn" if since > DUE else "ok", told, _REMEDY)]
