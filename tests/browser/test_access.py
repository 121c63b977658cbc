"""Administration in a real browser: a login is made, chooses its password, and what was done can be read."""

from __future__ import annotations

import re

from playwright.async_api import Page, expect
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from directory.tables import users as logins
from tests.browser.conftest import OpenPage
from tests.fakes.site import Site

NEW = "a new long password"


async def fits(page: Page) -> bool:
    """Whether nothing is wider than the screen."""
    return bool(await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


async def test_an_admin_makes_a_login_that_chooses_its_password(
    open_page: OpenPage, site: Site, engine: AsyncEngine
) -> None:
    """By clicks alone, on a phone too; the audit tells it, and the new login's own page ends its other session."""
    async with engine.begin() as connection:
        await connection.execute(update(logins).where(logins.c.login == "vera").values(role="admin"))
    page = await open_page("vera", "/admin/users", width=360)
    assert await fits(page)
    await page.get_by_text("Добавить пользователя").first.click()
    await page.get_by_label("Логин").fill("nina")
    await page.get_by_label("Роль").select_option("operator")
    await page.get_by_role("button", name="Добавить пользователя").click()
    link = await page.locator("#link-made").inner_text()
    assert await fits(page)

    nina = await open_page(None, "/login", width=360)
    await nina.goto(link)
    await nina.get_by_label("Новый пароль").fill(NEW)
    await nina.get_by_label("Ещё раз").fill(NEW)
    await nina.get_by_role("button", name="Сменить пароль").click()
    await nina.get_by_label("Логин").fill("nina")
    await nina.get_by_label("Пароль").fill(NEW)
    await nina.get_by_role("button", name="Войти").click()
    await nina.locator(".me summary").click()
    await nina.get_by_role("link", name="Мой профиль").click()
    await expect(nina.get_by_role("heading", level=1)).to_have_text("nina")
    await nina.get_by_text("Создать токен").first.click()
    await nina.get_by_label("Название").fill("отчёт")
    await nina.locator("#tokens [name=old]").fill(NEW)
    await nina.get_by_role("button", name="Создать токен").click()
    await expect(nina.locator("#token-made")).to_have_text(re.compile("sh_"))
    assert await fits(nina)
    await nina.get_by_role("link", name="Управление").click()
    await expect(nina.get_by_role("heading", level=1)).to_have_text("Неполадки")
    await expect(nina.get_by_role("link", name="Журнал действий")).to_have_count(0)
    assert await fits(nina)

    await page.get_by_role("link", name="Журнал действий").click()
    await page.get_by_label("Кто").select_option("nina")
    await page.get_by_role("button", name="Показать").click()
    lines = page.locator(".audit li")
    await expect(lines).to_have_count(3)
    await expect(lines.first).to_contain_text("Создан токен API")
    assert await fits(page)
