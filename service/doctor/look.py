"""How the doctor looks at one thing: within its time, and whatever becomes of it, the others are looked at."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar, cast

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from directory.model import Directory
from service.doctor.check import Check
from service.settings import PbxSettings, Settings
from service.tracebacks import place_of
from telephony.link import Link
from telephony.pbx import LinkError, Message

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

NAME: Final = "NAME"
"""Stands in the name of a check for what there may be several of: a PBX, a connection, a channel."""


@dataclass(frozen=True, slots=True)
class Known:
    """The house when its database is there and of this version's schema."""

    settings: Settings
    engine: AsyncEngine
    directory: Directory


@dataclass(frozen=True, slots=True)
class Asked:
    """One PBX that let us in; `heard` grows with each event that it tells. `known` None: the database is away."""

    pbx: PbxSettings
    settings: Settings
    link: Link
    known: Known | None
    heard: list[Message] = field(default_factory=list)


Of = TypeVar("Of")
T = TypeVar("T")


async def aside(work: Callable[..., T], *told: Any) -> T:
    """The result of `work(*told)`, which may hang, as a disk behind a network does: nothing waits for its thread."""
    loop = asyncio.get_running_loop()
    promise: asyncio.Future[T] = loop.create_future()

    def tell(result: T | None, error: Exception | None) -> None:
        if promise.done():
            return
        if error is not None:
            promise.set_exception(error)
        else:
            promise.set_result(cast("T", result))

    def run() -> None:
        try:
            result, error = work(*told), None
        except Exception as raised:  # noqa: BLE001  # raised again where it is awaited
            result, error = None, raised
        with suppress(RuntimeError):  # the loop ended before the work did
            loop.call_soon_threadsafe(tell, result, error)

    threading.Thread(target=run, daemon=True, name="doctor").start()
    return await promise


@dataclass(frozen=True, slots=True)
class Look(Generic[Of]):
    """One look, and the names of the checks that it makes; what it raises makes the first of them fail."""

    topic: str
    names: tuple[str, ...]
    make: Callable[[Of], Awaitable[Sequence[Check]]]
    remedy: str = "docs/operations/doctor.md"
    seconds: float = 15.0


async def made(look: Look[Of], of: Of, name: str = "") -> list[Check]:
    """The checks of one look at `of`; `name` is that of the PBX."""
    try:
        async with asyncio.timeout(look.seconds):
            return list(await look.make(of))
    except TimeoutError:
        why = f"not looked at within {look.seconds:g} s"
    except LinkError as error:
        why = str(error)
    except Exception as error:  # noqa: BLE001  # whatever breaks one look, the others are made
        why = f"could not be looked at: {type(error).__name__}"
        log.warning("a look of the doctor failed", names=look.names, error=type(error).__name__, at=place_of(error))
    return [Check(look.names[0].replace(NAME, name), "fail", why, look.remedy)]
