"""How a person lets us into a Bitrix24 portal, and the events that the application is bound to then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from yarl import URL

from crm_sync.bitrix24.access import ask_token
from crm_sync.bitrix24.link import MethodError, Rest, is_akin
from crm_sync.bitrix24.words import EVENTS, door_key
from crm_sync.errors import PermanentError
from crm_sync.grants import Grant
from crm_sync.workplace import Consent, Workplace


def _consent_address(work: Workplace, back: str, state: str) -> str:
    """The portal sends whoever agrees to the address that the application has there, which must be `back`."""
    del back
    return str(URL(_base(work)) / "oauth/authorize/" % {"client_id": work.settings.client, "state": state})


async def _exchange(work: Workplace, query: Mapping[str, str], back: str) -> Grant:
    """A grant for the code, which is good for thirty seconds; the application is bound to its events with it."""
    rest = Rest(work)
    grant = await ask_token(work, {"grant_type": "authorization_code", "code": query.get("code", "")})
    portal, there = URL(_base(work)).host or "", URL(grant.told["client_endpoint"]).host or ""
    if not is_akin(portal, there):
        raise PermanentError(f"somebody agreed on another portal: {there}")
    door = door_key(str(work.secrets.get("client_secret") or ""))
    handler = str(URL(back).parent / "events" % {"door": door})
    for event in EVENTS:
        told = {"event": event, "handler": handler}
        try:
            await rest.call_with(grant, "event.bind", told)
        except MethodError as error:
            if "already" not in error.told:
                raise
    return grant


def _base(work: Workplace) -> str:
    return work.settings.portal if "://" in work.settings.portal else f"https://{work.settings.portal}"


CONSENT: Final = Consent(address=_consent_address, exchange=_exchange)
