"""A CRM is connected from the page, whole, in a real Chromium: form, consent, check, people, start."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from service.crm.connecting import Connecting
from service.crm.doors import Doors
from service.ports import free_port
from service.settings import Settings
from tests.browser.conftest import OpenPage
from tests.fakes.bitrix24 import CLIENT, CLIENT_SECRET, Bitrix24, open_bitrix24
from tests.fakes.bitrix24_portal import User
from tests.fakes.ledger import SECRET_KEY
from tests.fakes.site import Site, open_site
from tests.fakes.story import PASSWORD
from web import users


@pytest.fixture
async def site(engine: AsyncEngine, database_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    """The web role, with an admin and an address that others know."""
    port = free_port()
    told: Any = {
        "database_url": database_url,
        "secret_key": SECRET_KEY,
        "web": {"public_url": f"http://127.0.0.1:{port}"},
        "crm": {"networks": ["127.0.0.0/8"]},
    }
    settings = Settings(**told)
    doors = Doors(settings, engine)
    async with open_site(engine, tmp_path, crm=doors, connects=Connecting(settings, engine), port=port) as opened:
        async with engine.begin() as connection:
            await users.add(connection, "ilya", "admin", password=PASSWORD)
        yield opened
    await doors.close()


@pytest.fixture
async def portal() -> AsyncIterator[Bitrix24]:
    """A portal with Anna by her extension, somebody by no extension, and the user who stands for nobody."""
    async with open_bitrix24() as server:
        server.portal.users |= {5: User(5, "101", "Анна Смирнова"), 6: User(6, "", "Борис К.")}
        yield server


async def test_an_administrator_connects_a_portal_from_the_page(
    site: Site, portal: Bitrix24, open_page: OpenPage
) -> None:
    """What is wrong is told at its field; the portal is asked, its people are mapped, and it is told what happens."""
    page = await open_page("ilya", "/crm", forgive=True)  # a refusal is 422
    await page.get_by_role("link", name="Подключить CRM").click()
    await page.get_by_role("link", name="Bitrix24").click()
    portal.handler = await page.locator("#at-2").inner_text()
    await page.get_by_label("Портал", exact=True).fill(portal.url)
    await page.get_by_label("Код приложения (client_id)").fill(CLIENT)
    await page.get_by_label("Ключ приложения (client_secret)").fill(CLIENT_SECRET)
    await page.get_by_label("Номер служебного сотрудника").fill("Борис")
    await page.get_by_text("Ещё настройки").click()
    await page.get_by_label("Сервер ключей").fill(f"{portal.token_url}/oauth/token/")
    await page.get_by_role("button", name="Сохранить и продолжить").click()
    assert await page.locator("#f-user-wrong").inner_text() == "Нужно число"
    assert await page.get_by_label("Ключ приложения (client_secret)").input_value() == ""
    await page.get_by_label("Ключ приложения (client_secret)").fill(CLIENT_SECRET)
    await page.get_by_label("Номер служебного сотрудника").fill("1")
    await page.get_by_role("button", name="Сохранить и продолжить").click()
    await page.get_by_role("button", name="Открыть Bitrix24 и дать доступ").click()
    await page.get_by_role("link", name="Разрешить").click()
    await page.locator("#check summary").get_by_text("Всё на месте").wait_for()
    assert await page.locator("#people tr", has_text="Анна Смирнова").get_by_text("по внутреннему номеру").count() == 1
    await page.get_by_label("Борис К.").select_option("boris")
    await page.get_by_role("button", name="Сохранить людей").click()
    await page.locator("#people").get_by_text("выбран вручную").wait_for()
    await page.locator("#live summary").click()
    await page.get_by_role("button", name="Отправлять по-настоящему").click()
    await page.locator("#live summary").get_by_text("Работает").wait_for()
    async with site.engine.connect() as connection:
        (to,) = await connection.execute(
            text("select key, state, secrets, settings::text as told from crm_connections")
        )
        granted = await connection.execute(text("select actor from audit where action = 'crm_granted'"))
        paired = await connection.execute(text("select person from crm_users where person is not null"))
        assert (granted.scalars().all(), paired.scalars().all()) == (["ilya"], ["boris"])
    assert (to.key, to.state) == ("bitrix24", "active")
    assert CLIENT_SECRET.encode() not in to.secrets + to.told.encode()
    assert {name for name, _ in portal.portal.bound} >= {"ONEXTERNALCALLSTART"}
    assert (portal.leaked, portal.refused) == ([], [])
