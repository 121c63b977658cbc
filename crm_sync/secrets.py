"""Keeps the secrets of connections: AES-256-GCM with a key that only the environment has.

What is stored is a nonce of 12 bytes and the sealed JSON, bound to the connection's key: a row that is copied to
another connection opens nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SETTING: Final = "SWITCHHOOK_SECRET_KEY"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class SecretKeyError(Exception):
    """The key is not there, is no key, or is not the one that sealed; the text names the setting, never the value."""


class Keeper:
    """Seals and opens with `secret_key`, the base64 of 32 bytes. Raises SecretKeyError for anything else."""

    def __init__(self, secret_key: str) -> None:
        if not secret_key:
            raise SecretKeyError(f"{SETTING}: is required to keep secrets of CRMs; `openssl rand -base64 32` makes one")
        try:
            key = base64.b64decode(secret_key, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != _KEY_BYTES:
            raise SecretKeyError(f"{SETTING}: must be the base64 of {_KEY_BYTES} bytes, as `openssl rand -base64 32`")
        self._cipher = AESGCM(key)

    def seal(self, connection: str, secrets: Mapping[str, Any]) -> bytes:
        """Seal the secrets of a connection."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, json.dumps(dict(secrets)).encode(), connection.encode())

    def open(self, connection: str, sealed: bytes) -> dict[str, Any]:
        """Open what `seal` made for the same connection. Raises SecretKeyError."""
        try:
            told = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], connection.encode())
        except (InvalidTag, ValueError):
            raise SecretKeyError(
                f"{SETTING}: is not the key with which the secrets of {connection!r} were sealed"
            ) from None
        opened: dict[str, Any] = json.loads(told)
        return opened
