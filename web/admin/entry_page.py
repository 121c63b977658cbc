"""The pages of the directory's entries: their list, and of each a form, or its text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from aiohttp import web

from directory.checks import Fault
from directory.file import dump
from directory.hours import write_week
from directory.model import Directory
from directory.rule_checks import doubts
from directory.sections import KEYS, SectionError, content, entry, names, place_of, put, replaced
from web.admin import form as forms
from web.admin import told
from web.admin.asked import ENTRIES, FORMS, USUAL, asks_of
from web.admin.faults import in_words
from web.admin.form import Shape
from web.admin.options import blank_of, entries, options_of, rule_words
from web.admin.saving import Verdict, Wish, judge, look
from web.admin.sent import read_sent
from web.audited import audited
from web.guard import only
from web.page import language_of, page
from web.words import has_words, say

SINGLES: Final = ("company", "outgoing")
_LATIN: Final = "a b v g d e e zh z i y k l m n o p r s t u f h c ch sh sch - y - e yu ya"
"""For the Russian letters in their order, ё behind е; a dash is nothing."""

_RUSSIAN: Final = "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"
_KEY_MOST: Final = 40


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry as somebody wrote it: as `shape` of the form, or as `text`; `gone`: it is to be removed.

    `name` is what it is known by, None for a new one; `key` what a new one shall be known by.
    """

    section: str
    name: str | None
    shape: Shape
    text: str | None = None
    gone: bool = False
    key: str = ""
    faults: Mapping[str, str] = field(default_factory=dict)


async def show_list(request: web.Request) -> web.Response:
    """GET /admin/{section}: its entries."""
    only(request, "admin")
    section = _section(request, ENTRIES)
    return await _list(request, section, await look(request, lambda it: content(it, section)))


@audited("directory_changed")
async def order(request: web.Request) -> web.Response:
    """POST /admin/{section}: the entries in another order."""
    only(request, "admin")
    section, sent = _section(request, ENTRIES), await read_sent(request)

    def made(directory: Directory) -> Directory:
        told = content(directory, section)
        listed = list(told.items()) if isinstance(told, dict) else [(it[KEYS[section]], it) for it in told]
        listed.sort(key=lambda it: (_number(sent.get(f"at:{it[0]}", "")), 0))
        wanted = dict(listed) if isinstance(told, dict) else [it for _, it in listed]
        return replaced(directory, section, wanted)

    places = {name: text for name, text in sent.items() if name.startswith("at:")}
    verdict = await judge(request, Wish(made, lambda it: content(it, section), places), sent)
    if verdict.saved:
        raise web.HTTPSeeOther(f"/admin/{section}?saved")
    return await _list(request, section, verdict, places)


async def show(request: web.Request) -> web.Response:
    """GET /admin/{section}/{name}, /admin/new/{section} and /admin/{single}: a form, or with `as=text` a text."""
    only(request, "admin")
    section, name = _which(request)
    verdict = await look(request, partial(_part, section, name))
    stored = _stored(verdict.directory, section, name)
    if stored is None and name is not None:
        raise web.HTTPNotFound(text=f"There is no such entry in {section}.")
    text = dump(stored) if stored is not None and request.query.get("as") == "text" else None
    return await _form(request, Draft(section, name, forms.unfold(section, stored or {}), text), verdict)


@audited("directory_changed")
async def change(request: web.Request) -> web.Response:
    """POST to the same: `do` is check, remove or save; what is saved was shown before."""
    only(request, "admin")
    section, name = _which(request)
    sent = await read_sent(request)
    before = await look(request, partial(_part, section, name))
    draft = _draft(section, name, sent, _stored(before.directory, section, name) or {}, before.directory)
    made: dict[str, Any] | str | None = draft.text
    twice: dict[str, str] = {}
    if draft.text is None:
        made, twice = forms.fold(section, draft.shape)
        if name is None and section in KEYS:
            made = {KEYS[section]: draft.key} | made
    known = name if name is not None else draft.key if section == "hours" else None
    wish = Wish(
        partial(_made, section, known, None if draft.gone else made, twice),
        partial(_part, section, name),
        [draft.gone, draft.key, made],
    )
    verdict = await judge(request, wish, sent)
    if verdict.saved:
        raise web.HTTPSeeOther(f"/admin/{section}?saved")
    return await _form(request, _with_faults(request, draft, verdict, known), verdict)


def _made(
    section: str, name: str | None, made: dict[str, Any] | str | None, twice: Mapping[str, str], directory: Directory
) -> Directory:
    if twice:
        path = place_of(directory, section, name)
        raise SectionError([Fault(0, f"{path}.{field}", message) for field, message in twice.items()])
    if section in SINGLES:
        return replaced(directory, section, made)
    return put(directory, section, name, made)


def _draft(
    section: str, name: str | None, sent: Mapping[str, str], stored: dict[str, Any], directory: Directory
) -> Draft:
    gone = name is not None and (sent.get("do") == "remove" or "gone" in sent)
    before = forms.unfold(section, stored)
    if "text" in sent and section not in SINGLES:
        return Draft(section, name, before, sent["text"], gone)
    if gone:
        return Draft(section, name, before, gone=True)
    shape = forms.read(asks_of(section), sent, before)
    key = sent.get("key", "").strip()
    if name is None and not key and section in ENTRIES:
        key = _key_of(str(shape.get("name", "")), names(directory, section))
    return Draft(section, name, shape, key=key if name is None else "")


