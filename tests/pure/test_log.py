"""A line of the log tells what happened, and of nobody: what is personal or secret is masked wherever it stands."""

from __future__ import annotations

import logging

import pytest

from service.log import Formatter, mask, masked

NUMBERS = [
    *("79161234567", "+79161234567", "8 (916) 123-45-67", "8-916-123-45-67", "4951234567", "123-45-67"),
    *("8.916.123.45.67", "8.(916).123.45.67", "8.91.61.23.45.67", "+7 (916) 123.45.67", "123.45.67"),
    *("8\u2011916\u2011123\u201145\u201167", "8\u00a0916\u00a0123\u201345\u201367"),
]
LONG = ["a.", "a@", "+", "-", "(1", "1.", "1-", "1)(", "255.", "://", "://a:", "://a@", "a:", "2026-", "12345678-1234-"]
LONG += ["password='\\", "password=\\", 'token": "', "bearer a", "/rest/1/", "/bot1:", "123456:a"]


@pytest.mark.parametrize("number", NUMBERS)
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
        "SQLSTATE 23505, 150000 rows, line 1204. 150 of 22.10.1 left on 27.11.2026",
        "10.0.0.1, 192.168.100.200-192.168.100.210",
        "https://crm.example.org:8443/rest/crm.lead.get, password authentication failed, the token: expired",
    ],
)
def test_what_is_of_nobody_stays(text: str) -> None:
    """Ids, times, addresses and counts are what a log is read for."""
    assert masked(text) == text


def test_mailboxes_and_passwords_in_addresses_are_hidden() -> None:
    assert masked("550 anna.petrova@example.org: unknown") == "550 …va@example.org: unknown"
    assert masked("https://user:hush@crm.example.org/x") == "https://***@crm.example.org/x"


@pytest.mark.parametrize(
    "told, said",
    [
        ("postgresql://u:hush/hush@hush@db.example.org/x", "postgresql://***@db.example.org/x"),
        ("https://u:hush@hush/hush@crm.example.org/x", "https://***@crm.example.org/x"),
        ("redis://:hush@h/0 https://hush@h/0", "redis://***@h/0 https://***@h/0"),
        ("host=db password=hush,hush user=u", "host=db password=*** user=u"),
        (r"password = 'hush \' hush' PASSWORD=hush\ hush user=u", "password = *** PASSWORD=*** user=u"),
        ('{"password": "hush\\" hush", "a": 1}', '{"password": ***, "a": 1}'),
        ("{'X-Token': 'hush', 'a': 1}", "{'X-Token': ***, 'a': 1}"),
        ("https://h/x?access_token=hush", "https://h/x?access_token=***"),
        ("Authorization: Bearer hush-hush", "Authorization: Bearer ***"),
        ("authorization: Basic aHVzaDpodXNo, basic authentication", "authorization: Basic ***, basic authentication"),
        ("https://api.telegram.org/bot1234567890:hush/getMe", "https://api.telegram.org/bot***/getMe"),
        (f"1234567890:{'hush' * 9} is no bot", "…90:*** is no bot"),
        ("https://b.example.org/rest/1/hush/crm.lead.get", "https://b.example.org/rest/1/***/crm.lead.get"),
    ],
)
def test_a_secret_is_hidden_in_every_way_that_it_is_written_in(told: str, said: str) -> None:
    assert masked(told) == said
    assert masked(said) == said


@pytest.mark.parametrize("part", LONG)
def test_a_long_text_takes_no_longer_than_many_short_ones(part: str) -> None:
    """Read by rules that go back again and again, a quarter of a megabyte would take hours: pytest's time ends that."""
    assert masked(part * (262_144 // len(part)))


def test_every_field_is_masked_however_deep_and_an_exceptions_text_too() -> None:
    event = {
        "event": "not done",
        "caller_name": "Анна",
        "token": "hush",
        "reason": "79161234567 is busy",
        "told": ["79161234567", {"79161234567": {"to": "79161234567", "Password": "hush", "login": "anna"}}],
        "people": {"79161234567"},
        "exception": "ValueError: 79161234567",
        "seconds": 0.1234567,
    }
    assert mask(None, "", event) == {
        "event": "not done",
        "caller_name": "…на",
        "token": "***",
        "reason": "…67 is busy",
        "told": ["…67", {"…67": {"to": "…67", "Password": "***", "login": "…na"}}],
        "people": ["…67"],
        "exception": "ValueError: …67",
        "seconds": 0.1234567,
    }


def test_what_other_packages_log_is_masked_as_well() -> None:
    record = logging.LogRecord("aiohttp", logging.WARNING, "", 1, "GET /parties?q=%s", ("79161234567",), None)
    assert Formatter("%(name)s %(message)s").format(record) == "aiohttp GET /parties?q=…67"
