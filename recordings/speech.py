"""Sound to words by Whisper, in processes of their own (the one importer of faster_whisper).

Only speech is given to Whisper, packed into windows of up to 30 s: its cost goes by windows, not by seconds, and
silence makes it invent words.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from recordings.processes import ProcessDiedError, Processes
from recordings.transcript import Word

RATE: Final = 16_000
"""Samples a second that Whisper hears; recordings of 8 kHz are resampled."""

SURE: Final = 0.6
"""A detected language below this probability gives way to the hint."""

_BATCH: Final = 8
_LANGUAGE_SECONDS: Final = 10


class SpeechError(Exception):
    """Sound could not be turned into words; the text is one line for the operator."""


class ModelMissingError(SpeechError):
    """The model cannot be loaded."""


class AudioError(SpeechError):
    """The file cannot be read as sound. Trying again will not help."""


class SpeechDiedError(SpeechError):
    """The process that listened died (killed, out of memory). The work can be done again."""


@dataclass(frozen=True, slots=True)
class SpeechSettings:
    """`model`: a CTranslate2 folder, or a name that faster-whisper knows and fetches. `language` None: heard.

    `languages` are those to choose from when it is heard. `threads` and memory count for each process.
    """

    model: str
    device: str = "cpu"
    language: str | None = None
    beam: int = 1
    languages: tuple[str, ...] = ("ru", "en")
    threads: int = 2

    @property
    def name(self) -> str:
        """The model's name without its folder, for the transcript."""
        return Path(self.model).name


@dataclass(frozen=True, slots=True)
class Side:
    """What one side said, in which language (None: it said nothing)."""

    words: tuple[Word, ...]
    language: str | None


@dataclass(frozen=True, slots=True)
class Heard:
    """What was said in one recording. `took_seconds` is the work alone, without loading the model."""

    sides: Mapping[str, Side]
    language: str
    audio_seconds: float
    took_seconds: float
    model: str

    @property
    def words(self) -> dict[str, tuple[Word, ...]]:
        """The words by side."""
        return {name: side.words for name, side in self.sides.items()}

    @property
    def realtime_factor(self) -> float:
        """Seconds of work a second of talk; below 1 is faster than people speak."""
        return self.took_seconds / self.audio_seconds if self.audio_seconds else 0.0


@dataclass(slots=True)
class Speech:
    """Listening processes, started with the first work; a dead one is replaced with the next."""

    settings: SpeechSettings
    processes: int = 1
    _running: Processes = field(init=False)

    def __post_init__(self) -> None:
        self._running = Processes(self.processes, _begin, self.settings)

    async def transcribe(self, sides: Mapping[str, Path], hint: str | None = None) -> Heard:
        """Hear every side; a stereo file under one name is mixed. `hint`: the language where nothing else tells.

        Raises ModelMissingError, AudioError, SpeechDiedError.
        """
        return await self._run(_transcribe, {side: str(path) for side, path in sides.items()}, hint)

    async def transcribe_stereo(self, path: Path, hint: str | None = None) -> Heard:
        """Hear a file of two channels as caller (left) and staff (right), any other as one side, `caller`."""
        return await self._run(_transcribe_file, str(path), hint)

    async def close(self) -> None:
        """End the processes; work in progress is lost and its caller gets SpeechDiedError."""
        await self._running.close()

    async def _run(self, work: Callable[[Any, str | None], Heard], what: Any, hint: str | None) -> Heard:
        try:
            return await self._running.run(work, what, hint)
        except ProcessDiedError as error:
            raise SpeechDiedError("the listening process died") from error


# --- what runs in the process -----------------------------------------------------------------------------------------


class _Process:
    """The state of a listening process: the settings it began with, the model once it is loaded."""

    settings: SpeechSettings
    model: Any = None


def _begin(settings: SpeechSettings) -> None:
    _Process.settings = settings


def _model() -> Any:
    """The loaded model. Raises ModelMissingError."""
    if _Process.model is None:
        from faster_whisper import WhisperModel  # noqa: PLC0415 only the listening process pays for it

        told = _Process.settings
        if os.sep in told.model and not (Path(told.model) / "model.bin").is_file():
            raise ModelMissingError(f"no Whisper model at {told.model}: run `make`, or name one in transcription.model")
        try:
            _Process.model = WhisperModel(told.model, told.device, compute_type="int8", cpu_threads=told.threads)
        except Exception as error:  # noqa: BLE001 CTranslate2 and the hub client raise whatever they like
            raise ModelMissingError(f"the Whisper model {told.model!r} cannot be loaded: {_line(error)}") from None
    return _Process.model


