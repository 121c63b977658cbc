"""Leads on the pages: moved, disqualified and taken back; another team's refused; rules mended by their lines."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from playwright.async_api import Locator, Page, Route, expect
from sqlalchemy import select

from crm_sync.tables import leads, parties
from directory import store
from directory.lead_policy import FunnelStep, LeadPolicy
from recordings.privacy_tables import audit
from tests.browser.conftest import OpenPage
from tests.fakes.site import Site
from tests.fakes.story import HOUSE, know
from web import users

FUNNEL = LeadPolicy(funnel=(FunnelStep(key="meeting", name="Встреча"), FunnelStep(key="contract", name="Договор")))


async def lead(site: Site, number: str, name: str, stage: str = "qualifying") -> int:
    """A lead of Anna's in a house with a funnel."""
    async with site.engine.begin() as connection:
        await store.apply(connection, replace(HOUSE, leads=FUNNEL))
    await know(site.engine, number, name, "anna", stage)
    async with site.engine.connect() as connection:
        found = (await connection.execute(select(leads.c.id).order_by(leads.c.id.desc()).limit(1))).scalar_one()
    return int(found)


async def grasp(page: Page, card: Locator) -> None:
    """Begin to drag a card as a hand does: pressed, then moved a little."""
    box = await card.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + 20, box["y"] + 12)
    await page.mouse.down()
    await page.mouse.move(box["x"] + 60, box["y"] + 40, steps=4)


async def drop(page: Page, place: str) -> None:
    """Let go of what is dragged over a column."""
    for _ in range(2):  # one to move there, one to be over it
        await page.locator(f'[data-place="{place}"]').hover()
    await page.mouse.up()


async def drag(page: Page, card: Locator, place: str) -> None:
    """A card to a column."""
    await grasp(page, card)
    await drop(page, place)


async def fits(page: Page) -> None:
    """Nothing is wider than the window, and there is one first heading."""
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await expect(page.locator("h1")).to_have_count(1)


async def test_a_manager_qualifies_and_moves_a_lead(site: Site, open_page: OpenPage) -> None:
    """From the list to the lead, one click a step, a note, a task done at the desk; a phone's width is enough."""
    mine = await lead(site, "79165550171", "Иван Петров")
    page = await open_page(path="/leads", width=390)
    await fits(page)
    await page.get_by_role("link", name="Иван Петров").click()
    await page.get_by_role("button", name="Дальше: Качественная").click()
    await page.get_by_role("button", name="Дальше: Встреча").click()
    await expect(page.locator("[aria-current=step]")).to_have_text("Встреча")
    await page.locator("summary", has_text="Заметка").click()
    await page.locator(".do[open]").get_by_label("Текст").fill("<b>Хочет</b> двушку")
    await page.get_by_role("button", name="Добавить").click()
    await expect(page.locator(".timeline")).to_contain_text("<b>Хочет</b> двушку")
    await page.locator("summary", has_text="Задача").click()
    await page.get_by_role("textbox", name="Что сделать").fill("Отправить планировки")
    await page.get_by_role("button", name="Добавить").click()
    await page.goto(site.url)
    await page.get_by_role("button", name="Готово: Отправить планировки").click()
    await expect(page.locator("#my-tasks")).to_have_count(0)
    await page.goto(f"{site.url}/leads/{mine}")
    await expect(page.locator(".todo-done")).to_contain_text("Отправить планировки")
    await expect(page.locator(".timeline")).to_contain_text("Качественная → Встреча")
    await fits(page)


