"""Seconds of work for a second of audio, with the engine of the service on real human prompts."""

from __future__ import annotations

import statistics
import tempfile
import time
import wave
from pathlib import Path

from recordings.speech import Speech, SpeechSettings
from service.installed import locate
from service.settings import TranscriptionSettings


async def measure(rounds: int = 3) -> None:
    """Print the realtime factor of a two-sided talk of about a minute, in English and Russian."""
    speech = Speech(SpeechSettings(TranscriptionSettings().model_path), processes=1)
    try:
        with tempfile.TemporaryDirectory(prefix="switchhook-bench-") as told:
            for language in ("en", "ru"):
                sides = {side: Path(told) / f"{language}-{side}.wav" for side in ("caller", "staff")}
                seconds = sum(_talk(path, language, start) for start, path in enumerate(sides.values()))
                await speech.transcribe(sides, language)
                took = []
                for _ in range(rounds):
                    began = time.perf_counter()
                    await speech.transcribe(sides, language)
                    took.append(time.perf_counter() - began)
                factor = statistics.median(took) / seconds
                print(f"transcription {language}                {factor:8.3f} s a second of audio ({seconds:.0f} s)")
    finally:
        await speech.close()


def _talk(path: Path, language: str, start: int) -> float:
    prompts = sorted(locate().sounds[language].glob("vm-*.wav"), key=lambda one: -one.stat().st_size)[start:14:2]
    frames = b""
    for prompt in prompts:
        with wave.open(str(prompt)) as sound:
            frames += sound.readframes(sound.getnframes()) + b"\0" * 16_000
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        out.writeframes(frames)
    return len(frames) / 16_000
