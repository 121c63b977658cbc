"""Notices at the company's own webhook: JSON, signed as Standard Webhooks has it.

A message that is sent again has the same `webhook-id`, by which the other side knows it again.
"""

from __future__ import annotations

import json
import time
from datetime import UTC
from typing import Final
from uuid import uuid4

from notices.channel import Message, Refused, TryLater
from notices.posting import Poster
from notices.signing import headers, read_secret

_LATER: Final = frozenset({408, 425, 429})
"""Refusals that are not of this message: the other side was too slow, too early, or too much."""


class Webhook:
    """The channel `webhook`: one address for the whole house, which knows people by their keys."""

    repeats: bool = True

    def __init__(self, url: str, secret: str, seconds: float = 20.0) -> None:
        """`secret` as `whsec_…`. Raises ValueError for one that is none."""
        self._url = url
        self._key = read_secret(secret)
        self._poster = Poster(seconds)

    async def send(self, address: str, message: Message) -> None:
        """Tell it one notice of the person `address`. Raises NotDelivered."""
        told, written = message.told, message.written
        data = {
            "person": address,
            "kind": told.kind,
            "subject": told.subject,
            "subject_id": told.subject_id,
            "values": dict(told.values),
            "title": written.title,
            "text": written.text,
            "link": written.link,
        }
        await self._post(f"msg_{message.id}", {"type": f"notice.{told.kind}", "timestamp": _iso(message), "data": data})

    async def probe(self) -> str:
        """Send a message of the type `probe`, which is about nobody. Raises NotDelivered."""
        await self._post(f"msg_{uuid4()}", {"type": "probe", "data": {}})
        return "takes what we sign"

    async def close(self) -> None:
        """Close the connections."""
        await self._poster.close()

    async def _post(self, message_id: str, told: dict[str, object]) -> None:
        body = json.dumps(told, ensure_ascii=False).encode()
        signed = headers(self._key, message_id, int(time.time()), body)
        answered = await self._poster.post(self._url, body, signed)
        if answered.status in {401, 403}:
            raise TryLater("login_refused", answered.wait_seconds)
        if answered.status == 429:
            raise TryLater("rate_limited", answered.wait_seconds)
        if 400 <= answered.status < 500 and answered.status not in _LATER:
            raise Refused("message_refused")  # this one; those behind it do not wait for it
        if not 200 <= answered.status < 300:
            raise TryLater("server_error", answered.wait_seconds)


def _iso(message: Message) -> str:
    return message.told.made_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
