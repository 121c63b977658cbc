"""What of a CRM's answer may be kept, and what it means."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_sync.errors import RateLimitedError, TransientError
from crm_sync.http import Answer
from crm_sync.odoo.words import name_of
from crm_sync.spans import MOST_SECONDS, moment_within, span
from crm_sync.texts import masked

TOKEN = "9f1c7e3a5b2d4c6e8f0a1b3d5c7e9f1a"


def test_no_secret_and_no_number_is_kept_of_an_answer() -> None:
    """A CRM may repeat what it was told: tokens, secrets of the connection, and telephone numbers."""
    body = f'{{"error":"NO_AUTH_FOUND","auth":"{TOKEN}","phone":"+79161234567","code":"hunter2"}}'
    kept = Answer(401, {}, body.encode(), secrets=("hunter2",)).kept()
    assert kept == {"status": 401, "text": '{"error":"NO_AUTH_FOUND","auth":"…1a","phone":"+…67","code":"…"}'}
    assert masked("CRM_FIELD_ERROR_VALUE_NOT_VALID") == "CRM_FIELD_ERROR_VALUE_NOT_VALID"


def test_a_secret_at_the_cut_is_masked_before_it() -> None:
    """What is left of it would not be known as one."""
    text = Answer(500, {}, ("x " * 245 + TOKEN).encode()).kept()["text"]
    assert TOKEN[:8] not in text
    assert len(text) <= 500


def test_what_is_no_json_is_none() -> None:
    """An error page, an answer that was cut, one that nests without end."""
    for body in (b"<html>429</html>", b"", b"[" * 100_000, b"\xff"):
        assert Answer(200, {}, body).json() is None
    assert Answer(200, {}, b'{"a":1}', is_whole=False).json() is None
    assert Answer(200, {}, b'{"a":1}').json() == {"a": 1}


def test_every_text_of_an_answer_can_be_written() -> None:
    """PostgreSQL takes no NUL, and nothing encodes half of a pair of UTF-16; a whole pair is a letter."""
    body = rb'{"a\u0000":["\ud800x","\ud83d\ude00",1,null],"b":"\u0440"}'
    assert Answer(200, {}, body).json() == {"a\ufffd": ["\ufffdx", "😀", 1, None], "b": "р"}
    assert Answer(200, {}, b'["\xed\xa0\x80"]').json() == ["\ufffd"]
    assert Answer(200, {}, '["\\u0000"]'.encode("utf-16")).json() == ["\ufffd"]


def test_an_error_holds_no_more_than_a_person_reads() -> None:
    """Whatever an adapter makes of what a CRM calls its error: in one line, cut, without numbers and secrets."""
    told = f"79161234567 {TOKEN}\n\x1b[2J" + " words" * 500_000
    error = RateLimitedError(f"m: {told}", {"status": 400, "error": told}, scope="method")
    assert str(error).startswith("m: …67 …1a [2J words")
    assert (len(str(error)), len(error.answer["error"]), error.answer["status"]) == (200, 500, 400)
    assert name_of({"name": "odoo.exceptions.UserError"}) == "odoo.exceptions.UserError"
    assert {name_of(one) for one in ({"name": "x 79161234567"}, {"name": "N" * 101}, {"name": 1}, None)} == {""}


def test_a_long_word_takes_no_time_to_mask() -> None:
    """It is read once, and not once a letter."""
    began = time.process_time()
    assert len(masked("a" * 400_000)) == 400_000
    assert time.process_time() - began < 1


def test_retry_after_is_seconds_or_a_date() -> None:
    """Anything else is nothing, and nobody is heeded for days."""
    asked = {"7": 7.0, "Mon, 23 Nov 2026 09:00:10 GMT": 10.0, "soon": None, "-1": None, "": None}
    asked |= {"9" * 9: MOST_SECONDS, "9" * 5000: MOST_SECONDS, "Fri, 31 Dec 9999 23:59:59 -2359": MOST_SECONDS}
    now = 1795424400.0
    assert {told: Answer(429, {"retry-after": told}, b"").retry_after(now) for told in asked} == asked


@pytest.mark.parametrize(
    "told, seconds",
    [
        (7, 7.0), ("7.5", 7.5), (-1, 0.0), (10**400, MOST_SECONDS), (-(10**400), 0.0), (1e308, MOST_SECONDS),
        (float("inf"), MOST_SECONDS), ("9" * 5000, MOST_SECONDS), (float("nan"), None), ("soon", None), (True, None),
        (None, None), ([7], None), ({}, None),
    ],
)  # fmt: skip
def test_whatever_a_crm_calls_a_time_is_bounded(told: Any, seconds: float | None) -> None:
    """By every error that says so, and a moment as a span."""
    assert span(told) == seconds
    assert [error("m", retry_after=told).retry_after for error in (RateLimitedError, TransientError)] == [seconds] * 2
    now = datetime(2026, 11, 23, 9, tzinfo=UTC)
    until = moment_within(told, now)
    assert (until is None) == (seconds is None)
    assert until is None or now <= until <= now + timedelta(seconds=MOST_SECONDS)
