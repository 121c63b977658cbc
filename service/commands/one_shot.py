"""What the one-shot commands do: each opens the database, asks or changes one thing, and closes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.rebuild import rebuild as refold
from crm_sync.book import parties
from crm_sync.book.owners import owners
from crm_sync.book.standing import open_leads, stages
from directory import file, store
from directory.numbers import e164, is_anonymous, is_short
from recordings import audit
from recordings.heard import SpeechError
from recordings.remasking import remask
from recordings.transcribe_file import transcribe_file
from reports.nps_erasing import mask_anew
from routing import requests
from routing.answers import rebuild as learn_anew
from routing.arrival import Arrival
from routing.dry_run import dry_run
from routing.requests import ASKED_PER_MINUTE_MOST, TooManyAskedError, UnknownPersonError, Wish
from routing.rerouting import Rerouting, decisions
from service.backups.programs import shell
from service.commands.explain import find_call, tell
from service.comparison import record_differing
from service.crm.owners import open_crm
from service.database import status
from service.faults import UserFault
from service.reconcile import PBX_STORE, repair
from service.reconcile import reconcile as compare_calls
from service.recorder import Recorder
from service.settings import Settings
from service.wiring import cel_source, open_database, open_house, open_speech, outgoing_desk, owes
from telephony import devices
from telephony.cel_file import CelFile
from telephony.cel_source import CelSource
from telephony.cel_table import CelTableError
from web import users
from web.refused import why_refused

COMMAND_LINE = "command line"
_CALL_LOOK_SECONDS = 0.25
_CALL_LOOKS = 240


@asynccontextmanager
async def _transaction(settings: Settings) -> AsyncIterator[AsyncConnection]:
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        yield connection


async def dry_route(settings: Settings, number: str, line: str, at: datetime) -> tuple[dict[str, Any], str]:
    """(the plan as JSON, in words) that a call would get; nobody is rung."""
    pbx = settings.pbx[0].name if settings.pbx else "pbx"
    arrival = Arrival(pbx=pbx, channel="dry-run", line=line, caller_number=number, caller_name="", at=at)
    if is_anonymous(number) or not (is_short(number) or e164(number, "ZZ") or number.lstrip("+").isdigit()):
        raise UserFault(f"--from: must be a telephone number, got {number!r}")
    async with open_house(settings, pool=1) as house, open_crm(house) as crm:
        told = await dry_run(
            house.engine, arrival, devices=devices.read, owners=owners, crm=crm, parties=stages, leads=open_leads
        )
    return told.plan.to_json(), told.text


async def replay_routes(
    settings: Settings, since: datetime, until: datetime, *, rules: Path | None, version: int | None
) -> tuple[dict[str, Any], str]:
    """(JSON, words) of what the rules in force, a version of them, or a file would change of past calls."""
    if since >= until:
        raise UserFault(f"--from-time: must be before --to-time, got {since.isoformat()}")
    if rules is not None and version is not None:
        raise UserFault("--version: the rules come from --rules already, name one of them")
    wanted = file.load(rules) if rules is not None else None
    found = Rerouting()
    async with _transaction(settings) as connection:
        directory = wanted or await store.read(connection)
        if version is not None:
            directory = replace(directory, rules=(await _version(connection, version)).rules, rules_version=version)
        async for stored in decisions(connection, since, until):
            found.note(stored, directory)
    told = {"from": since.isoformat(), "to": until.isoformat(), "version": directory.rules_version}
    return told | found.to_json(), found.to_text()


async def rule_versions(settings: Settings, version: int | None) -> tuple[list[dict[str, Any]], str]:
    """(JSON, words): every set of rules there ever was, or the one of this number as a file writes it."""
    async with _transaction(settings) as connection:
        if version is not None:
            one = await _version(connection, version)
            return [_version_json(one)], file.dump_rules(one.rules)
        found = await store.rule_versions(connection)
    lines = [f"{it.version:>4}  {it.at.isoformat(timespec='seconds')}  {_names(it)}" for it in found]
    return [_version_json(it) for it in found], "\n".join(
        lines
    ) or "there never were rules other than the built-in ones"


async def _version(connection: AsyncConnection, version: int) -> store.RuleVersion:
    found = await store.rule_versions(connection)
    one = next((it for it in found if it.version == version), None)
    if one is None:
        there = f"there are 1 to {len(found)}" if found else "there are none yet"
        raise UserFault(f"--version: there is no version {version} of the rules; {there}")
    return one


def _version_json(one: store.RuleVersion) -> dict[str, Any]:
    return {"version": one.version, "at": one.at.isoformat(), "rules": [rule.to_json() for rule in one.rules]}


def _names(one: store.RuleVersion) -> str:
    return ", ".join(rule.name for rule in one.rules) or "none but the built-in ones"


async def explain(settings: Settings, call: str) -> tuple[dict[str, Any], str]:
    """(JSON, words) of everything known of one call, by its id or a uniqueid of the PBX."""
    async with _transaction(settings) as connection:
        call_id = await find_call(connection, call)
        if call_id is None:
            raise UserFault(f"CALL: there is no call {call!r}")
        return await tell(connection, call_id, settings.language)


async def catch_up(settings: Settings, since: datetime, until: datetime) -> int:
    """Read CEL of every PBX for a period; returns how many calls it changed."""
    async with _witnesses(settings, since, until) as (recorder, sources):
        return sum(
            [await record_differing(pbx, source, recorder, since, until, mark=True) for pbx, source in sources.items()]
        )


async def reconcile(
    settings: Settings, since: datetime, until: datetime, *, mend: bool
) -> tuple[dict[str, Any], list[str], int]:
    """(JSON, a line a difference, how many are left) of PBX and store in a period, after the repair if it is wanted."""
    async with _witnesses(settings, since, until) as (recorder, sources):
        found = {
            pbx: await compare_calls(pbx, source, recorder.engine, since, until) for pbx, source in sources.items()
        }
        before = sum(len(report.differences) for report in found.values())
        if mend and before:
            for pbx, source in sources.items():
                await repair(pbx, source, recorder, since, until)
                found[pbx] = await compare_calls(pbx, source, recorder.engine, since, until)
    left = [one for report in found.values() for one in report.differences]
    count = sum(report.call_count for report in found.values())
    told = {
        "between": PBX_STORE,
        "from": since.isoformat(),
        "to": until.isoformat(),
        "calls": count,
        "repaired": before - len(left),
        "differences": [one.to_json() for one in left],
    }
    return told, [str(one) for one in left], len(left)


@asynccontextmanager
async def _witnesses(
    settings: Settings, since: datetime, until: datetime
) -> AsyncIterator[tuple[Recorder, dict[str, CelSource]]]:
    """A recorder, and CEL of every PBX that has it set. Raises UserFault where there is none to read."""
    if since >= until:
        raise UserFault(f"--from: must be before --to, got {since.isoformat()}")
    sources = {pbx.name: source for pbx in settings.pbx if (source := cel_source(pbx))}
    if not sources:
        raise UserFault("pbx: no PBX in the settings has a cel_file or a cel_url to read")
    for pbx, source in sources.items():  # nothing read would be told as nothing missed, or as all calls unknown
        if isinstance(source, CelFile) and not await asyncio.to_thread(source.is_there):
            raise UserFault(f"cel_file of pbx {pbx!r}: there is no file {str(source.path)!r}, and none rotated from it")
    async with open_house(settings) as house:
        try:
            yield Recorder(house.engine, owes, lambda _change: None), sources
        except CelTableError as error:
            raise UserFault(str(error)) from None


async def rebuild(settings: Settings) -> int:
    """Refold every call, and learn anew what people answer on; returns how many calls changed."""
    async with _transaction(settings) as connection:
        changed = await refold(connection)
        await learn_anew(connection)
        return changed


async def mask(settings: Settings, since: datetime, until: datetime) -> tuple[int, int]:
    """Mask a period's texts by the policy of now; returns how many calls changed, whose sound workers mute, and how
    many answers about NPS.
    """
    async with open_house(settings, pool=1) as house:
        return await remask(house.engine, since, until), await mask_anew(house.engine, since, until)


async def transcribe(settings: Settings, path: Path) -> tuple[dict[str, Any], str]:
    """(JSON, text) of a recording."""
    if not path.is_file():
        raise UserFault(f"FILE: there is no file {str(path)!r}")
    async with open_speech(settings.transcription) as speech:
        try:
            heard = await transcribe_file(path, speech)
        except SpeechError as error:
            raise UserFault(f"FILE: {error}") from None
    return heard.to_json(), heard.to_text()


async def apply_directory(settings: Settings, path: Path, *, dry_run: bool) -> tuple[list[str], tuple[str, ...]]:
    """(the difference that the file makes, doubts about it); the difference is applied unless it is a dry run."""
    wanted = file.read(path)
    async with _transaction(settings) as connection:
        lines = await (store.difference if dry_run else store.apply)(connection, wanted.directory)
    return lines, wanted.warnings


async def export_directory(settings: Settings) -> str:
    """The directory as YAML."""
    async with _transaction(settings) as connection:
        return file.dumps(await store.read(connection))


async def add_user(settings: Settings, login: str, role: str, person: str | None, password: str) -> None:
    """Add a login."""
    async with _transaction(settings) as connection:
        user = await users.add(connection, login, role, person=person, password=password)
        told = {"login": login, "role": role, "person": person}
        await audit.note(connection, audit.THE_OPERATOR, "user_added", f"user {user}", after=told)


async def set_password(settings: Settings, login: str, password: str) -> None:
    """Change a password; the sessions of the login end."""
    async with _transaction(settings) as connection:
        user = await users.set_password(connection, login, password)
        await audit.note(connection, audit.THE_OPERATOR, "password_set", f"user {user}")


async def list_users(settings: Settings) -> tuple[list[dict[str, Any]], str]:
    """(JSON, a table) of every login."""
    async with _transaction(settings) as connection:
        found = await users.listed(connection)
    told = [asdict(one) | {"disabled_at": one.disabled_at and one.disabled_at.isoformat()} for one in found]
    rows = [("LOGIN", "ROLE", "PERSON", "STATE", "SESSIONS", "TOKENS")]
    for one in found:
        state = "disabled" if one.disabled_at else "enabled"
        rows.append((one.login, one.role, one.person or "-", state, str(one.sessions), ", ".join(one.tokens) or "-"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return told, "\n".join(lines)


async def disable_user(settings: Settings, login: str) -> None:
    """Shut a login out; its sessions, streams and tokens end."""
    async with _transaction(settings) as connection:
        user = await users.disable(connection, login)
        await audit.note(connection, audit.THE_OPERATOR, "user_disabled", f"user {user}")


async def enable_user(settings: Settings, login: str) -> None:
    """Let a login in again."""
    async with _transaction(settings) as connection:
        user = await users.enable(connection, login)
        await audit.note(connection, audit.THE_OPERATOR, "user_enabled", f"user {user}")


async def make_token(settings: Settings, login: str, name: str, days: int | None, scope: users.Scope) -> str:
    """Make an API token; it is stored only as a digest."""
    expires_at = users.expiry(days)
    async with _transaction(settings) as connection:
        token = await users.create_token(connection, login, name, expires_at, scope=scope)
        told = {"name": name, "scope": scope, "ends": expires_at and expires_at.isoformat()}
        user = await users.id_of(connection, login)
        await audit.note(connection, audit.THE_OPERATOR, "token_made", f"user {user}", told)
    return token


async def revoke_token(settings: Settings, login: str, name: str) -> int:
    """End the tokens of that name; returns how many."""
    async with _transaction(settings) as connection:
        count = await users.revoke_tokens(connection, login, name)
        user = await users.id_of(connection, login)
        await audit.note(connection, audit.THE_OPERATOR, "token_revoked", f"user {user}", {"name": name})
    return count


async def call_out(settings: Settings, person: str, to: str) -> dict[str, Any]:
    """Ask for a call and wait for what becomes of it; raises UserFault when it may not be."""
    wish = Wish(to=to, person=person, purpose="click", asked_by=COMMAND_LINE)
    async with open_house(settings, pool=1) as house:
        async with house.engine.begin() as connection:
            try:
                asked = await requests.ask(connection, wish, outgoing_desk())
            except UnknownPersonError:
                raise UserFault(f"--person: there is nobody {person!r} in the directory") from None
            except TooManyAskedError:
                raise UserFault(f"at most {ASKED_PER_MINUTE_MOST} calls a minute may be asked for") from None
        if asked.reason is not None:
            raise UserFault(f"--to: {why_refused(settings.language, asked.reason.key)} ({asked.reason.key})")
        row = await _settled_call(house.engine, asked.id)
    if row is None:
        return {"id": str(asked.id), "state": "wanted", "reason": "too_late", "device": None, "call": None}
    call = str(row.call_id) if row.call_id else None
    return {"id": str(asked.id), "state": row.state, "reason": row.reason, "device": row.device, "call": call}


async def _settled_call(engine: AsyncEngine, asked: UUID) -> Row[Any] | None:
    """The row of an asked call once its outcome is known; None when no service told it in time."""
    for _ in range(_CALL_LOOKS):
        async with engine.connect() as connection:
            row = await requests.find(connection, asked)
        if row is not None and row.state in {"connected", "failed"}:
            return row
        await asyncio.sleep(_CALL_LOOK_SECONDS)
    return None


async def do_not_call(settings: Settings, number: str, *, lift: bool) -> None:
    """Note that a party does not want to be called, or does again; raises UserFault when nobody has this number."""
    async with _transaction(settings) as connection:
        stored = (await store.read(connection)).normal(number)
        party = await parties.party_of(connection, stored)
        if not await parties.set_do_not_call(connection, stored, may_be_called=lift):
            raise UserFault(f"NUMBER: no party has {number!r}; a number alone belongs into the directory's do_not_call")
        action, subject = "do_not_call_lifted" if lift else "do_not_call_set", party or "erased"
        await audit.note(connection, audit.THE_OPERATOR, action, f"party {subject}")


async def schema_status(settings: Settings) -> tuple[str | None, str | None]:
    """(the database's revision, the newest)."""
    async with open_database(settings, migrate=False) as url:
        return await status(url)


async def database_shell(settings: Settings, command: str | None) -> int:
    """Have psql on the database in this terminal, the embedded server's too; its exit status. Raises BackupError."""
    async with open_database(settings, migrate=False) as url:
        return await asyncio.to_thread(shell, url, command)
