"""Talks on my desk: notes that nothing loses, the outcome in one click, a transfer between two managers, a phone."""

from __future__ import annotations

import asyncio

from playwright.async_api import expect
from sqlalchemy import text

from calls import events as e
from crm_sync.jobs import CrmJobs
from telephony import controls
from tests.browser.conftest import OpenPage, until
from tests.fakes.site import Site
from tests.fakes.story import Told, know
from web.live import LIVE

ANNA, BORIS = "PJSIP/anna-desk", "PJSIP/boris-soft"
RINGING, TALKING, DONE = ".card-ringing", ".card-talking", ".card-done"
NOTE = ".card-note textarea"
WIDEST = "Math.max(...[...document.querySelectorAll('.card *')].map((it) => it.getBoundingClientRect().right))"
"""Where what is in the cards ends on the right."""


async def talk(site: Site, number: str = "79161234567") -> Told:
    """Анна talks with a caller."""
    await until(lambda: site.listening)
    call = Told(site.engine, number=number)
    await call.arrives()
    await call.rings(ANNA)
    await call.answers(ANNA, after=0)
    return call


async def kept(site: Site, note: str) -> None:
    """Wait until the note is in the store."""
    async with asyncio.timeout(10), site.engine.connect() as connection:
        while await connection.scalar(text("select note from desk_cards")) != note:
            await asyncio.sleep(0.02)


async def test_a_note_is_kept_as_it_is_typed_and_nothing_loses_it(site: Site, open_page: OpenPage) -> None:
    """Not a reload in the talk, not a minute without the service, not the end of the talk while somebody types."""
    page = await open_page(forgive=True)
    call = await talk(site)
    note = page.locator(f"{TALKING} {NOTE}")
    await note.press_sequentially("Хочет угловую")
    await kept(site, "Хочет угловую")
    await page.reload()
    await expect(note).to_have_value("Хочет угловую")
    await until(lambda: site.listening)
    await site.stop()
    await expect(page.get_by_text("Связь потеряна")).to_be_visible()
    await note.press("End")
    await note.press_sequentially(", на юг")
    await expect(page.get_by_text("Сохранится, когда вернётся связь")).to_be_visible()
    await site.start()
    await kept(site, "Хочет угловую, на юг")
    await expect(page.get_by_text("Связь потеряна")).to_be_hidden()
    await note.press_sequentially(", с балконом")
    await call.hangs_up(after=2)
    after = page.locator(f"{DONE} {NOTE}")
    await expect(after).to_be_focused()
    await expect(after).to_have_value("Хочет угловую, на юг, с балконом")


async def test_a_page_that_was_left_while_offline_sends_the_note_when_it_is_opened(
    site: Site, open_page: OpenPage
) -> None:
    """What was typed is in the browser until the service has it."""
    page = await open_page(forgive=True)
    await talk(site)
    await page.locator(f"{TALKING} {NOTE}").wait_for()
    await page.context.set_offline(True)
    await page.locator(f"{TALKING} {NOTE}").fill("Позвонить жене")
    await expect(page.get_by_text("Сохранится, когда вернётся связь")).to_be_visible()
    await page.context.set_offline(False)
    await page.reload()
    await expect(page.locator(f"{TALKING} {NOTE}")).to_have_value("Позвонить жене")
    await kept(site, "Позвонить жене")


async def test_a_browser_that_was_offline_for_a_minute_catches_up(site: Site, open_page: OpenPage) -> None:
    """Or for longer, until it tried ten times by its own clock; it is told what happened, by one stream."""
    page = await open_page(forgive=True)
    await page.clock.install()
    await page.reload()
    first = await talk(site)
    note = page.locator(f"#card-{first.id}").locator(NOTE)
    await note.wait_for()
    tries: list[str] = []
    page.on("requestfailed", lambda request: tries.append(request.url) if "/desk/stream" in request.url else None)
    await page.context.set_offline(True)
    await site.stop()  # what is open already, an offline browser of tests would go on hearing
    await site.start()
    await note.fill("Хочет угловую")
    await first.hangs_up(after=2)
    passed = 0
    async with asyncio.timeout(60):
        while passed < 12 or len(tries) <= 10:  # it goes on trying; a busy browser tells so late
            await page.clock.run_for(5000)
            passed += 1
    await expect(page.get_by_text("Связь потеряна")).to_be_visible()
    await expect(page.get_by_text("Сохранится, когда вернётся связь")).to_be_visible()
    assert len(tries) < passed * 8, "some seconds apart"
    second = await talk(site, "79165550102")
    await expect(page.locator(f"#card-{second.id}")).to_have_count(0)
    await page.context.set_offline(False)
    await expect(page.locator(f"{TALKING}#card-{second.id}")).to_be_visible()
    await expect(page.locator(f"{DONE}#card-{first.id}").locator(NOTE)).to_have_value("Хочет угловую")
    await kept(site, "Хочет угловую")
    await expect(page.get_by_text("Связь потеряна")).to_be_hidden()
    await until(lambda: len(site.app[LIVE]._pages) == 1)


