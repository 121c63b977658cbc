"""Comments on moments of a call, for who may hear it: read, written, and deleted by their authors and by heads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from recordings import comments
from recordings.audit import note
from recordings.comments import CommentRefused
from web.guard import VIEWER
from web.hearing import REFUSED, Hearing, hearing_of
from web.house import HOUSE
from web.keeping import actor_of
from web.listening import transcript_of
from web.one_call import OneCall, read_one
from web.sessions import Viewer

_TIME: Final = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,3}):)?(\d{1,5}(?:[.,]\d{1,3})?)", re.ASCII)
_DELETERS: Final = frozenset({"head", "admin"})


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment as its reader sees it: `by` is the key of a person, or a login; `mine`: the reader may delete it."""

    id: int
    at: float
    by: str
    text: str
    made_at: datetime
    mine: bool


async def comments_of(connection: AsyncConnection, one: OneCall, hearing: Hearing, viewer: Viewer) -> list[Comment]:
    """The comments of a call in the order of their moments; none for who may not hear it yet."""
    if not _may_hear(hearing):
        return []
    return [_seen(row, viewer) for row in await comments.of_call(connection, one.id)]


async def add(request: web.Request, connection: AsyncConnection, one: OneCall, at: float, text: str) -> Comment:
    """Write a comment of the viewer's. Raises CommentRefused; 403 for who may not hear the call, 404 for no talk."""
    viewer = request[VIEWER]
    hearing = await checked_hearing(request, connection, one)
    transcript = await transcript_of(connection, one.id)
    if hearing.audible is None and transcript is None:
        raise web.HTTPNotFound(text="There is neither a recording nor a transcript of this call.")
    seconds = hearing.audible.seconds if hearing.audible else transcript.audio_seconds
    by = viewer.person or viewer.login
    made = await comments.add(connection, one.id, at, text, seconds=seconds, by=by, user=viewer.user)
    await note(connection, actor_of(request), "comment_made", f"call {one.id}", {"comment": made})
    return _seen(await comments.comment(connection, made), viewer)


async def delete(request: web.Request, connection: AsyncConnection, number: int) -> Comment:
    """Delete a comment, and give what it was. Raises 404 when there is none; 403 for others', but by heads."""
    row = await comments.comment(connection, number)
    if row is not None:
        await checked_hearing(request, connection, await read_one(request, connection, row.call_id))
    if row is None or row.text is None:
        raise web.HTTPNotFound(text=f"There is no comment {number}.")
    viewer = request[VIEWER]
    told = _seen(row, viewer)
    if not told.mine:
        raise web.HTTPForbidden(text="Only its author, heads and admins delete a comment.")
    await comments.delete(connection, number, viewer.person or viewer.login)
    told_of = {"comment": number, "by": told.by}
    await note(connection, actor_of(request), "comment_deleted", f"call {row.call_id}", told_of)
    return told


async def checked_hearing(request: web.Request, connection: AsyncConnection, one: OneCall) -> Hearing:
    """What the viewer may hear of the call. Raises 403 for who may not hear what there is (yet)."""
    hearing = await hearing_of(connection, one, await request.app[HOUSE].read(), request[VIEWER].role)
    if not _may_hear(hearing):
        raise web.HTTPForbidden(text=REFUSED[hearing.state])
    return hearing


def seconds_of(told: str) -> float:
    """The moment that somebody typed: 42, 1:05, 1:02:03. Raises CommentRefused."""
    found = _TIME.fullmatch(told.strip())
    if found is None:
        raise CommentRefused("at", f"must be a time like 1:05, got {told[:40]!r}")
    hours, minutes, seconds = found.groups(default="0")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))


def _may_hear(hearing: Hearing) -> bool:
    return hearing.sound is None or hearing.audible is not None


def _seen(row: Any, viewer: Viewer) -> Comment:
    mine = row.user_id == viewer.user or viewer.role in _DELETERS
    return Comment(row.id, row.at, row.by, row.text, row.made_at, mine)
