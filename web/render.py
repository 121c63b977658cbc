"""Turns templates into text: everything that is put into one is escaped unless a template of ours made it."""

import hashlib
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from web import wording
from web.words import has_words, plural, say

STATIC: Final = Path(__file__).parent / "static"
_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@cache
def asset(path: str) -> str:
    """The address of one of our static files; it changes with the content, so browsers may keep it for ever."""
    found = hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:12]
    return f"/static/{path}?v={found}"


_TEMPLATES.globals["asset"] = asset
_TEMPLATES.filters |= {
    "counted": wording.counted,
    "duration": wording.duration,
    "hue": wording.hue,
    "initials": wording.initials,
    "iso": wording.iso,
    "phone": wording.phone,
}


def render(template: str, language: str, *, zone: str = "UTC", **context: Any) -> str:
    """Render a template in `language` with times on the wall of `zone`."""
    where, now = ZoneInfo(zone), datetime.now(UTC)
    words: dict[str, Any] = {
        "t": partial(say, language),
        "has_words": has_words,
        "language": language,
        "now": now,
        "clock": lambda at, **how: wording.clock(at, where, **how),
        "moment": lambda at: wording.moment(at, now, where, language),
        "moment_in": lambda at: wording.within(wording.moment(at, now, where, language)),
        "deadline": lambda at: wording.deadline(at, now, where, language),
        "day": lambda at: wording.day(at.astimezone(where).date(), now.astimezone(where).date(), language),
        "day_in": lambda at: wording.within(
            wording.day(at.astimezone(where).date(), now.astimezone(where).date(), language)
        ),
        "plural": lambda count, key: plural(language, key, count),
    }
    return _TEMPLATES.get_template(template).render(words | context)


def error_page(status: int, language: str, theme: str, path: str) -> str:
    """What a person sees when something did not work; the first words of `path` may have words of their own."""
    section, page = [*path.split("/")[1:3], ""][:2]
    keys = (f"error.{status}.{section}.{page}", f"error.{status}.{section}", f"error.{status}", "error.other")
    key = next(key for key in keys if has_words(key))
    return render("error.html", language, theme=theme, status=status, message=say(language, key))
