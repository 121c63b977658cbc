"""The directory as its file, for programs of admins: taken away, and brought back after it was looked at."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import hdrs, web

from directory.file import dumps, plain_directory
from directory.model import Directory
from directory.sections import read_whole
from web.admin.saving import Verdict, Wish, digest, judge, look
from web.admin.sent import MOST
from web.api.operations import PREFIX, Answer, Door, Query, Refusal, Said, answered, problem, read_query, refusal
from web.audited import audited
from web.guard import only

PATH: Final = f"{PREFIX}/directory"
YAML: Final = "application/yaml"
_PIECE: Final = 64 * 1024


class DirectoryQuery(Query):
    """`dry_run`: only tell what would change."""

    dry_run: bool = False


class DirectoryDone(Answer):
    """What changed, or would: lines of the difference; `doubts` are about rules that can never match."""

    applied: bool
    changes: list[str]
    doubts: list[str]


async def get_directory(request: web.Request) -> web.Response:
    """GET /directory, by admins; the ETag names this state."""
    only(request, "admin")
    verdict = await look(request, plain_directory)
    headers = {hdrs.ETAG: f'"{verdict.seen}"'}
    return web.Response(text=dumps(verdict.directory), content_type=YAML, charset="utf-8", headers=headers)


@audited("directory_changed")
async def put_directory(request: web.Request) -> web.Response:
    """PUT /directory, by admins: the file is the body; with If-Match only in the place of the state of that ETag."""
    only(request, "admin")
    query = read_query(DirectoryQuery, request)
    text = await _text(request)
    verdict = await judge(request, Wish(_made(text), plain_directory, text), _sent(request, text, query))
    if verdict.faults:
        detail = "\n".join(f"line {it.line}: {f'{it.path}: ' if it.path else ''}{it.message}" for it in verdict.faults)
        return refusal(422, "faults", detail)
    if verdict.stale:
        return refusal(412, "changed", "Somebody changed the directory meanwhile; get it again.")
    return _done(verdict)


def _made(text: str) -> Any:
    def made(_directory: Directory) -> Directory:
        return read_whole(text).directory

    return made


def _sent(request: web.Request, text: str, query: DirectoryQuery) -> dict[str, str]:
    """What a form would have sent: who sends a file has seen what it changes, or does not want to."""
    seen = request.headers.get(hdrs.IF_MATCH, "").strip().removeprefix("W/").strip('"')
    told = {"do": "check" if query.dry_run else "save", "checked": digest(text)}
    return told | ({"seen": seen} if seen not in {"", "*"} else {})


def _done(verdict: Verdict) -> web.Response:
    told = DirectoryDone(
        applied=verdict.saved, changes=list(verdict.changes), doubts=[it.message for it in verdict.doubts]
    )
    return answered(told)


async def _text(request: web.Request) -> str:
    """The file. Raises 413 for one that is too large, 400 for one that is no text."""
    body = bytearray()
    async for piece in request.content.iter_chunked(_PIECE):
        body += piece
        if len(body) > MOST:
            raise web.HTTPRequestEntityTooLarge(MOST, len(body), text=f"at most {MOST} bytes")
    try:
        return bytes(body).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise web.HTTPBadRequest(text="The file must be UTF-8 text.") from None


_SHUT: Final = {status: problem(status) for status in (401, 403)}
READ: Final = Door(
    hdrs.METH_GET,
    PATH,
    get_directory.__name__,
    "The directory as its file",
    {200: Said("The file; its ETag names this state.", None, (YAML,), (hdrs.ETAG,)), **_SHUT},
)
WRITE: Final = Door(
    hdrs.METH_PUT,
    PATH,
    put_directory.__name__,
    "Apply a directory file, all or nothing",
    {
        200: Said("Applied, or looked at.", DirectoryDone),
        400: problem(400, "The query, or the file, cannot be read."),
        412: problem(412, "It is not any more as the If-Match says.", Refusal),
        413: problem(413, f"More than {MOST} bytes."),
        422: problem(422, "Nothing is applied: `detail` has every fault with its line."),
        **_SHUT,
    },
    DirectoryQuery,
    body=(YAML,),
    headers=(hdrs.IF_MATCH,),
)
