"""What is wrong with the audio of a call, in words and numbers (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from recordings.gaps import WORST_FIRST
from recordings.rows import Recording
from web.wording import decimal
from web.words import say


def gap(one: Recording, language: str) -> str:
    """One line about a side that is not well, "" for one that is; the operator's reason stands in `one.reason`."""
    if one.state == "stored":
        return ""
    side = say(language, f"side.{one.side}")
    numbers = {"seconds": one.seconds, "talk": one.talk_seconds, "loudest": one.loudest_dbfs}
    told = {name: decimal(value, language) for name, value in numbers.items() if value is not None}
    key = f"gap.{one.state}"
    if one.state == "silent" and "loudest" not in told:
        key = "gap.silent_all"
    return f"{side}: {say(language, key, **told)}"


def gaps(sides: Sequence[Recording], language: str) -> list[str]:
    """A line about each side that is not well, the worst first."""
    worst_first = sorted(sides, key=lambda one: WORST_FIRST.index(one.state))
    return [told for one in worst_first if (told := gap(one, language))]
