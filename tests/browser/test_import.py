"""Leads from a file in a real Chromium: looked at, columns told, imported."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import text

from tests.browser.conftest import OpenPage
from tests.fakes.sheets import xlsx_of
from tests.fakes.site import Site

ROWS: Final[list[list[Any]]] = [
    ["Имя", "Связь", "Ответственный"],
    ["<b>Иван</b>", "8 916 500-00-01", "Анна Смирнова"],
    ["Ольга", 79165000003, ""],
    ["Иван", "79165000001", ""],
]


async def test_a_head_imports_a_workbook(site: Site, open_page: OpenPage) -> None:
    """What is missing is told beside the file, every row before it is written, and the count after."""
    page = await open_page("vera", "/leads/import", forgive=True)  # a refusal is 400
    body = {"name": "leads.xlsx", "mimeType": "application/octet-stream", "buffer": xlsx_of(ROWS)}
    await page.get_by_label("Файл").set_input_files(body)  # type: ignore[arg-type]
    await page.get_by_role("button", name="Проверить").click()
    assert "Нет столбца с телефонами" in await page.get_by_role("alert").inner_text()
    await page.get_by_label("Связь").select_option(label="Телефон")
    await page.get_by_role("button", name="Проверить снова").click()
    await page.get_by_text("Пока ничего не записано").wait_for()
    told = await page.get_by_role("table").inner_text()
    assert "<b>Иван</b> +7 916 500-00-01" in told
    assert "То же, что строка 2, по +7 916 500-00-01" in told
    await page.get_by_role("button", name="Загрузить").click()
    await page.get_by_text("Загружено: новых 2").wait_for()
    async with site.engine.connect() as connection:
        assert (await connection.execute(text("select count(*) from leads"))).scalar() == 2
