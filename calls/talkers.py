"""Who of ours talks in a call this moment, and on which channel (pure)."""

from __future__ import annotations

from calls.call import Call
from calls.talks import order, talks
from calls.view import party_of_talk
from directory.model import Directory


def talkers(call: Call, directory: Directory) -> dict[str, str]:
    """The keys of the people who talk now, each with the uniqueid of their channel; who joined last stands last."""
    now = {uid for talk in talks(call) if talk.span.until is None for uid in (talk.one, talk.other)}
    found: dict[str, str] = {}
    for uid in sorted((uid for uid in now if call.channels[uid].ended_at is None), key=order):
        person = directory.person_of_device(party_of_talk(call, uid))
        if person is not None:
            found[person.key] = uid
    return found
