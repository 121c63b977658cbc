"""`switchhook tape`: records what a PBX says of calls, with numbers, names and addresses replaced by invented ones."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from calls.call import Call
from calls.events import Event
from calls.view import view
from service.commands.replay import fold
from service.faults import UserFault, sentence
from service.settings import PbxSettings, Settings
from service.stopping import stopping
from service.wiring import cel_source
from telephony import ami
from telephony.cel_source import CelSource
from telephony.cel_table import CelTableError
from telephony.heartbeat import HEARTBEAT
from telephony.link import Link
from telephony.pbx import Message
from telephony.scramble import Scrambler
from telephony.tape import Spoken, ami_text, cel_csv, content, messages
from telephony.tape_fields import learn, scrambled
from telephony.told import moment

_LOGIN_SECONDS = 10.0
_LOOK_SECONDS = 0.5
_AFTER_SECONDS = 2.0
"""What the PBX still tells of a call that has ended: its device's state, its last rows of CEL."""
_MOST_BYTES = 256 * 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,60}")
_ADVICE = (
    "AMI user {user!r} hears no application and no variable: good enough for the record of a call, not for a tape that"
    " others can learn from. Record with a user of its own that has `read = all` and no eventfilter in manager.conf"
    " (docs/how_to/add_a_pbx_event.md)."
)


@dataclass(frozen=True, slots=True)
class Scrambling:
    """What is replaced besides long numbers, names, addresses and account codes."""

    extensions: bool = False
    devices: bool = False


async def record(
    settings: Settings, name: str, into: Path, pbx: str | None, seconds: float | None, scrambling: Scrambling
) -> list[Path]:
    """Record one PBX and write `name`.ami and, where CEL can be read, `name`.cel.csv; the files written.

    Ends when a call that began meanwhile has ended, after `seconds` when they are given, or by SIGINT.

    Raises:
        UserFault: a wrong name or PBX, a file that is there already, no login, nothing heard. Nothing is written.

    """
    if not _NAME.fullmatch(name):
        raise UserFault(f"NAME: letters, digits, - and _ are wanted, got {name!r}")
    chosen = _chosen(settings, pbx)
    source = cel_source(chosen)
    files = [into / f"{name}.ami", *([into / f"{name}.cel.csv"] if source else [])]
    _check_free(files)
    heard = await _heard(chosen, seconds)
    times = [at for one in heard if (at := moment(str(one.get("Timestamp", "")))) is not None]
    rows = await _rows(source, min(times), max(times)) if source and times else []
    return _written(files if rows else files[:1], [heard, rows] if rows else [heard], scrambling)


async def _rows(source: CelSource, since: datetime, until: datetime) -> list[Spoken]:
    """CEL of the time of recording; without it the AMI half is still worth keeping."""
    rows: list[Spoken] = []
    try:
        async for some in source.rows(since, until + timedelta(seconds=_AFTER_SECONDS)):
            rows += [dict(row) for row in some]
    except (OSError, SQLAlchemyError, CelTableError) as error:
        print(f"CEL cannot be read, only AMI is written: {sentence(error)}", file=sys.stderr)
        return []
    if not rows:
        print("CEL tells nothing of that time, only AMI is written", file=sys.stderr)
    return rows


async def scramble(files: Sequence[Path], into: Path, scrambling: Scrambling) -> list[Path]:
    """Write each stream of `files` into the folder `into`, all scrambled with one secret; the files written.

    Raises telephony.tape.TapeError for a file that is no tape, UserFault for one that is there already.
    """
    told = [(file, *content(file)) for file in files]
    names = [file.name.partition(".")[0] + (".ami" if kind.startswith("ami") else ".cel.csv") for file, kind, _ in told]
    targets = [into / name for name in names]
    _check_free(targets)
    return _written(targets, [spoken for _, _, spoken in told], scrambling)


def _chosen(settings: Settings, pbx: str | None) -> PbxSettings:
    found = next((one for one in settings.pbx if pbx in {None, one.name}), None)
    if found is None:
        known = ", ".join(one.name for one in settings.pbx)
        raise UserFault(f"--pbx: no such PBX in the settings ({known}), got {pbx!r}" if pbx else "pbx: none is set")
    return found


def _check_free(files: Sequence[Path]) -> None:
    for number, file in enumerate(files):
        if file.exists() or file in files[:number]:
            raise UserFault(f"{file}: is there already; a tape is never overwritten")


async def _heard(pbx: PbxSettings, seconds: float | None) -> list[Spoken]:
    """The events of the time of recording, as they came."""
    stop = stopping()
    pieces: list[bytes] = []
    events: list[Event] = []

    def deliver(message: Message) -> None:
        events.extend(ami.translate(pbx.name, message))

    link = Link(pbx.link, deliver, pieces.append)
    running = asyncio.create_task(link.run())
    try:
        await _connected(link)
        how_long = f"for {seconds:g} s" if seconds else "until a call has ended"
        print(f"recording {pbx.name} {how_long}; Ctrl-C ends it", file=sys.stderr)
        await _over(stop, pieces, events, seconds)
        await asyncio.sleep(_LOOK_SECONDS)  # what is under way is heard to its end
    finally:
        link.close()
        await running
    lines = b"".join(pieces).decode(errors="replace").splitlines(keepends=True)
    heard = [one for one in messages(lines) if "Event" in one and one.get("UserEvent") != HEARTBEAT]
    if not events:
        raise UserFault(f"pbx {pbx.name}: no call was heard, no tape is written")
    if not any(one["Event"] in {"Newexten", "VarSet"} for one in heard):
        print(_ADVICE.format(user=pbx.username), file=sys.stderr)
    return heard


async def _connected(link: Link) -> None:
    welcome = asyncio.Event()

    async def connected(_link: Link) -> None:
        welcome.set()

    link.on_connect.append(connected)
    until = asyncio.get_running_loop().time() + _LOGIN_SECONDS
    while not welcome.is_set() and not link.state.login_refusals_total and asyncio.get_running_loop().time() < until:
        await _paused(welcome, _LOOK_SECONDS)
    if not link.state.connected:
        raise UserFault(f"pbx {link.settings.name}: {link.state.reason}")


async def _over(stop: asyncio.Event, pieces: list[bytes], events: list[Event], seconds: float | None) -> None:
    """Wait until the recording is to end."""
    loop = asyncio.get_running_loop()
    until = loop.time() + (seconds or float("inf"))
    while not stop.is_set() and loop.time() < until and sum(map(len, pieces)) < _MOST_BYTES:
        await _paused(stop, min(_LOOK_SECONDS, until - loop.time()))
        if seconds is None and any(_is_whole(call) for call in fold(events)):
            await _paused(stop, _AFTER_SECONDS)
            return


def _is_whole(call: Call) -> bool:
    """Whether the call began and ended while we listened."""
    return all(channel.created_at for channel in call.channels.values()) and view(call).ended_at is not None


async def _paused(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


def _written(files: Sequence[Path], told: Sequence[Sequence[Spoken]], scrambling: Scrambling) -> list[Path]:
    """Write each stream into its file, for this account alone; the same is replaced by the same in all of them."""
    scrambler = Scrambler(secrets.token_bytes(32))
    for one in (one for many in told for one in many):
        learn(scrambler, one, extensions=scrambling.extensions, devices=scrambling.devices)
    for file, many in zip(files, told, strict=True):
        form = ami_text if file.suffix == ".ami" else cel_csv
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(form([scrambled(scrambler, one) for one in many]).encode(errors="replace"))
    return list(files)
