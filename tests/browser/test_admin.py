"""An administrator keeps the directory on a phone: a form, its faults, what it changes, and the way it is saved."""

from __future__ import annotations

from playwright.async_api import Page, expect

from directory import store
from directory.model import Device
from tests.browser.conftest import OpenPage
from tests.fakes.site import Site
from web import users

FORMS = (
    "/admin/teams/sales",
    "/admin/lines/74951234567",
    "/admin/new/rules",
    "/admin/try?number=79161234567&line=74951234567",
)
"""Each has something that the form of a person has not; every page is looked at once in test_every_page."""


async def is_wide(page: Page) -> bool:
    """Whether the page is wider than its window."""
    wide: bool = await page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    return wide


async def test_a_person_is_added_on_a_phone_with_a_fault_on_the_way(site: Site, open_page: OpenPage) -> None:
    """The fault stands at its field, the difference before the button that saves; no page is wider than the phone."""
    async with site.engine.begin() as connection:
        await users.add(connection, "ilya", "admin")
    page = await open_page("ilya", "/admin", width=360, forgive=True)  # a refusal is 422
    await page.get_by_role("link", name="Сотрудники 4").click()
    await page.get_by_role("link", name="Новый сотрудник").click()
    await page.get_by_label("Имя", exact=True).fill("Дина Юрьева")
    await page.get_by_label("Роль", exact=True).select_option("manager")
    phone = page.locator(".table-row").first
    await phone.get_by_label("Какой", exact=True).select_option("mobile")
    await phone.get_by_label("Адрес или номер мобильного").fill("916 000")
    await phone.get_by_label("Транк").fill("PJSIP/trunk")
    await page.get_by_role("button", name="Проверить").click()
    wrong = page.get_by_label("Адрес или номер мобильного").first
    await expect(wrong).to_have_attribute("aria-invalid", "true")
    await expect(page.locator("[id='f-devices.0.address-wrong']")).to_contain_text("а здесь «916 000»")
    await wrong.fill("8 916 000-00-77")
    await page.get_by_role("button", name="Проверить").click()
    await expect(page.locator("#shown")).to_contain_text("Добавится Сотрудник dina-yureva")
    await page.get_by_role("button", name="Сохранить").first.click()
    await expect(page.get_by_role("status")).to_contain_text("Сохранено.")
    async with site.engine.connect() as connection:
        dina = (await store.read(connection)).person("dina-yureva")
    assert dina is not None
    assert dina.devices == (Device(kind="mobile", address="79160000077", trunk="PJSIP/trunk"),)
    for path in FORMS:
        response = await page.goto(site.url + path)
        assert response is not None
        assert (path, response.status, await is_wide(page)) == (path, 200, False)
