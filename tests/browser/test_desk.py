"""My desk, as a manager sees it while calls come and go."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Route, expect
from sqlalchemy import text

from directory.presence_store import begin_wrap_up
from tests.browser.conftest import OpenPage, until
from tests.fakes.site import Site
from tests.fakes.story import PASSWORD, Told, know

ANNA, BORIS = "PJSIP/anna-desk", "PJSIP/boris-soft"
RINGING, TALKING, DONE, MISSED = ".card-ringing", ".card-talking", ".card-done", ".card-missed"


async def test_the_card_appears_while_the_phone_rings(site: Site, open_page: OpenPage) -> None:
    """Name, number as people write it, line, lead, owner and why it rang here are on the card."""
    await know(site.engine, "79161234567", "Иван Петров", "anna")
    page = await open_page()
    await until(lambda: site.listening)
    call = Told(site.engine)
    await call.arrives(owner="anna")
    await call.rings(ANNA)
    await page.wait_for_selector(RINGING)
    card = page.locator(RINGING)
    for told in ("Иван Петров", "+7 916 123-45-67", "Основная", "В работе", "звонит впервые", "на настольный телефон"):
        await expect(card).to_contain_text(told)
    await expect(card).to_contain_text("Анна Смирнова — ответственный за заявку этого клиента")
    await expect(page).to_have_title("● Иван Петров")
    await expect(card.get_by_role("timer")).to_have_text("0:01")


async def test_the_card_closes_when_a_colleague_answers(site: Site, open_page: OpenPage) -> None:
    """Both phones ring, Boris answers: Anna's card goes and the call is among her team's."""
    anna, boris = await open_page("anna"), await open_page("boris")
    call = Told(site.engine)
    await call.arrives()
    await call.rings(ANNA, BORIS)
    await asyncio.gather(anna.wait_for_selector(RINGING), boris.wait_for_selector(RINGING))
    await call.answers(BORIS)
    await expect(anna.locator(".card")).to_have_count(0)
    await expect(anna.get_by_text("Пока тихо")).to_be_visible()
    await expect(anna.locator("#others")).to_contain_text("Борис Козлов")
    await expect(boris.locator(TALKING)).to_contain_text("Вы говорите")


async def test_the_card_follows_the_call_to_its_end(site: Site, open_page: OpenPage) -> None:
    """Ringing, talking, done with a link to the call; the day's list has it then."""
    page = await open_page()
    call = Told(site.engine)
    await call.arrives()
    await call.rings(ANNA)
    await page.wait_for_selector(RINGING)
    await call.answers(ANNA, after=1)
    await page.wait_for_selector(TALKING)
    await call.hangs_up(after=2)
    await expect(page.locator(DONE)).to_contain_text("Говорили 0:02")
    await expect(page.locator("#today")).to_contain_text("+7 916 123-45-67")
    await page.locator(DONE).get_by_role("link", name="Открыть звонок").click()
    await expect(page).to_have_url(f"{site.url}/calls/{call.id}")


async def test_whom_to_call_back_stands_on_the_desk_until_somebody_talked_with_them(
    site: Site, open_page: OpenPage
) -> None:
    """Cause, attempts, owner and deadline; it comes with the missed call and goes with the talk, without a reload."""
    await know(site.engine, "79161234567", "Иван Петров", "anna")
    page = await open_page()
    await until(lambda: site.listening)
    for minutes in (40, 20):
        call = Told(site.engine, at=datetime.now(UTC) - timedelta(minutes=minutes))
        await call.arrives(owner="anna")
        await call.rings(ANNA)
        await call.hangs_up(after=25)
        await call.is_promised()
    promises = page.locator("#promises")
    for told in ("Перезвонить", "Иван Петров", "Никто не ответил · 2 звонка", "Анна Смирнова", "до "):
        await expect(promises).to_contain_text(told)
    await expect(promises.locator(".late")).to_have_count(0)
    talk = Told(site.engine)
    await talk.arrives(owner="anna")
    await talk.rings(ANNA)
    await talk.answers(ANNA)
    await talk.hangs_up()
    await talk.is_promised()
    await expect(promises).to_have_count(0)


