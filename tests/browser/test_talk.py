"""What was said, on the pages: what the words tell, and the way from a search to the moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from playwright.async_api import expect

from directory import store
from directory.script import Step, Topic
from tests.browser.conftest import OpenPage
from tests.fakes.site import Site
from tests.fakes.story import HOUSE, Told

SAID = [
    ("staff", "Компания Ромашка, добрый день! Меня зовут Анна, чем могу помочь?"),
    ("caller", "Здравствуйте, хочу посмотреть квартиру на Лесной. Сколько она стоит?"),
    ("staff", "Пять миллионов, на квартиры у нас сейчас скидка. Когда вам удобно приехать?"),
    ("caller", "Давайте завтра в десять. А ипотека у вас есть?"),
    ("staff", "Конечно, ипотека от пяти процентов. Записала вас на завтра."),
]
SCRIPT = (
    Step("Приветствие", ("Ромашка, добрый день",)),
    Step("Представиться", ("меня зовут",)),
    Step("Спросить о бюджете", ("на какой бюджет рассчитываете",)),
    Step("Договориться о встрече", ("когда вам удобно", "записала вас")),
)
TOPICS = (Topic("Цена", ("стоит", "скидка")), Topic("Ипотека", ("ипотека",)))


async def talked(site: Site) -> Told:
    """An answered call on a line with a script, in a house with topics."""
    lines = (replace(HOUSE.lines[0], script=SCRIPT), *HOUSE.lines[1:])
    async with site.engine.begin() as connection:
        await store.apply(connection, replace(HOUSE, company=replace(HOUSE.company, topics=TOPICS), lines=lines))
    call = Told(site.engine, name="Иван Петров", at=datetime.now(UTC) - timedelta(minutes=10))
    await call.arrives(owner="anna")
    await call.rings("PJSIP/anna-desk", "PJSIP/boris-soft")
    await call.answers("PJSIP/anna-desk")
    await call.hangs_up(after=30)
    await call.keeps(site.store, SAID)
    return call


async def test_the_key_leads_from_a_word_to_its_moment(site: Site, open_page: OpenPage) -> None:
    """/ from anywhere, the word in any form, and the call's page stands at the second where it was said."""
    call = await talked(site)
    page = await open_page(path="/calls")
    await page.keyboard.press("/")
    await page.keyboard.type("квартира")
    await page.keyboard.press("Enter")
    excerpts = page.locator(".excerpts li")
    await expect(excerpts).to_have_count(2)
    await expect(excerpts.nth(1).locator("mark")).to_have_text("квартиры")
    await excerpts.nth(1).get_by_role("link").click()
    word = page.locator(".word.sought")
    await expect(word).to_have_text("квартиры")
    await expect(word).to_be_in_viewport()
    at = float(await word.get_attribute("data-start") or 0)
    assert page.url.endswith(f"/calls/{call.id}#t={at:g}")
    assert abs(float(await page.locator("#seek").input_value()) - at) < 0.2
    await expect(page.locator("#position")).not_to_have_text("0:00")


async def test_the_page_tells_what_was_said_and_what_was_not(site: Site, open_page: OpenPage) -> None:
    """Shares that are drawn, steps and topics; a moment of theirs plays from there, again and again."""
    call = await talked(site)
    page = await open_page(path=f"/calls/{call.id}")
    panel = page.locator("section.talk")
    await expect(panel.get_by_role("img", name="Говорили: мы")).to_be_visible()
    await expect(panel.locator(".step-said")).to_have_count(3)
    await expect(panel.locator(".step-left")).to_contain_text(["Спросить о бюджете"])
    await expect(panel.locator(".topics li").nth(1)).to_contain_text("Ипотека")
    mention = panel.locator(".topics li").nth(1).get_by_role("link").first
    for _ in range(2):
        await mention.click()
        await expect(page.locator(".word.sought")).to_have_text("ипотека")
        await expect(page.get_by_role("button", name="Пауза")).to_be_visible()
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Пауза").click()
    await expect(page.get_by_role("link", name="Скачать всё")).to_have_attribute(
        "href", f"/api/v1/calls/{call.id}/export"
    )
