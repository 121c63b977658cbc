"""Locks of the database: a number of two parts means one thing."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("calls", "crm_sync", "directory", "recordings", "reports", "routing", "service", "telephony", "web")
LOCK = re.compile(r"pg_(?:try_)?advisory\w+\((\d+, \d+)\)")


def test_a_lock_is_taken_by_one_module_only() -> None:
    """Two that take one for different work would wait for each other."""
    found = defaultdict(set)
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            for number in LOCK.findall(path.read_text()):
                found[number].add(path.relative_to(ROOT))
    assert {number: paths for number, paths in found.items() if len(paths) > 1} == {}
    assert len(found) > 5
