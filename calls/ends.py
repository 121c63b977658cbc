"""Who ended the call: the person who called, the person of staff, or the PBX by itself (pure)."""

from __future__ import annotations

from datetime import datetime, timedelta

from calls import events as e
from calls.call import UNTIMED, Call, facts
from calls.events import device
from calls.talks import Talk, is_local

AT_ONCE = timedelta(seconds=1)
"""The PBX ends a talk within milliseconds of the hang-up of one who talked."""
GIVEN_UP = frozenset({0, 16, 127})
"""Q.850 causes of who gives up before anybody answers: 127 is a SIP CANCEL."""


def asked_by(call: Call) -> dict[str, datetime]:
    """When the people's channels were hung up by the people themselves; UNTIMED where no time was told.

    One that the PBX or the phone refused before it was up is told to have hung up as well, with the refusal's cause
    (seen on Asterisk 22.10, scenario busy): that is left out. So is who hangs up after a transfer of theirs: they leave
    the call to others. Asterisk keeps the first source of a channel's end: who talked with one that hung up while they
    were moved on has that one's name for good, and the end of their last partner tells that they hung up.
    """
    moves = [fact for fact in facts(call, e.Transferred) if fact.succeeded]
    left = {uid for fact in moves for uid in (fact.channel, fact.second)}
    named = {channel.name[1]: uid for uid, channel in sorted(call.channels.items())}
    asked: dict[str, datetime] = {}
    for fact in facts(call, e.HangupRequested):
        uid = named.get(fact.by, "") if fact.by else fact.channel
        channel = call.channels.get(uid)
        if channel is None or is_local(channel) or uid in left:
            continue
        if channel.up_at or channel.cause is None or channel.cause[1] in GIVEN_UP:
            # Whoever is named at another's end hung up when they ended themselves, which may be long before.
            ended = channel.ended_at if fact.by else None
            asked[uid] = min(asked.get(uid, UNTIMED), fact.at or UNTIMED, ended or UNTIMED)
    return asked


def ended_by(call: Call, caller: str, heard: tuple[Talk, ...]) -> str:
    """The uniqueid of the channel whose person ended the call, "" when the PBX did.

    Without a talk only the caller can have ended it: a phone that refuses sends the call on. Who hangs up after they
    parked the other leaves the call, and does not end it.
    """
    asked = asked_by(call)
    if not heard:
        return caller if caller in asked else ""
    last = max(((at, uid) for uid, at in asked.items() if not _has_parked(call, uid, heard)), default=None)
    if last is None:
        return ""
    talked = max((talk.span.until for talk in heard if talk.span.until), default=UNTIMED)
    return last[1] if UNTIMED in {last[0], talked} or last[0] > talked - AT_ONCE else ""


def _has_parked(call: Call, uid: str, heard: tuple[Talk, ...]) -> bool:
    """Whether the channel's last talk ended because its device parked the other side (a Parked names the device)."""
    name = device(call.channels[uid].name[1])
    last = max((talk.span.until or UNTIMED for talk in heard if uid in {talk.one, talk.other}), default=UNTIMED)
    return any(
        fact.by == name and fact.at is not None and last != UNTIMED and abs(last - fact.at) < AT_ONCE
        for fact in facts(call, e.Parked)
    )
