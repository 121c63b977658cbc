"""What waits to be called back: one click calls, colleagues see who is on it, the talk closes it on every screen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from playwright.async_api import expect
from sqlalchemy import select

from calls.follow_ups import FollowUpJobs
from calls.record import record
from crm_sync.book.owners import owner_of
from crm_sync.book.parties import numbers_of
from routing.tables import outgoing_calls
from telephony.clocks import AHEAD
from tests.browser.conftest import OpenPage
from tests.fakes.recorded import outgoing_call
from tests.fakes.site import Site
from tests.fakes.story import Told

NUMBER = "79165550144"


async def talks(site: Site) -> None:
    """What comes of the click: Anna's phone and then the client's are called, and they talk."""
    jobs = FollowUpJobs(engine=site.engine, numbers=numbers_of, lead_owner=owner_of, ahead=AHEAD)
    async with site.engine.begin() as connection:
        at = datetime.now(UTC) - timedelta(seconds=20)
        (change,) = await record(connection, outgoing_call("1795427099.1", number=NUMBER, at=at))
    await jobs.follow_up(change.call_id, 0)


async def missed(site: Site, ago: timedelta) -> None:
    """Somebody called so long ago, Anna's desk rang, and a call back is promised."""
    call = Told(site.engine, number=NUMBER, at=datetime.now(UTC) - ago)
    await call.arrives()
    await call.rings("PJSIP/anna-desk")
    await call.hangs_up(after=20)
    await call.is_promised()


async def test_calling_back_closes_a_missed_call_on_every_screen(site: Site, open_page: OpenPage) -> None:
    """Anna calls back from her phone's screen; the head sees her on it at once, and after the talk nobody waits."""
    await missed(site, timedelta(minutes=10))
    head = await open_page("vera", "/missed")
    anna = await open_page("anna", "/missed", width=360)
    assert await anna.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await expect(head.locator(".promise")).to_contain_text("Никто не ответил")
    await anna.get_by_role("button", name="Перезвонить").click()
    await expect(anna.locator("#said")).to_contain_text("Звоним на ваш телефон")
    await expect(head.locator(".promise")).to_contain_text("сейчас занимается Анна Смирнова")
    await expect(head.get_by_role("button", name="Перезвонить")).to_have_count(0)
    async with site.engine.connect() as connection:
        wished = (await connection.execute(select(outgoing_calls.c.number, outgoing_calls.c.person))).one()
    assert tuple(wished) == (NUMBER, "anna")
    await talks(site)
    for page in (anna, head):
        await expect(page.get_by_text("Все получили ответ")).to_be_visible()
    await expect(head.locator(".share-table tbody tr").first).to_contain_text("100 %")


async def test_who_waits_is_called_back_from_the_list_behind_a_number(site: Site, open_page: OpenPage) -> None:
    """What became of it is said in place, and the list stays; on a telephone it is no wider than the screen."""
    await missed(site, timedelta(seconds=30))
    page = await open_page("vera", "/reports/behind?measure=open_promises", width=360)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.get_by_role("button", name="Перезвонить").click()
    await expect(page.locator("#said")).not_to_be_empty()
    assert page.url.endswith("/reports/behind?measure=open_promises")
