"""What the dialplan must know before anybody asks us: that we live, and whom to ring when we do not."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from telephony.link import Link
from telephony.pbx import ActionRefused, LinkError
from telephony.plan_variables import fallback_string, line_variable

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

ALIVE: Final = "SWITCHHOOK_ALIVE"
BUDGET: Final = "SWITCHHOOK_BUDGET"
DEFAULT: Final = "default"
NOBODY: Final = "none"
"""A fallback that no technology dials: the dialplan goes on to the default, then to its message. Of the other settings
of a line: there is none."""


class Liveness:
    """The mark that says "ask me": the PBX's own epoch second, set anew while the whole way of a decision is healthy.

    `healthy` answers for all that a decision needs (database, facts). As soon as it says no, or the service stops, the
    mark is cleared and callers go to the fallback at once; a service that died or hangs leaves it to go stale.
    """

    def __init__(self, link: Link, healthy: Callable[[], bool], every_seconds: float = 1.0) -> None:
        self._link = link
        self._healthy = healthy
        self._every_seconds = every_seconds
        self.marked = asyncio.Event()

    async def run(self) -> None:
        """Keep the mark until cancelled; then clear it."""
        try:
            while True:
                await self._mark()
                await asyncio.sleep(self._every_seconds)
        finally:
            await self.clear()

    async def _mark(self) -> None:
        if not self._link.state.connected:
            return
        if not self._healthy():
            await self.clear()
            return
        try:
            await self._write(str(int(self._link.clock.pbx_now())))
            self.marked.set()
        except LinkError as error:
            log.warning("the sign of life was not written", pbx=self._link.settings.name, error=str(error))

    async def clear(self) -> None:
        """Say that nobody should ask us; nothing happens when nothing was marked."""
        if not self.marked.is_set():
            return
        try:
            await self._write("0")
            self.marked.clear()
        except LinkError:
            return  # a PBX that does not hear us lets the mark go stale

    async def _write(self, value: str) -> None:
        await self._link.action({"Action": "Setvar", "Variable": ALIVE, "Value": value}, self._every_seconds)


async def write_fallbacks(
    link: Link,
    lines: Mapping[str, Sequence[str]],
    default: Sequence[str] = (),
    budget_seconds: float = 1.5,
    *,
    of_lines: Mapping[str, Mapping[str, str]] | None = None,
    outgoing: Mapping[str, str] | None = None,
) -> None:
    """Leave at the PBX whom to ring for each line while we are away, and how long a caller waits for us.

    `lines`: digits of a line -> devices that ring at once; `of_lines`: what else is kept of each line, by kind:
    TRUNK and LANGUAGE for its mobiles and prompts; EMERGENCY, the number outside that is rung when nobody else was
    reached; CONSENT, what callers hear before they are recorded, as `<prompts>@<key>`; CALLED, what they hear whom we
    call and show that number, as `<prompts>@<key>@<language>`. `outgoing`: SHOWN, DESTINATIONS and DIALLING of calls
    out, as switchhook-outbound reads them. They go into global variables, and the dialplan copies
    them into AstDB, where they outlive the PBX's restart: AMI writes AstDB only with write=system, a right that can
    also add dialplan running programs (seen on Asterisk 22.10: DB() over Setvar is "dangerous" and blocked). To be
    called at every connect and after a change of the directory.

    Raises:
        UnsafeDialError: a line or device that must not reach the dialplan; nothing was written.
        LinkError: the PBX could not be asked, or refused.

    """
    values = [line_variable("FALLBACK", line, fallback_string(devices) or NOBODY) for line, devices in lines.items()]
    values.append(line_variable("FALLBACK", DEFAULT, fallback_string(default) or NOBODY))
    told: dict[str, Mapping[str, str]] = {**(of_lines or {})}
    # What a line no longer has must not outlive it in AstDB.
    told |= {
        kind: {**dict.fromkeys(lines, NOBODY), **told.get(kind, {})} for kind in ("EMERGENCY", "CONSENT", "CALLED")
    }
    values += [line_variable(kind, line, value) for kind, of in told.items() for line, value in of.items()]
    values += [line_variable(kind, DEFAULT, value) for kind, value in (outgoing or {}).items()]
    values.append((BUDGET, f"{budget_seconds:g}"))
    writes = [{"Action": "Setvar", "Variable": name, "Value": value} for name, value in values]
    for write, reply in zip(writes, await link.actions(writes), strict=True):
        if not reply.success:
            raise ActionRefused(f"Setvar of {write['Variable']}", reply)
