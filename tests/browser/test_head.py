"""The head's page and the wallboard, as a head and a screen on a wall see them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page, expect

from directory import store
from directory.model import Device
from telephony import overhearings
from tests.browser.conftest import OpenPage, until
from tests.fakes.site import Site
from tests.fakes.story import HOUSE, Told
from web import house
from web.head import wall_page

ANNA = "PJSIP/anna-desk"


async def give_telephone(site: Site) -> None:
    """Вера has a telephone of her own."""
    phone = Device(kind="desk", address="PJSIP/vera-desk", number="103")
    people = tuple(replace(one, devices=(phone,)) if one.key == "vera" else one for one in HOUSE.people)
    async with site.engine.begin() as connection:
        await store.apply(connection, replace(HOUSE, people=people))


async def is_within(page: Page) -> None:
    """Nothing is wider than the screen."""
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_head_has_a_call_overheard_by_one_click_and_sees_what_becomes_of_it(
    site: Site, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call comes by itself, its buttons say how; a telephone that did not answer is told. Also at 360 pixels."""
    monkeypatch.setattr(house, "FRESH_SECONDS", -1.0)
    await give_telephone(site)
    page, phone = await asyncio.gather(open_page("vera", "/head"), open_page("vera", "/head", width=360))
    await until(lambda: site.listening)
    call = Told(site.engine, name="Иван Петров", at=datetime.now(UTC) - timedelta(seconds=8))
    await call.arrives()
    await call.rings(ANNA)
    await call.answers(ANNA)
    card = page.locator(".live-call")
    await expect(card).to_contain_text("Анна Смирнова")
    await expect(page.locator("#person-anna")).to_contain_text("Говорит")
    await card.get_by_role("button", name="Слушать").click()
    await expect(card).to_contain_text("Звоним на ваш телефон")
    async with site.engine.begin() as connection:
        (wanted,) = await overhearings.under_way(connection, "main")
        await overhearings.place(connection, wanted.id, "PJSIP/vera-desk", "x")
        await overhearings.begin(connection, wanted.id)
    await expect(card).to_contain_text("Вы слушаете")
    await expect(card.get_by_role("button", name="Слушать")).to_be_disabled()
    await expect(phone.locator(".live-call")).to_contain_text("Вы слушаете")
    await is_within(phone)
    await card.get_by_role("button", name="Подсказать").click()
    await expect(card).to_contain_text("Звоним на ваш телефон")
    async with site.engine.begin() as connection:
        await overhearings.fail(connection, (await overhearings.under_way(connection, "main"))[-1].id, "no_answer")
    await expect(card).to_contain_text("Вы не ответили")


async def test_a_screen_on_a_wall_follows_the_calls_and_shows_nothing_when_its_link_is_revoked(
    site: Site, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made on the page, opened without a login; the numbers follow by themselves; nothing scrolls at 1280 and 4K."""
    monkeypatch.setattr(wall_page, "CHECK_SECONDS", 0.0)
    monkeypatch.setattr(wall_page, "LOOK_SECONDS", 0.2)
    head = await open_page("vera", "/wallboard")
    await head.get_by_label("Где висит экран").fill("Холл")
    await head.get_by_role("button", name="Сделать ссылку").click()
    address = await head.locator("#wall-address").inner_text()
    screen = await open_page(None, address.removeprefix(site.url), forgive=True)
    await until(lambda: site.listening)
    talking = screen.locator(".tile").nth(1)
    await expect(talking).to_contain_text("0")
    call = Told(site.engine, at=datetime.now(UTC) - timedelta(seconds=8))
    await call.arrives()
    await expect(screen.locator(".tile").first.get_by_role("timer")).to_be_visible()
    await call.rings(ANNA)
    await call.answers(ANNA)
    await expect(talking).to_contain_text("1")
    for width, height in ((1280, 720), (3840, 2160)):
        await screen.set_viewport_size({"width": width, "height": height})
        await is_within(screen)
        assert await screen.evaluate("document.documentElement.scrollHeight <= innerHeight")
    size = "document.querySelector('.tile dd').getBoundingClientRect().height / innerHeight"
    assert await screen.evaluate(size) > 0.1
    await head.get_by_role("button", name="Отключить").click()
    await expect(head.locator(".wall-link")).to_have_count(0)
    await expect(screen.get_by_text("Этот экран больше не показывается.")).to_be_visible()