async def test_a_duplicate_names_the_other_lead_and_a_head_takes_it_back(site: Site, open_page: OpenPage) -> None:
    """A wrong number is said beside its field and nothing typed is lost; managers cannot undo, heads can."""
    other = await lead(site, "79165550171", "Иван Петров")
    mine = await lead(site, "79165550172", "И. Петров")
    page = await open_page(path=f"/leads/{mine}", forgive=True)
    form = page.locator(".do[open]")
    await page.locator("summary", has_text="Отклонить").click()
    await form.get_by_label("Дубль").check()
    await page.get_by_label("Номер другой заявки").fill("99999")
    await form.get_by_label("Комментарий").fill("звонил дважды")
    await page.get_by_role("button", name="Отклонить").click()
    field = page.get_by_label("Номер другой заявки")
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(page.locator("#wrong-disqualify-duplicate_of")).to_contain_text("номер другой существующей заявки")
    await expect(form.get_by_label("Комментарий")).to_have_value("звонил дважды")
    await field.fill(str(other))
    await page.get_by_role("button", name="Отклонить").click()
    await expect(page.get_by_role("link", name=f"та же, что заявка № {other}")).to_be_visible()
    await expect(page.locator(".timeline")).to_contain_text("звонил дважды")
    await expect(page.get_by_role("button", name="Вернуть в квалификацию")).to_have_count(0)
    head = await open_page("vera", f"/leads/{mine}")
    await head.get_by_role("button", name="Вернуть в квалификацию").click()
    await expect(head.locator("[aria-current=step]")).to_have_text("Квалификация")


async def test_a_lead_goes_over_the_board_by_keys_and_by_dragging(site: Site, open_page: OpenPage) -> None:
    """The menu offers what may be and asks an end for its reason; a drop that may not be says why; phones have it."""
    mine = await lead(site, "79165550171", "Иван Петров", "new")
    page = await open_page(path="/leads/board", width=2000, forgive=True)
    card = page.locator(f"#card-{mine}")
    move = page.get_by_role("button", name="Перевести: Иван Петров")
    await move.press("Enter")
    choice = page.get_by_role("combobox", name="Куда")
    await expect(choice).to_be_focused()
    await expect(choice.locator("option:enabled")).to_have_text(
        ["Квалификация", "Качественная", "Потеряна", "Отклонена"]
    )
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator('[data-place="qualifying"]').locator(card)).to_be_visible()
    await expect(move).to_be_focused()
    await expect(page.get_by_role("status")).to_have_text("Иван Петров: Квалификация")
    await drag(page, card, "new")
    await expect(page.get_by_role("alert")).to_contain_text("Отсюда туда заявку не перевести. Можно перевести в:")
    await drag(page, card, "in_work/meeting")
    await expect(page.locator('[data-place="in_work/meeting"]').locator(card)).to_be_visible()
    await expect(page.get_by_role("status")).not_to_have_text("Иван Петров: Квалификация")
    await drag(page, card, "lost")
    await page.get_by_role("combobox", name="Причина").select_option("Дорого")
    await page.get_by_role("dialog").get_by_role("button", name="Перевести").click()
    await expect(page.locator('[data-place="lost"]').locator(card)).to_contain_text("Дорого")
    await page.set_viewport_size({"width": 360, "height": 780})
    await fits(page)


async def test_an_open_board_shows_what_a_colleague_does_and_disturbs_nobody(site: Site, open_page: OpenPage) -> None:
    """The card moves by itself with the focus on it; while the menu is open or a card is dragged it waits.

    Why one's own move was refused stays to be read meanwhile.
    """
    mine = await lead(site, "79165550171", "Иван Петров", "new")
    other = await lead(site, "79165550172", "Мария Ткач", "new")
    page = await open_page(path="/leads/board", width=2000, forgive=True)

    heard, network = asyncio.Event(), await page.context.new_cdp_session(page)
    network.on("Network.eventSourceMessageReceived", lambda _told: heard.set())
    await network.send("Network.enable")

    async def moves(one: int, stage: str) -> None:
        heard.clear()
        path, wish = f"/api/v1/leads/{one}/move", {"stage": stage}
        async with site.visitor("vera") as vera, vera.post(path, json=wish) as response:
            assert response.status == 200, await response.text()
        async with asyncio.timeout(20):
            await heard.wait()

    def there(place: str, one: int) -> Locator:
        return page.locator(f'[data-place="{place}"] #card-{one}')

    move = page.get_by_role("button", name="Перевести: Иван Петров")
    await move.focus()
    await moves(mine, "qualifying")
    await expect(there("qualifying", mine)).to_be_visible()
    await expect(move).to_be_focused()
    await move.press("Enter")
    await page.get_by_role("combobox", name="Куда").select_option("Отклонена")
    comment = page.get_by_role("dialog").get_by_role("textbox", name="Комментарий")
    await comment.fill("Не отвеч")
    await moves(other, "qualifying")
    await comment.press_sequentially("ает")
    await expect(comment).to_have_value("Не отвечает")
    await expect(there("new", other)).to_be_attached()
    await page.get_by_role("button", name="Отмена").click()
    await expect(there("qualifying", other)).to_be_visible()
    await grasp(page, there("qualifying", other))
    await moves(other, "qualified")
    await expect(page.locator(".column-refuses").first).to_be_visible()
    await page.mouse.up()
    await expect(there("qualified", other)).to_be_visible()
    await drag(page, there("qualifying", mine), "new")
    await expect(page.get_by_role("alert")).to_contain_text("Отсюда туда заявку не перевести")
    await moves(mine, "qualified")
    await expect(there("qualified", mine)).to_be_visible()
    await expect(page.get_by_role("alert")).to_contain_text("Отсюда туда заявку не перевести")


