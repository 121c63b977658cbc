"""The directory and who logs in: lines that ring nobody, people without a phone, calendars, addresses of notices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from sqlalchemy import text

from directory import calendars
from directory.feed import FAILURES
from directory.model import Directory
from recordings.rows import gaps_of
from service.doctor.check import Check
from service.doctor.look import Known
from service.doctor.notices import examine_people
from web import upload_tokens

_DAYS: Final = 7
_NAMED_MOST: Final = 10
_WRITE: Final = "docs/how_to/write_the_directory.md"


async def directory(known: Known) -> list[Check]:
    """What the directory has, whom its lines ring, and who of its people could not be rung."""
    told = known.directory
    state: Literal["ok", "warn"] = "ok" if told.lines else "warn"
    why = f"{len(told.people)} people, {len(told.lines)} lines"
    return [Check("directory", state, why, "switchhook directory apply FILE"), lines(told), without_device(told)]


def lines(told: Directory) -> Check:
    """Judge that each line's team has somebody with a device."""
    silent = [line.number for line in told.lines if not any(one.devices for one in told.members(line.team))]
    if silent:
        why = f"nobody of its team can be rung: {named(silent)}"
        return Check("lines", "warn", why, f"give somebody of the line's team a device: {_WRITE}")
    # Behind the rules of the directory stand built-in ones, which ring the team: no line is without any.
    own = [
        line for line in told.lines if any(rule in told.rules for rule, not_for in told.rules_of(line) if not not_for)
    ]
    built_in = len(told.lines) - len(own) if told.rules else 0
    by = f"; by no rule but the built-in ones: {built_in}" if built_in else ""
    return Check("lines", "ok", f"{len(told.lines)}, each rings somebody{by}")


def without_device(told: Directory) -> Check:
    """Judge that whoever is in a team has a device."""
    members = dict.fromkeys(key for team in told.teams for key in team.members)
    people = [one for key in members if (one := told.person(key)) is not None]
    bare = [one.key for one in people if not one.devices]
    if bare:
        why = f"in a team and without a device, so never rung: {named(bare)}"
        return Check("people", "warn", why, f"give them a device, or take them out of the team: {_WRITE}")
    return Check("people", "ok", f"{len(people)} in teams, each with a device")


def named(found: list[str]) -> str:
    """The first of them, and how many more there are."""
    more = len(found) - _NAMED_MOST
    return ", ".join(found[:_NAMED_MOST]) + (f" and {more} more" if more > 0 else "")


async def logins(known: Known) -> list[Check]:
    """Whether anybody can open the pages."""
    async with known.engine.connect() as connection:
        count = (await connection.execute(text("select count(*) from users"))).scalar_one()
    return [Check("logins", "ok" if count else "warn", f"{count}", "switchhook user add LOGIN --role admin")]


async def recorded(known: Known) -> list[Check]:
    """Whether answered calls have their sound, as it was judged call by call."""
    async with known.engine.connect() as connection:
        gaps = await gaps_of(connection, datetime.now(UTC) - timedelta(days=_DAYS))
    told = ", ".join(f"{count} {state}" for state, count in gaps.items() if state != "stored")
    why = f"{_DAYS} days: " + (told or f"{gaps.get('stored', 0)} complete")
    return [Check("recordings", "warn" if told else "ok", why, "switchhook recordings gaps")]


async def uploads(known: Known) -> list[Check]:
    """Whether each PBX that uploads has a token, and when it last used it."""
    senders = [pbx.name for pbx in known.settings.pbx if pbx.uploads]
    async with known.engine.connect() as connection:
        return [_upload(name, *await upload_tokens.used_at(connection, name)) for name in senders]


def _upload(name: str, tokens: int, used_at: datetime | None) -> Check:
    remedy = "see docs/how_to/connect_your_asterisk.md, A PBX on another machine uploads"
    if not tokens:
        return Check(f"pbx {name} uploads", "warn", "no token to upload with", f"switchhook recordings token {name}")
    if used_at is None:
        return Check(f"pbx {name} uploads", "warn", "nothing came yet", remedy)
    age = (datetime.now(UTC) - used_at).total_seconds()
    return Check(f"pbx {name} uploads", "ok", f"last heard of {age / 60:.0f} min ago")


async def feeds(known: Known) -> list[Check]:
    """How people's calendar feeds are kept; their addresses are secrets, so people are named instead."""
    async with known.engine.connect() as connection:
        found = await calendars.states(connection)
    if not found:
        return []
    now, told = datetime.now(UTC), []
    for feed in found:
        age = f"a copy of {(now - feed.fetched_at).total_seconds() / 60:.0f} min ago is used" if feed.fetched_at else ""
        if feed.failure is not None:
            told.append(f"{feed.person}: {FAILURES[feed.failure]}{f', {age}' if age else ''}")
        elif feed.fetched_at is None:
            told.append(f"{feed.person}: not fetched yet")
    if told:
        return [Check("calendars", "warn", "; ".join(told), "see docs/runbooks/calendars_old.md")]
    oldest = min(feed.fetched_at for feed in found if feed.fetched_at)
    why = f"{len(found)}, the oldest copy is {(now - oldest).total_seconds() / 60:.0f} min old"
    return [Check("calendars", "ok", why)]


async def addresses(known: Known) -> list[Check]:
    """Whom a message does not reach that they want."""
    async with known.engine.connect() as connection:
        return await examine_people(connection, known.directory, known.settings.notices)
