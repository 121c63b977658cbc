"""Speaks with the provider of OpenID Connect: what it says of itself, its keys, and the code that becomes a token."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from web.access import oidc
from web.access.oidc import Attempt, Client, OidcRefused

SECONDS_MOST: Final = 10.0
BYTES_MOST: Final = 256 * 1024
KEPT_SECONDS: Final = 3600.0
KEYS_AGAIN_SECONDS: Final = 30.0
"""A token that names a key we do not know has the keys read again, so often at most."""


class SingleSignOn:
    """Logins by one provider. Whatever it answers is believed by the rules of `web.access.oidc`, or refused."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._lock = asyncio.Lock()
        self._provider: oidc.Provider | None = None
        self._provider_at = 0.0
        self._keys: list[Mapping[str, Any]] = []
        self._keys_at = float("-inf")

    @property
    def label(self) -> str:
        """What the button says."""
        return self.client.label

    async def begin(self, goes_on: str) -> tuple[Attempt, str]:
        """A login that begins, and where the browser is sent. Raises OidcRefused."""
        attempt = oidc.begun(goes_on)
        return attempt, oidc.authorization_url(self.client, await self._known(), attempt)

    async def finish(self, attempt: Attempt, query: Mapping[str, str]) -> dict[str, Any]:
        """What the ID token says of who came back with this query, which belongs to the login. Raises OidcRefused."""
        provider = await self._known()
        code = oidc.code_of(self.client, provider, query)
        token = await self._token(provider, attempt, code)
        keys = await self._keys_for(provider, oidc.header_of(token))
        return oidc.claims_of(self.client, provider, attempt, token, keys, time.time())

    async def _known(self) -> oidc.Provider:
        async with self._lock:
            if self._provider is None or time.monotonic() - self._provider_at > KEPT_SECONDS:
                told = await _ask("GET", self.client.issuer.rstrip("/") + "/.well-known/openid-configuration")
                self._provider, self._provider_at = oidc.read_provider(self.client, told), time.monotonic()
            return self._provider

    async def _keys_for(self, provider: oidc.Provider, header: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        async with self._lock:
            age = time.monotonic() - self._keys_at
            unknown = oidc.key_of(header, self._keys) is None and age > KEYS_AGAIN_SECONDS
            if unknown or age > KEPT_SECONDS:
                told = await _ask("GET", provider.keys)
                keys = told.get("keys") if isinstance(told, dict) else None
                self._keys = [key for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []
                self._keys_at = time.monotonic()
            return self._keys

    async def _token(self, provider: oidc.Provider, attempt: Attempt, code: str) -> str:
        client = self.client
        form = oidc.code_form(client, provider, attempt, code)
        headers = {}
        if client.client_secret is not None and provider.basic:
            who, secret = oidc.escaped(client.client_id), oidc.escaped(client.client_secret)
            headers["Authorization"] = aiohttp.encode_basic_auth(who, secret)
        told = await _ask("POST", provider.token, data=form, headers=headers)
        token = told.get("id_token") if isinstance(told, dict) else None
        if not isinstance(token, str):
            raise OidcRefused("failed", "the provider gives no ID token")
        return token


async def _ask(method: str, address: str, **how: Any) -> Any:
    """The JSON that an address answers; no redirect is followed. Raises OidcRefused."""
    timeout = aiohttp.ClientTimeout(total=SECONDS_MOST)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(method, address, allow_redirects=False, **how) as answer,
        ):
            body = await answer.content.read(BYTES_MOST + 1)
            while len(body) <= BYTES_MOST and not answer.content.at_eof():
                body += await answer.content.read(BYTES_MOST + 1 - len(body))
            status = answer.status
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise OidcRefused("away", f"the provider does not answer: {type(error).__name__}") from None
    if status >= 500:
        raise OidcRefused("away", f"the provider answers {status}")
    try:
        told = json.loads(body) if len(body) <= BYTES_MOST else None
    except ValueError:
        told = None
    if status != 200 or told is None:
        said = str(told.get("error", "")) if isinstance(told, dict) else ""
        raise OidcRefused("failed", f"the provider answers {status} {said[:60]}".rstrip())
    return told
