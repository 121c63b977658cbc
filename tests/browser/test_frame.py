"""What every page has: a way by keyboard alone, and light or dark."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from directory.tables import users as logins
from tests.browser.conftest import OpenPage
from tests.fakes.site import Site
from tests.fakes.story import know
from web import users
from web.words import say

UNSEEN_FOCUS = """() => {
  const it = document.activeElement, around = it.closest(".search");
  const seen = [it, around].some((one) => one && getComputedStyle(one).outlineStyle !== "none");
  return seen || it === document.body ? [] : [it.outerHTML.slice(0, 200)];
}"""
SEEN = """it => [...it.querySelectorAll("a, summary")].filter((one) => one.checkVisibility())
  .map((one) => one.getBoundingClientRect()).map((box) => [box.left, box.right, box.width, box.height])"""
DARK = "getComputedStyle(document.documentElement).backgroundColor.match(/[0-9]+/g).every((one) => one < 60)"


async def test_the_keyboard_is_enough(site: Site, open_page: OpenPage) -> None:
    """A way past the menu, the search by its key, a focus that is seen everywhere, and Escape closes what is open."""
    await know(site.engine, "79165550171", "Иван Петров", "anna", "qualifying")
    page = await open_page("vera", "/leads")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Сразу к содержанию")).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()
    await page.keyboard.press("/")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await page.get_by_role("link", name="Иван Петров").click()
    await expect(page.locator(".do").first).to_be_visible()
    unseen = []
    for _ in range(40):
        await page.keyboard.press("Tab")
        unseen += await page.evaluate(UNSEEN_FOCUS)
    assert unseen == []
    for menu in (".me", ".do"):
        summary = page.locator(f"{menu} > summary").first
        await summary.focus()
        await page.keyboard.press("Enter")
        await expect(page.locator(f"{menu}[open]")).to_have_count(1)
        await page.keyboard.press("Tab")
        await expect(summary).not_to_be_focused()
        await page.keyboard.press("Escape")
        await expect(page.locator(f"{menu}[open]")).to_have_count(0)
        await expect(summary).to_be_focused()


async def test_light_and_dark_as_the_device_has_it_or_as_chosen(site: Site, open_page: OpenPage) -> None:
    """A choice stands over the device's, on every page of this device, until it is taken back."""
    page = await open_page()

    async def choose(name: str) -> bool:
        await page.locator(".me summary").click()
        async with page.expect_event("load"):
            await page.get_by_role("button", name=name).click()
        return await is_dark()

    async def is_dark() -> bool:
        return bool(await page.evaluate(DARK))

    assert not await is_dark()
    assert await choose("Тёмное")
    await page.goto(site.url + "/login")
    assert await is_dark()
    await page.emulate_media(color_scheme="dark")
    await page.goto(site.url)
    assert not await choose("Светлое")
    assert await choose("Системное")


@pytest.mark.parametrize("language", ["ru", "en"])
async def test_on_a_phone_every_section_is_under_the_thumb(site: Site, open_page: OpenPage, language: str) -> None:
    """At 360 px all of the menu is within the screen, large enough, and behind no end of a page."""
    async with site.engine.begin() as connection:
        await users.add(connection, "ilya", "admin")
        await connection.execute(logins.update().values(language=language))
    for login, sections in (("anna", 5), ("olga", 5), ("vera", 7), ("ilya", 8)):
        page = await open_page(login, "/calls", width=360)
        menu = page.get_by_role("navigation", name=say(language, "frame.main_menu"))
        more = menu.get_by_text(say(language, "frame.more"))
        seen = await menu.evaluate(SEEN)
        if await more.is_visible():
            assert len(seen) == 5
            await more.click()
            seen = [*seen[:4], *(await menu.evaluate(SEEN))[5:]]
        assert len(seen) == sections, login
        assert all(left >= 0 and right <= 360 and width >= 44 and height >= 44 for left, right, width, height in seen)
        if await more.is_visible():
            await menu.get_by_role("link").last.click()
            await expect(page).not_to_have_url(re.compile("/calls"))
            await expect(menu.locator("summary.here")).to_be_visible()
        await page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        ends = "document.querySelector('main').lastElementChild.getBoundingClientRect().bottom"
        assert await page.evaluate(ends) <= await menu.evaluate("it => it.getBoundingClientRect().top"), login
