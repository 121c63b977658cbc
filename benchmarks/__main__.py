"""`make bench`: everything in one run, so that its figures compare."""

from __future__ import annotations

import asyncio
import os
import platform

from benchmarks import events, routing, speech
from service import log

log.set_up("console")
print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
asyncio.run(routing.measure())
events.run()
asyncio.run(speech.measure())
