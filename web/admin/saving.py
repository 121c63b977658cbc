"""The one way in which pages and API change the directory: made anew, checked, compared, shown, and only then applied.

What is saved is what was shown: a form says what it was made of (`seen`) and, once its difference was shown, of which
text that was (`checked`). Where somebody was quicker, nothing is written, and what they changed is told.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from aiohttp import web
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from directory import store, versions
from directory.checks import Fault, Problem
from directory.difference import difference
from directory.model import Directory
from directory.rule_checks import doubts
from directory.sections import SectionError
from recordings.audit import Actor, note
from web.guard import VIEWER
from web.keeping import actor_of
from web.services import SERVICES

_MEANWHILE_MOST: Final = 20
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants: `made` makes the directory that shall be (or raises SectionError) of the one that is.

    `part` gives what of a directory they saw and changed; `told` is what they sent.
    """

    made: Callable[[Directory], Directory]
    part: Callable[[Directory], Any]
    told: Any


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of it. `seen` and `checked` go back with the form; `meanwhile` is what others changed since."""

    directory: Directory
    seen: str
    version: int
    checked: str = ""
    faults: Sequence[Fault] = ()
    changes: Sequence[str] = ()
    doubts: Sequence[Problem] = ()
    meanwhile: Sequence[Row[Any]] = ()
    stale: bool = False
    saved: bool = False

    @property
    def status(self) -> int:
        """The HTTP status of the page that tells it."""
        return 422 if self.faults else 409 if self.stale else 200


async def look(request: web.Request, part: Callable[[Directory], Any]) -> Verdict:
    """The directory before anybody wants anything of it."""
    async with request.app[SERVICES].engine.connect() as connection:
        directory = await store.read(connection)
        return Verdict(directory, digest(part(directory)), await versions.number_of_newest(connection))


async def judge(request: web.Request, wish: Wish, sent: Mapping[str, str]) -> Verdict:
    """Check what is wanted; apply it where `sent` says `do=save`, what it changes was shown, and nobody was quicker."""
    saves = sent.get("do") == "save"
    async with request.app[SERVICES].engine.begin() as connection:
        if saves:
            await store.hold(connection)
        directory = await store.read(connection)
        number = await versions.number_of_newest(connection)
        seen, checked = digest(wish.part(directory)), digest(wish.told)
        stale = "seen" in sent and sent["seen"] != seen
        meanwhile = await _meanwhile(connection, sent) if stale else ()
        try:
            wanted = await asyncio.to_thread(wish.made, directory)
        except SectionError as error:
            return Verdict(directory, seen, number, faults=error.faults, meanwhile=meanwhile, stale=stale)
        changes, known = difference(directory, wanted), set(doubts(directory))
        saved = saves and bool(changes) and not stale and sent.get("checked") == checked
        if saved:
            await apply(connection, wanted, actor_of(request))
            _log.info("directory changed", user=request[VIEWER].user, change_count=len(changes))
        return Verdict(
            directory,
            seen,
            number,
            checked=checked,
            changes=changes,
            doubts=[it for it in doubts(wanted) if it not in known],
            meanwhile=meanwhile,
            stale=stale,
            saved=saved,
        )


async def apply(connection: AsyncConnection, wanted: Directory, actor: Actor) -> list[str]:
    """Apply a directory with its version and its line of the audit, and tell what it changed."""
    changes = await store.apply(connection, wanted, by=actor.login)
    if changes:
        number = await versions.number_of_newest(connection)
        await note(connection, actor, "directory_changed", f"directory {number}", {"changes": len(changes)})
    return changes


def digest(told: Any) -> str:
    """What stands for a value in a form."""
    return hashlib.sha256(json.dumps(told, ensure_ascii=False, sort_keys=True).encode()).hexdigest()[:32]


async def _meanwhile(connection: AsyncConnection, sent: Mapping[str, str]) -> Sequence[Row[Any]]:
    told = sent.get("version", "")
    since = int(told) if told.isascii() and told.isdecimal() and len(told) < 10 else 0
    return await versions.since(connection, since, _MEANWHILE_MOST)