def _transcribe(paths: Mapping[str, str], hint: str | None) -> Heard:
    return _hear({side: _decoded(path) for side, path in paths.items()}, hint)


def _transcribe_file(path: str, hint: str | None) -> Heard:
    sound = _decoded(path, stereo=True)
    left, right = sound
    alike = bool((left == right).all())
    return _hear({"caller": left} if alike else {"caller": left, "staff": right}, hint)


def _decoded(path: str, *, stereo: bool = False) -> Any:
    """The samples as float32, or (left, right) of them. Raises AudioError."""
    from faster_whisper.audio import decode_audio  # noqa: PLC0415 as above

    try:
        return decode_audio(path, sampling_rate=RATE, split_stereo=stereo)
    except Exception as error:  # noqa: BLE001 PyAV has a class for every error number, and IndexError for no sound
        raise AudioError(f"{path}: cannot be read as sound: {_line(error)}") from None


def _hear(sounds: Mapping[str, Any], hint: str | None) -> Heard:
    from faster_whisper import BatchedInferencePipeline  # noqa: PLC0415 as above

    model, told = _model(), _Process.settings
    began = time.perf_counter()
    spoken = {side: _spoken(sound) for side, sound in sounds.items()}
    languages = _languages(sounds, spoken, hint)
    pipeline = BatchedInferencePipeline(model)
    sides = {
        side: Side(_words(pipeline, sound, languages[side]), languages[side]) if spoken[side] else Side((), None)
        for side, sound in sounds.items()
    }
    longest = max(sounds, key=lambda side: sum(part["end"] - part["start"] for part in spoken[side]))
    return Heard(
        sides=sides,
        language=languages[longest],
        audio_seconds=max(len(sound) for sound in sounds.values()) / RATE,
        took_seconds=time.perf_counter() - began,
        model=told.name,
    )


def _spoken(sound: Any) -> list[dict[str, int]]:
    """The stretches of speech, in samples."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps  # noqa: PLC0415 as above

    found: list[dict[str, int]] = get_speech_timestamps(sound, VadOptions(min_silence_duration_ms=160))
    return found


def _languages(
    sounds: Mapping[str, Any], spoken: Mapping[str, list[dict[str, int]]], hint: str | None
) -> dict[str, str]:
    """The language of each side: set, else heard on each side (a caller may speak another), else of the surer side."""
    told = _Process.settings
    if told.language:
        return dict.fromkeys(sounds, told.language)
    heard = {side: _language(sounds[side], spoken[side]) for side in sounds if spoken[side]}
    _, surest = max(((sure, language) for language, sure in heard.values()), default=(0.0, hint or told.languages[0]))
    best = max((sure for _, sure in heard.values()), default=0.0)
    fallback = surest if best >= SURE else hint or surest
    return {side: heard[side][0] if side in heard and heard[side][1] >= SURE else fallback for side in sounds}


def _language(sound: Any, spoken: list[dict[str, int]]) -> tuple[str, float]:
    """The likeliest of the languages to choose from, and its share among them.

    Heard on the first seconds alone: right as often as on 30 s (16 of 16 prompts), in a quarter of the time.
    """
    import numpy as np  # noqa: PLC0415 as above

    model, size = _model(), _LANGUAGE_SECONDS * RATE
    speech = np.concatenate([sound[part["start"] : part["end"]] for part in spoken])[:size]
    features = model.feature_extractor(np.pad(speech, (0, size - len(speech))))
    frames = _LANGUAGE_SECONDS * model.frames_per_second
    chances = model.model.detect_language(model.encode(features[..., :frames]))[0]
    known = {token[2:-2]: chance for token, chance in chances if token[2:-2] in _Process.settings.languages}
    language = max(known, key=lambda name: known[name])
    return language, known[language] / sum(known.values())


def _words(pipeline: Any, sound: Any, language: str) -> tuple[Word, ...]:
    found, _ = pipeline.transcribe(
        sound, language=language, beam_size=_Process.settings.beam, batch_size=_BATCH, word_timestamps=True
    )
    words: list[Word] = []
    for segment in found:
        for told in segment.words or ():
            confidence, start, end = (
                round(float(told.probability), 3),
                round(float(told.start), 2),
                round(float(told.end), 2),
            )
            if words and not told.word.startswith(" "):
                # Whisper tells "open-source" in two: only a blank begins a new word.
                last = words.pop()
                words.append(Word(last.text + told.word, last.start, end, min(last.confidence, confidence)))
            elif told.word.strip():
                words.append(Word(told.word.strip(), start, end, confidence))
    return tuple(words)


def _line(error: Exception) -> str:
    told = getattr(error, "strerror", None) or str(error).strip()
    return (told.splitlines() or [type(error).__name__])[0]
