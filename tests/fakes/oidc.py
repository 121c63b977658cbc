"""A strict provider of OpenID Connect on this machine; it refuses what the standard does, and lies when told to."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote_plus

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from yarl import URL

from web.access.oidc import Client

CLIENT: Final = "switchhook"
SECRET: Final = "s3cret:with/odd+signs"

_KEYS: Final = (
    RSAKey.generate_key(2048, parameters={"kid": "one", "use": "sig", "alg": "RS256"}),
    ECKey.generate_key("P-256", parameters={"kid": "two", "use": "sig", "alg": "ES256"}),
)


@dataclass
class Provider:
    """Who is logged in there is `user`; `lie` stands in place of claims (None: left out),
    `sign` is how tokens are signed but by its `key`: none, HS256 or forged.
    """

    port: int = 0
    back: str = ""
    user: dict[str, Any] = field(default_factory=lambda: {"sub": "42", "preferred_username": "anna"})
    lie: dict[str, Any] = field(default_factory=dict)
    sign: str = ""
    key: int = 0
    denies: bool = False
    names: str | None = None
    refused: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        """Its name, which is its address."""
        return f"http://127.0.0.1:{self.port}/realm"

    @property
    def client(self) -> Client:
        """Us, as it knows us."""
        return Client(
            issuer=self.issuer,
            client_id=CLIENT,
            client_secret=SECRET,
            redirect_uri=self.back,
            claim="preferred_username",
            label="Ромашка",
        )

    async def discover(self, _request: web.Request) -> web.Response:
        """What it says of itself."""
        self.asked.append("discovery")
        return web.json_response(
            {
                "issuer": self.names or self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "response_types_supported": ["code"],
                "code_challenge_methods_supported": ["S256"],
                "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
                "authorization_response_iss_parameter_supported": True,
            }
        )

    async def keys(self, _request: web.Request) -> web.Response:
        """The keys in use now."""
        self.asked.append("keys")
        return web.json_response({"keys": [_KEYS[self.key].as_dict(private=False)]})

    async def authorize(self, request: web.Request) -> web.Response:
        """The page where a person agrees; here they do at once. A wrong request is shown and sent nowhere."""
        asked = dict(request.query)
        right = {
            "response_type": "code",
            "client_id": CLIENT,
            "redirect_uri": self.back,
            "code_challenge_method": "S256",
        }
        wrong = [name for name, value in right.items() if asked.get(name) != value]
        wrong += [name for name in ("state", "nonce", "code_challenge") if len(asked.get(name, "")) < 32]
        wrong += [] if "openid" in asked.get("scope", "").split() else ["scope"]
        if wrong:
            self.refused += wrong
            return web.Response(status=400, text=f"wrong: {', '.join(wrong)}")
        told = {"state": asked["state"], "iss": self.issuer}
        if self.denies:
            raise web.HTTPFound(URL(self.back).with_query(told | {"error": "access_denied"}))
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        raise web.HTTPFound(URL(self.back).with_query(told | {"code": code}))

    async def token(self, request: web.Request) -> web.Response:
        """A code becomes a token once, for the client that asked for it and holds the verifier."""
        form = dict(await request.post())
        asked = self._codes.pop(str(form.get("code")), None)
        scheme, _, basic = request.headers.get("Authorization", "Basic Og==").partition(" ")
        who, _, secret = b64decode(basic).decode().partition(":")
        if (scheme, unquote_plus(who), unquote_plus(secret)) != ("Basic", CLIENT, SECRET):
            return self._no(401, "invalid_client")
        if form.get("grant_type") != "authorization_code" or asked is None:
            return self._no(400, "invalid_grant")
        challenge = hashlib.sha256(str(form.get("code_verifier")).encode()).digest()
        if urlsafe_b64encode(challenge).rstrip(b"=").decode() != asked["code_challenge"]:
            return self._no(400, "invalid_grant")
        if form.get("redirect_uri") != asked["redirect_uri"]:
            return self._no(400, "invalid_grant")
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"], **self.user}
        claims = {name: value for name, value in (claims | self.lie).items() if value is not None}
        return web.json_response({"access_token": "unused", "token_type": "Bearer", "id_token": self._signed(claims)})

    def _signed(self, claims: dict[str, Any]) -> str:
        key = _KEYS[self.key]
        header = {"alg": str(key.alg), "kid": key.kid}
        if self.sign == "none":
            parts = [header | {"alg": "none"}, claims]
            return ".".join([*(urlsafe_b64encode(json.dumps(it).encode()).rstrip(b"=").decode() for it in parts), ""])
        if self.sign == "HS256":  # by what everybody knows: the public key, taken for a secret
            known = OctKey.import_key(key.as_pem(private=False))
            return jwt.encode(header | {"alg": "HS256"}, claims, known, algorithms=["HS256"])
        token = jwt.encode(header, claims, key)
        return token if self.sign != "forged" else token[:-8] + "A" * 8

    def _no(self, status: int, error: str) -> web.Response:
        self.refused.append(error)
        return web.json_response({"error": error}, status=status)


@asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    """A provider that listens."""
    one = Provider()
    app = web.Application()
    app.add_routes(
        [
            web.get("/realm/.well-known/openid-configuration", one.discover),
            web.get("/realm/keys", one.keys),
            web.get("/realm/authorize", one.authorize),
            web.post("/realm/token", one.token),
        ]
    )
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.port = runner.addresses[0][1]
    try:
        yield one
    finally:
        await runner.cleanup()
