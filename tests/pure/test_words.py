"""The words of the pages: complete in both languages, none that nothing says, and in the order that merges well."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from jinja2 import Environment, nodes

from web.words import LANGUAGES, has_words, plural, say

ROOMS = ("calls", "crm_sync", "directory", "metrics", "notices", "recordings", "reports", "routing", "service",
         "telephony", "web")  # fmt: skip
KEY = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]*[a-z0-9])+")
BEGINNING = re.compile(r"\0_[a-z]|[a-z][a-z0-9_]*[._]")
WORD = re.compile(r"\w+")
SAYS = {"t": 0, "plural": 1, "say": 1}
"""What is called to say something, and which of its arguments is the key."""


@cache
def catalogue(language: str) -> Catalog:
    """The words of a language, as they stand in git."""
    with path(language).open("rb") as told:
        return read_po(told, locale=language, abort_invalid=True)


def path(language: str) -> Path:
    """Where they stand."""
    return Path("web/locale", language, "LC_MESSAGES/switchhook.po")


def texts(language: str) -> dict[str, tuple[str, ...]]:
    """Key -> its words; as many as the language has plural forms, or one."""
    found = {}
    for message in catalogue(language):
        if message.id:
            key = message.id if isinstance(message.id, str) else message.id[0]
            found[key] = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
    return found


@cache
def sources() -> tuple[set[str], list[re.Pattern[str]], set[str]]:
    """What templates and code hold: words and texts, texts that are put together (as patterns), keys that are said."""
    held, said = {"none"}, set()
    built: list[str] = []
    for template in Path("web/templates").glob("**/*.html"):
        text = template.read_text()
        tree = Environment(autoescape=True).parse(text)
        held |= set(WORD.findall(text)) | {it.value for it in tree.find_all(nodes.Const) if isinstance(it.value, str)}
        built += [
            pattern([it.value if isinstance(it, nodes.Const) else None for it in one.nodes])
            for one in tree.find_all(nodes.Concat)
        ]
        for call in tree.find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name in SAYS and call.args:
                key = call.args[min(SAYS[call.node.name], len(call.args) - 1)]
                said |= {one.value for one in (key, *key.find_all(nodes.Const)) if isinstance(one, nodes.Const)}
    for file in [file for room in ROOMS for file in Path(room).glob("**/*.py") if "migrations" not in file.parts]:
        text = file.read_text()
        held |= set(WORD.findall(text))
        for node in ast.walk(ast.parse(text)) if "web" in file.parts or re.search(r"\b(say|because)\(", text) else ():
            match node:
                case ast.Constant(value=str(value)):
                    held.add(value)
                case ast.JoinedStr(values=parts):
                    built.append(pattern([it.value if isinstance(it, ast.Constant) else None for it in parts]))
                case ast.Call(func=ast.Name(id=name), args=args) if name in SAYS and len(args) > SAYS[name]:
                    said |= {it.value for it in ast.walk(args[SAYS[name]]) if isinstance(it, ast.Constant)}
    return held, [re.compile(one) for one in sorted(set(built)) if one], {it for it in said if KEY.fullmatch(str(it))}


def pattern(parts: list[object]) -> str:
    """A text that is put together, as a pattern; empty for one that begins like no key."""
    told = "".join("\0" if part is None else str(part) for part in parts)
    return re.escape(told).replace("\0", "(.+)") if BEGINNING.match(told) else ""


def is_said(key: str) -> bool:
    """Whether something may say it: it is held whole, or is put together from what is held."""
    held, built, _ = sources()
    found = (one.fullmatch(key) for one in built)
    return key in held or any(all(is_said(part) for part in one.groups()) for one in found if one)


def test_both_languages_have_the_same_words() -> None:
    """The same keys with the same values in them, nothing empty or in doubt, and each plural form of the language."""
    russian, english = (texts(language) for language in LANGUAGES)
    assert russian.keys() == english.keys()
    for language in LANGUAGES:
        assert not [message.id for message in catalogue(language) if message.fuzzy and message.id]
        assert not catalogue(language).obsolete
        for key, words in texts(language).items():
            assert all(words), key
            assert len(words) == (1 if len(english[key]) == 1 else catalogue(language).num_plurals), key
    for key, words in russian.items():
        values = [set(re.findall(r"{(\w+)}", text)) for text in (*words, *english[key])]
        assert all(it == values[0] for it in values), key
        assert len(words) == 1 or values[0] == {"count"}, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_are_sorted_and_stand_once(language: str) -> None:
    """Two who add words at once change different lines, and never the same key unseen."""
    keys = re.findall(r'^msgid "(.+)"$', path(language).read_text(), re.MULTILINE)
    assert keys == sorted(set(keys))


def test_one_thing_has_one_word() -> None:
    """Whoever reads of a team is not told of it by another word elsewhere; so it is of the service."""
    other = re.compile(r"\bслужб|\bотдел(?!ьн)", re.IGNORECASE)
    assert [key for key, words in texts("ru").items() if other.search(" ".join(words))] == []


def test_every_key_that_is_said_has_words() -> None:
    """Whatever a template or code names as a key; those that are put together have tests where they come from."""
    *_, said = sources()
    assert len(said) > 500
    assert sorted(key for key in said if not has_words(key)) == []


def test_no_words_that_nothing_says() -> None:
    """A key is in a template or in code, or is put together there from what is."""
    assert sorted(key for key in texts("en") if not is_said(key)) == []


def test_a_key_without_words_is_an_error() -> None:
    """It is never shown to anybody."""
    with pytest.raises(KeyError, match=r"no\.such_key"):
        say("ru", "no.such_key")
    with pytest.raises(KeyError, match=r"no\.such_key"):
        plural("ru", "no.such_key", 2)
    assert not has_words("no.such_key")
