"""A collector of traces on the loopback, strict: OTLP over HTTP with protobuf, as its specification has it."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

PATH = "/v1/traces"


@dataclass(frozen=True)
class Heard:
    """One span as it was told; ids as numbers, the trace's as a call's id."""

    call: UUID
    id: int
    parent: int | None
    name: str
    began_at: float
    ended_at: float
    facts: dict[str, object]
    failed: bool
    service: object


@dataclass
class Collector:
    """Where it listens, and what it was told, byte for byte too."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def named(self, name: str, call: UUID | None = None) -> list[Heard]:
        """The spans of that name, of one call or of all."""
        return [one for one in self.heard if one.name == name and call in {None, one.call}]

    async def take(self, request: web.Request) -> web.Response:
        """Fails whoever says it otherwise than the specification."""
        assert request.content_type == "application/x-protobuf"
        body = await request.read()
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        told = ExportTraceServiceRequest.FromString(body)
        self.bodies.append(body)
        for of in told.resource_spans:
            resource = {one.key: one.value.string_value for one in of.resource.attributes}
            for scope in of.scope_spans:
                for span in scope.spans:
                    assert (len(span.trace_id), len(span.span_id), len(span.parent_span_id) in {0, 8}) == (16, 8, True)
                    assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano
                    facts = {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in span.attributes}
                    self.heard.append(
                        Heard(
                            UUID(bytes=span.trace_id),
                            int.from_bytes(span.span_id),
                            int.from_bytes(span.parent_span_id) if span.parent_span_id else None,
                            span.name,
                            span.start_time_unix_nano / 1e9,
                            span.end_time_unix_nano / 1e9,
                            facts,
                            span.status.code == 2,
                            resource.get("service.name"),
                        )
                    )
        return web.Response(
            body=ExportTraceServiceResponse().SerializeToString(), content_type="application/x-protobuf"
        )


@asynccontextmanager
async def open_collector() -> AsyncIterator[Collector]:
    """One on a free port."""
    collector = Collector()
    app = web.Application()
    app.router.add_post(PATH, collector.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    collector.url = f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"
    try:
        yield collector
    finally:
        await runner.cleanup()
