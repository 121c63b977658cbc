"""OpenID Connect as we speak it: a code with PKCE, and an ID token that is believed piece by piece (pure).

After OpenID Connect Core 1.0 (3.1), Discovery 1.0, RFC 7636 (S256 alone), RFC 9207 and RFC 9700.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hmac import compare_digest
from math import nan
from typing import Any, Final
from urllib.parse import quote_plus

from joserfc import jwk, jwt
from joserfc.errors import JoseError
from yarl import URL

from web.access.safe import is_safe

ALGORITHMS: Final = (
    "RS256",
    "PS256",
    "ES256",
    "RS384",
    "PS384",
    "ES384",
    "RS512",
    "PS512",
    "ES512",
    "Ed25519",
    "EdDSA",
)
"""By a key of the provider alone: with none, and with a secret that we share, whoever knows us could sign."""

LEEWAY_SECONDS: Final = 60
AGE_SECONDS: Final = 600
"""A token is asked for and comes in one go; one that is older was meant for another time."""

TOKEN_MOST: Final = 16 * 1024
SUBJECT_MOST: Final = 255


class OidcRefused(Exception):
    """The login is refused. `why`: denied, away, failed, no_login, other_account; the text tells whoever runs this."""

    def __init__(self, why: str, detail: str) -> None:
        """Keep the key beside the words."""
        super().__init__(detail)
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who we are to the provider. `claim` of the ID token names the login; `label` stands on the button."""

    issuer: str
    client_id: str
    client_secret: str | None
    redirect_uri: str
    claim: str
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    label: str = "SSO"


@dataclass(frozen=True, slots=True)
class Provider:
    """What the provider says of itself; `names_itself`: its answers hold `iss` (RFC 9207)."""

    authorization: str
    token: str
    keys: str
    algorithms: tuple[str, ...]
    basic: bool
    names_itself: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """One login that a browser began, which keeps this in a cookie until the provider sends it back."""

    state: str
    nonce: str
    verifier: str
    goes_on: str

    def sealed(self) -> str:
        """As the value of a cookie."""
        return base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()


def begun(goes_on: str) -> Attempt:
    """A new login, after which the browser goes on to that path."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return Attempt(state, nonce, verifier, goes_on)


def unsealed(cookie: str | None) -> Attempt | None:
    """The login that a browser kept; None for what is none."""
    try:
        told = json.loads(base64.urlsafe_b64decode((cookie or "").encode()))
        attempt = Attempt(**told)
    except (ValueError, TypeError):
        return None
    return attempt if all(isinstance(it, str) and it for it in asdict(attempt).values()) else None


_ADDRESSES: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


def read_provider(client: Client, told: Any) -> Provider:
    """What stands at the issuer's `/.well-known/openid-configuration`. Raises OidcRefused."""
    document = told if isinstance(told, dict) else {}
    if document.get("issuer") != client.issuer:
        raise OidcRefused("failed", f"the provider calls itself {document.get('issuer')!r}, not {client.issuer!r}")
    authorization, token, keys = (_address(document, name) for name in _ADDRESSES)
    methods = _texts(document.get("code_challenge_methods_supported"))
    if methods and "S256" not in methods:
        raise OidcRefused("failed", "the provider takes no PKCE by S256")
    signs = [name for name in ALGORITHMS if name in _texts(document.get("id_token_signing_alg_values_supported"))]
    if not signs:
        raise OidcRefused("failed", "the provider signs by no algorithm of ours")
    ways = _texts(document.get("token_endpoint_auth_methods_supported")) or ("client_secret_basic",)
    names_itself = document.get("authorization_response_iss_parameter_supported") is True
    return Provider(authorization, token, keys, tuple(signs), "client_secret_basic" in ways, names_itself)


def _address(document: Mapping[str, Any], name: str) -> str:
    told = document.get(name)
    if not isinstance(told, str) or not is_safe(told):
        raise OidcRefused("failed", f"the provider's {name} cannot be used: {str(told)[:200]!r}")
    return told


