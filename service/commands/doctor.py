"""`switchhook doctor`: everything an operator can get wrong, one line each, with what to do about it."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import aiohttp
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from calls.database import connect
from crm_sync.owner_by_http import HttpOwners, OwnerNotTold
from directory import calendars
from directory.feed import FAILURES
from directory.store import read as read_directory
from recordings.disk import Level
from recordings.rows import gaps_of
from recordings.store import StoreError
from service.commands.check import Check
from service.commands.doctor_notices import examine_channels, examine_people
from service.commands.doctor_pbx import examine_features
from service.database import status
from service.settings import CrmSettings, PbxSettings, Settings
from service.wiring import cel_source, open_database, open_store, store_disk
from telephony.cel_file import newest
from telephony.cel_table import CelTable, CelTableError
from telephony.heartbeat import SKEW_SECONDS, PbxClock
from telephony.link import Link
from telephony.pbx import LinkError, LinkSettings
from web import upload_tokens

_CRM_SECONDS = 5.0
_NOBODYS_NUMBER = "70000000000"
_OF_LEVEL: dict[Level, Literal["ok", "warn", "fail"]] = {"room": "ok", "low": "warn", "full": "fail"}
_DAYS = 7
_LOW_BYTES = 2_000_000_000


def render(checks: list[Check]) -> str:
    """One line a check for people; the remedy stands below what needs it."""
    lines = []
    for check in checks:
        lines.append(f"{check.state:<4}  {check.name}: {check.why}")
        if check.remedy and check.state != "ok":
            lines.append(f"      -> {check.remedy}")
    return "\n".join(lines)


async def examine(settings: Settings) -> list[Check]:
    """Look at everything; a check that cannot be made is a failed one."""
    checks = [check async for check in _database(settings)]
    checks += await asyncio.to_thread(_disk, settings)
    checks.append(await _store(settings))
    checks.append(await asyncio.to_thread(_model, settings))
    if not settings.pbx:
        remedy = "add a [[pbx]] table to switchhook.toml; see docs/how_to/connect_your_asterisk.md"
        checks.append(Check("pbx", "fail", "no PBX in the settings", remedy))
    for pbx in settings.pbx:
        checks += await _pbx(pbx, settings.recordings_of(pbx))
    checks += await examine_channels(settings.notices)
    if settings.crm.owner_url is not None:
        checks.append(await _crm(settings.crm.owner_url, settings.crm))
    return checks


async def _database(settings: Settings) -> AsyncIterator[Check]:
    try:
        async with open_database(settings, migrate=False) as url:
            yield Check("database", "ok", "answers")
            found, newest = await status(url)
            if found == newest:
                yield Check("schema", "ok", f"revision {found}")
            else:
                yield Check("schema", "warn", f"revision {found or 'none'}, newest {newest}", "switchhook db upgrade")
                return
            engine = connect(url, pool=1)
            try:
                async with engine.connect() as connection:
                    directory = await read_directory(connection)
                    logins = (await connection.execute(text("select count(*) from users"))).scalar_one()
                    feeds = await calendars.states(connection)
                    unheard = await examine_people(connection, directory, settings.notices)
                    sent = {
                        pbx.name: await upload_tokens.used_at(connection, pbx.name)
                        for pbx in settings.pbx
                        if pbx.uploads
                    }
                    gaps = await gaps_of(connection, datetime.now(UTC) - timedelta(days=_DAYS))
            finally:
                await engine.dispose()
    except (SQLAlchemyError, OSError, RuntimeError) as error:
        yield Check("database", "fail", f"{type(error).__name__}: {str(error).splitlines()[0]}", "check database_url")
        return
    told = f"{len(directory.people)} people, {len(directory.lines)} lines"
    state: Literal["ok", "warn"] = "ok" if directory.lines else "warn"
    yield Check("directory", state, told, "switchhook directory apply FILE")
    yield Check("logins", "ok" if logins else "warn", f"{logins}", "switchhook user add LOGIN --role admin")
    told = ", ".join(f"{count} {state}" for state, count in gaps.items() if state != "stored")
    complete = gaps.get("stored", 0)
    why = f"{_DAYS} days: " + (told or f"{complete} complete")
    yield Check("recordings", "warn" if told else "ok", why, "switchhook recordings gaps")
    for name, (tokens, used_at) in sent.items():
        yield _uploads(name, tokens, used_at)
    if feeds:
        yield _calendars(feeds)
    for check in unheard:
        yield check


def _uploads(name: str, tokens: int, used_at: datetime | None) -> Check:
    """Whether a PBX that uploads has a token, and when it last used it."""
    remedy = "see docs/how_to/connect_your_asterisk.md, A PBX on another machine uploads"
    if not tokens:
        return Check(f"pbx {name} uploads", "warn", "no token to upload with", f"switchhook recordings token {name}")
    if used_at is None:
        return Check(f"pbx {name} uploads", "warn", "nothing came yet", remedy)
    age = (datetime.now(UTC) - used_at).total_seconds()
    return Check(f"pbx {name} uploads", "ok", f"last heard of {age / 60:.0f} min ago")


def _calendars(feeds: list[calendars.FeedState]) -> Check:
    """How people's calendar feeds are kept; their addresses are secrets, so people are named instead."""
    now = datetime.now(UTC)
    told = []
    for feed in feeds:
        age = f"a copy of {(now - feed.fetched_at).total_seconds() / 60:.0f} min ago is used" if feed.fetched_at else ""
        if feed.failure is not None:
            told.append(f"{feed.person}: {FAILURES[feed.failure]}{f', {age}' if age else ''}")
        elif feed.fetched_at is None:
            told.append(f"{feed.person}: not fetched yet")
    if told:
        return Check("calendars", "warn", "; ".join(told), "see docs/runbooks/calendars_old.md")
    oldest = min(feed.fetched_at for feed in feeds if feed.fetched_at)
    return Check(
        "calendars", "ok", f"{len(feeds)}, the oldest copy is {(now - oldest).total_seconds() / 60:.0f} min old"
    )


