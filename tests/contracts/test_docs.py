"""The pages for readers: every link leads somewhere."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*.md"))]
_LINK = re.compile(r"\]\(([^)\s]*?)(?:#([^)\s]*))?\)")


@cache
def headings(page: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them."""
    told = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", line).replace("`", "").replace("*", "") for line in told]
    return {re.sub(r"[^\w\- ]", "", line.strip().lower()).replace(" ", "-") for line in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^(?: {4}|```.*?^```)[^\n]*$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    lost = []
    for path, anchor in _LINK.findall(re.sub(r"`[^`\n]*`", "", text)):
        target = page.parent / path if path else page
        if "://" not in path and (
            not target.exists() or (anchor and target.suffix == ".md" and anchor not in headings(target))
        ):
            lost.append(f"{path}#{anchor}" if anchor else path)
    assert lost == []
