"""What the viewer was told, by the API."""

from __future__ import annotations

from datetime import datetime

from aiohttp import web
from pydantic import Field

from notices import inbox
from notices.inbox import told_by
from web.api.house import PageQuery
from web.api.operations import Answer, number_in
from web.audited import unaudited
from web.guard import VIEWER
from web.house import HOUSE
from web.notice_text import text_of, title_of
from web.page import language_of
from web.services import SERVICES


class NoticesQuery(PageQuery):
    """Which notices."""

    unread: bool = False


class NoticeTold(Answer):
    """Something that the viewer was told, in words of theirs and as values for programs."""

    id: int
    kind: str
    subject: str = Field(description="What it is about: call, lead, follow_up, house or report.")
    subject_id: str
    values: dict[str, str | int]
    title: str
    text: str
    made_at: datetime
    read_at: datetime | None


class NoticePage(Answer):
    """One page of notices, the newest first; `next` asks for the following one."""

    items: list[NoticeTold]
    next: str | None


class NoticesRead(Answer):
    """How many of them were new."""

    read: int


async def list_notices(request: web.Request, query: NoticesQuery) -> NoticePage:
    """GET /notices: the viewer's own; none for a login that belongs to nobody in the directory."""
    directory, language = await request.app[HOUSE].read(), language_of(request)
    async with request.app[SERVICES].engine.connect() as connection:
        rows = await inbox.listed(
            connection, request[VIEWER].person or "", unread=query.unread, before=query.cursor, limit=query.limit + 1
        )
    items = [
        NoticeTold(
            id=row.id,
            kind=row.kind,
            subject=row.subject,
            subject_id=row.subject_id,
            values=row.values,
            title=title_of(told_by(row, language)),
            text=text_of(directory, told_by(row, language)),
            made_at=row.made_at,
            read_at=row.read_at,
        )
        for row in rows[: query.limit]
    ]
    return NoticePage(items=items, next=str(items[-1].id) if len(rows) > query.limit else None)


@unaudited("their own notices, which keep when they were read")
async def read_notice(request: web.Request, _body: object) -> NoticesRead:
    """POST /notices/{number}/read: the viewer has read one of their notices; that of another is none of theirs."""
    async with request.app[SERVICES].engine.begin() as connection:
        count = await inbox.mark_read(connection, request[VIEWER].person or "", [number_in(request)])
    return NoticesRead(read=count)


@unaudited("their own notices, which keep when they were read")
async def read_notices(request: web.Request, _body: object) -> NoticesRead:
    """POST /notices/read: the viewer has read all of theirs."""
    async with request.app[SERVICES].engine.begin() as connection:
        count = await inbox.mark_read(connection, request[VIEWER].person or "")
    return NoticesRead(read=count)
