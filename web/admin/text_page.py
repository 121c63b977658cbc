"""A section of the directory as its file has it, or the whole: to be changed as text, taken away and brought back."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from aiohttp import web

from directory import store, versions
from directory.file import SECTIONS, dumps, plain_directory
from directory.model import Directory
from directory.sections import content, read_text, read_whole, write_section
from web.admin import told
from web.admin.faults import in_words
from web.admin.saving import Verdict, Wish, judge, look
from web.admin.sent import read_sent
from web.audited import audited
from web.guard import only
from web.page import language_of, page
from web.services import SERVICES

WHOLE: Final = "all"
FILE_NAME: Final = "directory.yaml"
_YAML: Final = "application/yaml"


async def show(request: web.Request) -> web.Response:
    """GET /admin/text/{part}: a section, or `all`; with `version` the whole as it was then, to return to it."""
    only(request, "admin")
    part = _part_of(request)
    verdict = await look(request, partial(_seen, part))
    version = request.query.get("version")
    if part == WHOLE and version is not None:
        text = (await _version(request, version)).text()
        return await judged(request, part, text, {})
    return await _page(request, part, _text(part, verdict.directory), verdict)


@audited("directory_changed")
async def change(request: web.Request) -> web.Response:
    """POST to the same: `do` is check or save, `text` what shall be there, or a `file` instead of it."""
    only(request, "admin")
    part, sent = _part_of(request), await read_sent(request)
    text = (sent.get("file") or sent.get("text", "")).replace("\r\n", "\n")
    return await judged(request, part, text, sent)


async def download(request: web.Request) -> web.Response:
    """GET /admin/file: the whole directory as its file; with `version` as it was then."""
    only(request, "admin")
    version = request.query.get("version")
    if version is None:
        async with request.app[SERVICES].engine.connect() as connection:
            text = dumps(await store.read(connection))
    else:
        text = (await _version(request, version)).text()
    headers = {"Content-Disposition": f'attachment; filename="{FILE_NAME}"'}
    return web.Response(text=text, content_type=_YAML, charset="utf-8", headers=headers)


def read_draft(part: str, text: str, directory: Directory) -> Directory:
    """The directory as it would be with this text for a section of it, or for the whole. Raises SectionError."""
    return read_whole(text).directory if part == WHOLE else read_text(text, part, directory)


async def judged(request: web.Request, part: str, text: str, sent: dict[str, str]) -> web.Response:
    """The page of a text, with what is wrong in it or what it changes."""
    verdict = await judge(request, Wish(partial(read_draft, part, text), partial(_seen, part), text), sent)
    if verdict.saved:
        raise web.HTTPSeeOther(f"/admin/text/{part}?saved")
    return await _page(request, part, text, verdict)


async def _version(request: web.Request, told_version: str) -> versions.Version:
    number = int(told_version) if told_version.isascii() and told_version.isdecimal() and len(told_version) < 10 else 0
    async with request.app[SERVICES].engine.connect() as connection:
        found = await versions.find(connection, number)
    if found is None:
        raise web.HTTPNotFound(text=f"There is no version {told_version[:20]}.")
    return found


async def _page(request: web.Request, part: str, text: str, verdict: Verdict) -> web.Response:
    language = language_of(request)
    lines = text.splitlines()
    answer = await page(
        request,
        "admin_text.html",
        part=part,
        parts=(*SECTIONS, WHOLE),
        text=text,
        verdict=verdict,
        loose=verdict.faults,
        line=lambda number: lines[number - 1] if 0 < number <= len(lines) else "",
        change_of=lambda line: told.change(line, language),
        place_of=lambda path: told.place(verdict.directory, path, language),
        in_words=lambda message: in_words(message, language),
        saved="saved" in request.query,
        version=request.query.get("version", ""),
    )
    answer.set_status(verdict.status)
    return answer


def _text(part: str, directory: Directory) -> str:
    return dumps(directory) if part == WHOLE else write_section(directory, part)


def _seen(part: str, directory: Directory) -> Any:
    return plain_directory(directory) if part == WHOLE else content(directory, part)


def _part_of(request: web.Request) -> str:
    return checked_part(request.match_info["part"])


def checked_part(part: str) -> str:
    """A section of the file, or WHOLE. Raises 404."""
    if part not in (*SECTIONS, WHOLE):
        raise web.HTTPNotFound(text=f"There is no section {part[:40]!r}.")
    return part
