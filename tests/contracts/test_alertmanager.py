"""Whom Alertmanager tells, as it is shipped: routes, inhibition, and real messages by mail, Telegram and webhook."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web

from service.installed import locate_amtool
from service.ports import free_port
from tests.fakes.mailbox import LOGIN, PASSWORD, SENDER, Mailbox, open_mailbox
from tests.prometheus import starting

PROMETHEUS = Path("metrics/prometheus")
SHIPPED = PROMETHEUS / "alertmanager.yml"
TOKEN = "123456:a-token-of-tests"
CHAT = -1009876543210
SECONDS = 60.0


def rules() -> dict[str, dict[str, Any]]:
    """Every alert that there is, by name."""
    told = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in Path("metrics/rules").glob("*.rules.yml")]
    return {rule["alert"]: rule for file in told for group in file["groups"] for rule in group["rules"]}


def amtool(*arguments: str | Path) -> str:
    run = subprocess.run([locate_amtool(), *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_amtool_accepts_the_configuration_and_finds_its_templates() -> None:
    assert "1 templates" in amtool("check-config", SHIPPED)


@pytest.mark.parametrize("severity", ["critical", "warning", "info"])
def test_an_alert_goes_to_the_receiver_of_its_severity(severity: str) -> None:
    named = amtool("config", "routes", "test", f"--config.file={SHIPPED}", f"severity={severity}", "alertname=Any")
    assert named.split() == [severity]


def test_inhibition_knows_every_alert_by_its_name_and_silences_none_that_tells_of_lost_callers() -> None:
    alerts = rules()
    for rule in yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))["inhibit_rules"]:
        sources, targets = (
            set(re.fullmatch(r'alertname =~? "([\w|]+)"', rule[side][0])[1].split("|"))  # type: ignore[index] # fails
            for side in ("source_matchers", "target_matchers")
        )
        assert sources | targets <= set(alerts), (sources | targets) - set(alerts)
        assert {alerts[name]["labels"]["severity"] for name in targets} <= {"warning", "info"}


@dataclass
class Told:
    """What people got: chats and calls of the webhook here, mail in its box."""

    mail: Mailbox
    chats: list[dict[str, Any]] = field(default_factory=list)
    hooks: list[dict[str, Any]] = field(default_factory=list)

    async def telegram(self, request: web.Request) -> web.Response:
        """SendMessage of the Bot API, for our bot alone."""
        told = await request.json()
        if request.match_info["token"] != TOKEN or str(told["chat_id"]) != str(CHAT):
            return web.json_response({"ok": False, "error_code": 401, "description": "Unauthorized"}, status=401)
        self.chats.append(told)
        sent = {"message_id": len(self.chats), "date": 0, "chat": {"id": CHAT, "type": "group"}, "text": told["text"]}
        return web.json_response({"ok": True, "result": sent})

    async def webhook(self, request: web.Request) -> web.Response:
        """Whatever is posted."""
        self.hooks.append(await request.json())
        return web.Response()

    @property
    def subjects(self) -> list[str]:
        """What the mails are about, in the order they came."""
        return [str(message["Subject"]) for message in self.mail.taken]


@dataclass
class Alertmanager:
    """The real one, with what it told."""

    url: str
    http: aiohttp.ClientSession
    told: Told

    async def post(self, name: str, *, over: bool = False, **labels: str) -> None:
        """Tell of an alert as Prometheus does, or that it is over."""
        rule, now = rules()[name], datetime.now(UTC)
        ends = now if over else now + timedelta(hours=1)
        alert = {
            "labels": {"alertname": name, **rule["labels"], **labels},
            "annotations": rule["annotations"] | {"summary": f"{name} of {labels['pbx']}."},
            "startsAt": (now - timedelta(minutes=1)).isoformat(),
            "endsAt": ends.isoformat(),
        }
        async with self.http.post(f"{self.url}/api/v2/alerts", json=[alert]) as response:
            assert response.status == 200, await response.text()

    async def inhibited(self) -> set[tuple[str, str]]:
        """Name and PBX of every alert that another one explains."""
        wanted = {"active": "false", "silenced": "false", "inhibited": "true"}
        async with self.http.get(f"{self.url}/api/v2/alerts", params=wanted) as response:
            return {(one["labels"]["alertname"], one["labels"]["pbx"]) for one in await response.json()}


def filled_in(folder: Path, at: str, mail: Mailbox) -> Path:
    """The shipped configuration with every place filled in, and no long wait for others of a group."""
    for name, secret in (("mail_password", PASSWORD), ("telegram_token", TOKEN), ("webhook_url", f"{at}/hook")):
        (folder / name).write_text(secret + "\n")
    shutil.copy(PROMETHEUS / "switchhook.tmpl", folder)
    told = yaml.safe_load(SHIPPED.read_text(encoding="utf-8").replace("/etc/alertmanager/secrets", str(folder)))
    told["global"] |= {"smtp_smarthost": f"localhost:{mail.port}", "smtp_from": SENDER, "smtp_auth_username": LOGIN}
    told["global"] |= {"smtp_tls_config": {"ca_file": str(mail.ca_file)}, "telegram_api_url": at}
    for route in (told["route"], *told["route"]["routes"]):
        route |= {"group_wait": "100ms", "group_interval": "1s"}
    for receiver in told["receivers"]:
        for telegram in receiver.get("telegram_configs", ()):
            telegram["chat_id"] = CHAT
    file = folder / "alertmanager.yml"
    file.write_text(yaml.safe_dump(told))
    return file


@asynccontextmanager
async def serving(told: Told) -> AsyncIterator[str]:
    """Telegram's API and the webhook, on the loopback."""
    app = web.Application()
    app.router.add_post("/bot{token}/sendMessage", told.telegram)
    app.router.add_post("/hook", told.webhook)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def alertmanager(tmp_path: Path) -> AsyncIterator[Alertmanager]:
    port = free_port()
    async with open_mailbox(tmp_path) as mail, serving(told := Told(mail)) as at, aiohttp.ClientSession() as http:
        config = filled_in(tmp_path, at, mail)
        arguments = (f"--storage.path={tmp_path}/told", f"--web.listen-address=127.0.0.1:{port}")
        with (tmp_path / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *("setpriv", "--pdeathsig=KILL", "--", *starting(), f"--config.file={config}", *arguments),
                "--cluster.listen-address=",
                stdout=log,
                stderr=log,
            )
        try:
            url = f"http://127.0.0.1:{port}"
            await until(lambda: answers(http, url), tmp_path / "log")
            yield Alertmanager(url, http, told)
        finally:
            process.terminate()
            await process.wait()


