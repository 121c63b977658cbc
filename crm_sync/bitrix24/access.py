"""The token server of Bitrix24, which is not the portal (page oauth): a code or a refresh token for a new grant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from crm_sync.errors import AuthDeadError, AuthExpiredError, UnknownOutcomeError
from crm_sync.grants import Grant
from crm_sync.spans import span
from crm_sync.workplace import Workplace

SECONDS: Final = 60.0
"""An answer of the token server that is not waited for is lost with the only token that would renew."""
REFRESH_DAYS: Final = 180
HOUR: Final = 3600.0
"""Seconds for which an access lasts."""
_OF_GRANTS: Final = ("access_token", "refresh_token", "client_endpoint")

DEAD: Final = frozenset(
    {
        "no_auth_found", "invalid_credentials", "insufficient_scope", "user_access_error", "access_denied",
        "wrong_auth_type", "payment_required", "portal_deleted", "invalid_grant", "invalid_client", "invalid_scope",
        "invalid_request", "unauthorized_client",
    }
)  # fmt: skip
"""`error` of 401, 402, 403 and of the token server that no renewing and no trying again will mend."""


async def ask_token(work: Workplace, query: Mapping[str, str]) -> Grant:
    """A grant of the token server, for a code or a refresh token. Raises AuthDeadError, AuthExpiredError."""
    who = {"client_id": work.settings.client, "client_secret": str(work.secrets.get("client_secret", ""))}
    try:
        answer = await work.http.send("GET", work.settings.token_server, query={**query, **who}, seconds=SECONDS)
    except UnknownOutcomeError as error:
        raise AuthExpiredError(f"the token server gave no answer: {error}") from None
    told = answer.json()
    told = told if isinstance(told, dict) else {}
    code = str(told.get("error", "")).lower()
    if code in DEAD:
        raise AuthDeadError(f"the token server refuses us: {code}", {"status": answer.status, "error": code})
    if not (answer.is_success and all(told.get(name) for name in _OF_GRANTS)):
        raise AuthExpiredError(f"the token server answered {answer.status}", {"status": answer.status})
    now = work.now()
    return Grant(
        access=str(told["access_token"]),
        refresh=str(told["refresh_token"]),
        expires_at=now + timedelta(seconds=span(told.get("expires_in")) or HOUR),
        refresh_expires_at=now + timedelta(days=REFRESH_DAYS),
        told={name: str(told.get(name, "")) for name in ("client_endpoint", "member_id", "domain", "scope")},
    )
