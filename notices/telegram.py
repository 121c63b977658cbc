"""Notices by a Telegram bot: sendMessage and sendPhoto of the Bot API (https://core.telegram.org/bots/api).

Telegram knows no message again, so one whose answer was lost is not sent again; and so a notice is one message, with
its picture or without.
"""

from __future__ import annotations

import json
from html import escape
from typing import Any, Final

from aiohttp import FormData

from notices.channel import MEND_SECONDS, AddressDead, Message, Refused, TryLater
from notices.posting import Answered, Poster, seconds_of

_NO_SUCH_CHAT: Final = ("chat not found", "user is deactivated", "group chat was upgraded", "peer_id_invalid")
_LINES_MOST: Final = 3000


class Telegram:
    """The channel `telegram`: our bot, at Telegram's server or one of your own."""

    repeats: bool = False

    def __init__(self, token: str, url: str = "https://api.telegram.org", seconds: float = 20.0) -> None:
        self._address = f"{url.rstrip('/')}/bot{token}/"
        self._poster = Poster(seconds)

    async def send(self, address: str, message: Message) -> None:
        """Write into one chat. Raises NotDelivered."""
        answered = await self._told(int(address), message)
        if answered.status == 200:
            return
        told = _read(answered)
        if answered.status == 429:
            asked_for = told.get("parameters")
            raise TryLater(
                "rate_limited", seconds_of(asked_for.get("retry_after") if isinstance(asked_for, dict) else "")
            )
        if answered.status == 403:
            raise AddressDead("blocked")
        why = str(told.get("description", "")).casefold()
        raise AddressDead("no_such_chat") if any(it in why for it in _NO_SUCH_CHAT) else Refused("message_refused")

    async def probe(self) -> str:
        """Ask the bot's name. Raises NotDelivered."""
        told = _read(await self._ask("getMe", b"{}")).get("result")
        name = told.get("username") if isinstance(told, dict) else None
        if not isinstance(name, str):
            raise TryLater("server_error")
        return f"@{name}"

    async def close(self) -> None:
        """Close the connections."""
        await self._poster.close()

    async def _told(self, chat: int, message: Message) -> Answered:
        rich = message.rich
        if rich is not None and rich.pictures:
            form = FormData({"chat_id": str(chat), "caption": rich.caption, "parse_mode": "HTML"})
            form.add_field("photo", rich.pictures[0].png, filename="report.png", content_type="image/png")
            return await self._ask("sendPhoto", form)
        asked = {
            "chat_id": chat,
            "text": rich.caption if rich is not None else _marked_up(message),
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
        }
        return await self._ask("sendMessage", json.dumps(asked).encode())

    async def _ask(self, method: str, asked: bytes | FormData) -> Answered:
        answered = await self._poster.post(self._address + method, asked)
        if answered.status in {401, 404}:
            raise TryLater("login_refused", MEND_SECONDS)
        if answered.status >= 500 or 300 <= answered.status < 400:
            raise TryLater("server_error")
        return answered


def _read(answered: Answered) -> dict[str, Any]:
    try:
        told = json.loads(answered.body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _marked_up(message: Message) -> str:
    written = message.written
    lines = [f"<b>{escape(written.title)}</b>", escape(written.text[:_LINES_MOST])]
    lines += [escape(written.link)] if written.link else []
    return "\n".join(filter(None, lines))
