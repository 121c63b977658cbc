"""Sound to words by Whisper: what runs in a listening process (the one importer of faster_whisper and ctranslate2).

Rules kept here:
1. Whisper hears windows of thirty seconds, and each costs much whatever it holds. So only speech is given to it, what
   many recordings say in one language is packed into shared windows (`packing`), and what stays empty is cut off.
2. Each track is heard in its own language: a caller may speak another than the staff.
3. A file that cannot be read costs only its own recording.
4. Nothing is held of a recording but what is not yet heard: an hour takes no more memory than some minutes.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from recordings.heard import AudioError, Heard, Side, Talk, Track
from recordings.model import RATE, Process, loaded
from recordings.packing import (
    WINDOW_SECONDS,
    Block,
    Blocks,
    Piece,
    Stretch,
    Window,
    apart,
    better,
    disbelieved,
    half_heard,
    pack,
    placed,
    unpack,
)
from recordings.transcript import Word

SURE: Final = 0.6
"""A detected language below this probability gives way to the hint."""

_BATCH: Final = 8
_LANGUAGE_SECONDS: Final = 5
_SLOT_SECONDS: Final = 32
_EDGE_SECONDS: Final = 1.0
_SILENCE_SECONDS: Final = 1.0
_LEAST_SECONDS: Final = 16.0

Owner = tuple[int, Any]
"""A track: which talk of the batch, and its name there."""


def hear(talks: Sequence[Talk]) -> list[Heard | AudioError]:
    """What each talk says, in their order; those that cannot be read say why. Raises ModelMissingError."""
    model = loaded()
    began = time.perf_counter()
    tracks = {(index, name): _Heard(track) for index, talk in enumerate(talks) for name, track in talk.tracks.items()}
    for one in tracks.values():
        one.open()
    _Languages(model).tell(talks, tracks)
    windows: dict[str, _Windows] = {}
    for owner, one in tracks.items():
        language = one.language
        for stretch, sound in one.rest():
            windows.setdefault(language, _Windows(model, language, tracks)).add(owner, stretch, sound)
    for told in windows.values():
        told.finish()
    took = time.perf_counter() - began
    spoken = sum(one.spoken for one in tracks.values())
    return [
        _told({name: tracks[index, name] for name in talk.tracks}, took / spoken if spoken else 0.0)
        for index, talk in enumerate(talks)
    ]


def hear_file(path: str, hint: str | None) -> Heard:
    """A file of two channels as caller (left) and staff (right), any other as one side, `caller`.

    Raises ModelMissingError, AudioError.
    """
    from recordings.sound import is_two_sided  # noqa: PLC0415 only the listening process pays for it

    sides = {"caller": Track(path, 0), "staff": Track(path, 1)} if is_two_sided(path) else {"caller": Track(path)}
    (told,) = hear([Talk(sides, hint=hint)])
    if isinstance(told, AudioError):
        raise told
    return told


def _told(tracks: dict[str, _Heard], took_a_second: float) -> Heard | AudioError:
    error = next((one.error for one in tracks.values() if one.error), None)
    if error is not None:
        return error
    longest = max(tracks.values(), key=lambda one: one.spoken)
    return Heard(
        sides={
            name: Side(tuple(sorted(one.words, key=lambda word: (word.start, word.end))), one.language)
            if one.spoken
            else Side((), None)
            for name, one in tracks.items()
        },
        language=longest.language,
        audio_seconds=max(one.seconds for one in tracks.values()),
        took_seconds=took_a_second * sum(one.spoken for one in tracks.values()),
        model=Process.settings.name,
        device=Process.device,
    )


@dataclass(slots=True)
class _Heard:
    """One track while it is heard. `opening`: its first speech, held until its language is known."""

    track: Track
    language: str = ""
    seconds: float = 0.0
    spoken: float = 0.0
    error: AudioError | None = None
    words: list[Word] = field(default_factory=list)
    opening: list[tuple[Stretch, Any]] = field(default_factory=list)
    _left: Iterator[tuple[Stretch, Any]] = field(default_factory=lambda: iter(()))

    def open(self) -> None:
        """Read on until there is speech enough to tell the language by."""
        self._left = self._speech()
        for stretch, sound in self._left:
            self.opening.append((stretch, sound))
            if sum(one.seconds for one, _ in self.opening) >= _LANGUAGE_SECONDS:
                return

    def rest(self) -> Iterator[tuple[Stretch, Any]]:
        """All of its speech."""
        opening, self.opening = self.opening, []
        return itertools.chain(opening, self._left)

    def _speech(self) -> Iterator[tuple[Stretch, Any]]:
        from recordings.sound import read  # noqa: PLC0415 only the listening process pays for it

        try:
            for stretch, sound in _spoken(self._counted(read(self.track))):
                self.spoken += stretch.seconds
                yield stretch, sound
        except AudioError as error:
            self.error = error

    def _counted(self, blocks: Iterable[Any]) -> Iterator[Any]:
        for block in blocks:
            self.seconds += len(block) / RATE
            yield block


def _spoken(blocks: Iterator[Any]) -> Iterator[tuple[Stretch, Any]]:
    """The stretches of speech, each with its sound; one that reaches the end of a block waits for the next block."""
    import numpy as np  # noqa: PLC0415 as above
    from faster_whisper.vad import VadOptions, get_speech_timestamps  # noqa: PLC0415 as above

    options = VadOptions(min_silence_duration_ms=160, max_speech_duration_s=WINDOW_SECONDS)
    held, at = np.zeros(0, np.float32), 0
    block = next(blocks, None)
    while block is not None:
        block, sound = next(blocks, None), np.concatenate([held, block])
        found = get_speech_timestamps(sound, options)
        done = len(sound)
        if block is not None:
            done -= int(_EDGE_SECONDS * RATE)
            if found and found[-1]["end"] > done:
                done = found.pop()["start"]
        for one in found:
            stretch = Stretch((at + one["start"]) / RATE, (at + one["end"]) / RATE)
            yield stretch, sound[one["start"] : one["end"]].copy()
        held, at = sound[done:], at + done


class _Languages:
    """Which language each track is in: set, else heard on each, else that of the surest track, else the hint."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def tell(self, talks: Sequence[Talk], tracks: dict[Owner, _Heard]) -> None:
        """Write the language of every track."""
        told = Process.settings
        asked = [
            owner for owner, one in tracks.items() if one.opening and not (told.language or talks[owner[0]].language)
        ]
        heard = dict(zip(asked, self._heard([tracks[owner] for owner in asked]), strict=True))
        for index, talk in enumerate(talks):
            here = {name: heard.get((index, name), ("", 0.0)) for name in talk.tracks}
            best, surest = max((sure, language) for language, sure in here.values())
            fallback = surest if best >= SURE else talk.hint or surest or told.languages[0]
            for name, (language, sure) in here.items():
                known = told.language or talk.language
                tracks[index, name].language = known or (language if sure >= SURE else fallback)

    def _heard(self, tracks: Sequence[_Heard]) -> list[tuple[str, float]]:
        """The likeliest of the languages to choose from, and its share among them, for each track.

        Heard on the first five seconds alone: right as often as on ten (48 of 48 prompts), in a third of the time.
        """
        import numpy as np  # noqa: PLC0415 as above

        model, size = self._model, _LANGUAGE_SECONDS * RATE
        told = []
        for first in range(0, len(tracks), _BATCH):
            features = []
            for one in tracks[first : first + _BATCH]:
                speech = np.concatenate([sound for _, sound in one.opening])[:size]
                features.append(model.feature_extractor(np.pad(speech, (0, size - len(speech)))))
            frames = _LANGUAGE_SECONDS * model.frames_per_second
            told += model.model.detect_language(model.encode(np.stack(features)[..., :frames]))
        return [self._likeliest(chances) for chances in told]

    def _likeliest(self, chances: Sequence[tuple[str, float]]) -> tuple[str, float]:
        known = {token[2:-2]: chance for token, chance in chances if token[2:-2] in Process.settings.languages}
        language = max(known, key=lambda name: known[name])
        return language, known[language] / sum(known.values())


