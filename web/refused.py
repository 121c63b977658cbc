"""Why a call to the outside was refused or failed, in words, by its stable key."""

from web.words import has_words, say


def why_refused(language: str, key: str) -> str:
    """The words for a key; one that has none, as of a newer service, is shown itself."""
    return say(language, f"not_called.{key}") if has_words(f"not_called.{key}") else key