def authorization_url(client: Client, provider: Provider, attempt: Attempt) -> str:
    """Where the browser is sent."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(attempt.verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": client.redirect_uri,
        "scope": " ".join(client.scopes),
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return str(URL(provider.authorization).update_query(asked))


def belongs(attempt: Attempt, query: Mapping[str, str]) -> bool:
    """Whether the provider answered this login, and none that another browser began."""
    return compare_digest(query.get("state", "").encode(), attempt.state.encode())


def code_of(client: Client, provider: Provider, query: Mapping[str, str]) -> str:
    """The code with which the provider answered a login. Raises OidcRefused."""
    if query.get("iss", client.issuer) != client.issuer or (provider.names_itself and "iss" not in query):
        raise OidcRefused("failed", "the answer is another provider's")
    if "error" in query:
        why = "denied" if query["error"] == "access_denied" else "failed"
        raise OidcRefused(why, f"the provider answered {query['error'][:60]!r}")
    if not query.get("code"):
        raise OidcRefused("failed", "the answer has no code")
    return query["code"]


def code_form(client: Client, provider: Provider, attempt: Attempt, code: str) -> dict[str, str]:
    """What the token endpoint is sent; with HTTP Basic the secret is not in it."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect_uri,
        "code_verifier": attempt.verifier,
    }
    if client.client_secret is None:
        return form | {"client_id": client.client_id}
    if not provider.basic:
        return form | {"client_id": client.client_id, "client_secret": client.client_secret}
    return form


def header_of(token: str) -> dict[str, Any]:
    """The header of an ID token, of which nothing is believed yet. Raises OidcRefused."""
    try:
        part = token.split(".", maxsplit=1)[0]
        header = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        header = None
    if len(token) > TOKEN_MOST or token.count(".") != 2 or not isinstance(header, dict):
        raise OidcRefused("failed", "the ID token is none")
    return header


def key_of(header: Mapping[str, Any], keys: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The provider's key that a token names; where it names none, the only one that there is."""
    fit = [key for key in keys if key.get("use", "sig") == "sig" and key.get("kty") != "oct"]
    if "kid" in header:
        fit = [key for key in fit if key.get("kid") == header["kid"]]
    return fit[0] if len(fit) == 1 else None


def claims_of(  # all that is asked of a token
    client: Client, provider: Provider, attempt: Attempt, token: str, keys: Sequence[Mapping[str, Any]], now: float
) -> dict[str, Any]:
    """What an ID token says, after all that can be asked of it was asked. Raises OidcRefused."""
    header = header_of(token)
    algorithm, key = header.get("alg"), key_of(header, keys)
    if algorithm not in provider.algorithms:
        raise OidcRefused("failed", f"the ID token is signed by {str(algorithm)[:20]!r}")
    if key is None:
        raise OidcRefused("failed", "the ID token is signed by no key of the provider")
    try:
        claims = jwt.decode(token, jwk.import_key(dict(key)), algorithms=[str(algorithm)]).claims
    except (JoseError, ValueError, TypeError) as error:
        raise OidcRefused("failed", f"the ID token's signature is wrong: {type(error).__name__}") from None
    _check(client, attempt, claims, now)
    return claims


def _check(client: Client, attempt: Attempt, claims: Mapping[str, Any], now: float) -> None:
    audience = claims.get("aud")
    meant = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
    party = claims.get("azp")
    nonce, subject = claims.get("nonce"), claims.get("sub")
    wrong = {
        "iss": claims.get("iss") != client.issuer,
        "aud": client.client_id not in meant,
        "azp": party != client.client_id and (party is not None or len(meant) > 1),
        "exp": not now - LEEWAY_SECONDS < _number(claims, "exp"),
        "iat": not now - AGE_SECONDS <= _number(claims, "iat") <= now + LEEWAY_SECONDS,
        "nbf": "nbf" in claims and not _number(claims, "nbf") <= now + LEEWAY_SECONDS,
        "nonce": not isinstance(nonce, str) or not compare_digest(nonce.encode(), attempt.nonce.encode()),
        "sub": not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_MOST,
    }
    refused = [name for name, is_wrong in wrong.items() if is_wrong]
    if refused:
        raise OidcRefused("failed", f"the ID token is not for us or not for now: {', '.join(refused)}")


def login_of(client: Client, claims: Mapping[str, Any]) -> str:
    """The login that the token names. An e-mail that nobody verified names nobody. Raises OidcRefused."""
    named = claims.get(client.claim)
    if not isinstance(named, str) or not named:
        raise OidcRefused("no_login", f"the ID token has no {client.claim!r}")
    if client.claim == "email" and claims.get("email_verified") is not True:
        raise OidcRefused("no_login", "the e-mail of the ID token is not verified")
    return named


def _number(claims: Mapping[str, Any], name: str) -> float:
    """A time; what is none is like no other number, so that no comparison holds."""
    told = claims.get(name)
    return told if isinstance(told, int | float) and not isinstance(told, bool) else nan


def _texts(told: Any) -> tuple[str, ...]:
    return tuple(it for it in told if isinstance(it, str)) if isinstance(told, list) else ()


def escaped(text: str) -> str:
    """A name or secret as HTTP Basic holds it at a token endpoint (RFC 6749, 2.3.1)."""
    return quote_plus(text)
