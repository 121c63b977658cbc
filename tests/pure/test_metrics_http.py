"""The port for operations, asked over real HTTP."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from metrics.http import PortTakenError, make_app, new_registry, serving
from metrics.links import LinkGauges, WatchedLink
from metrics.observe import Observed, Pushed
from telephony.pbx import LinkState

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@dataclass(frozen=True)
class Part:
    name: str
    ready: bool
    reason: str = ""


async def ask(address: str, path: str, accept: str = "") -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(address + path, headers={"Accept": accept}) as response:
        return response.status, response.headers["Content-Type"], await response.text()


async def test_both_formats_that_prometheus_asks_for_are_valid() -> None:
    registry = new_registry()
    Observed(registry)
    Pushed(registry).seconds(0.02)
    registry.register(LinkGauges([WatchedLink("main", LinkState(connected=True), lambda: 3, lambda: None)]))
    async with serving(make_app(registry), port=0) as address:
        _, content_type, body = await ask(address, "/metrics", OPENMETRICS)
        assert content_type.startswith("application/openmetrics-text")
        told = openmetrics.text_string_to_metric_families(body)  # type: ignore[no-untyped-call] # no types
        strict = {family.name for family in told}
        _, content_type, body = await ask(address, "/metrics", "text/plain")
        assert content_type.startswith("text/plain")
        plain = {family.name for family in text_string_to_metric_families(body)}
    assert {"switchhook_calls", "switchhook_ami_connected", "switchhook_build_info"} <= strict & plain
    ours = {name for name in strict if not name.startswith(("process_", "switchhook_"))}
    assert ours == set()


async def test_a_link_tells_what_it_knows_and_leaves_out_what_it_does_not() -> None:
    state = LinkState(connected=True, events_total=7, last_event_at=datetime.now(UTC) - timedelta(seconds=4))
    registry = new_registry()
    registry.register(
        LinkGauges([WatchedLink("main", state, lambda: 2, lambda: 12.0, lambda: {"sales": 3, "support": 0})])
    )
    told = {"pbx": "main"}
    assert registry.get_sample_value("switchhook_ami_connected", told) == 1
    assert registry.get_sample_value("switchhook_ami_events_total", told) == 7
    assert registry.get_sample_value("switchhook_events_lost_total", told) == 2
    silent = registry.get_sample_value("switchhook_ami_last_event_seconds", told)
    for team, count in {"sales": 3, "support": 0}.items():
        assert registry.get_sample_value("switchhook_callers_waiting", told | {"team": team}) == count
    assert silent is not None
    assert 4 <= silent < 10
    assert registry.get_sample_value("switchhook_ami_heartbeat_lag_seconds", told) is None
    state.heartbeat_lag_seconds = 0.01
    assert registry.get_sample_value("switchhook_ami_heartbeat_lag_seconds", told) == 0.01


async def test_ready_says_why_it_is_not() -> None:
    parts: list[Part] = [Part("database", ready=True), Part("pbx main", ready=False, reason="wrong secret")]

    async def readiness() -> Sequence[Part]:
        return parts

    async with serving(make_app(new_registry(), ready=readiness), port=0) as address:
        status, _, body = await ask(address, "/readyz")
        assert status == 503
        assert "wrong secret" in body
        parts.pop()
        assert (await ask(address, "/readyz"))[0] == 200
        assert (await ask(address, "/healthz"))[0] == 200


async def test_a_port_in_use_is_one_clear_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"cannot listen on 127.0.0.1:{port}"):
            async with serving(make_app(new_registry()), port=port):
                pass


def test_two_registries_share_nothing() -> None:
    first, second = new_registry(), new_registry()
    Observed(first).caught_up.inc()
    Observed(second)
    assert first.get_sample_value("switchhook_catch_up_calls_total") == 1
    assert second.get_sample_value("switchhook_catch_up_calls_total") == 0
