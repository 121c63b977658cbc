"""CRMs: who is asked for owners, and of each connection whether it lets us in, for how long, and who is who there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import aiohttp
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync import connections, people
from crm_sync.connections import AUTH_DEAD, BY_HAND, NEW, Connection
from crm_sync.owner_by_http import HttpOwners, OwnerNotTold
from crm_sync.secrets import Keeper, SecretKeyError
from service.doctor.check import Check
from service.doctor.look import Known
from service.doctor.people import named
from service.settings import Settings

_NOBODYS_NUMBER: Final = "70000000000"
_SECONDS: Final = 5.0
_HOW: Final = "docs/how_to/connect_a_crm.md"
_ENDS_SOON: Final = timedelta(days=7)
_OF_LIMIT: Final = 0.8
_OLD: Final = timedelta(hours=1)

_GRANTS = text("select connection, expires_at, refresh_expires_at from crm_grants")
_PACES = text(
    "select account, bucket, used, most from crm_paces"
    " where used > :share * most and (resets_at is null or resets_at > clock_timestamp())"
)
_OWED = text(
    "select connection, count(*) filter (where state = 'dead') as dead, min(planned_at) filter"
    " (where state in ('planned', 'sent', 'unknown') and not waits) as since from crm_effects"
    " where state in ('planned', 'sent', 'unknown', 'dead') group by connection"
)


async def owners(settings: Settings) -> list[Check]:
    """Ask the CRM for an owner as a call would; the number is nobody's."""
    crm = settings.crm
    if crm.owner_url is None:
        return []
    http, began_at = HttpOwners(crm.owner_url, crm.token.get_secret_value()), time.monotonic()
    remedy = f"see {_HOW}; until then callers go by its last answers"
    try:
        async with asyncio.timeout(_SECONDS):
            await http(_NOBODYS_NUMBER)
    except TimeoutError:
        return [Check("crm", "fail", f"no answer within {_SECONDS:g} s", remedy)]
    except (OwnerNotTold, aiohttp.ClientError) as error:
        why = str(error) if isinstance(error, OwnerNotTold) else type(error).__name__
        return [Check("crm", "fail", f"tells no owners: {why}", remedy)]
    finally:
        await http.close()
    seconds = time.monotonic() - began_at
    late = seconds > crm.budget_seconds
    why = f"answers in {seconds * 1000:.0f} ms, a caller waits {crm.budget_seconds * 1000:.0f} ms"
    return [Check("crm", "warn" if late else "ok", why, remedy)]


async def connected(known: Known) -> list[Check]:
    """Each connection that a person wants: as workers met it last, for they ask it every hour."""
    keeper = known.settings.secret_key.get_secret_value()
    async with known.engine.connect() as connection:
        found = [one for one in await connections.listed(connection) if one.stopped_by not in {BY_HAND, NEW}]
        if not found:
            return []
        grants = {row.connection: row for row in await connection.execute(_GRANTS)}
        paces = (await connection.execute(_PACES, {"share": _OF_LIMIT})).all()
        owed = {row.connection: row for row in await connection.execute(_OWED)}
        checks = []
        for one in found:
            checks += [access(one, grants.get(one.key), keeper), await _mapping(connection, known, one)]
            checks += [limits(one, paces), effects(one, owed.get(one.key))]
        return checks


def access(one: Connection, grant: Row[Any] | None, secret_key: str) -> Check:
    """Judge whether a connection lets us in, lacks nothing, and how long that is so."""
    name, now = f"crm {one.key}", datetime.now(UTC)
    try:
        Keeper(secret_key).open(one.key, one.secrets)
    except SecretKeyError as error:
        return Check(name, "fail", str(error), "set secret_key as it was when the connection was made")
    if one.stopped_by is not None:
        why = "lets us in no more" if one.stopped_by == AUTH_DEAD else f"stopped by {one.stopped_by}"
        return Check(name, "fail", why, f"switchhook crm grant {one.key}; see docs/runbooks/crm_connection_ended.md")
    ends = [at for at in (one.access_ends_at, grant.refresh_expires_at if grant else None) if at is not None]
    if ends and min(ends) < now + _ENDS_SOON:
        days = (min(ends) - now) / timedelta(days=1)
        why = f"its access ends in {days:.1f} days" if days > 0 else "its access has ended"
        return Check(name, "warn" if days > 0 else "fail", why, "see docs/runbooks/crm_access_ends.md")
    if one.probe_error is not None:
        return Check(name, "warn", f"could not be asked: {one.probe_error}", f"switchhook crm check {one.key}")
    if one.missing:
        return Check(name, "warn", f"lacks {', '.join(one.missing)}", "see docs/runbooks/crm_lacks_rights.md")
    until = f", for {(min(ends) - now).days} days" if ends else ""
    asked = f"asked {(now - one.probed_at).total_seconds() / 60:.0f} min ago" if one.probed_at else "not asked yet"
    return Check(name, "ok", f"{one.state}, {asked}{until}")


async def _mapping(connection: AsyncConnection, known: Known, one: Connection) -> Check:
    """Whose calls and leads have nobody there: people of teams whom the CRM does not know."""
    there = await people.known(connection, one.key)
    if not there:
        return Check(f"crm {one.key} people", "ok", "it has no users of its own, or was not asked yet")
    members = {key for team in known.directory.teams for key in team.members}
    unknown = [key for key in await people.unknown(connection, one.key) if key in members]
    if unknown:
        remedy = f"give them their extension or e-mail there, or say who is who: switchhook crm pair {one.key}"
        return Check(f"crm {one.key} people", "warn", f"does not know {named(unknown)}", remedy)
    return Check(f"crm {one.key} people", "ok", f"knows all {len(members)} people of teams")


def limits(one: Connection, paces: Sequence[Row[Any]]) -> Check:
    """Judge what the CRM says that we used of its limits; `paces` are those that are near."""
    near = [f"{row.bucket} {row.used:g} of {row.most:g}" for row in paces if row.account == one.account]
    if near:
        return Check(f"crm {one.key} limits", "warn", f"near: {named(near)}", "see docs/runbooks/crm_limit_near.md")
    return Check(f"crm {one.key} limits", "ok", "none is near")


def effects(one: Connection, owed: Row[Any] | None) -> Check:
    """Judge whether it takes what it is owed."""
    name = f"crm {one.key} effects"
    if owed is None:
        return Check(name, "ok", "nothing is owed")
    if owed.dead:
        return Check(name, "warn", f"{owed.dead} were given up", "see docs/runbooks/crm_dead_letters.md")
    age = datetime.now(UTC) - owed.since if owed.since else timedelta()
    if age > _OLD:
        why = f"the oldest is owed for {age.total_seconds() / 3600:.1f} h"
        return Check(name, "warn", why, "see docs/runbooks/crm_effects_old.md")
    return Check(name, "ok", f"the oldest is owed for {age.total_seconds() / 60:.0f} min")
