"""The page of a report in a real Chromium: it fits a telephone and a desk, and keeps to the content policy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reports.report import Report
from tests.browser.conftest import OpenPage
from tests.fakes.sample_report import BAD_DAY
from tests.fakes.site import Site
from web.reports import report_page

WIDE = 1280
HOSTILE = "<img src=x onerror=alert(1)>" + "Оченьдлинноеназвание" * 4


async def test_a_report_fits_a_telephone_and_a_desk(
    site: Site, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is wider than the window or the paper, however long a name is; and a name is text."""
    wide = replace(
        BAD_DAY.sections[0], rows=tuple(replace(row, figures=row.figures * 4) for row in BAD_DAY.sections[0].rows)
    )
    findings = [replace(one, values={**one.values, "person": HOSTILE}) for one in BAD_DAY.findings]

    async def made(*_: Any) -> Report:
        return replace(BAD_DAY, findings=tuple(findings), sections=(wide, *BAD_DAY.sections[1:]))

    monkeypatch.setattr(report_page, "make_report", made)
    page = await open_page("vera", "/reports")
    for path in ("/reports", "/reports/behind?measure=missed_share", "/reports/measures"):
        await page.goto(site.url + path)
        for width in (375, WIDE):
            await page.set_viewport_size({"width": width, "height": 860})
            assert await page.evaluate("document.documentElement.scrollWidth") == width, (path, width)
    await page.goto(f"{site.url}/reports")
    await page.emulate_media(media="print")
    assert await page.evaluate("document.documentElement.scrollWidth") == WIDE
    await page.emulate_media(media="screen")
    assert await page.locator(".finding img").count() == 0
    assert await page.locator("svg.chart rect").count() == 3 * len(BAD_DAY.days)
    await page.locator(".chart-numbers summary").press("Enter")
    assert await page.locator(".chart-numbers td a").first.is_visible()