async def test_a_missed_call_says_so_with_its_cause(site: Site, open_page: OpenPage) -> None:
    """Nobody answered: the card says missed and why, and the day counts it."""
    page = await open_page()
    call = Told(site.engine)
    await call.arrives()
    await call.rings(ANNA)
    await page.wait_for_selector(RINGING)
    await call.hangs_up(after=25)
    await expect(page.locator(MISSED)).to_contain_text("Никто не ответил")
    await expect(page.locator(".count-missed")).to_have_text("1")


async def test_several_calls_are_several_cards_and_survive_a_reload(site: Site, open_page: OpenPage) -> None:
    """Two callers, two cards, one of them talking; the page has both before any event arrives."""
    page = await open_page()
    first, second = Told(site.engine), Told(site.engine, number="79165550102")
    await first.arrives()
    await first.rings(ANNA)
    await first.answers(ANNA, after=0)
    await second.arrives()
    await second.rings(ANNA)
    await page.wait_for_selector(RINGING)
    await page.reload()
    await expect(page.locator(RINGING)).to_contain_text("+7 916 555-01-02")
    await expect(page.locator(TALKING)).to_contain_text("+7 916 123-45-67")


async def test_the_last_talk_is_quoted_on_the_card(site: Site, open_page: OpenPage) -> None:
    """Who calls again is met with the first lines of the last talk."""
    before = Told(site.engine)
    await before.arrives()
    await before.rings(ANNA)
    await before.answers(ANNA, after=0)
    await before.hangs_up(after=1)
    await before.keeps(site.store, [("staff", "Ромашка, добрый день"), ("caller", "Хочу уточнить по цене")])
    page = await open_page()
    call = Told(site.engine)
    call.later(30)
    await call.arrives()
    await call.rings(ANNA)
    await expect(page.locator(RINGING)).to_contain_text("Хочу уточнить по цене")
    await expect(page.locator(RINGING)).to_contain_text("1 звонок")


async def test_a_hostile_caller_name_stays_text(site: Site, open_page: OpenPage) -> None:
    """A name full of markup is shown letter by letter, on the card, in the lists and in the title."""
    name = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    page = await open_page()
    call = Told(site.engine, name=name)
    await call.arrives()
    await call.rings(ANNA)
    await expect(page.locator(RINGING).get_by_role("heading", level=2)).to_have_text(name)
    await call.hangs_up(after=20)
    await expect(page.locator("#today")).to_contain_text(name)
    for path in ("/calls", f"/calls/{call.id}"):
        await page.goto(site.url + path)
        await expect(page.locator("main")).to_contain_text(name)
        assert await page.locator("main img, main script").count() == 0


async def test_the_desk_catches_up_after_the_service_was_away(site: Site, open_page: OpenPage) -> None:
    """The service restarts; what began meanwhile is on the desk when the page has found it again."""
    page = await open_page(forgive=True)
    await until(lambda: site.listening)
    await site.stop()
    await expect(page.get_by_text("Связь потеряна")).to_be_visible()
    call = Told(site.engine)
    await call.arrives()
    await call.rings(ANNA)
    await site.start()
    await expect(page.locator(RINGING)).to_be_visible()
    await expect(page.get_by_text("Связь потеряна")).to_be_hidden()


@pytest.mark.parametrize("failure", ["no answer", "busy"])
async def test_the_desk_says_so_when_its_first_connection_fails(site: Site, open_page: OpenPage, failure: str) -> None:
    """A page that never heard anything is not taken for a quiet one, and hears as soon as it can."""
    page = await open_page(forgive=True)

    async def fail(route: Route) -> None:
        await (route.abort() if failure == "no answer" else route.fulfill(status=503, body="Try again later."))

    await page.route("**/desk/stream", fail)
    await page.reload()
    await expect(page.get_by_text("Связь потеряна")).to_be_visible()
    await expect(page.get_by_text("Try again later.")).to_be_hidden()
    await page.unroute("**/desk/stream")
    call = Told(site.engine)
    await call.arrives()
    await call.rings(ANNA)
    await expect(page.locator(RINGING)).to_be_visible()
    await expect(page.get_by_text("Связь потеряна")).to_be_hidden()


