"""What amoCRM (Kommo) sends to us: webhooks, clicks in a widget, and when a token says that it ends (pure)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

from crm_sync.amocrm.cards import numbers_of
from crm_sync.crm import Heard
from crm_sync.errors import PermanentError

FIELDS_MOST: Final = 20_000
"""A mass edit comes in one form."""

_WEEK: Final = 7 * 86_400.0


def heard(form: Mapping[str, Any], region: str) -> Iterable[Heard]:
    """What happened there, as webhooks tell it: `remote_id`, `what`, and the `number` of cards, each told of alone.

    Whose a number is now is not told: the owner of an open lead goes before the card's, and only a search knows both.
    """
    for kind in ("leads", "contacts", "companies"):
        happened = form.get(kind)
        for what, items in happened.items() if isinstance(happened, dict) else ():
            for item in items.values() if isinstance(items, dict) else ():
                if isinstance(item, dict) and str(item.get("id", "")).isdigit():
                    yield from _heard_of(kind, what, item, region)


def _heard_of(kind: str, what: str, item: Mapping[str, Any], region: str) -> Iterable[Heard]:
    """One event of one thing; contacts and companies come under `contacts`, told apart by `type`."""
    kind = "companies" if item.get("type") == "company" else kind
    told_of = {"remote_id": f"{kind}/{item['id']}", "what": what}
    changed: Literal["lead_changed", "contact_changed"] = "lead_changed" if kind == "leads" else "contact_changed"
    plain = {"custom_fields": [_listed(one) for one in _values(item.get("custom_fields"))]}
    for number in sorted(numbers_of(plain, region)) or ("",):
        more = {"number": number} if number else {}
        yield Heard("owner_changed" if what == "responsible" else changed, told_of | more)


def _listed(field: Mapping[str, Any]) -> dict[str, Any]:
    return {**field, "values": [one for one in _values(field.get("values")) if isinstance(one, dict)]}


def _values(told_as: Any) -> list[Any]:
    return [one for one in told_as.values() if isinstance(one, dict)] if isinstance(told_as, dict) else []


def clicked_by(token: str, client_id: str, client_secret: str, now: float) -> Mapping[str, Any]:
    """What a widget's disposable token says (a JWT of HS256, signed with the integration's secret).

    Raises PermanentError for one that is not theirs, not for us, or over.
    """
    refusal = PermanentError("the token is not of our integration, or over")
    signed, _, signature = token.rpartition(".")
    right = hmac.new(client_secret.encode(), signed.encode(errors="replace"), hashlib.sha256).digest()
    try:
        # Nothing that is not theirs is read any further.
        if not client_secret or not hmac.compare_digest(_decoded(signature), right):
            raise refusal
        head, body = signed.split(".")
        algorithm, claims = json.loads(_decoded(head)), json.loads(_decoded(body))
    except (ValueError, RecursionError):
        raise refusal from None
    if not isinstance(algorithm, dict) or algorithm.get("alg") != "HS256" or not isinstance(claims, dict):
        raise refusal
    until, since, name = claims.get("exp"), claims.get("nbf", 0), claims.get("jti")
    if not isinstance(until, int | float) or not isinstance(since, int | float) or not isinstance(name, str):
        raise refusal
    # A token is remembered for a week (`heard.DAYS`): one that holds for longer, or has no name, could be used twice.
    in_time = since - 60 <= now < until <= now + _WEEK
    if not in_time or not name or claims.get("client_uuid") != client_id:
        raise refusal
    return claims


def token_ends(token: str) -> datetime | None:
    """When a token is over, as it says itself (they are JWTs); None for one that does not say."""
    try:
        until = json.loads(_decoded(token.split(".")[1]))["exp"]
        return datetime.fromtimestamp(until, UTC)
    except (LookupError, TypeError, ValueError, OverflowError, OSError):
        return None


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
