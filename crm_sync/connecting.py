"""What a person wants who connects a CRM, and what is found when it is met; at the terminal and on the page alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync import people, probes
from crm_sync.connections import LINK_DAYS, Connection
from crm_sync.crm import Asked, Capability, Crm
from crm_sync.errors import PermanentError
from crm_sync.people import Known


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A connection to be made: its kind, what is no secret and what is, both as they were told.

    `events` are of the kind's, none: the usual ones. What was over before `since` is not owed to it; None: before it is
    started. The command line starts it at once, in `shadow` where told, after a `probe`.
    """

    kind: str
    key: str
    settings: Mapping[str, Any]
    secrets: Mapping[str, str] = field(repr=False)
    link_days: str | int = LINK_DAYS
    events: Sequence[str] = ()
    since: datetime | None = None
    shadow: bool = False
    probe: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What is to be different of a connection: `settings` all of them as they were told, None: as they are.

    `secrets` that are told replace those kept, those to `forget` go, the others stay; so do `link_days` and `events`
    that are None.
    """

    settings: Mapping[str, Any] | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    forget: Sequence[str] = ()
    link_days: str | int | None = None
    events: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a CRM sends a person `back` to, and where it tells of `events`; None: we have no address others know."""

    back: str | None
    events: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a connection is: `secrets` are the names of those kept, `opens` whether our key opens them.

    `needs_consent`: a person has to agree on the CRM's page, and did so at `granted_at`. `users` are who works there,
    `nobody` the keys of persons here whom it does not know.
    """

    to: Connection
    secrets: frozenset[str]
    opens: bool
    capabilities: frozenset[Capability]
    needs_consent: bool
    granted_at: datetime | None
    users: Sequence[Known]
    nobody: Sequence[str]


@dataclass(frozen=True, slots=True)
class Met:
    """What a CRM said of itself: `missing` and `access_ends_at` as `crm.Probed`, and how many users it named."""

    missing: tuple[str, ...]
    access_ends_at: datetime | None
    user_count: int


async def meet(engine: AsyncEngine, key: str, crm: Crm) -> Met:
    """Ask how it is and who works there, and keep both. Raises CrmError, and keeps nothing then."""
    probed = await crm.probe()
    try:
        users = await cast("Asked", crm).users() if "parties" in crm.capabilities else ()
    except PermanentError:
        if not probed.missing:
            raise
        users = ()  # the right to see them is what is missing
    async with engine.begin() as connection:
        await people.keep_users(connection, key, users)
        missing = (*probed.missing, *await people.disputed(connection, key))
        await probes.probed(connection, key, missing, probed.access_ends_at)
    return Met(missing, probed.access_ends_at, len(users))
