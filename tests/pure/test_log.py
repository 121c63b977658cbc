"""A line of the log tells what happened, and of nobody: what is personal or secret is masked wherever it stands."""

from __future__ import annotations

import logging

import pytest

from service.log import Formatter, mask, masked


@pytest.mark.parametrize(
    "number", ["79161234567", "+79161234567", "8 (916) 123-45-67", "8-916-123-45-67", "4951234567", "123-45-67"]
)
def test_a_number_in_free_text_keeps_its_end_only(number: str) -> None:
    told = masked(f"the CRM says: {number}: no such client")
    assert told == "the CRM says: …67: no such client"


@pytest.mark.parametrize(
    "text",
    [
        "call 12345678-1234-4234-8234-123456789012 of 2026-11-27T00:15:28.123456Z",
        "2026-11-27 00:15:28,123 aiohttp",
        "channel 1732665600.1234, PJSIP/trunk-00000012",
        "no answer from 192.168.100.200:5432 within 0.3333333333 s",
        "SQLSTATE 23505, 150000 rows, line 1204",
    ],
)
def test_what_is_of_nobody_stays(text: str) -> None:
    """Ids, times, addresses and counts are what a log is read for."""
    assert masked(text) == text


def test_mailboxes_and_passwords_in_addresses_are_hidden() -> None:
    assert masked("550 anna.petrova@example.org: unknown") == "550 …va@example.org: unknown"
    assert masked("https://user:hush@crm.example.org/x") == "https://***@crm.example.org/x"


def test_every_field_is_masked_however_deep_and_an_exceptions_text_too() -> None:
    event = {
        "event": "not done",
        "caller_name": "Анна",
        "token": "hush",
        "reason": "79161234567 is busy",
        "told": ["79161234567", {"to": "79161234567"}],
        "exception": "ValueError: 79161234567",
        "seconds": 0.1234567,
    }
    assert mask(None, "", event) == {
        "event": "not done",
        "caller_name": "…на",
        "token": "***",
        "reason": "…67 is busy",
        "told": ["…67", {"to": "…67"}],
        "exception": "ValueError: …67",
        "seconds": 0.1234567,
    }


def test_what_other_packages_log_is_masked_as_well() -> None:
    record = logging.LogRecord("aiohttp", logging.WARNING, "", 1, "GET /parties?q=%s", ("79161234567",), None)
    assert Formatter("%(name)s %(message)s").format(record) == "aiohttp GET /parties?q=…67"
