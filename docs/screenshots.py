"""Makes the pictures of docs/images anew (`make screenshots`): the demo plays its scenes, Chromium looks at it."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from sqlalchemy import text

from service import log
from service.demo import Demo, open_demo
from service.demo_world.life import SALES, SCENES, Life
from setup.chromium import NAMES

IMAGES: Final = Path(__file__).with_name("images")
WIDTH, HEIGHT, QUALITY = 1280, 860, 82
"""Pixels, and of WebP, which Chromium writes itself."""

ROUND: Final = len(SCENES)
PAGES: Final = {
    "calls": "/calls",
    "call": "/calls/{heard}",
    "missed": "/missed",
    "leads": "/leads",
    "lead": "/leads/1",
    "search": "/search?q=Мария",
    "head": "/head",
    "wallboard": "/wallboard",
}
"""Picture -> page, when the scenes were played once. `{heard}` is the last call whose text is there."""

_HEARD: Final = text(
    f"select id from calls join transcripts on call_id = id where text <> '' and line = '{SALES}'"  # noqa: S608 - ours
    " order by started_at desc limit 1"
)
_HEARD_COUNT: Final = text("select count(*) from transcripts")
_LONGEST_SECONDS: Final = 600.0


async def main() -> None:
    """Make every picture."""
    log.set_up("quiet")
    folder = Path(tempfile.mkdtemp(prefix="switchhook-pictures-"))
    folder.chmod(0o711)
    try:
        async with open_demo(folder, 0) as demo, async_playwright() as playwright, asyncio.timeout(_LONGEST_SECONDS):
            program = next(found for name in NAMES if (found := shutil.which(name)))
            rooted = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = await playwright.chromium.launch(executable_path=program, args=rooted)
            await _pictures(demo, browser)
            await browser.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _pictures(demo: Demo, browser: Browser) -> None:
    life = Life(demo.world, lambda said: print(f"  {said}", file=sys.stderr, flush=True))
    context = await browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, locale="ru-RU")
    page = await _log_in(context, demo)
    await life.play(ROUND)
    await _until_heard(demo)
    # The second scene again: a client who is known, with what was said last.
    ringing = asyncio.ensure_future(SCENES[1](life))
    await page.wait_for_selector(".card-ringing")
    await page.wait_for_timeout(500)
    await _take(page, "desk")
    async with demo.house.engine.connect() as connection:
        heard = (await connection.execute(_HEARD)).scalar_one()
    for name, path in PAGES.items():
        await page.goto(demo.page + path.format(heard=heard))
        await page.wait_for_timeout(1000)
        await _take(page, name)
    await ringing
    phone = await browser.new_context(viewport={"width": 390, "height": 844}, locale="ru-RU", color_scheme="dark")
    page = await _log_in(phone, demo)
    ringing = asyncio.ensure_future(SCENES[1](life))
    await page.wait_for_selector(".card-ringing")
    await page.wait_for_timeout(500)
    await _take(page, "phone")
    await ringing


async def _log_in(context: BrowserContext, demo: Demo) -> Page:
    page = await context.new_page()
    page.set_default_timeout(60_000)
    await page.goto(f"{demo.page}/login")
    await page.fill("input[name=login]", "demo")
    await page.fill("input[name=password]", demo.password)
    await page.press("input[name=password]", "Enter")
    await page.wait_for_url(f"{demo.page}/")
    return page


async def _until_heard(demo: Demo) -> None:
    """Wait until what was said in the scenes is text: three of the talks."""
    while True:
        async with demo.house.engine.connect() as connection:
            if (await connection.execute(_HEARD_COUNT)).scalar_one() >= 3:
                return
        await asyncio.sleep(0.5)


async def _take(page: Page, name: str) -> None:
    session = await page.context.new_cdp_session(page)
    taken = await session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    picture = base64.b64decode(taken["data"])
    (IMAGES / f"{name}.webp").write_bytes(picture)
    print(f"{name}.webp {len(picture) // 1024} kB", flush=True)


asyncio.run(main())
