"""Why a telephone that we had the PBX call was not answered."""

from __future__ import annotations

import asyncio
from typing import Final

from telephony.pbx import Message

WAIT_SECONDS: Final = 1.0
"""The hang-up comes within milliseconds of the response, before it or after it; a telephone that could not be called
has none."""
_REASONS: Final = {"1": "rejected", "3": "no_answer", "5": "busy", "8": "unreachable"}
"""Asterisk's Reason of a failed OriginateResponse: its control frames HANGUP, RINGING, BUSY, CONGESTION (frame.h). Of a
PJSIP telephone that declines or is busy it is 0 (tapes click2call_staff_refuses and click2call_staff_busy)."""
_CAUSES: Final = {"17": "busy", "19": "no_answer", "21": "rejected"}
"""Q.850 of the telephone's hang-up. Asterisk makes 19 of a SIP 480, too, and 21 of a 401, 403, 407 and 603."""


async def why_unanswered(response: Message, cause: asyncio.Future[str]) -> str:
    """Of a failed OriginateResponse: `no_answer`, `rejected`, `busy` or `unreachable`.

    `cause` is done with the Cause of the called channel's Hangup once it comes, which tells best; where the response
    tells nothing, it is waited for.
    """
    told = _REASONS.get(str(response.get("Reason")))
    if told is None:
        await asyncio.wait({cause}, timeout=WAIT_SECONDS)
    by_cause = _CAUSES.get(cause.result()) if cause.done() else None
    return by_cause or told or "unreachable"


def hung_up(message: Message, cause: asyncio.Future[str]) -> None:
    """Tell the Cause of a Hangup to who waits for it."""
    if not cause.done():
        cause.set_result(str(message.get("Cause")))