async def _crm(url: str, crm: CrmSettings) -> Check:
    """Ask the CRM for an owner as a call would; the number is nobody's."""
    http, began_at = HttpOwners(url, crm.token.get_secret_value()), time.monotonic()
    remedy = "see docs/how_to/connect_a_crm.md; until then callers go by its last answers"
    try:
        async with asyncio.timeout(_CRM_SECONDS):
            await http(_NOBODYS_NUMBER)
    except TimeoutError:
        return Check("crm", "fail", f"no answer within {_CRM_SECONDS:g} s", remedy)
    except (OwnerNotTold, aiohttp.ClientError) as error:
        why = str(error) if isinstance(error, OwnerNotTold) else type(error).__name__
        return Check("crm", "fail", f"tells no owners: {why}", remedy)
    finally:
        await http.close()
    seconds = time.monotonic() - began_at
    late = seconds > crm.budget_seconds
    why = f"answers in {seconds * 1000:.0f} ms, a caller waits {crm.budget_seconds * 1000:.0f} ms"
    return Check("crm", "warn" if late else "ok", why, remedy)


def _disk(settings: Settings) -> list[Check]:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.data_dir).free
    told = f"{free / 1e9:.1f} GB free in {settings.data_dir}"
    checks = [
        Check("disk", "ok" if free > _LOW_BYTES else "warn", told, "the database and its log grow with the calls")
    ]
    disk = store_disk(settings)
    if disk is not None:
        disk.folder.mkdir(parents=True, exist_ok=True)
        room = disk.room()
        remedy = "make room: see docs/runbooks/store_disk_full.md"
        checks.append(Check("recordings disk", _OF_LEVEL[room.level], str(room), remedy))
    return checks


async def _store(settings: Settings) -> Check:
    """Write, read and remove where recordings are kept."""
    where = "bucket " + (settings.recordings.bucket or "") if settings.recordings.store == "s3" else "folder"
    try:
        await open_store(settings).probe()
    except (StoreError, OSError) as error:
        return Check("recordings store", "fail", f"{where}: {error}", "see docs/operations/recordings.md")
    return Check("recordings store", "ok", f"{where}: written, read and removed")


def _model(settings: Settings) -> Check:
    model = Path(settings.transcription.model_path)
    if (model / "model.bin").is_file():
        return Check("transcription", "ok", f"model {model.name}")
    remedy = "run `make setup`, or set transcription.model to a CTranslate2 folder"
    return Check("transcription", "warn", f"no model.bin in {model}", remedy)


async def _pbx(pbx: PbxSettings, recordings: Path | None) -> list[Check]:
    name = f"pbx {pbx.name}"
    link = Link(
        LinkSettings(
            name=pbx.name, host=pbx.host, port=pbx.port, username=pbx.username,
            secret=pbx.secret.get_secret_value(), tls=pbx.tls, tls_ca_file=pbx.tls_ca_file,
        ),
        lambda _message: None,
    )  # fmt: skip
    running = asyncio.create_task(link.run())
    try:
        for _ in range(100):
            if link.state.connected or link.state.login_refusals_total:
                break
            await asyncio.sleep(0.05)
        if not link.state.connected:
            return [Check(name, "fail", link.state.reason, "see docs/how_to/connect_your_asterisk.md")]
        return [Check(name, "ok", f"logged in, AMI {link.state.ami_version}"), *await _questions(link, pbx, recordings)]
    finally:
        link.close()
        await running


