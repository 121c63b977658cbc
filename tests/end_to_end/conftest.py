"""The whole house on real parts, as `make demo` runs it: started once, shared by the tests of this folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from service.demo import Demo, open_demo
from service.demo_world import OutsideWorld
from service.pbx import Pbx
from tests.chromium import WITHOUT

# Started by root it needs no sandbox of its own here; it asks nobody outside for anything.
CHROMIUM = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", WITHOUT]


@pytest.fixture(scope="session")
async def demo() -> AsyncIterator[Demo]:
    """The service with its PBX and its outside world, on free ports."""
    folder = Path(tempfile.mkdtemp(prefix="switchhook-e2e-"))
    folder.chmod(0o711)
    try:
        async with open_demo(folder, port=0) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """A real Chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        yield browser
        await browser.close()


@pytest.fixture(scope="module")
async def world(pbx: Pbx) -> AsyncIterator[OutsideWorld]:
    """Whoever calls, and the telephones of the module's own PBX."""
    async with OutsideWorld(pbx) as running:
        yield running
