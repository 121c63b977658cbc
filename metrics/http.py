"""The port that operations read: /metrics for Prometheus, /healthz alive, /readyz ready with a reason a part."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Protocol

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry, Gauge, Metric, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from metrics.observe import PREFIX

Registry = CollectorRegistry
"""What a process counts into; other rooms hand it on without knowing prometheus_client."""

Reader = Callable[[], Sequence[Metric]]
"""Gives families that were read before, as `DatabaseGauges.families` does: a scrape waits for nobody."""


class Part(Protocol):
    """One part of the service: whether it is ready, and in words why not."""

    @property
    def name(self) -> str:
        """Its name, one of a closed list."""

    @property
    def ready(self) -> bool:
        """Whether it works now."""

    @property
    def reason(self) -> str:
        """Why it does not."""


Readiness = Callable[[], Awaitable[Sequence[Part]]]


class PortTakenError(Exception):
    """Nothing can listen where the metrics should be told; the text names the setting."""


async def _always_ready() -> Sequence[Part]:
    return ()


def new_registry() -> CollectorRegistry:
    """A registry of this process alone, with its memory, processor time and build; nothing global is used."""
    # When a counter began is a second series for each; nobody asks for it.
    disable_created_metrics()  # type: ignore[no-untyped-call] # the library ships no type for it
    registry = CollectorRegistry(auto_describe=True)
    ProcessCollector(registry=registry)
    try:
        built = version("switchhook")
    except PackageNotFoundError:
        built = "unknown"
    info = Gauge("build_info", "The program's version.", ["version", "python"], PREFIX, registry=registry)
    info.labels(built, platform.python_version()).set(1)
    return registry


def make_app(
    registry: CollectorRegistry,
    *,
    readers: Sequence[Reader] = (),
    before: Sequence[Callable[[], None]] = (),
    ready: Readiness = _always_ready,
) -> web.Application:
    """The three pages. `before` is called at each scrape (`Observed.prepare`), then each of `readers` is asked."""

    async def tell(request: web.Request) -> web.Response:
        for prepare in before:
            prepare()
        families = [family for reader in readers for family in reader()]
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        body = encode(_Together(registry, families))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def alive(_request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def readiness(_request: web.Request) -> web.Response:
        parts = await ready()
        whole = all(part.ready for part in parts)
        told = {part.name: {"ready": part.ready, "reason": part.reason} for part in parts}
        return web.json_response({"ready": whole, "parts": told}, status=200 if whole else 503)

    app = web.Application()
    app.router.add_get("/metrics", tell)
    app.router.add_get("/healthz", alive)
    app.router.add_get("/readyz", readiness)
    return app


@asynccontextmanager
async def serving(
    app: web.Application,
    host: str = "127.0.0.1",
    port: int = 9465,
    *,
    setting: str = "metrics.port",
    last_seconds: float = 1.0,
) -> AsyncIterator[str]:
    """Serve `app` while the block runs; gives its address as http://HOST:PORT. Port 0: any free one.

    After the block whoever asked has `last_seconds` to be answered.

    Raises PortTakenError, which names `setting`.
    """
    asked = _Asked()
    app.middlewares.append(asked.middleware)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        listening = web.TCPSite(runner, host, port)
        try:
            await listening.start()
        except OSError as error:
            raise PortTakenError(f"{setting}: cannot listen on {host}:{port} ({error.strerror or error})") from error
        where = runner.addresses[0]
        yield f"http://{where[0]}:{where[1]}"
    finally:
        for site in runner.sites:
            await site.stop()
        await runner.shutdown()  # streams end; aiohttp's own end reads no more of a request that is still coming in
        await asked.answered(last_seconds)
        await runner.cleanup()


class _Asked:
    """How many requests are being answered."""

    def __init__(self) -> None:
        self._count = 0

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Count it until it has its answer."""
        self._count += 1
        try:
            return await handler(request)
        finally:
            self._count -= 1

    async def answered(self, seconds: float) -> None:
        """Wait until all are answered, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._count:  # noqa: ASYNC110 - being told would cost each request
                    await asyncio.sleep(0.02)


class _Together(Collector):
    """The registry's families and those read for this scrape, as one exposition."""

    def __init__(self, registry: CollectorRegistry, families: Sequence[Metric]) -> None:
        self._registry = registry
        self._families = families

    def collect(self) -> Iterator[Metric]:
        told = {family.name: family for family in self._families}
        for family in self._registry.collect():
            # One family may be counted by this process and, of workers, by the database.
            other = told.pop(family.name, None)
            if other is not None:
                family.samples.extend(other.samples)
            yield family
        yield from told.values()
