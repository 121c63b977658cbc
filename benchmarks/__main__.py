"""`make bench`: everything in one run, so that its figures compare; `make bench ARGS="events durable"` for a part."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import sys
from collections.abc import Callable, Mapping

import structlog

from benchmarks import (
    backup,
    decision,
    durable,
    encoding,
    events,
    importing,
    memory,
    pages,
    paint,
    recording,
    recovery,
    reports,
    routing,
    scrape,
    search,
    speech,
    streams,
)

PARTS: Mapping[str, Callable[[], object]] = {
    "routing": lambda: asyncio.run(routing.measure()),
    "decision": decision.measure,
    "events": events.measure,
    "durable": lambda: asyncio.run(durable.measure()),
    "memory": lambda: asyncio.run(memory.measure()),
    "paint": lambda: asyncio.run(paint.measure()),
    "recovery": lambda: asyncio.run(recovery.measure()),
    "encoding": lambda: asyncio.run(encoding.measure()),
    "recording": lambda: asyncio.run(recording.measure()),
    "backup": lambda: asyncio.run(backup.measure()),
    "importing": lambda: asyncio.run(importing.measure()),
    "pages": lambda: asyncio.run(pages.measure()),
    "scrape": lambda: asyncio.run(scrape.measure()),
    "reports": lambda: asyncio.run(reports.measure()),
    "search": lambda: asyncio.run(search.measure()),
    "streams": lambda: asyncio.run(streams.measure()),
    "speech": lambda: asyncio.run(speech.measure()),
}


def main(wanted: list[str]) -> None:
    """Measure these parts, all when none is named."""
    unknown = set(wanted) - PARTS.keys()
    if unknown:
        sys.exit(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for name in wanted or PARTS:
        PARTS[name]()


main(sys.argv[1:])
