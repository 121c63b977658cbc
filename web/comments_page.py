"""The forms of comments on a call's page: carried out, or the page again with the words beside the field at fault."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from aiohttp import web

from recordings.comments import MOST, TEXT_MOST, CommentRefused
from web import comments
from web.api.operations import number_in
from web.audited import audited
from web.call_page import Wrong, call_page
from web.guard import read_form
from web.one_call import read_call
from web.page import language_of
from web.services import SERVICES
from web.words import say


@audited("comment_made")
async def add(request: web.Request) -> web.Response:
    """POST /calls/{id}/comments: `at` (1:05) and `text`; 303 to the moment, 400 with what is wrong."""
    form = await read_form(request)
    try:
        async with request.app[SERVICES].engine.begin() as connection:
            one = await read_call(request, connection)
            await comments.checked_hearing(request, connection, one)
            at = comments.seconds_of(form.get("at", ""))
            made = await comments.add(request, connection, one, at, form.get("text", ""))
    except CommentRefused as error:
        return await _refused(request, form, error)
    return _to(one.id, f"t={made.at:g}")


@audited("comment_deleted")
async def delete(request: web.Request) -> web.Response:
    """POST /comments/{number}/delete: 303 to the call of that `call`."""
    form = await read_form(request)
    async with request.app[SERVICES].engine.begin() as connection:
        await comments.delete(request, connection, number_in(request))
    try:
        return _to(UUID(form.get("call", "")), "comments")
    except ValueError:
        return web.Response(status=303, headers={"Location": "/calls"})


async def _refused(request: web.Request, form: Mapping[str, str], error: CommentRefused) -> web.Response:
    words = say(language_of(request), f"comment.wrong_{error.field}", length=TEXT_MOST, most=MOST)
    return await call_page(request, Wrong(error.field, words, form), status=400)


def _to(call_id: UUID, fragment: str) -> web.Response:
    return web.Response(status=303, headers={"Location": f"/calls/{call_id}#{fragment}"})
