"""The whole house on real parts, as `make demo` runs it: started once, shared by the tests of this folder."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, async_playwright

from service.asterisk import PrivateAsterisk
from service.demo import Demo, open_demo
from service.demo_world import OutsideWorld
from service.pbx import Pbx

# Started by root it needs no sandbox of its own here; it asks nobody outside for anything.
CHROMIUM = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Beside a failure stands who is on the line then, as both sides know it."""
    report = yield
    if report.when == "call" and report.failed:
        for side in _sides(getattr(item, "funcargs", {})):
            for command in ("core show channels verbose", "pjsip show channels"):
                with ThreadPoolExecutor(1) as elsewhere:
                    told = elsewhere.submit(asyncio.run, _told(side, command)).result()
                report.sections.append((f"{type(side).__name__}: {command}", told))
    return report


def _sides(fixtures: Mapping[str, Any]) -> list[PrivateAsterisk]:
    demo = fixtures.get("demo")
    named = [demo.world.pbx, demo.world] if demo is not None else [fixtures.get("pbx"), fixtures.get("world")]
    return [side for side in named if isinstance(side, PrivateAsterisk)]


async def _told(side: PrivateAsterisk, command: str) -> str:
    try:
        async with asyncio.timeout(3):
            return await side.cli(command)
    except (OSError, TimeoutError) as error:
        return repr(error)


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
