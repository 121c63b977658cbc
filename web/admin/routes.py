"""Every page of the directory, and its right: admins, but for absences, which are the business of heads too."""

from __future__ import annotations

from aiohttp import web

from web.admin import absences_page, entry_page, history_page, lists_page, text_page, tried_page
from web.admin.asked import ENTRIES
from web.admin.entry_page import SINGLES


def routes() -> list[web.RouteDef]:
    """Their routes for an application."""
    section, single = f"{{section:{'|'.join(ENTRIES)}}}", f"{{single:{'|'.join(SINGLES)}}}"
    return [
        web.get("/admin", history_page.home),
        web.get("/admin/history", history_page.show),
        web.get("/admin/file", text_page.download),
        web.get("/admin/text/{part}", text_page.show),
        web.post("/admin/text/{part}", text_page.change),
        web.get("/admin/lists/{list}", lists_page.show),
        web.post("/admin/lists/{list}", lists_page.change),
        web.get("/admin/absences", absences_page.show),
        web.post("/admin/absences", absences_page.change),
        web.get("/admin/try", tried_page.show),
        web.post("/admin/try", tried_page.show_draft),
        web.get(f"/admin/{section}", entry_page.show_list),
        web.post(f"/admin/{section}", entry_page.order),
        web.get(f"/admin/new/{section}", entry_page.show),
        web.post(f"/admin/new/{section}", entry_page.change),
        web.get(f"/admin/{section}/{{name}}", entry_page.show),
        web.post(f"/admin/{section}/{{name}}", entry_page.change),
        web.get(f"/admin/{single}", entry_page.show),
        web.post(f"/admin/{single}", entry_page.change),
    ]
