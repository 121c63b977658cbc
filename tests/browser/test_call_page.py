"""One call's page: hearing it, reading it, and seeing why it went where it went."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from playwright.async_api import Locator, Page, expect

from calls.events import RecordingMuted
from recordings.archiving import ArchivingJobs
from recordings.processes import Processes
from recordings.store import Store
from recordings.tables import recordings
from tests.browser.conftest import OpenPage
from tests.fakes.site import Site
from tests.fakes.story import Told, speak

SAID = [
    ("staff", "Компания Ромашка добрый день"),
    ("caller", "Здравствуйте хочу посмотреть квартиру на Лесной"),
    ("staff", "Конечно когда вам удобно"),
]


async def talked(site: Site) -> Told:
    """An answered call with its recording and text."""
    call = Told(site.engine, name="Иван Петров", at=datetime.now(UTC) - timedelta(minutes=10))
    await call.arrives(owner="anna")
    await call.rings("PJSIP/anna-desk", "PJSIP/boris-soft")
    await call.answers("PJSIP/anna-desk")
    await call.hangs_up(after=12)
    await call.keeps(site.store, SAID)
    return call


UNTIL_HEARD = """it => new Promise((done) => {
  const look = () => it.classList.contains("current") ? done() : requestAnimationFrame(look);
  look();
})"""


async def now(page: Page) -> float:
    """Where the player is, seconds."""
    return float(await page.locator("#seek").input_value())


async def heard(word: Locator) -> None:
    """Wait until this word is marked; looked at in each frame, for it is heard for half a second."""
    async with asyncio.timeout(20):
        await word.evaluate(UNTIL_HEARD)


async def test_clicking_a_word_plays_it(site: Site, open_page: OpenPage) -> None:
    """The sound goes to the word, and the word is marked while it is heard."""
    call = await talked(site)
    page = await open_page(path=f"/calls/{call.id}")
    word = page.locator(".word", has_text="квартиру")
    await expect(page.locator("#wave canvas").first).to_be_attached()
    await word.click()
    await heard(word)
    assert await now(page) >= float(await word.get_attribute("data-start") or 0) - 0.1
    await expect(page.get_by_role("button", name="Пауза")).to_be_visible()
    await expect(page.locator(".piece-staff .word.current")).to_have_count(1)


async def test_the_archive_plays_where_it_is_asked_to(site: Site, open_page: OpenPage) -> None:
    """Ogg/Opus from the store: a click on a word plays from there, both voices are drawn, the end is the end."""
    call = await talked(site)
    assert call.id is not None
    processes = Processes(1)
    jobs = ArchivingJobs(engine=site.engine, store=Store.in_folder(site.store), processes=processes)
    await jobs.archive(call.id, 0)
    await processes.close()
    assert [path.suffix for path in site.store.rglob("*") if path.is_file()] == [".ogg"]
    page = await open_page(path=f"/calls/{call.id}")
    word = page.locator(".word", has_text="квартиру")
    await expect(page.locator("#wave .canvases canvas")).to_have_count(2)
    await word.click()
    await heard(word)
    start = float(await word.get_attribute("data-start") or 0)
    assert start - 0.1 <= await now(page) < start + 2
    await heard(page.locator(".word", has_text="Лесной"))  # it goes on by itself
    await page.get_by_role("slider", name="Место в записи").press("Home")
    await expect(page.locator("#position")).to_have_text("0:00")


async def test_the_player_obeys_the_keyboard(site: Site, open_page: OpenPage) -> None:
    """Space plays and pauses, arrows move, < and > change the speed, the slider moves by keys too."""
    call = await talked(site)
    page = await open_page(path=f"/calls/{call.id}")
    await page.keyboard.press("ArrowRight")
    await expect(page.locator("#position")).to_have_text("0:05")
    await page.keyboard.press("Space")
    await expect(page.get_by_role("button", name="Пауза")).to_be_visible()
    await page.keyboard.press("Space")
    await expect(page.get_by_role("button", name="Слушать")).to_be_visible()
    await page.keyboard.press(">")
    await expect(page.get_by_role("button", name="1.25×")).to_have_attribute("aria-pressed", "true")
    await page.get_by_role("slider", name="Место в записи").press("Home")
    await expect(page.locator("#position")).to_have_text("0:00")


async def test_a_moment_is_commented_on_linked_to_and_deleted_by_its_author(site: Site, open_page: OpenPage) -> None:
    """The comment is of where the player stands, is marked there on the waves, and leads back to its moment."""
    call = await talked(site)
    page = await open_page(path=f"/calls/{call.id}")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("c")
    await expect(page.get_by_label("Момент")).to_have_value("0:05")
    await page.keyboard.type("Не назвала цену")
    await page.get_by_role("button", name="Добавить").click()
    await page.wait_for_url("**/calls/*#t=5")
    mark = page.get_by_role("link", name="0:05, Анна Смирнова: Не назвала цену")
    wave, own = await page.locator("#wave").bounding_box(), await mark.bounding_box()
    assert wave
    assert own
    seconds = float(await page.locator("#seek").get_attribute("max") or 0)
    assert abs((own["x"] + own["width"] / 2 - wave["x"]) / wave["width"] - 5 / seconds) < 0.03
    await page.get_by_role("slider", name="Место в записи").press("Home")
    await mark.click()
    await expect(page.get_by_role("button", name="Пауза")).to_be_visible()
    assert await now(page) >= 4.9
    await page.get_by_role("button", name="Пауза").click()
    await page.keyboard.press("l")
    await expect(page.get_by_role("status")).to_contain_text("Ссылка на 0:0")
    linked = await open_page("boris", page.url.removeprefix(site.url))
    await expect(linked.locator("#position")).to_have_text(await page.locator("#position").inner_text())
    await expect(linked.get_by_role("button", name="Удалить комментарий на 0:05")).to_have_count(0)
    await page.get_by_role("button", name="Удалить комментарий на 0:05").click()
    await expect(page.locator(".comment")).to_have_count(0)


async def test_silence_is_skipped_and_the_keys_are_listed(site: Site, open_page: OpenPage) -> None:
    """Nobody speaks from the third to the ninth second: with S the player goes from one to the other."""
    call = await talked(site)
    paths = [*site.store.rglob("*.wav")]
    for path in paths:
        speak(path, [(0.0, 3.0), (9.0, 12.0)], 12.0, seed=path.stem[-5:])
    async with site.engine.begin() as connection:
        size = paths[0].stat().st_size
        await connection.execute(recordings.update().values(bytes=size, seconds=12.0))
    page = await open_page(path=f"/calls/{call.id}", width=390)
    await page.keyboard.press("?")
    await expect(page.locator("#keys")).to_contain_text("скопировать ссылку на этот момент")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await expect(page.locator("#wave .canvases canvas")).to_have_count(2)
    await page.keyboard.press("s")
    await expect(page.get_by_role("button", name="Без пауз")).to_have_attribute("aria-pressed", "true")
    await page.evaluate("location.hash = '#t=2.5'")
    await page.keyboard.press("Space")
    await expect(page.locator("#position")).to_have_text("0:09", timeout=4000)


async def test_both_voices_are_drawn(site: Site, open_page: OpenPage) -> None:
    """The caller's and the staff's side have a waveform each, with sound in both."""
    call = await talked(site)
    page = await open_page(path=f"/calls/{call.id}")
    await expect(page.locator("#wave .canvases canvas")).to_have_count(2)
    inked = await page.locator("#wave .canvases canvas").evaluate_all(
        "all => all.map(it => it.getContext('2d').getImageData(0, 0, it.width, it.height).data.some(byte => byte))"
    )
    assert inked == [True, True]


async def test_the_seconds_that_were_paused_are_hatched_where_they_lie(site: Site, open_page: OpenPage) -> None:
    """With the reason for whoever points at them or reads by ear; a click goes there."""
    call = Told(site.engine, name="Иван Петров", at=datetime.now(UTC) - timedelta(minutes=10))
    await call.arrives(owner="anna")
    await call.rings("PJSIP/anna-desk")
    await call.answers("PJSIP/anna-desk")
    await call.tell(RecordingMuted(**call.later(3).base(), muted=True))
    await call.tell(RecordingMuted(**call.later(2).base(), muted=False))
    await call.hangs_up(after=7)
    await call.keeps(site.store, SAID)
    page = await open_page(path=f"/calls/{call.id}")
    silence = page.get_by_role("button", name="Запись была приостановлена, 0:03–0:05")
    await expect(silence).to_be_visible()
    wave, hatched = await page.locator("#wave").bounding_box(), await silence.bounding_box()
    assert wave
    assert hatched
    seconds = float(await page.locator("#seek").get_attribute("max") or 0)
    assert abs((hatched["x"] - wave["x"]) / wave["width"] - 3 / seconds) < 0.02
    assert abs(hatched["width"] / wave["width"] - 2 / seconds) < 0.02
    await silence.click()
    await expect(page.locator("#position")).to_have_text("0:03")


async def test_the_page_tells_what_happened_and_why(site: Site, open_page: OpenPage) -> None:
    """Timeline, the decision with everybody considered, and who was rung with what outcome."""
    call = await talked(site)
    page = await open_page(path=f"/calls/{call.id}")
    timeline = page.locator(".timeline")
    for told in ("Иван Петров звонит на линию «Основная»", "Звоним: Анна Смирнова (настольный телефон)"):
        await expect(timeline).to_contain_text(told)
    for told in ("Анна Смирнова: разговор начался", "говорили 0:12", "Запись сохранена", "Расшифровка готова"):
        await expect(timeline).to_contain_text(told)
    await expect(page.locator(".reasons")).to_contain_text("Анна Смирнова — ответственный за заявку этого клиента")
    await expect(page.locator(".considered")).to_contain_text("В сети и свободен")
    decided = page.locator("section[aria-labelledby=decision-title]")
    await expect(decided).to_contain_text("Правило: ")
    await expect(decided).to_contain_text("вне часов работы: не по часам линии")
    await expect(page.locator(".legs")).to_contain_text("взяли на другом")


async def test_the_list_finds_calls(site: Site, open_page: OpenPage) -> None:
    """Number as people write it, result, and nothing at all when nothing fits."""
    call = await talked(site)
    missed = Told(site.engine, number="79165550102")
    await missed.arrives()
    await missed.rings("PJSIP/boris-soft")
    await missed.hangs_up(after=20)
    page = await open_page(path="/calls")
    await expect(page.locator(".call-row")).to_have_count(2)
    await page.get_by_label("Номер").fill("8 916 123")
    await page.get_by_role("button", name="Показать").click()
    await expect(page.locator(".call-row")).to_have_count(1)
    await expect(page.locator(".call-row")).to_have_attribute("href", f"/calls/{call.id}")
    await page.get_by_role("link", name="Сбросить").click()
    await page.get_by_label("Итог").select_option("missed")
    await expect(page.locator(".call-row")).to_contain_text("+7 916 555-01-02")
    await page.get_by_label("Номер").fill("000")
    await page.get_by_label("Номер").press("Enter")
    await expect(page.get_by_text("Таких звонков нет")).to_be_visible()


async def test_the_pages_speak_english_too(site: Site, open_page: OpenPage) -> None:
    """The choice is remembered with the login."""
    call = await talked(site)
    page = await open_page(path=f"/calls/{call.id}")
    await page.locator(".me summary").click()
    await page.get_by_role("button", name="English").click()
    await expect(page.get_by_role("heading", name="What happened")).to_be_visible()
    await expect(page.locator(".reasons")).to_contain_text("Анна Смирнова is the owner of this caller's lead")
    await page.goto(site.url)
    await expect(page.get_by_role("link", name="My desk")).to_be_visible()


async def test_somebody_elses_call_is_refused_in_words(site: Site, open_page: OpenPage) -> None:
    """A manager of another team sees neither the page nor the sound."""
    call = await talked(site)
    page = await open_page("gleb", forgive=True)
    response = await page.goto(f"{site.url}/calls/{call.id}")
    assert response is not None
    assert response.status == 403
    await expect(page.get_by_text("Этот звонок не ваш и не вашей команды.")).to_be_visible()
