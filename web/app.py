"""Puts the room together: routes, doors, and the listener that lives as long as the application."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from web import (
    bell,
    call_page,
    call_told,
    calls_export,
    calls_list,
    comments_page,
    controlling,
    crm_connect_page,
    crm_doors,
    crm_page,
    crm_setup_page,
    desk,
    health,
    import_page,
    keeping,
    linked,
    login,
    missed_page,
    nps,
    outcomes,
    pausing,
    searching,
    status,
    views,
)
from web.access import audit_page, incidents_page, me_page, oidc_page, password_page, users_page
from web.admin.routes import routes as admin_routes
from web.api.routes import routes
from web.attempts import TRIES, Tries
from web.calls_export import AT_ONCE_MOST, EXPORTS
from web.guard import add_headers, know_viewer, read_again, refuse_nul, refuse_other_sites, tell_errors
from web.head import head_page, wall_page
from web.head.board import BOARDS, Boards
from web.health import READINESS, Readiness
from web.house import HOUSE, House
from web.import_page import READERS, READERS_MOST
from web.leads import attention_page, board_page, decide, give_page, lead_page, list_page, party_page, rules_page, tasks
from web.live import LIVE, Live
from web.render import STATIC
from web.reports import behind_page, measures_page, plans_page, report_page
from web.services import SERVICES, Part, WebServices
from web.watching import STREAMS, Streams

__all__ = ["Part", "WebServices", "make_app"]


def make_app(services: WebServices) -> web.Application:
    """The pages and the API as one aiohttp application; its listener starts and ends with it."""
    app = web.Application(
        middlewares=[tell_errors, refuse_other_sites, refuse_nul, read_again, know_viewer], client_max_size=64 * 1024
    )
    app[SERVICES] = services
    app[HOUSE] = House(services.engine)
    app[LIVE] = Live(services.engine, app[HOUSE])
    app[STREAMS] = Streams(set)
    app[TRIES] = Tries(services.engine)
    app[BOARDS] = Boards(services.engine)
    app[READINESS] = Readiness(services)
    app[EXPORTS] = asyncio.Semaphore(AT_ONCE_MOST)
    app[READERS] = asyncio.Semaphore(READERS_MOST)
    app.add_routes(
        [
            web.get("/", desk.show),
            web.get("/desk/stream", desk.stream),
            web.get("/desk/today", desk.show_today),
            web.get("/desk/status", status.show),
            web.get("/desk/notices", bell.show),
            web.post("/desk/notices", bell.read),
            web.post("/desk/status", status.choose),
            web.post("/desk/cards", desk.choose_cards),
            web.get("/calls", calls_list.show),
            web.get("/calls/export", calls_export.show, allow_head=False),
            web.post("/calls/views", views.change),
            web.get("/calls/{id}", call_page.show),
            web.get("/calls/{id}/text", call_page.show_text),
            web.post("/calls/{id}/effects", call_told.retry),
            web.post("/calls/{id}/keeping", keeping.change),
            web.post("/calls/{id}/comments", comments_page.add),
            web.post("/comments/{number:[0-9]+}/delete", comments_page.delete),
            web.get("/linked/{link}", linked.hear),
            web.post("/calls/{id}/recording", pausing.turn),
            web.post("/calls/{id}/control", controlling.turn),
            web.post("/calls/{id}/help", controlling.ask_head),
            web.post("/calls/{id}/note", outcomes.write_note),
            web.post("/calls/{id}/outcome", outcomes.tell),
            web.get("/missed", missed_page.show),
            web.get("/missed/stream", missed_page.stream),
            web.get("/missed/{number:[0-9]+}", missed_page.show_one),
            web.post("/missed/{number:[0-9]+}", missed_page.change),
            web.get("/leads/import", import_page.show),
            web.post("/leads/import", import_page.change),
            web.get("/reports", report_page.show),
            web.get("/reports/behind", behind_page.show),
            web.get("/reports/behind/export", behind_page.export, allow_head=False),
            web.get("/reports/measures", measures_page.show),
            web.get("/reports/plans", plans_page.show),
            web.post("/reports/plans", plans_page.change),
            web.get("/reports/plans/table", plans_page.take, allow_head=False),
            web.get("/search", searching.show),
            web.get("/head", head_page.show),
            web.get("/head/stream", head_page.stream),
            web.get("/head/beside", head_page.show_beside),
            web.post("/head/overhear", head_page.overhear),
            web.get("/wallboard", wall_page.show),
            web.post("/wallboard", wall_page.change),
            web.get("/wallboard/stream", wall_page.stream),
            web.get("/wall/{told}", wall_page.show_wall),
            web.get("/wall/{told}/stream", wall_page.stream_wall),
            web.get("/leads", list_page.show),
            web.get("/leads/attention", attention_page.show),
            web.get("/leads/give", give_page.show),
            web.post("/leads/give", give_page.give),
            web.get("/leads/board", board_page.show),
            web.get("/leads/board/stream", board_page.stream),
            web.post("/leads/{number:[0-9]+}/board", board_page.move),
            web.get("/leads/rules", rules_page.show),
            web.post("/leads/rules", rules_page.change),
            web.get("/leads/{number:[0-9]+}", lead_page.show),
            web.post("/leads/{number:[0-9]+}", decide.change),
            web.post("/leads/{number:[0-9]+}/done", decide.finish),
            web.post("/tasks/{number:[0-9]+}/done", tasks.done),
            web.get("/parties/{number:[0-9]+}", party_page.show),
            web.post("/parties/{number:[0-9]+}", party_page.change),
            web.get("/crm", crm_page.show_all),
            web.get("/crm/new", crm_connect_page.choose),
            web.get("/crm/new/{kind}", crm_connect_page.ask),
            web.post("/crm/new/{kind}", crm_connect_page.add),
            web.get("/crm/{key}", crm_page.show),
            web.post("/crm/{key}", crm_page.change),
            web.get("/crm/{key}/setup", crm_setup_page.show),
            web.post("/crm/{key}/setup", crm_setup_page.change),
            web.get("/crm/{key}/settings", crm_connect_page.settings),
            web.post("/crm/{key}/settings", crm_connect_page.change),
            web.get("/crm/{key}/oauth", crm_doors.returned, allow_head=False),
            web.post("/crm/{key}/events", crm_doors.heard),
            web.get("/admin/users", users_page.show_all),
            web.post("/admin/users", users_page.add),
            web.get("/admin/users/{number:[0-9]+}", users_page.show),
            web.post("/admin/users/{number:[0-9]+}", users_page.change),
            web.get("/admin/audit", audit_page.show),
            web.get("/admin/audit/export", audit_page.export),
            web.get("/admin/incidents", incidents_page.show),
            web.post("/admin/incidents", incidents_page.retry),
            web.get("/me", me_page.show),
            web.post("/me", me_page.change),
            web.get("/nps/{token}", nps.show),
            web.post("/nps/{token}", nps.answer),
            web.get("/password/{secret}", password_page.show),
            web.post("/password/{secret}", password_page.choose),
            *admin_routes(),
            web.get("/login", login.show),
            web.post("/login", login.enter),
            web.get("/login/oidc", oidc_page.begin, allow_head=False),
            web.get("/login/oidc/return", oidc_page.come_back, allow_head=False),
            web.post("/logout", login.leave),
            web.post("/language", login.choose_language),
            web.post("/theme", login.choose_theme),
            web.get("/healthz", health.alive),
            web.get("/readyz", health.ready),
            web.static("/static", STATIC),
            *routes(),
        ]
    )
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(_let_go)
    app.cleanup_ctx.append(_listen)
    return app


async def _listen(app: web.Application) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(work) for work in (app[LIVE].run(), app[HOUSE].run(), app[TRIES].run())]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _let_go(app: web.Application) -> None:
    """End the open streams: a server waits for its handlers before it closes."""
    app[LIVE].stop()
