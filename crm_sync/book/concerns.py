"""Whom a call concerns who was not in it: the owner of a client that a colleague talked with, and the heads."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book.rules import CallFacts
from directory.model import Directory
from notices.model import Notice, plain
from notices.telling import heads_of, tell

_PLAIN: Final = re.compile(r"[A-Za-z0-9]+/[A-Za-z0-9_.+-]{1,100}")


async def tell_of(
    connection: AsyncConnection, directory: Directory, call_id: UUID, call: CallFacts, owner: str | None
) -> None:
    """Tell whom a call concerns, in the transaction that links it; `owner`: whose the client's lead was until then.

    The heads of its line are told once of each device that is nobody's and talked with a client.
    """
    if call.kind == "inbound_answered" and owner is not None and call.talked and owner not in call.talked:
        answered = Notice(
            key=f"colleague_answered {call_id}",
            kind="colleague_answered",
            subject="call",
            subject_id=str(call_id),
            values={"person": call.talked[-1]},
        )
        await tell(connection, directory, answered, [owner])
    for device in call.nobodys:
        nobodys = Notice(
            key=f"device_without_person {sha256(device.encode()).hexdigest()[:32]}",
            kind="device_without_person",
            subject="call",
            subject_id=str(call_id),
            # The call tells of what cannot stand in a message.
            values={"device": device if _PLAIN.fullmatch(device) else "", "line": plain(call.line)},
        )
        await tell(connection, directory, nobodys, heads_of(directory, call.line))
