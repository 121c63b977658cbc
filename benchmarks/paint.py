"""From a phone that begins to ring to the first frame with its card, in a real browser: what a manager waits for."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from playwright.async_api import async_playwright

from calls.database import connect
from service.database import upgrade
from service.postgres import Postgres
from tests.fakes.site import open_site
from tests.fakes.story import Told

RINGS: Final = 100
GOAL_MS: Final = 300
_CHROMIUM: Final = os.environ.get("SWITCHHOOK_CHROMIUM", "/usr/bin/chromium")

# The first frame in which a card stands, by the clock of this machine.
_WATCH: Final = """
window.painted = {};
new MutationObserver(() => {
  for (const card of document.querySelectorAll(".card-ringing")) {
    if (card.id in painted) continue;
    painted[card.id] = 0;
    requestAnimationFrame(() => requestAnimationFrame(() => {
      painted[card.id] = (performance.timeOrigin + performance.now()) / 1000;
    }));
  }
}).observe(document.getElementById("live"), { childList: true, subtree: true });
"""


async def _ring(engine: Any, page: Any, number: int) -> float:
    """One call, from the begin of the transaction that tells its ringing to the frame with its card, in ms."""
    call = Told(engine, number=f"7916{number:07}")
    await call.arrives()
    began = time.time()
    await call.rings("PJSIP/anna-desk")
    at: float = 0
    async with asyncio.timeout(30):
        while not (at := await page.evaluate("id => window.painted[id] || 0", f"card-{call.id}")):
            await asyncio.sleep(0.02)
    await call.hangs_up(after=20)
    waited: float = (at - began) * 1000
    return waited


async def measure() -> None:
    """Print how soon a card is painted."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="switchhook-bench-") as folder:
        Path(folder).chmod(0o755)
        async with Postgres(Path(folder)) as server, async_playwright() as playwright:
            await upgrade(server.url)
            engine = connect(server.url)
            browser = await playwright.chromium.launch(executable_path=_CHROMIUM, args=arguments)
            async with open_site(engine, Path(folder)) as site:
                page = await browser.new_page()
                cookie = await site.session("anna")
                await page.context.add_cookies([{"name": "switchhook", "value": cookie, "url": site.url}])
                await page.goto(site.url)
                await page.evaluate(_WATCH)
                await asyncio.sleep(1)
                took = [await _ring(engine, page, number) for number in range(RINGS)]
            await browser.close()
            await engine.dispose()
    cuts = statistics.quantiles(took, n=20)
    print(
        f"from ringing to paint, {RINGS} calls one after another (goal: {GOAL_MS} ms p95): p50 {cuts[9]:.0f} ms,"
        f" p95 {cuts[18]:.0f} ms, most {max(took):.0f} ms",
        flush=True,
    )