def _with_faults(request: web.Request, draft: Draft, verdict: Verdict, known: str | None) -> Draft:
    """The faults that stand beside a field, by its place in the form."""
    language = language_of(request)
    begin = (
        f"{place_of(verdict.directory, draft.section, known)}." if draft.section not in SINGLES else f"{draft.section}."
    )
    mine = {
        forms.field_of(draft.section, fault.path.removeprefix(begin)): in_words(fault.message, language)
        for fault in verdict.faults
        if fault.path.startswith(begin)
    }
    return Draft(draft.section, draft.name, draft.shape, draft.text, draft.gone, draft.key, mine)


async def _form(request: web.Request, draft: Draft, verdict: Verdict) -> web.Response:
    language, directory = language_of(request), verdict.directory
    groups = [(group, forms.show(group.asks, draft.shape, draft.faults)) for group in FORMS[draft.section]]
    shown = {path for _, fields in groups for path in _placed(fields)}
    loose = [] if draft.text is None else list(verdict.faults)
    if draft.text is None:
        loose = [it for it in verdict.faults if in_words(it.message, language) not in shown]
    titles = dict(entries(draft.section, directory)) if draft.section in ENTRIES else {}
    return await _page(
        request,
        "admin_entry.html",
        verdict,
        section_name=draft.section,
        single=draft.section in SINGLES,
        draft=draft,
        title=titles.get(draft.name or "", "")
        or say(
            language,
            f"admin.new.{draft.section}"
            if draft.name is None and draft.section in ENTRIES
            else f"admin.{draft.section}",
        ),
        groups=groups,
        loose=loose,
        key_fault=draft.faults.get(KEYS.get(draft.section, "key"), ""),
        secret=bool(draft.shape.get("calendar")),
        options=lambda ask: options_of(ask, directory, language),
        usual=USUAL,
        blank=lambda name: blank_of(name, language),
        help=lambda name: _help(draft.section, name, language),
        label=lambda name: told.field_name(draft.section, name, language),
    )


async def _list(
    request: web.Request, section: str, verdict: Verdict, places: Mapping[str, str] | None = None
) -> web.Response:
    language, directory = language_of(request), verdict.directory
    return await _page(
        request,
        "admin_list.html",
        verdict,
        section_name=section,
        entries=entries(section, directory),
        of={name: getattr(directory, section)[at] for at, name in enumerate(names(directory, section))},
        places=places,
        doubts=[in_words(it.message, language) for it in doubts(directory)] if section == "rules" else [],
        loose=verdict.faults,
        saved="saved" in request.query,
        lead=_help("list", section, language),
        week=lambda hours: ", ".join(f"{days} {open_}" for days, open_ in write_week(hours.spans).items()),
        rule_words=lambda rule: rule_words(rule, directory, language),
    )


async def _page(request: web.Request, template: str, verdict: Verdict, **context: Any) -> web.Response:
    language = language_of(request)
    answer = await page(
        request,
        template,
        verdict=verdict,
        change_of=lambda line: told.change(line, language),
        place_of=lambda path: told.place(verdict.directory, path, language),
        in_words=lambda message: in_words(message, language),
        **context,
    )
    answer.set_status(verdict.status)
    return answer


def _placed(fields: Sequence[forms.Shown]) -> set[str]:
    cells = [cell for field in fields for row in field.rows for cell in row]
    return {it.fault for it in (*fields, *cells) if it.fault}


def _help(section: str, name: str, language: str) -> str:
    for key in (f"help.{section}.{name}", f"help.{name}", f"help.{name.rpartition('.')[2]}"):
        if has_words(key):
            return say(language, key)
    return ""


def _part(section: str, name: str | None, directory: Directory) -> Any:
    """What of a directory a form shows, and a change of it by somebody else makes stale."""
    return _stored(directory, section, name)


def _stored(directory: Directory, section: str, name: str | None) -> dict[str, Any] | None:
    if section in SINGLES:
        told: dict[str, Any] = content(directory, section)
        return told
    return None if name is None else entry(directory, section, name)


def _which(request: web.Request) -> tuple[str, str | None]:
    info = request.match_info
    return info.get("single") or _section(request, ENTRIES), info.get("name")


def _section(request: web.Request, known: Sequence[str]) -> str:
    section = request.match_info["section"]
    if section not in known:
        raise web.HTTPNotFound(text=f"There is no section {section!r}.")
    return section


def _key_of(name: str, taken: Sequence[str]) -> str:
    """A key of Latin letters for a name, other than those that are taken."""
    known = {letter: latin.strip("-") for letter, latin in zip(_RUSSIAN, _LATIN.split(), strict=True)}
    latin = "".join(known.get(letter, letter) for letter in name.lower())
    base = re.sub(r"[^a-z0-9]+", "-", latin).strip("-")[:_KEY_MOST]
    if not base or base not in taken:
        return base
    return next(key for number in range(2, len(taken) + 3) if (key := f"{base}-{number}") not in taken)


def _number(text: str) -> float:
    told = text.strip()
    return float(told) if told.isascii() and told.isdecimal() and len(told) < 10 else float("inf")
