"""The Whisper model of a listening process: loaded with the first work, on the GPU where one works."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recordings.heard import ModelMissingError

RATE = 16_000
"""Samples a second that Whisper hears."""


@dataclass(frozen=True, slots=True)
class SpeechSettings:
    """`model`: a CTranslate2 folder, or a name that faster-whisper knows and fetches. `language` None: heard.

    `device`: cpu, cuda, or auto, which takes a GPU where one works; `compute`: a type of CTranslate2, or auto.
    `languages` are those to choose from when it is heard. `threads` and memory count for each process.
    """

    model: str
    device: str = "auto"
    compute: str = "auto"
    language: str | None = None
    beam: int = 1
    languages: tuple[str, ...] = ("ru", "en")
    threads: int = 2

    @property
    def name(self) -> str:
        """The model's name without its folder, for the transcript."""
        return Path(self.model).name


class Process:
    """The state of a listening process: the settings it began with, the model once it is loaded, and where it runs."""

    settings: SpeechSettings
    model: Any = None
    device: str = "cpu"


def begin(settings: SpeechSettings) -> None:
    """The first thing that runs in a listening process."""
    Process.settings = settings


def loaded() -> Any:
    """The loaded model. Raises ModelMissingError."""
    if Process.model is None:
        told = Process.settings
        if os.sep in told.model and not (Path(told.model) / "model.bin").is_file():
            raise ModelMissingError(f"no Whisper model at {told.model}: run `make`, or name one in transcription.model")
        try:
            Process.model, Process.device = _anywhere(told)
        except Exception as error:  # noqa: BLE001 CTranslate2 and the hub client raise whatever they like
            raise ModelMissingError(f"the Whisper model {told.model!r} cannot be loaded: {_line(error)}") from None
    return Process.model


def _anywhere(told: SpeechSettings) -> tuple[Any, str]:
    """The model and where it runs. `auto` falls back to the CPU where there is a GPU and its libraries are missing."""
    import ctranslate2  # noqa: PLC0415 as above

    if told.device != "cpu" and ctranslate2.get_cuda_device_count():
        try:
            return _load(told, "cuda", "float16"), "cuda"
        except (RuntimeError, ValueError):
            if told.device == "cuda":
                raise
    if told.device == "cuda":
        raise ModelMissingError("there is no GPU that CUDA can use")
    return _load(told, "cpu", "int8"), "cpu"


def _load(told: SpeechSettings, device: str, compute: str) -> Any:
    import numpy as np  # noqa: PLC0415 as above
    from faster_whisper import WhisperModel  # noqa: PLC0415 as above

    compute = compute if told.compute == "auto" else told.compute
    model = WhisperModel(told.model, device, compute_type=compute, cpu_threads=told.threads)
    if device == "cuda":
        # CTranslate2 looks for CUDA's libraries with the first work: a silent second tells whether they are there.
        model.encode(model.feature_extractor(np.zeros(RATE, np.float32))[..., :100])
    return model


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
