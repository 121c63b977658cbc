"""Comments on moments of a call by the API, for who may hear it."""

from __future__ import annotations

from aiohttp import web
from pydantic import AwareDatetime, Field

from recordings.comments import TEXT_MOST, CommentRefused
from web import comments
from web.api.operations import Answer, Body, NoBody, NoQuery, number_in, refusal
from web.audited import audited
from web.guard import VIEWER
from web.one_call import read_call
from web.services import SERVICES


class CommentTold(Answer):
    """What somebody wrote of a moment of a call."""

    id: int
    at: float = Field(description="Second of the recording.")
    by: str = Field(description="Key of a person, or a login.")
    text: str
    made_at: AwareDatetime
    mine: bool = Field(description="Whether the viewer may delete it: as its author, a head or an admin.")


class CommentList(Answer):
    """The comments of a call in the order of their moments."""

    items: list[CommentTold]


class CommentWish(Body):
    """What is worth saying of a moment."""

    at: float = Field(ge=0, le=1e6, allow_inf_nan=False, description="Second of the recording.")
    text: str = Field(min_length=1, max_length=TEXT_MOST)


class CommentDeleted(Answer):
    """A comment that is gone."""

    id: int


async def list_comments(request: web.Request, _query: NoQuery) -> CommentList:
    """GET /calls/{id}/comments."""
    async with request.app[SERVICES].engine.connect() as connection:
        one = await read_call(request, connection)
        hearing = await comments.checked_hearing(request, connection, one)
        found = await comments.comments_of(connection, one, hearing, request[VIEWER])
    return CommentList(items=[_told(one) for one in found])


@audited("comment_made")
async def add_comment(request: web.Request, wish: CommentWish) -> CommentTold | web.Response:
    """POST /calls/{id}/comments."""
    try:
        async with request.app[SERVICES].engine.begin() as connection:
            one = await read_call(request, connection)
            return _told(await comments.add(request, connection, one, wish.at, wish.text))
    except CommentRefused as error:
        return refusal(422, f"wrong_{error.field}", str(error), field=error.field)


@audited("comment_deleted")
async def delete_comment(request: web.Request, _body: NoBody) -> CommentDeleted:
    """POST /comments/{number}/delete."""
    number = number_in(request)
    async with request.app[SERVICES].engine.begin() as connection:
        await comments.delete(request, connection, number)
    return CommentDeleted(id=number)


def _told(one: comments.Comment) -> CommentTold:
    return CommentTold.model_validate({name: getattr(one, name) for name in CommentTold.model_fields})
