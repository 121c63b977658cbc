"""A real Chromium against the real pages; whatever it complains about fails the test."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.chromium import WITHOUT
from tests.fakes.site import Site, open_site

OpenPage = Callable[..., Awaitable[Page]]

CHROMIUM = os.environ.get("SWITCHHOOK_CHROMIUM", "/usr/bin/chromium")
_ARGUMENTS = [
    "--disable-background-networking",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
    "--renderer-process-limit=1",
    WITHOUT,
]


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """One browser for all tests; each test has its own profile in it."""
    arguments = [*_ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        await browser.close()


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """The web role with its house."""
    async with open_site(engine, tmp_path) as opened:
        yield opened


@pytest.fixture
async def open_page(chromium: Browser, site: Site) -> AsyncIterator[OpenPage]:
    """Opens a page logged in as somebody; errors on the console and refusals of the content policy fail the test."""
    contexts, complaints = [], []

    async def opened(login: str | None = "anna", path: str = "/", *, width: int = 1280, forgive: bool = False) -> Page:
        context = await chromium.new_context(viewport={"width": width, "height": 860}, locale="ru-RU")
        contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(10_000)
        if not forgive:
            page.on("console", lambda told: complaints.append(told.text) if told.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        if login is not None:
            cookie = await site.session(login)
            await context.add_cookies([{"name": "switchhook", "value": cookie, "url": site.url}])
        await page.goto(site.url + path)
        return page

    yield opened
    for context in contexts:
        await context.close()
    assert complaints == []


async def until(fact: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for a fact, at most so long."""
    async with asyncio.timeout(seconds):
        while not fact():
            await asyncio.sleep(0.01)