class _Windows:
    """Hears what is said in one language, as soon as it fills enough windows to be heard together."""

    def __init__(self, model: Any, language: str, tracks: dict[Owner, _Heard]) -> None:
        self._pipeline = _pipeline(model)
        self._language = language
        self._tracks = tracks
        self._blocks = Blocks()
        self._sounds: dict[tuple[Any, Stretch], Any] = {}

    def add(self, owner: Owner, stretch: Stretch, sound: Any) -> None:
        """Take a stretch of speech."""
        self._blocks.add(owner, stretch)
        self._sounds[owner, stretch] = sound
        self._hear(self._blocks.take_full(_BATCH))

    def finish(self) -> None:
        """Hear what is left."""
        self._hear(self._blocks.take())

    def _hear(self, blocks: Sequence[Block]) -> None:
        said: dict[Piece, list[Word]] = {}
        self._hear_windows(pack(blocks), said)
        missed = half_heard(blocks, said)
        self._hear_windows([placed([one]) for one in missed], said)
        self._hear_windows([placed([one]) for one in apart(half_heard(missed, said))], said)
        for (owner, _), words in said.items():
            self._tracks[owner].words.extend(words)
        self._sounds = {key: sound for key, sound in self._sounds.items() if key not in _keys(blocks)}

    def _hear_windows(self, windows: Sequence[Window], said: dict[Piece, list[Word]]) -> None:
        """Hear these windows, so many at a time; of what is heard a second time the better is kept."""
        for first in range(0, len(windows), _BATCH):
            some = windows[first : first + _BATCH]
            for window, words in zip(some, self._said(some), strict=True):
                heard = unpack(window, words)
                if disbelieved(window, words, heard):
                    continue
                for piece, told in heard.items():
                    if piece not in said or better(said[piece], told, piece[1]):
                        said[piece] = told

    def _said(self, windows: Sequence[Window]) -> list[list[Word]]:
        """The words of each window, with its own times."""
        import numpy as np  # noqa: PLC0415 as above

        slot = _SLOT_SECONDS * RATE
        sound, clips = np.zeros(len(windows) * slot, np.float32), []
        for index, window in enumerate(windows):
            for one in window:
                part = self._sounds[one.owner, one.stretch]
                at = index * slot + round(one.at * RATE)
                sound[at : at + len(part)] = part
            start = index * _SLOT_SECONDS
            clips.append({"start": start, "end": start + window[-1].until})
        found, _ = self._pipeline.transcribe(
            sound,
            language=self._language,
            beam_size=Process.settings.beam,
            batch_size=_BATCH,
            word_timestamps=True,
            without_timestamps=False,  # told to leave them out, Whisper ends behind a sentence and loses what follows
            clip_timestamps=clips,
        )
        said: list[list[Word]] = [[] for _ in windows]
        for segment in found:
            index = int(segment.start // _SLOT_SECONDS)
            said[index] += _words(segment.words or (), index * _SLOT_SECONDS)
        return said


def _pipeline(model: Any) -> Any:
    """faster-whisper's own for many windows at once, but Whisper hears no more silence behind what is said than helps.

    It was trained on thirty seconds. Half of that costs a third (base, int8, two threads), and of fifty short prompts
    heard one by one as many words were wrong (5.9 and 5.5 %); in ten seconds or less it says things again and again.
    """
    from faster_whisper import BatchedInferencePipeline  # noqa: PLC0415 as above

    class Cut(BatchedInferencePipeline):  # type: ignore[misc] # it ships no types
        def forward(self, features: Any, tokenizer: Any, chunks_metadata: Any, options: Any) -> Any:
            """Of these windows so much as the longest of them holds, and a little silence."""
            seconds = max(one["duration"] for one in chunks_metadata) + _SILENCE_SECONDS
            frames = math.ceil(max(seconds, _LEAST_SECONDS)) * model.frames_per_second
            return super().forward(features[..., :frames], tokenizer, chunks_metadata, options)

    return Cut(model)


def _keys(blocks: Iterable[Block]) -> set[tuple[Any, Stretch]]:
    return {(block.owner, stretch) for block in blocks for stretch in block.stretches}


def _words(found: Iterable[Any], began: float) -> list[Word]:
    """Whole words: Whisper tells "open-source" in two, and only a blank begins a new one."""
    words: list[Word] = []
    for told in found:
        start, end, confidence = (
            float(told.start) - began,
            float(told.end) - began,
            round(float(told.probability), 3),
        )
        if words and not told.word.startswith(" "):
            last = words.pop()
            words.append(Word(last.text + told.word, last.start, end, min(last.confidence, confidence)))
        elif told.word.strip():
            words.append(Word(told.word.strip(), start, end, confidence))
    return words
