"""Every word of the pages in Russian and English: the gettext catalogues in web/locale, by stable keys.

The catalogues are read as they stand in git (`.po`): both take 30 ms once a process, so nothing is compiled.
"""

import gettext
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES: Final = ("ru", "en")
_LOCALE: Final = Path(__file__).parent / "locale"


class _Nothing(gettext.NullTranslations):
    """Behind the last catalogue; gettext would show a key that has no words as it is."""

    def gettext(self, message: str) -> str:
        """No words."""
        raise KeyError(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:  # noqa: ARG002 - gettext's signature
        """No words."""
        raise KeyError(msgid1)


def say(language: str, key: str, **values: object) -> str:
    """The words for a key; raises KeyError for a key that has none."""
    text = _words(language).gettext(key)
    return text.format(**values) if values else text


def plural(language: str, key: str, count: int) -> str:
    """How many there are of something: 1 звонок, 2 звонка, 5 calls. Raises KeyError for a key that has no words."""
    return _words(language).ngettext(key, key, count).format(count=count)


def has_words(key: str) -> bool:
    """Whether there are words for a key; those that have any have them in every language."""
    try:
        say(LANGUAGES[0], key)
    except KeyError:
        return False
    return True


@cache
def _words(language: str) -> gettext.GNUTranslations:
    with (_LOCALE / language / "LC_MESSAGES/switchhook.po").open("rb") as told:
        catalogue = read_po(told, locale=language)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    words = gettext.GNUTranslations(compiled)
    words.add_fallback(_Nothing())
    return words
