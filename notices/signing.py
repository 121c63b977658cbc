"""Signatures of webhooks as Standard Webhooks has them: made for what we send, checked on what is sent to us (pure).

A message is its id, the second it was sent, and its body; the signature is HMAC-SHA256 over the three, joined by dots
(https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md, "Signature scheme").
"""

from __future__ import annotations

import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"

TOLERANCE_SECONDS: Final = 300
"""A message that was sent longer ago, or so far ahead, is refused: somebody may have kept it."""

KEY_BYTES_LEAST: Final = 24
KEY_BYTES_MOST: Final = 64
_PREFIX: Final = "whsec_"
_ID: Final = re.compile(r"[!-~]{1,256}")
_SECOND: Final = re.compile(r"[0-9]{1,12}")


class SignatureRefused(ValueError):
    """A message is not from whom it says, or not of now; the text says why, and repeats nothing of it."""


def read_secret(text: str) -> bytes:
    """The key in a secret `whsec_<base64>`. Raises ValueError, which never repeats it."""
    try:
        key = b64decode(text.removeprefix(_PREFIX), validate=True) if text.startswith(_PREFIX) else b""
    except ValueError:
        key = b""
    if not KEY_BYTES_LEAST <= len(key) <= KEY_BYTES_MOST:
        raise ValueError(f"must be whsec_ and {KEY_BYTES_LEAST} to {KEY_BYTES_MOST} bytes in Base64")
    return key


def write_secret(key: bytes) -> str:
    """A key as it is shown to whoever must know it."""
    return _PREFIX + b64encode(key).decode()


def headers(key: bytes, message_id: str, at: int, body: bytes) -> dict[str, str]:
    """The three headers of a message with this id (no dot in it), sent at second `at` of the Unix clock."""
    return {ID: message_id, TIMESTAMP: str(at), SIGNATURE: _signature(key, message_id, str(at), body)}


def verify(keys: list[bytes], told: Mapping[str, str], body: bytes, now: int) -> str:
    """The id of a message that one of `keys` signed within the tolerance of second `now`.

    `told` are its headers, by small letters. Several signatures may stand in one, a blank between them: while keys
    are changed, a sender signs with both. Raises SignatureRefused.
    """
    message_id, at = told.get(ID, ""), told.get(TIMESTAMP, "")
    if not _ID.fullmatch(message_id) or not _SECOND.fullmatch(at):
        raise SignatureRefused(f"{ID} and {TIMESTAMP} must be there")
    if abs(now - int(at)) > TOLERANCE_SECONDS:
        raise SignatureRefused(f"{TIMESTAMP}: more than {TOLERANCE_SECONDS} seconds from now")
    wanted = [_signature(key, message_id, at, body).encode() for key in keys]
    given = [one.encode() for one in told.get(SIGNATURE, "").split(" ")[:16]]
    # Every pair is compared: how long it takes tells nothing.
    if not sum(hmac.compare_digest(one, other) for one in wanted for other in given):
        raise SignatureRefused(f"{SIGNATURE}: nobody who may has signed this message")
    return message_id


def _signature(key: bytes, message_id: str, at: str, body: bytes) -> str:
    signed = hmac.new(key, f"{message_id}.{at}.".encode() + body, sha256)
    return "v1," + b64encode(signed.digest()).decode()
