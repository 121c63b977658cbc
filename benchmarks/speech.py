"""Words wrong and seconds of work a second of sound, on recorded human prompts of 8 kHz whose words are known.

In one run, on the same files: plain faster-whisper file by file, ours file by file, ours as the service hears what
waits together; then calls of two sides and of mixed length. Language and beam are the same for all. Rounds are repeated
as far as LONGEST allows, so that it ends in some eight minutes on two cores.
"""

from __future__ import annotations

import itertools
import re
import statistics
import tempfile
import time
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from recordings.heard import AudioError, Talk, Track
from recordings.model import Process, SpeechSettings, begin, loaded
from recordings.processes import Processes
from recordings.turns import TOGETHER
from recordings.whisper import hear
from service.installed import locate, prompt_texts
from service.settings import TranscriptionSettings

FILES: Final = 24
CALLS: Final = (5.0, 5.0, 5.0, 5.0, 30.0, 30.0, 180.0)
"""Seconds that each of the calls of mixed length lasts at least."""
LONGEST: Final = 120.0
"""No round begins that may end so long after the first began."""

_LEAST_SECONDS: Final = 2.5
_BYTES_A_SECOND: Final = 16_000
_PAUSE: Final = bytes(_BYTES_A_SECOND // 2)


@dataclass(frozen=True, slots=True)
class Said:
    """A sound whose words are known: one file a side, and the words of each."""

    sides: tuple[Path, ...]
    words: tuple[str, ...]
    seconds: float


Way = Callable[[Sequence[Said], str], list[str]]
"""Gives the words of every side of these recordings, in their order."""


async def measure(rounds: int = 3, files: int = FILES) -> None:
    """Print a table a language, and how much faster the service is."""
    settings = SpeechSettings(TranscriptionSettings().model_path, device="cpu")
    process = Processes(1, begin, settings)
    try:
        with tempfile.TemporaryDirectory(prefix="switchhook-bench-") as told:
            for language in ("en", "ru"):
                found = _prompts(language)
                some = found[:: max(1, len(found) // files)][:files]
                for what, said in (("prompts", some), ("calls", _calls(Path(told), language, found))):
                    await _compare(process, f"{language} {what}", said, language, rounds)
    finally:
        await process.close()


async def _compare(process: Processes, name: str, said: Sequence[Said], language: str, rounds: int) -> None:
    seconds = sum(one.seconds for one in said)
    ways: tuple[tuple[str, Way], ...] = (
        ("plain faster-whisper, file by file", plain),
        ("ours, file by file", alone),
        ("ours, together", together),
    )
    factors, wrong = dict[str, list[float]](), dict[str, float]()
    began = time.perf_counter()
    for done in range(1, rounds + 1):
        for way, work in ways:
            heard, took = await process.run(timed, work, said, language)
            factors.setdefault(way, []).append(took / seconds)
            wrong[way] = errors([words for one in said for words in one.words], heard)
        if (time.perf_counter() - began) * (done + 1) / done > LONGEST:
            break
    slowest = statistics.median(factors[ways[0][0]])
    for way, _ in ways:
        factor = statistics.median(factors[way])
        ratio = f"{slowest / factor:5.2f} times as fast"
        print(f"{name:11} {way:36} {factor:6.3f} s a second, {wrong[way]:5.1%} of words wrong, {ratio}")


def timed(work: Way, said: Sequence[Said], language: str) -> tuple[list[str], float]:
    """What was heard, and the seconds that it took (in a listening process; the model is loaded before)."""
    loaded()
    began = time.perf_counter()
    heard = work(said, language)
    return heard, time.perf_counter() - began


def plain(said: Sequence[Said], language: str) -> list[str]:
    """The words of each side as faster-whisper tells them by itself, as its documentation uses it."""
    told = []
    for side in (side for one in said for side in one.sides):
        found, _ = loaded().transcribe(str(side), language=language, beam_size=Process.settings.beam)
        told.append(" ".join(segment.text for segment in found))
    return told


def alone(said: Sequence[Said], language: str) -> list[str]:
    """The same by our engine, one recording at a time."""
    return [words for one in said for words in _heard([one], language)]


def together(said: Sequence[Said], language: str) -> list[str]:
    """The same as the service does with recordings that wait."""
    groups = (said[first : first + TOGETHER] for first in range(0, len(said), TOGETHER))
    return [words for group in groups for words in _heard(group, language)]


def _heard(said: Sequence[Said], language: str) -> list[str]:
    asked = [Talk({place: Track(str(side)) for place, side in enumerate(one.sides)}, language=language) for one in said]
    told = []
    for one in hear(asked):
        if isinstance(one, AudioError):
            raise one
        told += [" ".join(word.text for word in words) for words in one.words.values()]
    return told


def errors(known: Sequence[str], heard: Sequence[str]) -> float:
    """The share of words wrong: put in, left out or other than they were said."""
    pairs = [(_plain(a), _plain(b)) for a, b in zip(known, heard, strict=True)]
    return sum(_distance(a, b) for a, b in pairs) / sum(len(a) for a, _ in pairs)


def _plain(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold().replace("ё", "е"))


def _distance(known: Sequence[str], heard: Sequence[str]) -> int:
    row = list(range(len(heard) + 1))
    for line, word in enumerate(known, 1):
        before, row[0] = row[0], line
        for column, other in enumerate(heard, 1):
            before, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, before + (word != other))
    return row[-1]


def _prompts(language: str) -> list[Said]:
    """Whole sentences without figures."""
    found = []
    for name, words in sorted(prompt_texts(language).items()):
        path = locate().sounds[language] / f"{name}.wav"
        if path.is_file() and not re.search(r"[\d\[(<]", words) and (seconds := _seconds(path)) >= _LEAST_SECONDS:
            found.append(Said((path,), (words,), seconds))
    return found


def _calls(folder: Path, language: str, prompts: Sequence[Said]) -> list[Said]:
    """Calls of two sides that take turns: one is silent while the other speaks."""
    told = []
    for number, least in enumerate(CALLS):
        turns = itertools.cycle(one for one in prompts[7 * number :] if one.seconds < 0.6 * least)
        sounds, words = (bytearray(), bytearray()), (list[str](), list[str]())
        for side in itertools.cycle((0, 1)):
            turn = next(turns)
            with wave.open(str(turn.sides[0])) as sound:
                frames = sound.readframes(sound.getnframes()) + _PAUSE
            sounds[side].extend(frames)
            sounds[1 - side].extend(bytes(len(frames)))
            words[side].extend(turn.words)
            if side and len(sounds[0]) >= least * _BYTES_A_SECOND:
                break
        paths = tuple(folder / f"{language}-{number}-{side}.wav" for side in (0, 1))
        for path, frames in zip(paths, sounds, strict=True):
            with wave.open(str(path), "wb") as out:
                out.setparams((1, 2, 8000, 0, "NONE", ""))
                out.writeframes(frames)
        told.append(Said(paths, (" ".join(words[0]), " ".join(words[1])), len(sounds[0]) / _BYTES_A_SECOND))
    return told


def _seconds(path: Path) -> float:
    with wave.open(str(path)) as sound:
        return float(sound.getnframes() / sound.getframerate())
