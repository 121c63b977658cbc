"""Whether a block of AMI's text is one whole message, or a piece of one that a caller's line breaks tore (pure).

Asterisk 22.10 writes a caller's number and the dialled extension into events as they came, line breaks too: 79
characters in which a caller can end the event and write one of their own. What they cannot write is the rest of the
channel's snapshot, which Asterisk always writes in one order and which is longer than that. So a message is whole when
it begins as Asterisk's do and holds every snapshot from its CallerIDNum to its Linkedid without a line between; and
after a torn one nothing is believed until the missing lines have come, or another whole snapshot. The last three of
the snapshot's lines do fit into what a caller can write, so a message also needs that another one, or nothing, follows.
"""

import re
from functools import cache
from typing import Final

# FullyBooted alone tells no time when it greets a login; it says nothing of calls.
_BEGINNING: Final = re.compile(
    r"Event: (?:FullyBooted\r\nPrivilege: [^\r\n]"
    r"|[^\r\n]+\r\nPrivilege: [^\r\n]+\r\nTimestamp: [0-9]+\.[0-9]{6}(?:\r\n|\Z))"
)
_NO_SNAPSHOT: Final = "Event: OriginateResponse\r\n"  # its CallerIDNum is what the originating action said
_WAITING: Final = "Event: QueueEntry\r\n"  # one of QueueStatus's list: the caller's and connected ids, no snapshot
# An AMI user's own words (manager.c writes them right behind the time): a CallerIDNum in them begins no snapshot.
_USERS_WORDS: Final = re.compile(
    r"Event: UserEvent\r\nPrivilege: [^\r\n]+\r\nTimestamp: [0-9]+\.[0-9]{6}\r\nUserEvent: "
)
# Always told with the channel's snapshot (manager_channels.c, manager_bridges.c and others, 18 to 22): without one
# somebody wrote the message into a header that stands behind a snapshot, as the dialled number into DialString.
_OF_CHANNEL: Final = re.compile(
    r"Event: (?:New(?:channel|state|callerid|exten)|Hangup(?:Request)?|Dial(?:Begin|State|End)|Bridge(?:Enter|Leave)"
    r"|Hold|Unhold|(?:Blind|Attended)Transfer|Pickup|(?:Un)?ParkedCall\w*|QueueCaller\w+|MixMonitorMute)\r\n",
    re.IGNORECASE,
)
_FIRST: Final = "CallerIDNum"
_REST: Final = (
    "CallerIDName",
    "ConnectedLineNum",
    "ConnectedLineName",
    "Language",
    "AccountCode",
    "Context",
    "Exten",
    "Priority",
    "Uniqueid",
    "Linkedid",
)
_ONLY_IN_SNAPSHOTS: Final = ("CallerIDName", "ConnectedLineNum", "ConnectedLineName", "Priority")

Missing = tuple[str, ...]
"""The headers of a torn snapshot that are still to come, in their order."""


def begins(text: str) -> bool:
    """Whether what follows a message is nothing yet, or the beginning of another.

    Of a snapshot's end (Exten and the three headers after it) a caller can write a false one, but not the event's true
    end away, which Asterisk writes with it.
    """
    return any(text.startswith(sign) or sign.startswith(text) for sign in ("Event: ", "Response: "))


def judge(block: str, missing: Missing, *, asked: bool) -> tuple[bool, Missing]:
    """Whether the block is a message to believe, and what the stream still owes after it.

    `asked`: it carries the ActionID of a question of ours, which nobody can guess, and then tells no time.
    """
    begins = asked or _BEGINNING.match(block) is not None
    if _FIRST not in block and not missing:
        return begins and (asked or not _OF_CHANNEL.match(block)) and "\r\nPriority: " not in block, ()
    if block.startswith(_NO_SNAPSHOT):
        return begins and not missing, missing
    if not missing and _USERS_WORDS.match(block):
        return True, ()
    if asked and block.startswith(_WAITING):
        return True, missing  # the ActionID is its last line: nothing was torn off
    whole, snapshots, owed = _walk(block, ())
    if not missing:
        return begins and whole, owed
    if begins and whole and (asked or snapshots):
        return True, ()
    return False, _walk(block, missing)[2]


def _walk(block: str, missing: Missing) -> tuple[bool, int, Missing]:
    """Whether every snapshot is whole, how many there are, and what is missing at the end."""
    whole, snapshots = True, 0
    for line in block.split("\r\n"):
        name = line.partition(": ")[0]
        if missing:
            if name == missing[0]:
                missing = missing[1:]
            else:
                whole = False
        elif name.endswith(_FIRST):
            missing = _rest(name.removesuffix(_FIRST))
            snapshots += 1
        elif name.endswith(_ONLY_IN_SNAPSHOTS):
            whole = False
    return whole and not missing, snapshots, missing


@cache
def _rest(prefix: str) -> Missing:
    return tuple(prefix + name for name in _REST)
