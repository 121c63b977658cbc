"""Traces cost nothing where nobody wants them, name what is missing, and are one a call whoever tells of it."""

from __future__ import annotations

import sys
from contextlib import suppress
from uuid import uuid4

import pytest

from calls import spans
from calls.spans import Span
from service.faults import UserFault
from service.settings import TracesSettings
from service.traces import open_traces


async def test_without_an_endpoint_nobody_listens() -> None:
    async with open_traces(TracesSettings()):
        assert not spans.is_heard()


async def test_the_extra_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sets an endpoint learns at the start what to install."""
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(UserFault, match=r"traces\.endpoint: .*switchhook\[traces\]"):
        async with open_traces(TracesSettings(endpoint="http://127.0.0.1:9/v1/traces")):
            pass


def test_what_is_done_within_something_is_told_so_and_an_error_fails_it() -> None:
    """Work on a call: the inner is within the outer; what is worked on without a call is told of none."""
    told: list[Span] = []
    call = uuid4()
    with spans.listening(told.append):
        with spans.span("of no call"):
            pass
        spans.about(call)
        with suppress(ValueError), spans.span("job") as facts, spans.span("crm read"):
            facts["attempt"] = 2
            raise ValueError
        with suppress(spans.Later), spans.span("job"):
            raise spans.Later
        spans.about(None)
    inner, outer, later = told
    assert not later.failed
    assert (inner.name, outer.name, outer.facts) == ("crm read", "job", {"attempt": 2})
    assert (inner.within, outer.within) == (outer.id, None)
    assert [(one.call, one.failed) for one in (inner, outer)] == [(call, True), (call, True)]
