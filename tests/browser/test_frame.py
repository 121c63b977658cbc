"""What every page has: a way by keyboard alone, and light or dark."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.fakes.site import Site
from tests.fakes.story import know

UNSEEN_FOCUS = """() => {
  const it = document.activeElement, around = it.closest(".search");
  const seen = [it, around].some((one) => one && getComputedStyle(one).outlineStyle !== "none");
  return seen || it === document.body ? [] : [it.outerHTML.slice(0, 200)];
}"""
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
