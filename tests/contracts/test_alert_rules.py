"""Prometheus' own tools judge the rules, and nothing asks for a metric that is not told."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from calls.missed import CAUSES
from calls.queue import QUEUES
from crm_sync.ledger.counting import RESULTS
from metrics.dashboards.__main__ import PAGES, file_of
from metrics.dashboards.panels import Page, Panel, written
from metrics.gauges import describe
from metrics.http import new_registry
from metrics.links import LinkGauges, StoreGauges, WatchedLink
from metrics.observe import OUTCOMES, PREFIX, CrmAsked, Observed, Pushed, Reconciled
from metrics.questions import QUESTIONS
from metrics.synthetic import SyntheticSchedule
from metrics.working import WorkingNow
from service.doctor import copies
from service.installed import locate_promtool
from telephony.pbx import LinkState

METRICS = Path("metrics")
RULES = sorted((METRICS / "rules").glob("*.rules.yml"))
TESTS = sorted((METRICS / "rules").glob("*_test.yml"))
SEVERITIES = {"critical", "warning", "info"}
EXPOSED = re.compile(r"\bswitchhook_[a-z_]+")
METRIC = re.compile(r"\b(?:(?:switchhook|alertmanager)_[a-z_]+|up\b)")


def read(file: Path) -> Any:
    return yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)


@cache
def rules() -> list[dict[str, Any]]:
    told = [group for file in RULES for group in read(file)["groups"]]
    return [rule for group in told for rule in group["rules"]]


def alert_names() -> list[str]:
    return [str(rule["alert"]) for rule in rules()]


def exposed() -> set[str]:
    """Every series name that a scrape can give, from a registry with every part in it."""
    registry = new_registry()
    Observed(registry)
    Pushed(registry)
    Reconciled(registry)
    CrmAsked(registry)
    SyntheticSchedule(registry, 0.0)
    registry.register(LinkGauges([WatchedLink("main", LinkState(), lambda: 0, lambda: 0.0)]))
    registry.register(StoreGauges(None))
    registry.register(WorkingNow(lambda: None, lambda _at: {}))
    names: set[str] = set()
    for family in [*registry.collect(), *describe()]:
        ends = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(family.type, ("",))
        names |= {family.name + end for end in ends}
    return names


@cache
def cases() -> list[dict[str, Any]]:
    """Every case that promtool plays."""
    return [test for file in TESTS for test in read(file)["tests"]]


def expressions(page: Page) -> list[str]:
    """Every query of a page of Grafana, as it is committed; a panel without one fails."""
    panels = [
        panel for panel in json.loads(file_of(page).read_text(encoding="utf-8"))["panels"] if panel["type"] != "row"
    ]
    assert all(panel["targets"] for panel in panels)
    return [target["expr"] for panel in panels for target in panel["targets"]]


def promtool(*arguments: str | Path) -> str:
    # A third of its work would be looking for garbage in what is small, and is gone in seconds.
    run = subprocess.run(
        [locate_promtool(), *arguments], env={"GOGC": "800"}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_promtool_accepts_the_rules() -> None:
    found = re.findall(r"(\d+) rules found", promtool("check", "rules", "--lint-fatal", *RULES))
    assert sum(map(int, found)) == len(rules())


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_each_alert_stays_quiet_fires_and_resolves(file: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", file)


@pytest.mark.parametrize("alert", alert_names())
def test_each_alert_is_seen_quiet_firing_and_resolved(alert: str) -> None:
    """Promtool judges what the tests say; this judges that they say it for every alert."""
    seen = [
        "".join(
            "1" if check["exp_samples"] else "0" for check in case["promql_expr_test"] if f'"{alert}"' in check["expr"]
        )
        for case in cases()
    ]
    assert any(re.search("01+0", case) for case in seen), seen


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_each_alert_says_who_is_affected_and_what_to_do_first(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in SEVERITIES
    assert set(rule["annotations"]) == {"summary", "affects", "runbook", "dashboard", "first_step"}
    page = Path(rule["annotations"]["runbook"])
    assert page.stem == re.sub(r"(?<!^)(?=[A-Z])", "_", rule["alert"]).lower()
    text = page.read_text(encoding="utf-8")
    for heading in ("## What it means", "## Who is affected", "## First step", "## Then"):
        assert heading in text, heading


def test_a_backup_is_old_after_the_same_time_wherever_that_is_told() -> None:
    """The alert, the doctor, and the container that makes them."""
    (rule,) = (rule for rule in rules() if rule["alert"] == "BackupOld")
    (hours,) = re.findall(r"backup_age_seconds\) > (\d+) \* 3600", rule["expr"])
    assert timedelta(hours=int(hours)) == copies.DUE
    check = yaml.safe_load(Path("compose.yaml").read_text(encoding="utf-8"))["services"]["backup"]["healthcheck"]
    (minutes,) = re.findall(r"-mmin -(\d+)", check["test"][1])
    assert timedelta(minutes=int(minutes)) == copies.DUE


def test_every_runbook_belongs_to_an_alert() -> None:
    told = {Path(rule["annotations"]["runbook"]) for rule in rules()}
    assert {page for page in Path("docs/runbooks").glob("*.md") if page.stem != "README"} == told


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_each_alert_links_to_a_panel_that_shows_what_it_judges(rule: dict[str, Any]) -> None:
    panels = {
        f"/d/{page.uid}?viewPanel={one.id}": one for page in PAGES for one in page.parts if isinstance(one, Panel)
    }
    asked = set(METRIC.findall(rule["expr"]))
    fitting = {link: one.title for link, one in panels.items() if asked & set(METRIC.findall(str(one.queries)))}
    assert rule["annotations"]["dashboard"] in fitting, f"one of {fitting}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_a_page_of_grafana_is_committed_as_the_code_makes_it(page: Page) -> None:
    assert file_of(page).read_text(encoding="utf-8") == written(page), "run `make dashboards`"


def test_every_page_and_panel_has_a_number_of_its_own() -> None:
    """Grafana takes the files of the folder, and no other than ours are there."""
    assert {file_of(page) for page in PAGES} == {file.resolve() for file in (METRICS / "dashboards").glob("*.json")}
    for page in PAGES:
        numbers = [panel["id"] for panel in json.loads(file_of(page).read_text(encoding="utf-8"))["panels"]]
        assert len(set(numbers)) == len(numbers)


def test_rules_and_pages_ask_only_for_metrics_that_are_told() -> None:
    known = exposed()
    for queries in ([rule["expr"] for rule in rules()], *(expressions(page) for page in PAGES)):
        asked = {name for query in queries for name in EXPOSED.findall(query)}
        assert asked
        assert asked <= known, asked - known


def test_what_every_process_tells_alike_is_never_added_up_over_processes() -> None:
    """Two machines would make one refused call two: max by the family's labels comes before any sum."""
    families = "|".join(f"{PREFIX}_{question.name}" for question in QUESTIONS)
    ends = "(?:_total|_bucket|_count|_sum)?"
    added = re.compile(rf"\bsum\b(?:\s*by\s*\([^)]*\))?\s*\((?:(?!\bmax\b)[^)])*?\b(?:{families}){ends}\b")
    assert added.search(f"sum by (x) (increase({PREFIX}_{QUESTIONS[0].name}[5m]))")
    for query in [*(rule["expr"] for rule in rules()), *(one for page in PAGES for one in expressions(page))]:
        assert not added.search(query), query


