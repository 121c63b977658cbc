"""A server of OAuth tokens on the loopback: each renewal kills the refresh token before it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

from aiohttp import web

from calls.database import connect
from crm_sync.errors import AuthDeadError
from crm_sync.grants import Grant, SealedGrants
from crm_sync.http import Http
from crm_sync.secrets import Keeper
from service.children import die_with_parent
from tests.fakes.command import PROGRAM
from tests.fakes.ledger import LOOPBACK, SECRET_KEY

FIRST = Grant("access-0", "refresh-0", told={"account": "romashka"})


@dataclass
class TokenServer:
    """`asked` are the refresh tokens that came; `renewed` those given; `answers` holds an answer back."""

    url: str = ""
    asked: list[str] = field(default_factory=list)
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((await request.post())["refresh_token"])  # type: ignore[arg-type]
        number = len(self.asked)
        if self.asked[-1] != f"refresh-{number - 1}":
            return web.json_response({"error": "invalid_grant"}, status=400)
        await self.answers.wait()
        return web.json_response({"access_token": f"access-{number}", "refresh_token": f"refresh-{number}"})


@asynccontextmanager
async def open_token_server() -> AsyncIterator[TokenServer]:
    """One on a free port, which answers at once until `answers` is cleared."""
    server = TokenServer()
    server.answers.set()
    app = web.Application()
    app.router.add_post("/token", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/token"
    try:
        yield server
    finally:
        server.answers.set()
        await runner.cleanup()


async def ask(http: Http, url: str, grant: Grant) -> Grant:
    """Renew as an adapter does."""
    answer = await http.send("POST", url, form={"refresh_token": grant.refresh})
    told = answer.json()
    if not answer.is_success:
        raise AuthDeadError(told["error"], answer.kept())
    return Grant(told["access_token"], told["refresh_token"], told=grant.told)


def process_that_renews(database_url: str, token_url: str, result: Path) -> BaseProcess:
    """One that renews the first grant five times at once, and writes what it got, a line each."""
    return PROGRAM.Process(target=_renew, args=(database_url, token_url, result))


def _renew(database_url: str, token_url: str, result: Path) -> None:
    die_with_parent()

    async def work() -> None:
        engine, http = connect(database_url), Http(LOOPBACK)
        grants = SealedGrants(engine, Keeper(SECRET_KEY), "site")
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(grants.renew(FIRST, lambda one: ask(http, token_url, one))) for _ in range(5)]
        result.write_text("\n".join(task.result().access for task in tasks))
        await http.close()
        await engine.dispose()

    asyncio.run(work())
