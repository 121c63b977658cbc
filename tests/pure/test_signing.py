"""Webhooks are signed as Standard Webhooks has it, and what is not signed so is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notices.signing import SignatureRefused, headers, read_secret, verify, write_secret

# The example of the specification's reference libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

KEY = read_secret(SECRET)
OTHER = b"\x01" * 32


def test_the_signature_is_that_of_the_reference() -> None:
    assert headers(KEY, ID, AT, BODY)["webhook-signature"] == SIGNATURE
    assert write_secret(KEY) == SECRET


@given(st.binary(min_size=24, max_size=64), st.binary(), st.integers(-300, 300))
def test_what_was_signed_is_believed_within_five_minutes(key: bytes, body: bytes, late: int) -> None:
    told = headers(key, "msg_1", AT, body)
    assert verify([OTHER, key], told, body, AT + late) == "msg_1"
    both = told["webhook-signature"] + " " + headers(OTHER, "msg_1", AT, body)["webhook-signature"]
    assert verify([OTHER], told | {"webhook-signature": both}, body, AT) == "msg_1"


@pytest.mark.parametrize(
    "changed, now, why",
    [
        ({"webhook-id": "msg_2"}, AT, "webhook-signature"),
        ({"webhook-timestamp": str(AT + 1)}, AT, "webhook-signature"),
        ({"webhook-signature": ""}, AT, "webhook-signature"),
        ({"webhook-signature": "v1a," + SIGNATURE[3:]}, AT, "webhook-signature"),
        ({"webhook-signature": "ж"}, AT, "webhook-signature"),
        ({"webhook-timestamp": "soon"}, AT, "must be there"),
        ({"webhook-timestamp": "²"}, AT, "must be there"),
        ({"webhook-id": ""}, AT, "must be there"),
        ({}, AT + 301, "from now"),
        ({}, AT - 301, "from now"),
    ],
)
def test_anything_else_is_refused(changed: dict[str, str], now: int, why: str) -> None:
    told = headers(KEY, ID, AT, BODY) | changed
    with pytest.raises(SignatureRefused, match=why):
        verify([KEY], told, BODY, now)
    with pytest.raises(SignatureRefused):
        verify([KEY], headers(KEY, ID, AT, BODY), BODY + b" ", AT)
    with pytest.raises(SignatureRefused):
        verify([], headers(KEY, ID, AT, BODY), BODY, AT)


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_ж!", "whsec_" + "AAAA" * 40]
)
def test_a_secret_that_is_none_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="must be whsec_") as refused:
        read_secret(text)
    assert len(text) < 8 or text not in str(refused.value)
