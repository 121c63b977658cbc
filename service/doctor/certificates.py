"""Certificates of all that we, or our people, meet by TLS: whether each is believed, and for how many days."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from yarl import URL

from service.doctor.check import Check
from service.doctor.look import aside
from service.settings import Settings

_WARN_DAYS: Final = 14
_SECONDS: Final = 5.0
_RENEW: Final = "renew it, and see that it renews itself (certbot, acme.sh)"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a certificate is shown: by TLS at once, or over STARTTLS of a mail server."""

    name: str
    host: str
    port: int
    ca_file: Path | None = None
    starttls: bool = False


def places(settings: Settings) -> Iterator[Place]:
    """Every place that the settings lead to by TLS."""
    for name, told in (("pages", settings.web.public_url), ("store", settings.recordings.endpoint)):
        url = URL(told) if told else None
        if url is not None and url.scheme == "https" and url.host and url.port:
            yield Place(name, url.host, url.port)
    for pbx in settings.pbx:
        if pbx.tls:
            yield Place(f"pbx {pbx.name}", pbx.host, pbx.port, pbx.tls_ca_file)
    mail = settings.notices.mail
    if mail.host is not None and mail.security != "none":
        yield Place("mail", mail.host, mail.port, mail.ca_file, mail.security == "starttls")


async def look(settings: Settings) -> list[Check]:
    """Meet each of them, side by side."""
    return list(await asyncio.gather(*(_met(place) for place in places(settings))))


async def _met(place: Place) -> Check:
    name, where = f"certificate of {place.name}", f"{place.host}:{place.port}"
    meet: Callable[[Place], dict[str, Any]] = _by_mail if place.starttls else _at_once
    try:
        async with asyncio.timeout(2 * _SECONDS):
            shown = await aside(meet, place)
    except ssl.SSLCertVerificationError as error:
        return Check(name, "fail", f"{where}: {error.verify_message}", _RENEW)
    except (OSError, TimeoutError, smtplib.SMTPException) as error:
        why = f"{where}: not met: {str(error) or type(error).__name__}"
        return Check(name, "warn", why, "is it there, and may this machine reach it?")
    ends_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), UTC)
    days = (ends_at - datetime.now(UTC)).days
    return Check(name, "ok" if days >= _WARN_DAYS else "warn", f"{where}: good for {days} days", _RENEW)


def _at_once(place: Place) -> dict[str, Any]:
    context = ssl.create_default_context(cafile=place.ca_file)
    with (
        socket.create_connection((place.host, place.port), _SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=place.host) as wrapped,
    ):
        return wrapped.getpeercert() or {}


def _by_mail(place: Place) -> dict[str, Any]:
    with smtplib.SMTP(place.host, place.port, timeout=_SECONDS) as smtp:
        smtp.starttls(context=ssl.create_default_context(cafile=place.ca_file))
        told: dict[str, Any] = {}
        if isinstance(smtp.sock, ssl.SSLSocket):
            told = smtp.sock.getpeercert() or {}
        with suppress(smtplib.SMTPException):
            smtp.quit()
        return told
