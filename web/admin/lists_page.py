"""Lists of numbers of people outside: one number a line, and after a comma what there is to say of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from aiohttp import web

from directory.checks import Fault
from directory.model import Directory
from directory.sections import content, replaced
from web.admin import told
from web.admin.asked import LISTS
from web.admin.faults import in_words
from web.admin.saving import Verdict, Wish, judge, look
from web.admin.sent import read_sent
from web.audited import audited
from web.guard import only
from web.page import language_of, page
from web.wording import phone

_SPLIT: Final = re.compile(r"\s*[,;\t]\s*")
_AT: Final = re.compile(r"\w+\[(\d+)\]")


async def show(request: web.Request) -> web.Response:
    """GET /admin/lists/{list}."""
    only(request, "admin")
    section = _list_of(request)
    verdict = await look(request, lambda it: content(it, section))
    return await _page(request, section, _text(content(verdict.directory, section)), verdict)


@audited("directory_changed")
async def change(request: web.Request) -> web.Response:
    """POST to the same: `do` is check or save, `text` the list."""
    only(request, "admin")
    section, sent = _list_of(request), await read_sent(request)
    text = sent.get("text", "").replace("\r\n", "\n")
    rows = [line for line in text.split("\n") if line.strip()]

    def made(directory: Directory) -> Directory:
        return replaced(directory, section, [_entry(line) for line in rows])

    verdict = await judge(request, Wish(made, lambda it: content(it, section), rows), sent)
    if verdict.saved:
        raise web.HTTPSeeOther(f"/admin/lists/{section}?saved")
    return await _page(request, section, "\n".join(rows), verdict)


def _entry(line: str) -> dict[str, str]:
    number, *note = _SPLIT.split(line.strip(), maxsplit=1)
    return {"number": number} | ({"note": note[0].strip()} if note and note[0].strip() else {})


def _text(entries: Sequence[dict[str, Any]]) -> str:
    lines = (", ".join(part for part in (phone(it["number"]), it.get("note", "")) if part) for it in entries)
    return "\n".join(lines)


def _line(text: str, fault: Fault) -> tuple[int, str]:
    """(number, counted from 1, and text) of the line that a fault is about; 0 for none."""
    found = _AT.match(fault.path)
    lines = text.splitlines()
    at = int(found[1]) if found else len(lines)
    return (at + 1, lines[at]) if at < len(lines) else (0, "")


async def _page(request: web.Request, section: str, text: str, verdict: Verdict) -> web.Response:
    language = language_of(request)
    answer = await page(
        request,
        "admin_numbers.html",
        section_name=section,
        lists=LISTS,
        text=text,
        verdict=verdict,
        loose=(),
        line_at=partial(_line, text),
        change_of=lambda line: told.change(line, language),
        place_of=lambda path: told.place(verdict.directory, path, language),
        in_words=lambda message: in_words(message, language),
        saved="saved" in request.query,
    )
    answer.set_status(verdict.status)
    return answer


def _list_of(request: web.Request) -> str:
    section = request.match_info["list"]
    if section not in LISTS:
        raise web.HTTPNotFound(text=f"There is no list {section!r}.")
    return section
