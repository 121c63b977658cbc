"""What people say in the demo and the tests: recorded human prompts, and silence while the other side speaks."""

from __future__ import annotations

import wave
from typing import TYPE_CHECKING

from service.installed import locate, prompt_texts

if TYPE_CHECKING:
    from collections.abc import Iterable

# Prompts by language and name ("ru/vm-goodbye"); a number is that many seconds of silence.
Speech = tuple[str | float, ...]

# A talk in turns: the member of staff speaks while the caller is silent, and the other way round.
STAFF: Speech = (
    "ru/hello",
    "ru/priv-recordintro",
    6.5,
    "ru/queue-youarenext",
    "ru/one-moment-please",
    4.0,
    "ru/vm-goodbye",
)
CALLER: Speech = (4.0, "ru/hello", "ru/tt-allbusy", 8.0, "ru/demo-thanks")
CALLER_ENGLISH: Speech = (4.0, "en/hello-world", "en/queue-periodic-announce", 8.0, "en/demo-thanks")


def script(speech: Iterable[str | float]) -> str:
    """The speech as the outside dialplan reads it: p=<prompt> or w=<seconds>, joined by colons."""
    return ":".join(f"p={turn}" if isinstance(turn, str) else f"w={turn}" for turn in speech)


def seconds(speech: Iterable[str | float]) -> float:
    """How long the speech lasts, silence included."""
    return sum(_prompt_seconds(turn) if isinstance(turn, str) else turn for turn in speech)


def words(speech: Iterable[str | float]) -> str:
    """What is said, as the prompts' authors wrote it down."""
    names = (turn.partition("/") for turn in speech if isinstance(turn, str))
    return " ".join(prompt_texts(language)[name] for language, _, name in names)


def _prompt_seconds(prompt: str) -> float:
    language, _, name = prompt.partition("/")
    with wave.open(str(locate().sounds[language] / f"{name}.wav")) as sound:
        return float(sound.getnframes() / sound.getframerate())
