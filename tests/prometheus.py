"""A real Prometheus and a real Alertmanager on the loopback, which judge by the shipped rules in a shorter time.

How time is shortened (`shortened`):
1. Spans inside of expressions become a sixtieth. Those of a day and more stay: promtool judges them.
2. `for` becomes a sixtieth and `STEADY_SECONDS` more. What the house itself does comes in its own time, a heartbeat
   every five seconds, and a machine that stands still for a moment is no trouble of the house.
3. Ages that grow only in trouble are compared with a sixtieth, so that nobody has to wait for an hour.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml

from service.installed import locate_alertmanager, locate_prometheus
from service.ports import free_port

METRICS: Final = Path("metrics")
RULES: Final = sorted((METRICS / "rules").glob("*.rules.yml"))
FACTOR: Final = 60
STEADY_SECONDS: Final = 6
SCRAPE_SECONDS: Final = 1
JUDGE: Final = "500ms"
START_SECONDS: Final = 60.0

TEMPLATES: Final = Path("/usr/share/prometheus/alertmanager")
_AGES: Final = "job_oldest_seconds|crm_oldest_effect_seconds|notice_oldest_seconds"
"""Of what is done within a second or two. CEL is read now and then, a text takes its time: these stay as they are."""
_AGE: Final = re.compile(
    rf"(switchhook_(?:{_AGES})(?!\{{queue=\"transcription\"\}})(?:\{{[^}}]*\}})?\)*\s*>=?\s*)(\d+)"
)
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_SPAN: Final = re.compile(r"(?:\d+[smhdwy])+")
_IN_EXPRESSION: Final = re.compile(rf"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`]*`|(?<![\w.$]){_SPAN.pattern}(?!\w)")


_METRIC: Final = re.compile(r"\b(?:(?:switchhook|alertmanager)_\w+|up\b)")
_SERIES: Final = re.compile(rf"{_METRIC.pattern}(?:\{{[^}}]*\}})?")


def rules() -> list[str]:
    """The expression of every shipped rule."""
    told = [group for file in RULES for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]]
    return [rule["expr"] for group in told for rule in group["rules"]]


def series_of_rules() -> list[str]:
    """What every rule looks at, without its judgement: on a good day no rule has an answer."""
    return [series for rule in rules() for series in _SERIES.findall(rule)]


def metrics(expression: str) -> set[str]:
    """The metrics that an expression is about; what a histogram is told by counts as its name."""
    return {re.sub("_(bucket|sum|count)$", "", name) for name in _METRIC.findall(expression)}


def panels() -> list[str]:
    """What every panel of every dashboard asks, its variables filled in; zeros are seen, and a week ago is now."""
    pages = [json.loads(file.read_text(encoding="utf-8")) for file in sorted((METRICS / "dashboards").glob("*.json"))]
    told = [target["expr"] for page in pages for panel in page["panels"] for target in panel.get("targets", [])]
    filled = [re.sub(r"\$\{?\w+\}?", ".*", re.sub(r"\$\{?__\w+\}?", "1m", expression)) for expression in told]
    return [expression.removesuffix(" > 0").replace(" offset 1w", "") for expression in filled]


def shortened(text: str) -> str:
    """The text of a file of rules, in a shorter time."""
    told = yaml.safe_load(text)
    for group in told["groups"]:
        group["interval"] = JUDGE
        for rule in group["rules"]:
            rule["expr"] = shortened_expression(rule["expr"])
            if "for" in rule:
                rule["for"] = f"{seconds(rule['for']) // FACTOR + STEADY_SECONDS}s"
    return str(yaml.safe_dump(told, allow_unicode=True))


def shortened_expression(expression: str) -> str:
    """An expression of PromQL in a shorter time."""
    spans = _IN_EXPRESSION.sub(lambda found: _shorter(found[0]), expression)
    return _AGE.sub(lambda found: f"{found[1]}{int(found[2]) / FACTOR:g}", spans)


def seconds(span: str) -> int:
    """How long a span of Prometheus is, as 1h30m."""
    return sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"(\d+)([smhdwy])", span))


def _shorter(token: str) -> str:
    """A span's sixtieth; what is no span, or is long, as it is."""
    if not _SPAN.fullmatch(token) or seconds(token) >= _UNITS["d"]:
        return token
    return f"{seconds(token) * 1000 // FACTOR}ms"


