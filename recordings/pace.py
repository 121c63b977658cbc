"""How quick a listening process is, measured on a sound that is nobody's."""

from __future__ import annotations

import time
from typing import Final

from recordings.model import RATE, Process, loaded

_WINDOW_SECONDS: Final = 30
_TONE_HERTZ: Final = 300
_TOKENS: Final = 60
"""About as many as people say in a window."""


def pace() -> float:
    """Seconds that a second of sound takes, without loading the model. Raises ModelMissingError.

    A window costs the same whatever it holds, but for the words; of a tone with pauses some are made up.
    """
    import numpy as np  # noqa: PLC0415 only the listening process pays for it

    model = loaded()
    at = np.arange(_WINDOW_SECONDS * RATE, dtype=np.float32) / RATE
    tone = (0.2 * np.sin(2 * np.pi * _TONE_HERTZ * at) * (np.sin(2 * np.pi * 3 * at) > 0)).astype(np.float32)
    began = time.perf_counter()
    heard, _ = model.transcribe(
        tone,
        language=Process.settings.languages[0],
        beam_size=Process.settings.beam,
        temperature=0.0,
        condition_on_previous_text=False,
        max_new_tokens=_TOKENS,
    )
    for _ in heard:
        pass
    return (time.perf_counter() - began) / _WINDOW_SECONDS