def test_rules_compare_labels_only_with_values_that_exist() -> None:
    """A cause or outcome that is misspelt in a rule would make an alert that never fires."""
    text = "".join(file.read_text(encoding="utf-8") for file in RULES)
    results = (*RESULTS, *CrmAsked.RESULTS)
    for label, known in (("cause", CAUSES), ("outcome", OUTCOMES), ("queue", QUEUES), ("result", results)):
        asked = re.findall(rf'\b{label}(?:=|!=|=~|!~)"([^"]+)"', text)
        assert asked
        assert {value for values in asked for value in values.split("|")} <= set(known)


def test_every_panel_asks_something_prometheus_understands(tmp_path: Path) -> None:
    """As rules of one file, for promtool reads one query at a time."""
    asked = [query for page in PAGES for query in expressions(page)]
    plain = [query.replace("$__rate_interval", "5m").replace("$line", ".*") for query in asked]
    recorded = [{"record": f"panel_{place}", "expr": query} for place, query in enumerate(plain)]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}), encoding="utf-8")
    assert f"{len(asked)} rules found" in promtool("check", "rules", file)


def test_prometheus_accepts_its_configuration(tmp_path: Path) -> None:
    config = (METRICS / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    assert "job_name: switchhook" in config
    here = tmp_path / "prometheus.yml"
    here.write_text(config.replace("/etc/prometheus/rules/", f"{METRICS.resolve()}/rules/"), encoding="utf-8")
    promtool("check", "config", here)