async def answers(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(f"{url}/-/ready") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


async def until(holds: Any, log: Path | None = None) -> None:
    """Wait until something is so, plain or awaited."""
    try:
        async with asyncio.timeout(SECONDS):
            while True:
                found = holds()
                if await found if asyncio.iscoroutine(found) else found:
                    return
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(log.read_text() if log else "never came true") from None


@pytest.mark.timeout(240)
async def test_people_are_told_by_mail_telegram_and_webhook_and_of_consequences_not_at_all(
    alertmanager: Alertmanager,
) -> None:
    told = alertmanager.told
    await alertmanager.post("AmiDown", pbx="main", instance="a:9465")
    await until(lambda: told.mail.taken and told.chats and told.hooks)
    assert told.subjects == ["CRITICAL: AmiDown of main."]
    (mail,) = told.mail.taken
    (plain,) = mail.iter_parts()
    assert plain.get_content_type() == "text/plain"
    text = plain.get_content()
    assert text.split() == told.chats[0]["text"].split()
    wanted: Mapping[str, str] = rules()["AmiDown"]["annotations"]
    for said in (wanted["affects"], wanted["first_step"], wanted["runbook"]):
        assert said in text
    assert f"Panel: http://127.0.0.1:3000{wanted['dashboard']}" in text
    (alert,) = told.hooks[0]["alerts"]
    assert (alert["labels"]["alertname"], alert["annotations"]["runbook"]) == ("AmiDown", wanted["runbook"])

    # What follows from it is told of the other PBX alone, and by no webhook, for it is no emergency.
    await alertmanager.post("AmiSlow", pbx="main", instance="a:9465")
    await alertmanager.post("AmiSlow", pbx="branch", instance="a:9465")
    await until(lambda: len(told.mail.taken) == 2 and len(told.chats) == 2)
    assert told.subjects[1] == "WARNING: AmiSlow of branch."
    assert await alertmanager.inhibited() == {("AmiSlow", "main")}
    assert len(told.hooks) == 1

    # That it is over is told everywhere too, and what lasts is heard from then on.
    await alertmanager.post("AmiDown", pbx="main", instance="a:9465", over=True)
    await until(lambda: len(told.mail.taken) == 4 and len(told.chats) == 4 and len(told.hooks) == 2)
    assert set(told.subjects[2:]) == {"OVER: AmiDown of main.", "WARNING: AmiSlow of main."}
    assert told.hooks[1]["status"] == "resolved"
