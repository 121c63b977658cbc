"""Who ended the call: the person who called, the person of staff, or the PBX by itself (pure)."""

from __future__ import annotations

from datetime import datetime, timedelta

from calls import events as e
from calls.call import UNTIMED, Call, facts
from calls.talks import Talk, is_local

AT_ONCE = timedelta(seconds=1)
"""The PBX ends what is left of a call within milliseconds of the last person's hang-up."""
GIVEN_UP = frozenset({0, 16, 127})
"""Q.850 causes of a caller who gives up: 127 is a SIP CANCEL.

One whom the PBX refuses ends with the refusal's cause, and is told to have hung up as well (seen on Asterisk 22.10).
"""


def asked_by(call: Call) -> dict[str, datetime]:
    """When the people's channels were hung up by the people themselves; UNTIMED where no time was told."""
    asked: dict[str, datetime] = {}
    for fact in facts(call, e.HangupRequested):
        if fact.channel in call.channels and not is_local(call.channels[fact.channel]):
            asked.setdefault(fact.channel, fact.at or UNTIMED)
    return asked


def ended_by(call: Call, caller: str, heard: tuple[Talk, ...], ended_at: datetime | None) -> str:
    """The uniqueid of the channel whose person ended the call, "" when the PBX did.

    Without a talk only the caller can have ended it: a phone that refuses sends the call on.
    """
    asked = asked_by(call)
    if not heard:
        told = call.channels[caller].cause if caller in asked else None
        return caller if caller in asked and (told is None or told[1] in GIVEN_UP) else ""
    last = max(asked.items(), key=lambda one: (one[1], one[0]), default=None)
    if last is None or ended_at is None:
        return ""
    # Some applications, as voicemail, go on for a while after the caller has gone.
    own = call.channels[last[0]].ended_at == ended_at
    return last[0] if own or UNTIMED in {last[1], ended_at} or ended_at - last[1] < AT_ONCE else ""
