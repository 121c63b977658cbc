"""Every page of the route table, looked at by axe in a real Chromium: light and dark, both languages, all sizes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any, Literal

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import make_mocked_request
from playwright.async_api import Page
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from directory.tables import users
from recordings.audit import THE_OPERATOR
from recordings.tables import transcripts
from service.crm.connecting import Connecting
from service.crm.doors import Doors
from service.ports import free_port
from service.settings import Settings
from tests.browser.conftest import OpenPage
from tests.fakes.ledger import SECRET_KEY
from tests.fakes.lived_in import live_in
from tests.fakes.site import Site, open_site
from tests.fakes.story import HOUSE
from web import wall_links

AXE = Path("var/browser/axe.min.js").read_text()
LINK = re.compile(r'(?:href|hx-get)="(/[^"#]*)')
NOT_OURS = {"/linked/{link}", "/crm/{key}/oauth", "/login/oidc", "/login/oidc/return", "/password/{secret}"} | {
    "/nps/{token}"
}
"""What a player outside, a CRM and a provider of logins open, and whoever was sent a link."""

IMPACTS = ("serious", "critical")
RUN = "axe.run({resultTypes: ['violations'], preload: false, iframes: false}).then((found) => found.violations)"
NOWHERE = "/no-such-page"
LOOKS: dict[str, list[tuple[Literal["light", "dark"], int]]] = {
    "ru": [("light", 1280), ("light", 3840), ("dark", 360)],
    "en": [("light", 1280), ("dark", 360)],
}
"""Language -> theme, and how wide the window is."""


@pytest.fixture
async def site(engine: AsyncEngine, database_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    """The web role of a house that is lived in, where an administrator may connect CRMs."""
    port = free_port()
    told: Any = {
        "database_url": database_url,
        "secret_key": SECRET_KEY,
        "web": {"public_url": f"http://127.0.0.1:{port}"},
    }
    settings = Settings(**told)
    doors = Doors(settings, engine)
    async with open_site(engine, tmp_path, crm=doors, connects=Connecting(settings, engine), port=port) as opened:
        await live_in(opened)
        yield opened
    await doors.close()


async def pages_of(site: Site) -> list[str]:
    """An address of every page: of the routes that need no name, and of each other one the first that a page links to.

    Fails for a page that no page leads to.
    """
    resources = (route.resource for route in site.app.router.routes() if route.method == "GET")
    canonicals = {it.canonical for it in resources if it and not it.canonical.startswith(("/api/", "/static"))}
    waiting = {one: one for one in sorted(canonicals) if "{" not in one and one not in NOT_OURS}
    async with site.engine.begin() as connection:
        _, wall = await wall_links.make(connection, THE_OPERATOR, HOUSE, "Холл", None)
        talk = await connection.scalar(select(transcripts.c.call_id))
    waiting |= {"/wall/{told}": wall, "/wall/{told}/stream": f"{wall}/stream"}  # it leads to itself, and is told once
    waiting |= {"/calls/{id}/text": f"/calls/{talk}/text"}  # as the page of its lead asks for it
    seen: dict[str, str] = {}
    pages = [NOWHERE]
    async with site.visitor("ilya") as client:
        while waiting:
            canonical, address = waiting.popitem()
            seen[canonical] = address
            text = await text_of(client, address)
            pages += [address] if "<html" in text else []
            for link in map(unescape, LINK.findall(text)):
                known = await canonical_of(site, link)
                if known in canonicals - seen.keys():
                    waiting.setdefault(known, link)
    assert canonicals - seen.keys() == NOT_OURS, "pages that no page leads to"
    return sorted(pages)


async def text_of(client: ClientSession, address: str) -> str:
    """A page, or a part of one; empty for what is none: a stream, a file, a health check."""
    async with client.get(address, allow_redirects=False) as response:
        assert response.status < 400, address
        return await response.text() if response.content_type == "text/html" else ""


async def canonical_of(site: Site, link: str) -> str:
    """The route of a link; empty for one that has none."""
    found = await site.app.router.resolve(make_mocked_request("GET", link))
    resource = found.route.resource
    return resource.canonical if resource else ""


async def test_axe_finds_nothing_serious_on_any_page_and_all_fit(site: Site, open_page: OpenPage) -> None:
    """Light on a desk, dark on a phone, every other page in English; nothing is wider than the window at any size."""
    wrong: list[str] = []
    pages = await pages_of(site)
    assert len(pages) > 15
    page = await open_page("ilya", forgive=True)
    await page.add_init_script(AXE)
    for start, (language, looks) in enumerate(LOOKS.items()):
        async with site.engine.begin() as connection:
            await connection.execute(update(users).values(language=language))
        for address in pages[start :: len(LOOKS)]:
            answer = await page.goto(site.url + address)
            assert answer is not None
            assert answer.ok or address == NOWHERE, (address, answer.status)
            for theme, width in looks:
                await page.emulate_media(color_scheme=theme, reduced_motion="reduce")
                await page.set_viewport_size({"width": width, "height": 860})
                wide = await page.evaluate("document.documentElement.scrollWidth")
                told = await violations(page) if width < 3840 else []
                told += [f"{wide} px wide"] if wide > width else []
                wrong += [f"{address} {language} {theme} {width}: {one}" for one in told]
    assert wrong == []


async def violations(page: Page) -> list[str]:
    """What axe finds serious or worse, one line each."""
    found = await page.evaluate(RUN)
    return [
        f"{one['id']}: {one['help']}: {node['target']} {node['html'][:120]}"
        for one in found
        if one["impact"] in IMPACTS
        for node in one["nodes"][:3]
    ]
