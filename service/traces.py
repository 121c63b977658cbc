"""Traces of calls, told to a collector by OTLP over HTTP: one trace a call, whatever process tells of it.

The trace's id is the call's, and the call itself is the span whose id is made of that: so processes on several
machines, and those after a restart, agree on both without a word. Nothing of it is loaded unless an endpoint is set.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from uuid import UUID

from calls import spans
from calls.due import Change
from calls.events import Routed
from calls.spans import Fact, Span
from calls.view import CallView
from service.faults import UserFault
from service.settings import TracesSettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

_LAST_SECONDS = 2.0
"""What was not told by then, when the process ends, is not told: a collector that is away holds nobody up."""
_ANSWER_SECONDS = 5.0
_NANO = 1_000_000_000


@asynccontextmanager
async def open_traces(settings: TracesSettings) -> AsyncIterator[None]:
    """Spans are told while the body runs. Raises UserFault where an endpoint is set and the extra is not installed."""
    if settings.endpoint is None:
        yield
        return
    try:
        processor = _processor(settings.endpoint)
    except ImportError as error:
        raise UserFault(f"traces.endpoint: needs the extra: pip install 'switchhook[traces]' ({error.name})") from None
    made = _Made()
    try:
        with spans.listening(lambda span: processor.on_end(made.span(span))):
            yield
    finally:
        # It flushes by itself, and heeds no limit where a collector takes spans and never answers.
        last = threading.Thread(target=processor.shutdown, daemon=True)
        last.start()
        await asyncio.to_thread(last.join, _LAST_SECONDS)


def _processor(endpoint: str) -> BatchSpanProcessor:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=_ANSWER_SECONDS))


class _Made:
    """Makes OpenTelemetry's spans of ours."""

    def __init__(self) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope

        self._resource = Resource.create({"service.name": "switchhook", "service.version": version("switchhook")})
        self._scope = InstrumentationScope("switchhook")

    def span(self, told: Span) -> ReadableSpan:
        """The same."""
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

        def context(span_id: int) -> SpanContext:
            return SpanContext(told.call.int, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))

        root = root_of(told.call)
        return ReadableSpan(
            told.name,
            context=context(root if told.is_whole else told.id),
            parent=None if told.is_whole else context(told.within or root),
            resource=self._resource,
            attributes={"switchhook.call": str(told.call), **_named(told.facts)},
            kind=SpanKind.CLIENT if told.name.startswith("crm ") else SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR) if told.failed else Status(),
            start_time=int(told.began_at * _NANO),
            end_time=int(told.ended_at * _NANO),
            instrumentation_scope=self._scope,
        )


def _named(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    return {f"switchhook.{name}": value for name, value in facts.items()}


def root_of(call: UUID) -> int:
    """The id of the span that is the call itself: half of the call's own, which is random."""
    return call.int & (1 << 64) - 1 or 1


def tell(change: Change) -> None:
    """Tell of what a change made known: a decision, and of a call that is settled the whole."""
    if not spans.is_heard():
        return
    for event in change.events:
        if isinstance(event, Routed) and event.at is not None:
            for span in _decision(change.call_id, event, event.at):
                spans.tell(span)
    if change.just_settled:
        for span in _whole(change.call_id, change.after):
            spans.tell(span)


def _decision(call: UUID, event: Routed, decided_at: datetime) -> Iterator[Span]:
    """From the arrival until the PBX had the plan, and what the time was spent on."""
    plan: Any = json.loads(event.plan)
    times: Mapping[str, float] = plan.get("times") or {}
    began_at = at = decided_at.timestamp() - event.seconds
    ended_at = max(decided_at.timestamp(), began_at + sum(times.values()))
    facts: dict[str, Fact] = {
        "rule": event.rule or "",
        "outcome": event.outcome,
        "step_count": len(plan.get("steps") or ()),
    }
    routing = Span(call, "routing", began_at, ended_at, facts, event.outcome in {"late", "refused"})
    yield routing
    for name, seconds in times.items():
        yield Span(call, f"routing {name}", at, at + seconds, within=routing.id)
        at += seconds


def _whole(call: UUID, seen: CallView) -> Iterator[Span]:
    """The call, and within it who rang and who talked; whose devices these are is not told."""
    if seen.started_at is None or seen.ended_at is None:
        return
    facts: dict[str, Fact] = {
        "direction": seen.direction,
        "status": seen.status,
        "missed_cause": seen.missed_cause or "",
    }
    facts |= {"pbx": seen.pbx, "rule": seen.rule, "outcome": seen.outcome}
    yield Span(
        call,
        "call",
        seen.started_at.timestamp(),
        seen.ended_at.timestamp(),
        {**facts, "recovered": seen.recovered},
        is_whole=True,
    )
    for leg in seen.legs:
        until = leg.answered_at or leg.ended_at
        if leg.rang_at is not None and until is not None:
            yield Span(call, "ring", leg.rang_at.timestamp(), until.timestamp(), {"outcome": leg.outcome or ""})
    for talk in seen.talks:
        if talk.since is not None and talk.until is not None:
            yield Span(call, "talk", talk.since.timestamp(), talk.until.timestamp())