async def test_the_outcome_is_one_click_and_the_card_stays_until_then(site: Site, open_page: OpenPage) -> None:
    """Of two talks the first is told, the second is dismissed; the lead is qualified, with the note."""
    page = await open_page()
    first = await talk(site)
    await first.hangs_up(after=2)
    second = await talk(site, "79165550102")
    await second.hangs_up(after=2)
    await page.reload()
    await expect(page.locator(DONE)).to_have_count(2)
    told = page.locator(f"#card-{first.id}")
    await told.locator(NOTE).fill("Хочет угловую")
    await told.get_by_role("button", name="Качественный").click()
    await expect(page.locator(DONE)).to_have_count(1)
    await page.locator(DONE).get_by_role("button", name="Убрать").click()
    await expect(page.locator(DONE)).to_have_count(0)
    assert first.id is not None
    await CrmJobs(engine=site.engine, owes=lambda _change: []).link_call(first.id, 0)
    async with site.engine.connect() as connection:
        lead = (await connection.execute(text("select stage, text from leads join notes on lead_id = leads.id"))).one()
    assert tuple(lead) == ("qualified", "Хочет угловую")


async def test_two_managers_and_a_transfer(site: Site, open_page: OpenPage) -> None:
    """Anna sends the client to Boris by name: his card rings, hers asks for the outcome, and he sees who it is."""
    await know(site.engine, "79161234567", "Иван Петров", "anna")
    anna, boris = await open_page("anna"), await open_page("boris", width=390)
    call = await talk(site)
    card = anna.locator(TALKING)
    await card.get_by_text("Перевести").first.click()
    await card.get_by_label("Коллеге").select_option("boris")
    other = Told(site.engine, number="79165550102")  # what happens elsewhere closes nothing that is being chosen
    await other.arrives()
    await other.rings(BORIS)
    await expect(anna.locator("#others")).to_contain_text("+7 916 555-01-02")
    await other.hangs_up(after=20)
    await card.get_by_role("button", name="Перевести").click()
    assert await done(site) == [("transfer", "boris")]
    hers = call._uid(ANNA)
    sent = e.Transferred(**call.later(1).base(hers), way="blind", to="102", transferee=call.uid)
    await call.tell(sent, e.BridgeLeft(**call.base(hers), bridge=f"bridge-{call.uid}"))
    await call.tell(e.ChannelHungUp(**call.base(hers), cause=16))
    await call.rings(BORIS)
    await expect(boris.locator(RINGING)).to_contain_text("Иван Петров")
    await expect(anna.locator(DONE)).to_contain_text("Качественный")
    assert await boris.evaluate("document.documentElement.scrollWidth") <= 390
    await call.answers(BORIS, after=1)
    await expect(boris.locator(TALKING)).to_contain_text("Позвать руководителя")
    assert await boris.evaluate("document.documentElement.scrollWidth") <= 390


async def test_two_managers_and_a_consultation(site: Site, open_page: OpenPage) -> None:
    """Anna asks Boris first, and hands the client over with the keyboard alone; both see what goes on, also anew."""
    await know(site.engine, "79161234567", "Иван Петров", "anna")
    anna, boris = await open_page("anna", width=360), await open_page("boris", width=360)
    call = await talk(site)
    card = anna.locator(TALKING)
    await card.get_by_text("Перевести").first.focus()
    await anna.keyboard.press("Enter")
    await card.get_by_label("Коллеге").select_option("boris")
    await card.get_by_role("button", name="Сначала поговорить").focus()
    await anna.keyboard.press("Enter")
    assert await done(site) == [("consult", "boris")]
    await call.consults(ANNA, BORIS)
    await expect(card).to_contain_text("Звоним: Борис Козлов. Клиент ждёт.")
    await expect(card.get_by_role("button", name="Соединить")).to_have_count(0)
    await expect(card.get_by_role("button", name="Удержать")).to_have_count(0)
    await expect(boris.locator(RINGING)).to_contain_text("Иван Петров")
    await call.consulted(BORIS)
    await expect(boris.locator(TALKING)).to_contain_text("Анна Смирнова советуется с вами, клиент ждёт.")
    await anna.reload()
    await expect(card).to_contain_text("Разговор с коллегой: Борис Козлов. Клиент ждёт.")
    await expect(card.get_by_role("button", name="Вернуть клиента")).to_be_visible()
    for page in (anna, boris):
        assert await page.evaluate(WIDEST) <= 360
    await card.get_by_role("button", name="Соединить").focus()
    await anna.keyboard.press("Enter")
    assert await done(site) == [("connect", None)]
    await call.hands_over(ANNA, BORIS)
    await expect(anna.locator(DONE)).to_contain_text("Качественный")
    await expect(boris.locator(TALKING)).not_to_contain_text("советуется")


async def done(site: Site) -> list[tuple[str, str | None]]:
    """What is wanted of the PBX next, done."""
    async with asyncio.timeout(10):
        while True:
            async with site.engine.begin() as connection:
                wanted = await controls.unsettled(connection, "main")
                for control in wanted:
                    await controls.settle(connection, control.id, "done")
            if wanted:
                return [(one.what, one.colleague) for one in wanted]
            await asyncio.sleep(0.02)
