"""Settings that are read again: what differs is told setting by setting, and what cannot be followed stays."""

from __future__ import annotations

import asyncio
import base64
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from service.children import keep_worker
from service.reloading import LIVE, differences, followed, reload
from service.settings import Settings, SettingsError, load
from service.shown import shown
from service.wiring import House
from service.worker_role import DOCTOR, queues_of

WHSEC = "whsec_" + base64.b64encode(bytes(32)).decode()
PBX = {"name": "main", "host": "10.0.0.1", "secret": "hush"}


def settings(**told: Any) -> Settings:
    return Settings(**told)


def test_each_difference_is_told_by_its_name_with_secrets_hidden() -> None:
    old = settings(pbx=[PBX], notices={"telegram": {"token": "first"}}, web={"port": 8000})
    branch = {"name": "branch", "secret": "hush"}
    new = settings(
        pbx=[PBX | {"host": "10.0.0.2", "secret": "other"}, branch],
        notices={"telegram": {"token": "second"}},
        web={"port": 8001, "public_url": "https://calls.example.org"},
        calendars={"networks": ["10.0.0.0/8"]},
    )
    told = {one.field: (one.old, one.new, one.live) for one in differences(old, new)}
    assert {field: one for field, one in told.items() if not field.startswith("pbx[branch]")} == {
        "pbx[main].host": ("10.0.0.1", "10.0.0.2", False),
        "pbx[main].secret": ("***", "***", False),
        "notices.telegram.token": ("***", "***", True),
        "web.port": ("8000", "8001", False),
        "web.public_url": ("none", "https://calls.example.org", False),
        "calendars.networks": ("[]", "[10.0.0.0/8]", True),
    }
    assert told["pbx[branch].name"] == ("none", "branch", False)
    assert "hush" not in str(told)


@pytest.mark.parametrize(
    "address, told",
    [
        ("https://crm.example.org:8443/rest/1/hush/owner?key=hush", "https://crm.example.org:8443/…"),
        ("https://u:hush@crm.example.org/", "https://…@crm.example.org"),
        ("https://u:hush/hush@crm.example.org", "https://…@crm.example.org"),
        ("https://crm.example.org?hush", "https://crm.example.org/…"),
        ("crm.example.org/hush", "crm.example.org/…"),
        ("https://crm.example.org", "https://crm.example.org"),
    ],
)
def test_of_an_address_it_is_shown_where_it_leads(address: str, told: str) -> None:
    """Keys stand in its path, its query, or before its host; settings.json of a backup and errors show no more."""
    assert shown(address) == told


def test_no_key_of_an_address_is_told_by_a_reload() -> None:
    old, new = (
        settings(
            crm={"owner_url": f"https://crm.example.org/{key}"},
            notices={"webhook": {"url": f"https://hook.example.org/{key}", "secret": WHSEC}},
            traces={"endpoint": f"https://traces.example.org/{key}"},
        )
        for key in ("hush", "hush2")
    )
    told = {one.field: one.new for one in differences(old, new)}
    assert told == {
        "crm.owner_url": "https://crm.example.org/…",
        "notices.webhook.url": "https://hook.example.org/…",
        "traces.endpoint": "https://traces.example.org/…",
    }


def test_what_cannot_be_followed_is_told_again_and_again() -> None:
    """Whoever forgets the restart is reminded at the next reload."""
    old = settings(language="ru", web={"port": 8000}, crm={"budget_seconds": 0.2})
    new = settings(language="en", web={"port": 8001, "secure": True}, crm={"budget_seconds": 0.5})
    now = followed(old, new)
    assert (now.language, now.web.secure, now.web.port, now.crm.budget_seconds) == ("en", True, 8000, 0.2)
    assert [one.field for one in differences(now, new)] == ["web.port", "crm.budget_seconds"]
    assert differences(followed(now, old), old) == []


async def test_what_would_contradict_what_waits_for_a_restart_is_refused_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider would send people back to an address that is not in force; the reason names what waits."""
    file = tmp_path / "switchhook.toml"
    monkeypatch.setenv("SWITCHHOOK_CONFIG", str(file))
    file.write_text('language = "ru"\n')
    engine = create_async_engine("postgresql+asyncpg://x/x")
    house = House(before := load(), "postgresql://x/x", engine)
    provider = '[oidc]\nissuer = "https://id.example.org"\nclient_id = "calls"\nclaim = "login"\n'
    file.write_text(f'language = "en"\n[web]\npublic_url = "https://calls.example.org"\n{provider}')
    with pytest.raises(SettingsError, match=r"oidc\.issuer needs web\.public_url.*stay as they were: web\.public_url"):
        reload(house)
    assert house.settings == before
    house.settings = load()
    file.write_text(f'language = "ru"\n[web]\npublic_url = "https://other.example.org"\n{provider}')
    assert [one.field for one in reload(house)] == ["language", "web.public_url"]


def test_what_nobody_thought_of_needs_a_restart() -> None:
    """A setting is in force at once only where it is said so, and each that is said so is one."""
    assert Settings.model_fields.keys() >= LIVE
    now = followed(settings(), settings(synthetic={"every_minutes": 15, "line": "74951234567"}))
    assert now.synthetic == settings().synthetic


def test_the_worker_that_a_service_keeps_leaves_the_daily_look_to_it() -> None:
    """It has no PBX's secret, and would find each PBX ill."""
    assert set(queues_of((), kept=False)) - set(queues_of((), kept=True)) == {DOCTOR}
    assert queues_of((DOCTOR,), kept=True) == (DOCTOR,)


async def test_a_kept_worker_is_started_by_the_settings_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first ends in order, another begins; in this test they only say by what."""
    said, program = tmp_path / "said", tmp_path / "worker"
    program.write_text(f'#!/bin/sh\necho "$SWITCHHOOK_LOG" >> {said}\nexec sleep 600\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    house = House(settings(data_dir=tmp_path), "postgresql://x/x", create_async_engine("postgresql+asyncpg://x/x"))
    keeping = asyncio.create_task(keep_worker(house))

    async def has_said(*lines: str) -> None:
        async with asyncio.timeout(60):
            while not said.exists() or said.read_text().splitlines() != list(lines):
                await asyncio.sleep(0.02)

    try:
        await has_said("console")
        house.settings = followed(house.settings, settings(log="json"))
        for follow in house.followers:
            follow()
        await has_said("console", "json")
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