@dataclass(frozen=True)
class Alert:
    """One alert as somebody hears it."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @property
    def name(self) -> str:
        """What the rule is called."""
        return self.labels["alertname"]


@dataclass(frozen=True)
class Watch:
    """Both at work: what Prometheus is asked, and what people hear of it by Alertmanager."""

    http: aiohttp.ClientSession
    prometheus: str
    alertmanager: str

    async def ask(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression gives now; fails where Prometheus does not understand it."""
        async with self.http.get(f"{self.prometheus}/api/v1/query", params={"query": expression}) as response:
            told = await response.json()
        assert told["status"] == "success", f"{expression}: {told}"
        return list(told["data"]["result"])

    async def firing(self) -> set[str]:
        """Every alert that fires, also those that nobody hears because another one explains them."""
        return {one["metric"]["alertname"] for one in await self.ask('ALERTS{alertstate="firing"}')}

    async def heard(self) -> list[Alert]:
        """What people hear now: alerts that no other one explains."""
        wanted = {"active": "true", "inhibited": "false", "silenced": "false"}
        async with self.http.get(f"{self.alertmanager}/api/v2/alerts", params=wanted) as response:
            return [Alert(one["labels"], one["annotations"]) for one in await response.json()]


@asynccontextmanager
async def watching(port: int) -> AsyncIterator[Watch]:
    """Both in processes of their own, watching the service whose metrics are at `port`."""
    folder = Path(tempfile.mkdtemp(prefix="switchhook-prometheus-"))
    ours, theirs = free_port(), free_port()
    _configure(folder, port, theirs)
    prometheus = (
        *(locate_prometheus(), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"),
        *(f"--web.listen-address=127.0.0.1:{ours}", "--log.level=warn"),
    )
    alertmanager = (
        *(*starting(), f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/told"),
        *(f"--web.listen-address=127.0.0.1:{theirs}", "--cluster.listen-address=", "--log.level=warn"),
    )
    at = [f"http://127.0.0.1:{port}" for port in (ours, theirs)]
    try:
        async with (
            aiohttp.ClientSession() as http,
            _running(folder / "alertmanager.log", *alertmanager),
            _running(folder / "prometheus.log", *prometheus),
        ):
            for one in at:
                await _ready(http, one)
            yield Watch(http, *at)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _configure(folder: Path, port: int, alertmanager: int) -> None:
    """The shipped configuration of both, looking more often; whom to tell is nobody's business here."""
    told = yaml.safe_load((METRICS / "prometheus/prometheus.yml").read_text(encoding="utf-8"))
    pace = {"scrape_interval": f"{SCRAPE_SECONDS}s", "scrape_timeout": f"{SCRAPE_SECONDS}s"}
    told["global"] |= pace | {"evaluation_interval": JUDGE}
    told["rule_files"] = [f"{folder}/*.rules.yml"]
    told["alerting"]["alertmanagers"] = [_at(alertmanager)]
    ports = {"switchhook": port, "alertmanager": alertmanager}
    told["scrape_configs"] = [one | _at(ports[one["job_name"]]) for one in told["scrape_configs"]]
    shipped = yaml.safe_load((METRICS / "prometheus/alertmanager.yml").read_text(encoding="utf-8"))
    silent = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}
    (folder / "prometheus.yml").write_text(json.dumps(told))
    (folder / "alertmanager.yml").write_text(json.dumps(silent | {"inhibit_rules": shipped["inhibit_rules"]}))
    for file in RULES:
        (folder / file.name).write_text(shortened(file.read_text(encoding="utf-8")), encoding="utf-8")


def starting() -> tuple[str, ...]:
    """How to start Alertmanager. Debian's has its templates in /usr/share: it sees there what is unpacked beside it."""
    program = locate_alertmanager()
    if TEMPLATES.is_dir():
        return (str(program),)
    unpacked = program.parents[1] / TEMPLATES.relative_to("/")
    see = f"mount -t tmpfs none /usr/share && mkdir -p {TEMPLATES} && mount --bind {unpacked} {TEMPLATES}"
    return ("unshare", "--mount", "--map-root-user", "sh", "-c", f'{see} && exec "$0" "$@"', str(program))


def _at(port: int) -> dict[str, Any]:
    return {"static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}


@asynccontextmanager
async def _running(said: Path, *command: str | Path) -> AsyncIterator[None]:
    """A program that ends with the body, and with us however we end."""
    with said.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *("setpriv", "--pdeathsig=KILL", "--", *command), cwd=said.parent, stdout=output, stderr=output
        )
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _ready(http: aiohttp.ClientSession, at: str) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                async with http.get(f"{at}/-/ready") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)