async def _questions(link: Link, pbx: PbxSettings, recordings: Path | None) -> list[Check]:
    checks = []
    try:
        reply = await link.action({"Action": "Getvar", "Variable": "SWITCHHOOK_ALIVE"})
        mark = str(reply.fields.get("Value", ""))
        age = link.clock.pbx_now() - float(mark) if mark.replace(".", "").isdigit() else None
        served = age is not None and age < 5
        told = "the service keeps its sign of life" if served else "no service keeps its sign of life"
        checks.append(Check(f"pbx {pbx.name} service", "ok" if served else "warn", told, "switchhook serve"))
        offset = link.state.clock_offset_seconds
        state: Literal["ok", "warn"] = "ok" if abs(offset) <= SKEW_SECONDS else "warn"
        remedy = "run NTP on both machines: times of calls are the PBX's, and pages show ages by ours"
        checks.append(Check(f"pbx {pbx.name} clock", state, f"{offset:+.2f} s from ours", remedy))
        core = await link.action({"Action": "CoreSettings"})
        checks.append(build(f"pbx {pbx.name} build", str(core.fields.get("AsteriskVersion", ""))))
        # It lists what this user may do, and nothing else.
        allowed = "Originate" in (await link.action({"Action": "ListCommands"})).fields
        why = "calls may be placed" if allowed else "no call may be placed: no clicks, nobody is called back by itself"
        remedy = "write = originate for the manager user, if you want them (docs/security.md, Toll fraud)"
        checks.append(Check(f"pbx {pbx.name} calls out", "ok" if allowed else "warn", why, remedy))
        checks += await examine_features(link, pbx.name)
    except LinkError as error:
        checks.append(Check(f"pbx {pbx.name}", "fail", str(error), "check the manager user's rights"))
    checks.append(await _cel(pbx, link.clock))
    checks.append(_readable(f"pbx {pbx.name} recordings", recordings))
    return checks


def build(name: str, version: str) -> Check:
    """Debian's and Ubuntu's packages carry an addition that costs recordings; their versions name it: dfsg+~cs."""
    if "dfsg+~cs" not in version:
        return Check(name, "ok", f"Asterisk {version}")
    why = f"Asterisk {version}: after about half of all transfers it records silence for the colleague"
    return Check(name, "warn", why, "docs/how_to/connect_your_asterisk.md, Debian's and Ubuntu's packages")


async def _cel(pbx: PbxSettings, clock: PbxClock) -> Check:
    """Whether CEL can be read, and how old its newest row is by the PBX's clock."""
    name, remedy = f"pbx {pbx.name} CEL", "see docs/how_to/connect_your_asterisk.md, The record that survives us"
    source = cel_source(pbx)
    try:
        if isinstance(source, CelTable):
            return await _cel_table(name, source, clock)
        check = _readable(f"pbx {pbx.name} cel_file", pbx.cel_file)
        if check.state != "ok" or pbx.cel_file is None:
            return check
        at = await asyncio.to_thread(newest, pbx.cel_file)
        if at is None and pbx.cel_file.stat().st_size:
            return Check(check.name, "fail", f"{pbx.cel_file} holds no row that we know", remedy)
        return Check(check.name, "ok", f"{pbx.cel_file}, {_age(at, clock)}")
    except CelTableError as error:
        return Check(name, "fail", str(error), remedy)
    except (SQLAlchemyError, OSError) as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        return Check(name, "fail", f"cannot be read: {cause}", remedy)


async def _cel_table(name: str, table: CelTable, clock: PbxClock) -> Check:
    async with table.engine.connect() as connection:
        columns = await table.columns(connection)
        at = await table.newest(connection, columns)
        told = f"table {table.table}, {_age(at, clock)}"
        if await table.is_indexed(connection, columns):
            return Check(name, "ok", told)
    remedy = f'create index on {table.table} ("{columns.time}")'
    return Check(name, "warn", f"{told}; without an index on {columns.time} each reading goes through all", remedy)


def _age(newest_at: datetime | None, clock: PbxClock) -> str:
    if newest_at is None:
        return "no row yet"
    return f"newest row {max(0.0, clock.pbx_now() - newest_at.timestamp()):.0f} s old"


def _readable(name: str, path: Path | None) -> Check:
    remedy = "see docs/how_to/connect_your_asterisk.md"
    if path is None:
        return Check(name, "warn", "not set: calls of an outage, or recordings, cannot be had", remedy)
    if not path.exists():
        return Check(name, "warn", f"{path} does not exist (yet)", remedy)
    readable = os.access(path, os.R_OK)
    return Check(name, "ok" if readable else "fail", f"{path}" + ("" if readable else " cannot be read"), remedy)