async def test_the_desk_catches_up_after_the_database_dropped_the_listener(site: Site, open_page: OpenPage) -> None:
    """The listener's connection is cut; calls of the gap and after it are shown all the same."""
    page = await open_page()
    await until(lambda: site.listening)
    async with site.engine.begin() as connection:
        others = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
        await connection.execute(text(f"{others} and pid <> pg_backend_pid()"))
    call = Told(site.engine)
    await call.arrives()
    await call.rings(ANNA)
    await expect(page.locator(RINGING)).to_be_visible()


async def test_the_desk_listens_however_slowly_its_scripts_arrive(site: Site, open_page: OpenPage) -> None:
    """The stream's script comes half a second after the rest; the card is shown all the same."""
    page = await open_page()

    async def late(route: Route) -> None:
        await asyncio.sleep(0.5)
        await route.continue_()

    await page.route("**/hx-sse.min.js*", late)
    await page.reload()
    call = Told(site.engine)
    await call.arrives()
    await call.rings(ANNA)
    await expect(page.locator(RINGING)).to_be_visible()


async def test_logging_out_needs_a_login_again(site: Site, open_page: OpenPage) -> None:
    """The cookie is worth nothing afterwards, and the page that was wanted opens after the next login."""
    page = await open_page()
    await page.locator(".me summary").click()
    await page.get_by_role("button", name="Выйти").click()
    await expect(page).to_have_url(f"{site.url}/login")
    await page.goto(f"{site.url}/calls?status=missed")
    await page.get_by_label("Логин").fill("anna")
    await page.get_by_label("Пароль").fill(PASSWORD)
    await page.get_by_role("button", name="Войти").click()
    await expect(page).to_have_url(f"{site.url}/calls?status=missed")


async def test_the_desk_is_for_keyboards_and_screen_readers(site: Site, open_page: OpenPage) -> None:
    """Landmarks, one first heading, names on every control, a visible focus, and a way past the menu."""
    call = Told(site.engine)
    await call.arrives()
    await call.rings(ANNA)
    page = await open_page()
    await page.wait_for_selector(RINGING)
    await expect(page.locator("html")).to_have_attribute("lang", "ru")
    assert await page.get_by_role("main").count() == 1
    assert await page.locator("h1").count() == 1
    nameless = await page.eval_on_selector_all(
        "a, button, input:not([type=hidden]), select",
        "all => all.filter(it => !(it.textContent.trim() || it.ariaLabel || it.labels?.length)).map(it => it.tagName)",
    )
    assert nameless == []
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Сразу к содержанию")).to_be_focused()
    outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    assert await page.locator("#cards").get_attribute("aria-live") == "polite"


async def test_the_desk_fits_a_phone(site: Site, open_page: OpenPage) -> None:
    """Nothing is wider than 390 pixels, neither the desk nor the list nor a call."""
    call = Told(site.engine, name="Очень-Длинное-Имя-Без-Единого-Пробела-Которое-Никуда-Не-Помещается" * 3)
    await call.arrives()
    await call.rings(ANNA, BORIS)
    page = await open_page(width=390)
    await page.wait_for_selector(RINGING)
    for path in ("/", "/calls", f"/calls/{call.id}"):
        await page.goto(site.url + path)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390, path


async def test_i_say_that_i_am_away_and_the_desk_shows_a_wrap_up_by_itself(site: Site, open_page: OpenPage) -> None:
    """The control is a form that works by itself; a talk's end shows without a reload, and goes when it is over."""
    page = await open_page()
    await until(lambda: site.listening)
    control = page.locator("#status")
    await expect(control).to_contain_text("На связи")
    await control.get_by_label("На сколько").select_option("30")
    await control.get_by_role("button", name="Не беспокоить").click()
    await expect(control).to_contain_text("Не беспокоить")
    await control.get_by_role("button", name="Я на связи").click()
    await expect(control).to_contain_text("На связи")
    async with site.engine.begin() as connection:
        assert await begin_wrap_up(connection, "anna", datetime.now(UTC) + timedelta(seconds=3))
    await expect(control).to_contain_text("Завершаю звонок")
    await expect(control).to_contain_text("На связи")
