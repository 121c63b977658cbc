"""The path of the list behind a number reads back as what it narrows to, whatever a key holds."""

from __future__ import annotations

from datetime import date
from urllib.parse import parse_qsl, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from reports.links import behind
from reports.periods import Period

DAY = date(2026, 11, 27)


def test_only_what_narrows_is_told() -> None:
    told = behind("missed", Period(DAY, DAY), {"team": "sales", "line": "", "hour": "0"})
    assert told == "/reports/behind?measure=missed&from=2026-11-27&to=2026-11-27&team=sales&hour=0"


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_whatever_a_key_holds_is_read_back(key: str) -> None:
    path = behind("lost", Period(DAY, DAY), {"person": key, "detail": key})
    told = dict(parse_qsl(urlsplit(path).query, keep_blank_values=True))
    assert (told["person"], told["detail"]) == (key, key)
