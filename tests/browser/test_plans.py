"""Plans in a real Chromium: typed in their places, with sums and pace told anew at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import insert, text

from reports.tables import report_facts
from tests.browser.conftest import OpenPage
from tests.fakes.site import Site
from tests.fakes.story import LINE

MONTH = datetime.now(UTC).astimezone(ZoneInfo("Europe/Moscow")).date().replace(day=1)
BEFORE = (MONTH - timedelta(days=1)).replace(day=1)


async def test_a_plan_is_typed_in_its_place(site: Site, open_page: OpenPage) -> None:
    """The sum above follows without another page; a wrong one is told beside its field, and the next can be typed."""
    facts = [
        {"day": day, "count": "leads_in", "team": "sales", "line": LINE, "person": person, "detail": "", "value": 2.0}
        for day in (BEFORE + timedelta(days=number) for number in range(28))
        for person in ("anna", "boris")
    ]
    async with site.engine.begin() as connection:
        await connection.execute(insert(report_facts), facts)
    page = await open_page("vera", f"/reports/plans?month={BEFORE:%Y-%m}")
    anna, boris, sales = (
        page.get_by_label(f"Новые заявки: {who}") for who in ("Анна Смирнова", "Борис Козлов", "Продажи")
    )
    await anna.fill("50")
    await anna.press("Tab")
    await page.locator("td.plan-kept").wait_for()
    await boris.fill("много")
    await boris.press("Enter")
    await page.get_by_text("Нужно число").wait_for()
    await boris.fill("70")
    await boris.press("Enter")
    await page.locator("td.plan-missed").first.wait_for()
    assert await sales.get_attribute("placeholder") == "120"
    assert await page.get_by_text("Нужно число").count() == 0
    assert await page.get_by_role("heading", name="Планы").count() == 1
    async with site.engine.connect() as connection:
        found = await connection.execute(text("select key, value from plans order by key"))
        assert [tuple(row) for row in found] == [("anna", 50.0), ("boris", 70.0)]