async def test_the_answer_of_a_move_waits_while_the_card_is_dragged_on(site: Site, open_page: OpenPage) -> None:
    """The stream was first to show it."""
    mine = await lead(site, "79165550171", "Иван Петров", "new")
    page = await open_page(path="/leads/board", width=2000, forgive=True)
    dragged, answered = asyncio.Event(), asyncio.Event()

    async def late(route: Route) -> None:
        answer = await route.fetch()
        await dragged.wait()
        await route.fulfill(response=answer)
        answered.set()

    await page.route("**/leads/*/board", late)
    card = page.locator(f'[data-place="qualifying"] #card-{mine}')
    await drag(page, page.locator(f"#card-{mine}"), "qualifying")
    await expect(card).to_be_visible()
    await grasp(page, card)
    refusing = page.locator(".column-refuses").first
    await expect(refusing).to_be_visible()
    dragged.set()
    async with asyncio.timeout(20):
        await answered.wait()
    await page.evaluate("new Promise((done) => setTimeout(done, 300))")  # until it would have been drawn
    await expect(refusing).to_be_visible()
    await drop(page, "lost")
    await page.get_by_role("combobox", name="Причина").select_option("Дорого")
    await page.get_by_role("dialog").get_by_role("button", name="Перевести").click()
    await expect(page.locator(f'[data-place="lost"] #card-{mine}')).to_contain_text("Дорого")


async def test_a_head_gives_ticked_leads_with_a_reason(site: Site, open_page: OpenPage) -> None:
    """How many and whose is seen before; the reason stands in each lead's history."""
    await lead(site, "79165550171", "Иван Петров")
    mine = await lead(site, "79165550172", "Мария Ткач")
    page = await open_page("vera", "/leads", width=390)
    await page.get_by_role("checkbox", name="Мария Ткач").check()
    await page.get_by_role("button", name="Передать отмеченные").click()
    await expect(page.get_by_role("heading", name="1 заявка")).to_be_visible()
    await fits(page)
    await page.get_by_label("Кому").select_option("Борис Козлов")
    await page.get_by_label("Причина").fill("Анна в отпуске")
    await page.get_by_role("button", name="Передать").click()
    await expect(page.get_by_role("status")).to_have_text("1 заявка передана")
    await page.goto(f"{site.url}/leads/{mine}")
    await expect(page.locator(".timeline")).to_contain_text("Анна Смирнова → Борис Козлов")
    await expect(page.locator(".timeline")).to_contain_text("Анна в отпуске")


