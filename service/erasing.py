"""Erases a person on request: every call they were in, in sound and text, and everything that is known of them.

Rules kept here:
1. What is asked for is written down first, with the numbers; when all is done the numbers go and the report stays.
   Whoever dies in between has left the request open, and the next worker, or the same command again, goes on with it.
2. One call goes in one transaction, with its share of the report. Doing it twice is doing it once.
3. What the law holds stays whole and is told, as is everything that is not ours to remove.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import cast, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.types import Text

from calls.erasing import NotYetError, calls_that_tell, forget_promises_to, stored_events
from calls.forgetting import DIGITS_LEAST, Person, forgotten, pattern
from crm_sync.erasing import erase_parties, keep_unwanted, known_by, mask_mentions
from directory import store
from directory.erasing import forget_numbers
from directory.model import Directory
from directory.numbers import is_anonymous
from directory.tables import rule_versions
from recordings.audit import THE_SERVICE, Actor, note
from recordings.erasing import forget_mentions, mentioned_in, sound_of, text_count
from recordings.erasures import EraseRefused, Report
from recordings.privacy_tables import REMOVED, erasures
from recordings.store import StoreError
from reports import nps_erasing
from routing.erasing import forget_calls_out, forget_owners, under_way_to
from service.removing import HeldError, Ours, Remover, held_digits, hold_on, holding, pseudonym, told_of
from web import import_drafts, views

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

NUMBERS_MOST: Final = 20
_FOR_LATER: Final = frozenset({"not_over_yet", "store_refused"})
"""Why something stays, and the request open with it."""

_LOCK: Final = text("select pg_try_advisory_lock(5038, 5)")
_UNLOCK: Final = text("select pg_advisory_unlock(5038, 5)")


class EraseBusyError(Exception):
    """Another erasure goes on; it can be asked for, and is done after that one."""


@dataclass(slots=True)
class _Account:
    """The report while it grows."""

    went: Counter[str] = field(default_factory=Counter)
    calls: list[str] = field(default_factory=list)
    stayed: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> _Account:
        """What was done before; what stays is found anew, but for files: nothing leads to them any more."""
        left = [one for one in report.get("stayed", []) if one["what"] == "files"]
        return cls(Counter(report.get("went", {})), list(report.get("calls", [])), left)

    def stays(self, what: str, why: str, **more: Any) -> None:
        self.stayed.append({"what": what, "why": why, **more})

    def to_json(self) -> dict[str, Any]:
        return {"went": {name: n for name, n in sorted(self.went.items()) if n}, "calls": self.calls} | (
            {"stayed": self.stayed}
        )


@dataclass(frozen=True, slots=True)
class _Whom:
    """Who is meant: numbers as stored (also others of the same parties), and the person as calls tell of them."""

    numbers: frozenset[str]
    person: Person
    ours: Ours

    @property
    def pattern(self) -> str:
        return "|".join(pattern(number) for number in sorted(self.person.numbers))


@dataclass(frozen=True, slots=True)
class Erasing:
    """What it takes to erase. `pbxes`: what each PBX keeps itself, for the operator: name -> words."""

    engine: AsyncEngine
    remover: Remover
    pbxes: Mapping[str, str] = field(default_factory=dict)

    async def ask(self, numbers: Collection[str], actor: Actor) -> int:
        """Write down that a person is to be erased; returns the erasure's id. Raises EraseRefused.

        One that goes on for any of these numbers is that same request.
        """
        async with self.engine.begin() as connection:
            whom = await _whom(connection, numbers, pseudonym())
            listed = sorted(whom.numbers)
            same = erasures.c.numbers.op("&&")(cast(listed, ARRAY(Text)))
            found = (await connection.execute(select(erasures.c.id).where(same))).scalars().first()
            if found is not None:
                return int(found)
            row = {"asked_by": actor.login, "numbers": listed, "pseudonym": whom.person.pseudonym}
            made = int((await connection.execute(insert(erasures).values(row).returning(erasures.c.id))).scalar_one())
            await note(connection, actor, "erase_asked", f"erasure {made}")
        return made

    async def look(self, numbers: Collection[str]) -> Report:
        """What erasing would remove and leave; changes nothing. Raises EraseRefused."""
        account = _Account()
        async with self.engine.connect() as connection:
            whom = await _whom(connection, numbers, "")
            held = await held_digits(connection, whom.ours)
            known = await known_by(connection, whom.numbers)
            if not _held_whole(account, whom, held):
                account.went.update(parties=len(known.parties), leads=known.lead_count)
                for call_id in await _calls_of(connection, whom, held, account):
                    sound = await sound_of(connection, self.remover.store, call_id)
                    account.calls.append(str(call_id))
                    account.went.update(calls=1, audio_files=len(sound.objects))
                    account.went["texts"] += await text_count(connection, call_id)
                if known.unwanted_since:
                    account.stays("wish", "do_not_call_kept_unreadably")
            self._tell_others(account)
        return Report(None, "dry_run", account.went, account.calls, account.stayed)

    async def run(self, erasure_id: int) -> Report:
        """Do what was asked, or what is left of it. Raises EraseBusyError."""
        async with self._alone():
            async with self.engine.connect() as connection:
                row = (await connection.execute(select(erasures).where(erasures.c.id == erasure_id))).one()
                if row.numbers is None:
                    return _report(row)
                whom = await _whom(connection, row.numbers, row.pseudonym, checked=True)
                held = await held_digits(connection, whom.ours)
            account = _Account.of(row.report)
            if not _held_whole(account, whom, held):
                await self._calls(erasure_id, whom, held, account)
                await self._rest(erasure_id, whom, account)
            return await self._end(erasure_id, account)

    async def resume(self) -> int:
        """Go on with every request that is still open; returns how many are open after it."""
        async with self.engine.connect() as connection:
            ids = (await connection.execute(select(erasures.c.id).where(erasures.c.numbers.is_not(None)))).scalars()
            still_open = sorted(ids)
        return sum([(await self.run(erasure_id)).state != "finished" for erasure_id in still_open])

    async def told(self, erasure_id: int) -> Report | None:
        """The report of a request; None when there is none of that id."""
        async with self.engine.connect() as connection:
            row = (await connection.execute(select(erasures).where(erasures.c.id == erasure_id))).one_or_none()
        return _report(row) if row else None

    async def _calls(self, erasure_id: int, whom: _Whom, held: Mapping[str, int], account: _Account) -> None:
        async with self.engine.connect() as connection:
            found = await _calls_of(connection, whom, held, account)
        for call_id in found:
            try:
                async with self.engine.begin() as connection:
                    gone = await self.remover.remove(connection, call_id, REMOVED, ours=whom.ours, person=whom.person)
                    account.went.update(gone.went)
                    if gone.files_left:
                        account.stays("files", "not_removable", call=str(call_id), names=list(gone.files_left))
                    if str(call_id) not in account.calls:
                        account.calls.append(str(call_id))
                        account.went["calls"] += 1
                    await _keep(connection, erasure_id, account)
            except NotYetError:
                account.stays("call", "not_over_yet", id=str(call_id))
            except HeldError as error:  # the hold was set since the calls were looked for
                account.stays("call", "held", id=str(call_id), hold=error.hold)
            except StoreError as error:
                log.warning("the store did not let go of a recording", call=str(call_id), reason=str(error))
                account.stays("call", "store_refused", id=str(call_id))

    async def _rest(self, erasure_id: int, whom: _Whom, account: _Account) -> None:
        """Everything that is no call of theirs, in one transaction."""
        async with self.engine.begin() as connection:
            held = await holding(connection, whom.ours)
            if _held_whole(account, whom, held):  # since the calls were looked for
                return
            known = await erase_parties(connection, whom.numbers)
            account.went["mentions"] += await mask_mentions(connection, whom.pattern, whom.person)
            listed = await forget_numbers(connection, whom.numbers)
            since = datetime.now(UTC) if listed.pop("do_not_call", 0) else known.unwanted_since
            if since is not None:
                await keep_unwanted(connection, whom.numbers, known.unwanted_since or since)
                account.went["do_not_call"] += 1
            person, every = whom.person, sorted(whom.numbers)
            account.went.update(parties=len(known.parties), leads=known.lead_count, **listed)
            account.went["waiting_imports"] += await import_drafts.forget_all(connection)
            account.went["saved_views"] += await views.forget(connection, whom.person)
            account.went["crm_owners"] += await forget_owners(connection, every)
            account.went["promises"] += await forget_promises_to(connection, every, person.pseudonym)
            account.went["calls_out"] += await forget_calls_out(connection, person, whom.pattern)
            account.went["nps"] += await nps_erasing.forget(connection, every)
            account.went["mentions"] += await nps_erasing.mask_mentions(connection, whom.pattern, whom.person)
            if await under_way_to(connection, whom.pattern):
                account.stays("call_out", "not_over_yet")
            for call_id in await mentioned_in(connection, whom.pattern):
                if await hold_on(connection, call_id, await told_of(connection, call_id), held) is None:
                    await forget_mentions(connection, call_id, person)
                    account.went["mentions"] += 1
            named = select(rule_versions.c.version).where(cast(rule_versions.c.rules, Text).regexp_match(whom.pattern))
            for version in (await connection.execute(named.order_by(rule_versions.c.version))).scalars():
                account.stays("rules", "house_rules", version=version)
            await _keep(connection, erasure_id, account)

    async def _end(self, erasure_id: int, account: _Account) -> Report:
        waits = any(one["why"] in _FOR_LATER for one in account.stayed)
        if account.went["do_not_call"]:
            account.stays("wish", "do_not_call_kept_unreadably")
        self._tell_others(account)
        async with self.engine.begin() as connection:
            if not waits:
                done = {"numbers": None, "finished_at": func.clock_timestamp()}
                await connection.execute(update(erasures).where(erasures.c.id == erasure_id).values(**done))
                await note(connection, THE_SERVICE, "erased", f"erasure {erasure_id}", account.to_json()["went"])
            await _keep(connection, erasure_id, account)
            row = (await connection.execute(select(erasures).where(erasures.c.id == erasure_id))).one()
        log.info("person erased" if not waits else "person not erased whole yet", erasure=erasure_id, **account.went)
        return _report(row)

    def _tell_others(self, account: _Account) -> None:
        for name, words in sorted(self.pbxes.items()):
            account.stays("pbx", "own_files", name=name, where=words)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """One erasure at a time, whatever process; its lock ends with its connection."""
        async with self.engine.connect() as connection:
            if not (await connection.execute(_LOCK)).scalar_one():
                raise EraseBusyError
            await connection.commit()
            try:
                yield
            finally:
                await connection.execute(_UNLOCK)
                await connection.commit()


async def _whom(
    connection: AsyncConnection, numbers: Collection[str], pseudonym: str, *, checked: bool = False
) -> _Whom:
    directory = await store.read(connection)
    ours = Ours(directory)
    stored = frozenset(directory.normal(number) for number in numbers)
    if not checked:
        _check(numbers, directory, ours)
    known = await known_by(connection, stored)
    every = stored | {number for number in known.numbers if ours.digits(number) not in ours.numbers}
    digits = frozenset(map(ours.digits, every))
    return _Whom(every, Person(digits, ours.named(known.names), pseudonym), ours)


def _check(numbers: Collection[str], directory: Directory, ours: Ours) -> None:
    if not 1 <= len(numbers) <= NUMBERS_MOST:
        raise EraseRefused(f"numbers: must be 1 to {NUMBERS_MOST}, got {len(numbers)}")
    for number in numbers:
        digits = ours.digits(directory.normal(number))
        if is_anonymous(number) or len(digits) < DIGITS_LEAST or sum(sign.isalpha() for sign in number):
            raise EraseRefused(f"number: must be a telephone number of at least {DIGITS_LEAST} digits, got {number!r}")
        if digits in ours.numbers or directory.is_staff(number):
            raise EraseRefused(f"number: {number!r} is the house's own; remove it from the directory instead")


def _held_whole(account: _Account, whom: _Whom, held: Mapping[str, int]) -> bool:
    holding = sorted({held[digits] for digits in whom.person.numbers if digits in held})
    for hold in holding:
        account.stays("everything", "held", hold=hold)
    return bool(holding)


async def _calls_of(connection: AsyncConnection, whom: _Whom, held: Mapping[str, int], account: _Account) -> list[UUID]:
    """The calls that tell of the person and that nothing holds; those that are held are told."""
    found = []
    for call_id in await calls_that_tell(connection, whom.pattern):
        events = await stored_events(connection, call_id)
        if all(forgotten(event, whom.person) == event for event in events):
            continue  # by chance the name of a channel looks like the number
        hold = await hold_on(connection, call_id, await told_of(connection, call_id), held)
        if hold is None:
            found.append(call_id)
        else:
            account.stays("call", "held", id=str(call_id), hold=hold)
    return found


async def _keep(connection: AsyncConnection, erasure_id: int, account: _Account) -> None:
    told = update(erasures).where(erasures.c.id == erasure_id).values(report=account.to_json())
    await connection.execute(told)


def _report(row: Any) -> Report:
    told = row.report
    state = "finished" if row.finished_at else "going_on"
    parts = (told.get("went", {}), told.get("calls", []), told.get("stayed", []))
    return Report(row.id, state, *parts, asked_at=row.asked_at, finished_at=row.finished_at)
