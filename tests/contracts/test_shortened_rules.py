"""The rules that drills are judged by are the shipped ones in a shorter time, and nothing else about them differs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from service.installed import locate_promtool
from tests.prometheus import RULES, seconds, shortened, shortened_expression


@pytest.mark.parametrize(
    "shipped, expected",
    [
        ("increase(a_total[10m]) > 0", "increase(a_total[10000ms]) > 0"),
        ("sum(rate(a[1h30m] offset 2h)) > 5", "sum(rate(a[90000ms] offset 120000ms)) > 5"),
        ("max_over_time(a[1h:30s]) > 1e3", "max_over_time(a[60000ms:500ms]) > 1e3"),
        ("increase(a[2h] offset 1w) >= 5", "increase(a[120000ms] offset 1w) >= 5"),
        ('a{age="under_15m", of="5m"} > 0.5', 'a{age="under_15m", of="5m"} > 0.5'),
        ("switchhook_ami_heartbeat_lag_seconds > 1", "switchhook_ami_heartbeat_lag_seconds > 1"),
        ("switchhook_cel_unread_seconds > 300", "switchhook_cel_unread_seconds > 300"),
        (
            'max by (queue) (switchhook_job_oldest_seconds{queue!~"a|b"}) > 300',
            'max by (queue) (switchhook_job_oldest_seconds{queue!~"a|b"}) > 5',
        ),
        (
            'max(switchhook_job_oldest_seconds{queue="transcription"}) > 3600',
            'max(switchhook_job_oldest_seconds{queue="transcription"}) > 3600',
        ),
        ("max(switchhook_notice_oldest_seconds) >= 90", "max(switchhook_notice_oldest_seconds) >= 1.5"),
    ],
)
def test_spans_and_ages_are_shortened_and_nothing_else(shipped: str, expected: str) -> None:
    assert shortened_expression(shipped) == expected


@pytest.mark.parametrize("file", RULES, ids=lambda file: file.stem)
def test_each_rule_is_still_itself(file: Path, tmp_path: Path) -> None:
    text = shortened(file.read_text(encoding="utf-8"))
    before, after = (
        [rule for group in yaml.safe_load(told)["groups"] for rule in group["rules"]]
        for told in (file.read_text(encoding="utf-8"), text)
    )
    for rule, shorter in zip(before, after, strict=True):
        same = rule.keys() - {"expr", "for"}
        assert {name: rule[name] for name in same} == {name: shorter[name] for name in same}
        assert ("for" in rule) == ("for" in shorter)
        assert seconds(shorter.get("for", "0s")) <= max(seconds(rule.get("for", "0s")), 7)
    here = tmp_path / file.name
    here.write_text(text, encoding="utf-8")
    checked = subprocess.run([locate_promtool(), "check", "rules", here], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
