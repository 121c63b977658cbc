"""A report in a mailbox: on a telephone and on a desktop nothing of it is wider than the window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from playwright.async_api import Browser

from service.composing import document_of
from service.settings import Settings
from tests.fakes.directories import OFFICE
from tests.fakes.sample_report import BAD_DAY

LONG = "Константинопольский-Задунайский$" * 3


async def test_nothing_overflows_and_nothing_is_fetched(chromium: Browser, tmp_path: Path) -> None:
    """A bad day of somebody with a long name, as `switchhook report --format html` writes it."""
    house = replace(OFFICE, people=(replace(OFFICE.people[0], name=LONG), *OFFICE.people[1:]))
    page, asked = await chromium.new_page(), list[str]()
    page.on("request", lambda told: asked.append(told.url))
    await page.set_content(await document_of(BAD_DAY, house, "ru", Settings(data_dir=tmp_path)))
    assert await page.evaluate("[...document.images].map(it => it.naturalWidth)") == [1200, 1200]
    for width in (375, 1280):
        await page.set_viewport_size({"width": width, "height": 860})
        assert await page.evaluate("document.documentElement.scrollWidth") == width
        right = await page.evaluate("Math.max(...[...document.images].map(it => it.getBoundingClientRect().right))")
        assert right <= width
    assert [url for url in asked if not url.startswith("data:")] == []
    await page.close()