async def test_a_change_meanwhile_is_told(site: Site, open_page: OpenPage) -> None:
    """Whoever looked at an older state changes nothing and reads what happened."""
    mine = await lead(site, "79165550171", "Иван Петров")
    page = await open_page(path=f"/leads/{mine}", forgive=True)
    head = await open_page("vera", f"/leads/{mine}")
    await head.get_by_role("button", name="Дальше: Качественная").click()
    await page.get_by_role("button", name="Дальше: Качественная").click()
    await expect(page.get_by_role("alert")).to_contain_text("Квалификация → Качественная · Вера Павлова")
    await expect(page.locator("[aria-current=step]")).to_have_text("Качественная")


async def test_another_teams_lead_is_refused_in_words(site: Site, open_page: OpenPage) -> None:
    mine = await lead(site, "79165550171", "Иван Петров")
    page = await open_page("gleb", forgive=True)
    response = await page.goto(f"{site.url}/leads/{mine}")
    assert response is not None
    assert response.status == 403
    await expect(page.get_by_text("Эта заявка не ваша и не вашей команды.")).to_be_visible()


async def test_rules_are_mended_by_their_lines_compared_and_saved(site: Site, open_page: OpenPage) -> None:
    """A fault is told with its line and nothing is saved; a good text shows what it changes before it is."""
    async with site.engine.begin() as connection:
        await users.add(connection, "ilya", "admin", password="correct horse 9")
    page = await open_page("ilya", "/leads/rules", forgive=True)
    text = page.get_by_label("Раздел leads")
    await text.fill("leads:\n  funnel:\n  - {key: meeting, name: Встреча}\n  lost_day: 3\n")
    await page.get_by_role("button", name="Проверить").click()
    await expect(page.locator(".faults")).to_contain_text("Строка 4. leads.lost_day: unknown key")
    await expect(page.locator(".faults .code")).to_have_text("lost_day: 3")
    await text.fill("leads:\n  funnel:\n  - {key: meeting, name: Встреча}\n  lost_days: 3\n")
    await page.get_by_role("button", name="Проверить").click()
    await expect(page.locator(".diff-plus", has_text="lost_days: 3")).to_be_visible()
    await page.get_by_role("button", name="Сохранить").click()
    await expect(page.get_by_role("status")).to_have_text("Правила сохранены и действуют.")
    async with site.engine.connect() as connection:
        assert (await store.read(connection)).leads.lost_days == 3
        noted = (await connection.execute(select(audit.c.actor, audit.c.action))).all()
    assert [tuple(row) for row in noted] == [("ilya", "lead_rules_changed")]


async def test_two_clients_that_are_one_are_merged_and_parted_again(site: Site, open_page: OpenPage) -> None:
    """A head finds the other by number, sees what moves, and can take it back; a manager is not offered it."""
    await lead(site, "79165550171", "Иван Петров", "won")
    await lead(site, "79165550172", "Ваня", "won")
    async with site.engine.connect() as connection:
        kept = (await connection.execute(select(parties.c.id).where(parties.c.name == "Иван Петров"))).scalar_one()
    manager = await open_page(path=f"/parties/{kept}")
    await expect(manager.locator("summary", has_text="Объединить с другим")).to_have_count(0)
    page = await open_page("vera", f"/parties/{kept}", forgive=True)
    await page.locator("summary", has_text="Добавить номер").click()
    await page.locator(".do[open]").get_by_label("Номер").fill("8 916 555-01-72")
    await page.locator(".do[open]").get_by_role("button", name="Добавить").click()
    await expect(page.locator("#wrong-number-number")).to_contain_text("не другого клиента")
    await page.goto(f"{site.url}/parties/{kept}")
    await page.locator("summary", has_text="Объединить с другим").click()
    await page.get_by_label("Имя или номер другого клиента").fill("916 555-01-72")
    await page.get_by_label("Имя или номер другого клиента").press("Enter")
    await expect(page.locator(".todo-text", has_text="Ваня")).to_contain_text("номеров 1, заявок 1")
    await page.get_by_role("button", name="Объединить с другим: Ваня").click()
    await expect(page.locator(".call-head")).to_contain_text("+7 916 555-01-72")
    await page.get_by_role("button", name="Разделить").click()
    await expect(page.locator(".call-head")).not_to_contain_text("+7 916 555-01-72")
    await fits(page)
